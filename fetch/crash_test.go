package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A life is a list that is fetched in several runs, which end in all manners.
type life struct {
	*testing.T
	*archive
	seed  uint64
	dir   string
	out   string
	items []Item
	most  int64
}

func (l *life) fail(format string, args ...any) {
	l.Helper()
	l.Errorf("seed %d: %s", l.seed, fmt.Sprintf(format, args...))
}

// records reads the file of results, whose last line may be torn.
func (l *life) records() (all []Record) {
	l.Helper()
	b, err := os.ReadFile(l.out)
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(b) {
		var r Record
		if err := json.Unmarshal(line, &r); err == nil {
			all = append(all, r)
		} else if line[len(line)-1] == '\n' {
			l.fail("line %.100q: %v", line, err)
		}
	}
	return all
}

// run goes on with the list, in a bubble of its own.
func (l *life) run(c Config, jc JournalConfig, stop, cancel time.Duration) (counts Counts, err error) {
	l.Helper()
	before := l.records()
	file, _ := os.Stat(l.out)
	l.asked = make(map[string]int)
	c.Dir, c.Transport, c.MaxSize, c.Meter = l.dir, l.archive, l.most, new(Meter)
	synctest.Test(l.T, func(t *testing.T) {
		var j *Journal
		if j, err = OpenJournal(l.out, jc); err != nil {
			return
		}
		if !l.calm && !jc.RetryFailed && l.odds(5) {
			j.file = &scant{j.file.(*os.File), l.draw.IntN(4000)}
		}
		ctx, done := context.WithTimeout(t.Context(), cancel)
		defer done()
		halt := make(chan struct{})
		c.Stop = halt
		timer := time.AfterFunc(stop, func() { close(halt) })
		counts, err = Run(ctx, c, Items(l.items...), j)
		timer.Stop()
		if cerr := j.Close(); cerr != nil && (err == nil || !errors.Is(cerr, syscall.ENOSPC)) {
			l.fail("closing the journal: %v", cerr)
		}
	})
	now := l.records()
	if now, err := os.Stat(l.out); jc.RetryFailed && err == nil && file != nil && !os.SameFile(file, now) {
		before = slices.DeleteFunc(before, func(r Record) bool { return !r.OK }) // it came that far
	}
	if got := int64(len(now) - len(before)); err == nil && counts.Left() != 0 || counts.Left() < 0 || got != counts.Done()-counts.Before {
		l.fail("%d lines are new, and the run ended with %v, %+v", got, err, counts)
	}
	if err == nil && (len(now) != len(l.items) || counts.Read != int64(len(now)) || !counts.AllRead) {
		l.fail("%d lines for %d items, %+v", len(now), len(l.items), counts)
	}
	if counts.Running != 0 || err == nil && (counts.Waiting != 0 || counts.Resting != 0) {
		l.fail("ended with %+v", counts)
	}
	for _, ok := range []error{nil, ErrStopped, ErrTime, ErrFailures, context.DeadlineExceeded, syscall.ENOSPC} {
		if errors.Is(err, ok) {
			l.check(before, now)
			return counts, err
		}
	}
	l.fail("ended with %v", err)
	return counts, err
}

// A scant file has room for so many bytes more.
type scant struct {
	*os.File
	room int
}

func (s *scant) Write(p []byte) (int, error) {
	n, err := s.File.Write(p[:min(len(p), s.room)])
	if s.room -= n; err == nil && n < len(p) {
		err = syscall.ENOSPC
	}
	return n, err
}

// check holds what the file says against the list, the bodies and what was asked for.
func (l *life) check(before, now []Record) {
	l.Helper()
	items, results, done, files := make(map[string]int), make(map[string]int), make(map[string]int), make(map[string]int)
	for _, it := range l.items {
		items[it.id()]++
		files[it.id()+it.URL]++
	}
	for _, r := range before {
		done[r.ID]++
	}
	for _, it := range l.items {
		if n := l.asked[it.Header["X-Item"]]; n > 0 && done[it.id()] == items[it.id()] {
			l.fail("%s has its result, and was asked for again", it.id())
		}
	}
	for _, r := range now {
		if results[r.ID]++; results[r.ID] > items[r.ID] {
			l.fail("%s has %d results for %d items", r.ID, results[r.ID], items[r.ID])
		}
		if !r.OK {
			if r.Path != "" || r.Error == nil {
				l.fail("%+v", r)
			}
			continue
		}
		at := slices.IndexFunc(l.items, func(it Item) bool { return it.id() == r.ID && it.URL == r.URL })
		it := l.items[at]
		if it.Method == http.MethodHead {
			continue
		}
		b, err := os.ReadFile(r.Path)
		if sum := sumOf(b); err != nil || !l.whole[r.SHA256] || !l.whole[sum] || files[r.ID+r.URL] == 1 && (sum != r.SHA256 || r.Bytes != int64(len(b))) {
			l.fail("%s: %v, %d bytes of %s, want %d of %s", r.ID, err, len(b), sum, r.Bytes, r.SHA256)
		}
		if it.SHA256 != "" && it.SHA256 != r.SHA256 || l.most > 0 && r.Bytes > l.most {
			l.fail("%s: %d bytes of %s, want at most %d, of %s", r.ID, r.Bytes, r.SHA256, l.most, it.SHA256)
		}
	}
}

// crash does to the files what a kill or a power cut can do, and more.
func (l *life) crash() {
	if info, err := os.Stat(l.out); err == nil && l.odds(2) {
		os.Truncate(l.out, max(0, info.Size()-int64(l.draw.IntN(1500))))
	}
	filepath.WalkDir(l.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(name, ".part") || !l.odds(3) {
			return nil
		}
		b, _ := os.ReadFile(name)
		switch l.draw.IntN(5) {
		case 0:
			b = b[:l.draw.IntN(len(b)+1)]
		case 1:
			b = append(b, make([]byte, 1000)...)
		case 2:
			if len(b) > 0 {
				b[l.draw.IntN(len(b))] ^= 1
			}
		case 3:
			os.WriteFile(strings.TrimSuffix(name, ".json")+".json.new", []byte(`{"url":`), 0o666)
			return nil
		case 4:
			os.Remove(name)
			return nil
		}
		return os.WriteFile(name, b, 0o666)
	})
}

func live(t *testing.T, seed uint64) {
	draw := rand.New(rand.NewPCG(seed, 17))
	a := newArchive(draw)
	top := inMemoryDir(t)
	l := &life{T: t, archive: a, seed: seed, dir: filepath.Join(top, "dir"), out: filepath.Join(top, "out"), items: a.list()}
	if a.odds(4) {
		l.most = int64(40_000 + draw.IntN(80_000))
	}
	any := func() time.Duration { return time.Duration(draw.Int64N(int64(40 * time.Second))) }
	for range 1 + draw.IntN(6) {
		c := Config{
			Concurrency: 1 + draw.IntN(5), PerHost: 1 + draw.IntN(3), Attempts: 1 + draw.IntN(4), Window: 1 + draw.IntN(12),
			Stall: 2 * time.Second, Timeout: 10 * time.Second, Grace: time.Duration(1 + draw.IntN(int(5*time.Second))), Patience: 20 * time.Second,
			MaxBackoff: time.Second,
		}
		if a.odds(3) {
			c.Hedge = 50 * time.Millisecond
		}
		if a.odds(6) {
			c.MaxFailures = 1 + draw.IntN(4)
		}
		if a.odds(6) {
			c.MaxTime = any()
		}
		if a.odds(6) {
			c.HostRate = 2
		}
		stop, cancel := any(), any()
		if a.odds(3) {
			stop, cancel = 24*time.Hour, 48*time.Hour
		}
		l.run(c, JournalConfig{RetryFailed: a.odds(4)}, stop, cancel)
		l.crash()
	}
	a.calm = true
	for _, retry := range []bool{false, true} {
		if _, err := l.run(Config{Attempts: 3}, JournalConfig{RetryFailed: retry}, 24*time.Hour, 48*time.Hour); err != nil {
			l.fail("the last run ended with %v", err)
		}
	}
	for _, r := range l.records() {
		if !r.OK {
			switch r.Error.Kind {
			case KindInvalid, KindChecksum:
			case KindTooLarge:
				if l.most == 0 {
					l.fail("%+v: %v", r, r.Error)
				}
			default:
				l.fail("%+v: %v", r, r.Error)
			}
			continue
		}
		for _, end := range []string{".part", ".part.json", ".part.json.new"} {
			if _, err := os.Stat(r.Path + end); err == nil && r.Path != "" {
				l.fail("%s is left", r.Path+end)
			}
		}
	}
}

// Whatever servers, stops and crashes do: every item gets one result, what has one is not asked for again, the numbers add up, and no file is anything but
// one body from its first byte to its last.
func TestCrashes(t *testing.T) {
	defer func(at, worth int64) { checkpointAt, worthwhile = at, worth }(checkpointAt, worthwhile)
	checkpointAt, worthwhile = 16<<10, 1<<10
	for i := range uint64(2 * *scenarios) {
		if live(t, *firstScenario+i); t.Failed() {
			return
		}
	}
}
