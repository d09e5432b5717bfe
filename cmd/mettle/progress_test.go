package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/fetch"
	"github.com/vbauerster/mpb/v8"
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
			m := newMonitor(newView(kind, &out, false), halfway)
			time.Sleep(12 * time.Second)
			m.stopping(10 * time.Second)
			time.Sleep(300 * time.Millisecond)
			m.close(finished())
			if got := out.String(); got != want {
				t.Errorf("%s shows\n%swant\n%s", kind, got, want)
			}
		})
	}
}

func TestJSONProgressIsOneObjectASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := newMonitor(newView(progressJSON, &out, false), halfway)
		time.Sleep(2500 * time.Millisecond)
		m.stopping(10 * time.Second)
		m.close(finished())
		lines := strings.SplitAfter(out.String(), "\n")
		want := `{"elapsed_ms":2000,"read":5000,"before":0,"all_read":false,"ok":1204,"failed":12,"left":3784,"kinds":{"status":12},` +
			`"attempts":1300,"bytes":9,"running":64,"waiting":3720,"resting":3,"stopping":false,"final":false}` + "\n"
		if len(lines) != 4 || lines[1] != want {
			t.Errorf("%d lines, the second\n%swant 3 and\n%s", len(lines)-1, lines[1], want)
		}
		if !strings.Contains(lines[2], `"elapsed_ms":2500,"read":5000,"before":0,"all_read":true,"ok":4812,`) || !strings.HasSuffix(lines[2], `"stopping":true,"final":true}`+"\n") {
			t.Errorf("the last line is %s", lines[2])
		}
	})
}

func TestBarLine(t *testing.T) {
	unknown := moment{halfway(), 65 * time.Second}
	if got, want := unknown.share()+"|"+unknown.numbers(), "  ?%|1,216 of 5,000+, 12 failed, 64 active, 3 hosts resting 1:05"; got != want {
		t.Errorf("while reading: %s, want %s", got, want)
	}
	known := unknown
	known.counts.AllRead, known.counts.Resting = true, 0
	if got, want := known.share()+"|"+known.numbers(), " 24%|1,216 of 5,000, 12 failed, 64 active 1:05"; got != want {
		t.Errorf("all read: %s, want %s", got, want)
	}
	if empty := (&moment{counts: fetch.Counts{AllRead: true}}).share(); empty != "  ?%" {
		t.Errorf("share of nothing is %q", empty)
	}
}

// What the bar writes to a terminal of 80 columns.
func TestBarDrawsAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		m := newMonitor(newBar(&out, mpb.WithAutoRefresh()), func() fetch.Counts {
			c := halfway()
			c.AllRead = true
			return c
		})
		time.Sleep(time.Second)
		m.stopping(5 * time.Second)
		time.Sleep(time.Second)
		m.close(finished())
		got := out.String()
		for _, want := range []string{
			" 24% [==>-----------] 1,216 of 5,000, 12 failed, 64 active, 3 hosts resting 0:00\n",
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
		m.view.stopping(finished(), 0) // too late for the bar, but not lost
		if !strings.HasSuffix(out.String(), "\rmettle: stopping, nothing is running\n") {
			t.Error("a notice after the end is lost")
		}
	})
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
	if got, want := summary(halfway(), time.Hour), "1,204 ok, 12 failed (12 status), 3,784 still to do of 5,000 read so far in 1h0m0s"; got != want {
		t.Errorf("summary is %q, want %q", got, want)
	}
	if got, want := stopNotice(fetch.Counts{Running: 1}, time.Second), "mettle: stopping, 1 running request may finish within 1s\nhint: press Ctrl-C again to exit now\n"; got != want {
		t.Errorf("notice is %q, want %q", got, want)
	}
	for format, want := range map[string]string{nameFirst: "c 3,000, a 2, b 2", countFirst: "3,000 c, 2 a, 2 b"} {
		if got := tally(map[string]int64{"b": 2, "a": 2, "c": 3000}, format); got != want {
			t.Errorf("tally is %s, want %s", got, want)
		}
	}
}
