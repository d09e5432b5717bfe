package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/fetch"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// halfway is a run in its middle, as a function of nothing.
func halfway() fetch.Counts {
	return fetch.Counts{Read: 5000, OK: 1204, Failed: 12, Kinds: map[fetch.Kind]int64{fetch.KindStatus: 12}, Attempts: 1300, Bytes: 9, Running: 64, Waiting: 3720, Resting: 3}
}

func finished() fetch.Counts {
	return fetch.Counts{Read: 5000, AllRead: true, OK: 4812, Failed: 188,
		Kinds: map[fetch.Kind]int64{fetch.KindTruncated: 8, fetch.KindStatus: 120, fetch.KindRefused: 60}}
}

func TestProgressOverTime(t *testing.T) {
	const final = "mettle: 4,812 ok, 188 failed (120 status, 60 refused, 8 truncated) of 5,000 in 12.3s\n"
	for kind, want := range map[string]string{
		progressNone: "mettle: stopping, 64 running requests may finish within 10s\nhint: press Ctrl-C again to exit now\n",
		progressPlain: "mettle: 1,204 ok, 12 failed of 5,000 read so far in 5s, 64 running, 3 hosts resting\n" +
			"mettle: 1,204 ok, 12 failed of 5,000 read so far in 10s, 64 running, 3 hosts resting\n" +
			"mettle: stopping, 64 running requests may finish within 10s\nhint: press Ctrl-C again to exit now\n" + final,
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			m := newMonitor(newView(kind, &out, false, false), halfway, nil)
			time.Sleep(12 * time.Second)
			m.stopping(10*time.Second, syscall.SIGINT)
			time.Sleep(300 * time.Millisecond)
			m.close(finished(), true)
			if got := out.String(); got != want {
				t.Errorf("%s shows\n%swant\n%s", kind, got, want)
			}
		})
	}
}

func TestJSONProgressIsOneObjectASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := newMonitor(newView(progressJSON, &out, false, false), halfway, nil)
		time.Sleep(2500 * time.Millisecond)
		m.stopping(10*time.Second, syscall.SIGINT)
		m.close(finished(), true)
		lines := strings.SplitAfter(out.String(), "\n")
		want := `{"elapsed_ms":2000,"read":5000,"before":0,"all_read":false,"ok":1204,"failed":12,"left":3784,"kinds":{"status":12},` +
			`"attempts":1300,"bytes":9,"running":64,"waiting":3720,"resting":3,"offline":false,"stopping":false,"final":false}` + "\n"
		if len(lines) != 4 || lines[1] != want {
			t.Errorf("%d lines, the second\n%swant 3 and\n%s", len(lines)-1, lines[1], want)
		}
		if !strings.Contains(lines[2], `"elapsed_ms":2500,"read":5000,"before":0,"all_read":true,"ok":4812,`) || !strings.HasSuffix(lines[2], `"stopping":true,"final":true}`+"\n") {
			t.Errorf("the last line is %s", lines[2])
		}
	})
}

func TestBarLine(t *testing.T) {
	reading := moment{counts: halfway(), took: 65 * time.Second}
	known := reading
	known.counts.AllRead, known.counts.Resting = true, 0
	fast := known
	fast.bytes, fast.left = 12.34e6, 200*time.Second
	resting := fast
	resting.counts.Resting = 3
	fine := fast
	fine.counts.Failed = 0
	big := fast
	big.counts.Read, big.counts.OK, big.counts.Failed, big.left = 10_000_000, 9_876_543, 12_345, 26*time.Hour
	for _, tt := range []struct {
		m       moment
		columns int
		want    string
	}{
		{reading, 80, "  ?% [------------] 1,216 of 5,000+, 12 failed, 64 active, 3 hosts resting, 1:05"},
		{known, 80, " 24% [======>-----------------------] 1,216 of 5,000, 12 failed, 64 active, 1:05"},
		{fast, 80, " 24% [==>-------------] 1,216 of 5,000, 12 failed, 64 active, 12 MB/s, 3:20 left"},
		{fast, 500, " 24% [==>-------------] 1,216 of 5,000, 12 failed, 64 active, 12 MB/s, 3:20 left"},
		{resting, 80, " 24% [=>--------] 1,216 of 5,000, 12 failed, 3 hosts resting, 12 MB/s, 3:20 left"},
		{fine, 80, " 24% [===>-------------] 1,204 of 5,000, 0 failed, 64 active, 12 MB/s, 3:20 left"},
		{fast, 70, " 24% [===>-------------] 1,216 of 5,000, 12 failed, 12 MB/s, 3:20 left"},
		{fast, 60, " 24% [==>-------------] 1,216 of 5,000, 12 failed, 3:20 left"},
		{fast, 50, " 24% [===>-------------] 1,216 of 5,000, 12 failed"},
		{fast, 49, " 24% 1,216 of 5,000, 12 failed, 3:20 left"},
		{fast, 40, " 24% 1,216 of 5,000, 12 failed, 12 MB/s"},
		{fast, 30, " 24% 1,216 of 5,000, 12 failed"},
		{fine, 30, " 24% 1,204 of 5,000, 3:20 left"},
		{fast, 20, " 24% 1,216 of 5,000"},
		{fast, 9, " 24% 1,21"},
		{fast, 0, ""},
		{big, 80, " 98% [========>-] 9,888,888 of 10,000,000, 12,345 failed, 12 MB/s, 26:00:00 left"},
	} {
		got := tt.m.line(tt.columns)
		if got != tt.want || len(got) > min(tt.columns, 80) {
			t.Errorf("in %d columns it is\n%q, want\n%q", tt.columns, got, tt.want)
		}
	}
	if empty := (&moment{counts: fetch.Counts{AllRead: true}}).line(80); !strings.HasPrefix(empty, "  ?% [--") {
		t.Errorf("share of nothing is %q", empty)
	}
}

// Where the window is now narrower than the line on it, that line takes several rows.
func TestBarTakesBackTheRowsOfAWiderLine(t *testing.T) {
	b := newBar(io.Discard, mpb.WithAutoRefresh())
	b.show(moment{counts: halfway()})
	drawn := func(columns int) string {
		var out bytes.Buffer
		if err := b.fill(&out, decor.Statistics{AvailableWidth: columns}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	b.drawn.Store(0)
	for _, tt := range []struct {
		columns int
		want    string
	}{{200, "\r  ?% ["}, {80, "\r  ?% ["}, {79, "\r\x1b[1A\x1b[J  ?% ["}, {80, "\r  ?% ["}, {40, "\r\x1b[1A\x1b[J  ?% 1"}, {79, "\r  ?% ["}, {26, "\r\x1b[3A\x1b[J  ?% 1,216"}, {25, "\r\x1b[1A\x1b[J  ?% 1,216"}, {80, "\r  ?% ["}} {
		if got := drawn(tt.columns); !strings.HasPrefix(got, tt.want) {
			t.Errorf("in %d columns it draws %q, want %q", tt.columns, got, tt.want)
		}
	}
	b.status(moment{}) // comes between the line and its next one
	if got := drawn(30); !strings.HasPrefix(got, "\r  ?%") {
		t.Errorf("after a line above it draws %q", got)
	}
	b.end(finished(), 0, true)
}

func TestDrawing(t *testing.T) {
	for part, want := range map[float64]string{0: "[----]", 0.24: "[----]", 0.25: "[>---]", 0.5: "[=>--]", 0.99: "[==>-]", 1: "[====]"} {
		if got := drawing(part, 6); got != want {
			t.Errorf("drawing(%v) is %s, want %s", part, got, want)
		}
	}
}

// Speed is that of the last 20 seconds, and of this run.
func TestPace(t *testing.T) {
	var p pace
	c := fetch.Counts{Read: 1000, Before: 500, OK: 500, AllRead: true}
	if m := p.at(c, 500*time.Millisecond); m.bytes != 0 || m.left != 0 {
		t.Errorf("half a second after the beginning: %+v", m)
	}
	at := time.Duration(0)
	run := func(seconds int, done, bytes int64) (m moment) {
		for range seconds * 10 {
			at += 100 * time.Millisecond
			if at%time.Second == 0 {
				c.OK += done
			}
			c.Bytes += bytes / 10
			m = p.at(c, at)
		}
		return m
	}
	if m := run(10, 2, 5_000_000); m.left != 240*time.Second || m.bytes != 5e6 {
		t.Errorf("after 10s at 2 and 5 MB a second: %v left of %d, %v bytes a second, want 4m0s and 5e6", m.left, c.Left(), m.bytes)
	}
	if m := run(20, 1, 50_000); m.left != 460*time.Second || m.bytes < 49_000 || m.bytes > 51_000 {
		t.Errorf("20s later at 1 and 50 kB: %v left of %d, %v bytes a second, want 7m40s and 50e3", m.left, c.Left(), m.bytes)
	}
	if m := run(40, 0, 0); m.left != 0 || m.bytes != 0 {
		t.Errorf("after 40s of silence: %+v", m)
	}
	c.OK++
	if m := p.at(c, at); m.left < time.Hour {
		t.Errorf("at one in 20s there are %v left for %d", m.left, c.Left())
	}
	c.AllRead = false
	if m := run(10, 1, 0); m.left != 0 {
		t.Errorf("while the list is being read: %v left", m.left)
	}
	if len(p.past) > 22 {
		t.Errorf("it remembers %d moments", len(p.past))
	}
}

// What the bar writes to a terminal of 80 columns.
func TestBarDrawsAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		asked := make(chan os.Signal)
		m := newMonitor(newBar(&out, mpb.WithAutoRefresh()), func() fetch.Counts {
			c := halfway()
			c.AllRead = true
			return c
		}, asked)
		time.Sleep(time.Second)
		asked <- syscall.SIGUSR1
		synctest.Wait()
		m.stopping(5*time.Second, syscall.SIGINT)
		time.Sleep(time.Second)
		m.close(finished(), true)
		got := out.String()
		for _, want := range []string{
			" 24% [==>----------] 1,216 of 5,000, 12 failed, 64 active, 3 hosts resting, 0:00\n",
			"\rmettle: 1,204 ok, 12 failed of 5,000 in 1s, 64 running, 3 hosts resting\n",
			" 24% [==>----------] 1,216 of 5,000, 12 failed, 64 active, 3 hosts resting, 0:01\n", // stopping
			"\rmettle: stopping, 64 running requests may finish within 5s\nhint: ",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%q", want, got)
			}
		}
		if !strings.HasSuffix(got, "\rmettle: 4,812 ok, 188 failed (120 status, 60 refused, 8 truncated) of 5,000 in 2s\n") {
			t.Errorf("the last is not the summary:\n%q", got)
		}
		// A ^C may have moved the cursor, at any time: wherever it is, what is drawn begins at the edge.
		drawn := strings.Split(got, "\x1b[J")
		for _, text := range drawn {
			if !strings.HasPrefix(text, "\r") && !strings.HasPrefix(text, "\x1b[") {
				t.Errorf("%q is drawn from where the cursor is", text)
			}
		}
		if len(drawn) < 10 {
			t.Errorf("the bar was drawn %d times in 2s", len(drawn))
		}
		m.view.stopping(finished(), 0, syscall.SIGINT) // too late for the bar, but not lost
		if !strings.HasSuffix(out.String(), "\rmettle: stopping, nothing is running\n") {
			t.Error("a notice after the end is lost")
		}
	})
}

// Whatever the view, who asks gets an answer.
func TestStatusWhenAsked(t *testing.T) {
	for kind, want := range map[string]string{
		progressNone:  "mettle: 1,204 ok, 12 failed of 5,000 read so far in 0.5s, 64 running, 3 hosts resting\n",
		progressPlain: "mettle: 1,204 ok, 12 failed of 5,000 read so far in 0.5s, 64 running, 3 hosts resting\nmettle: 0 ok, ",
		progressJSON:  `{"elapsed_ms":500,"read":5000,`,
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			asked := make(chan os.Signal)
			m := newMonitor(newView(kind, &out, false, false), halfway, asked)
			time.Sleep(500 * time.Millisecond)
			asked <- syscall.SIGUSR1
			m.close(fetch.Counts{}, true)
			if got := out.String(); !strings.HasPrefix(got, want) || kind == progressNone && got != want {
				t.Errorf("%s says %q, want %q", kind, got, want)
			}
		})
	}
}

func TestWording(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) is %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 45678 * time.Microsecond: "46ms", 100 * time.Millisecond: "0.1s", 12345 * time.Millisecond: "12.3s", 10 * time.Second: "10s",
		time.Minute: "1m0s", 3*time.Hour + 59700*time.Millisecond: "3h1m0s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) is %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0:00", 59999 * time.Millisecond: "0:59", time.Hour - 1: "59:59", time.Hour: "1:00:00", 99*time.Hour + 61*time.Second: "99:01:01", 100 * time.Hour: "4d",
	} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v) is %s, want %s", d, got, want)
		}
	}
	for bytes, want := range map[float64]string{
		1000: "1.0 kB/s", 9949: "9.9 kB/s", 9951: "10 kB/s", 999_499: "999 kB/s", 999_500: "1.0 MB/s", 12.34e6: "12 MB/s", 3.21e9: "3.2 GB/s", 5e15: "5000 TB/s",
	} {
		if got := speed(bytes); got != want {
			t.Errorf("speed(%v) is %s, want %s", bytes, got, want)
		}
	}
	if got, want := summary(halfway(), time.Hour), "1,204 ok, 12 failed (12 status), 3,784 still to do of 5,000 read so far in 1h0m0s"; got != want {
		t.Errorf("summary is %q, want %q", got, want)
	}
	for s, again := range map[syscall.Signal]string{
		syscall.SIGINT: "press Ctrl-C again", syscall.SIGTERM: "send SIGTERM again", syscall.SIGHUP: "send SIGTERM",
	} {
		want := "mettle: stopping, 1 running request may finish within 1s\nhint: " + again + " to exit now\n"
		if got := stopNotice(fetch.Counts{Running: 1}, time.Second, s); got != want {
			t.Errorf("notice of %v is %q, want %q", s, got, want)
		}
	}
	for format, want := range map[string]string{nameFirst: "c 3,000, a 2, b 2", countFirst: "3,000 c, 2 a, 2 b"} {
		if got := tally(map[string]int64{"b": 2, "a": 2, "c": 3000}, format); got != want {
			t.Errorf("tally is %s, want %s", got, want)
		}
	}
}
