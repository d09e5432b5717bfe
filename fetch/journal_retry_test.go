package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// resultLine is the result of an item without an id of its own. Kind "" stands for ok.
func resultLine(url string, kind Kind) string {
	if kind == "" {
		return fmt.Sprintf(`{"id":%q,"url":%[1]q,"ok":true,"outcome":"ok","bytes":0}`+"\n", url)
	}
	return fmt.Sprintf(`{"id":%q,"url":%[1]q,"ok":false,"outcome":"failed","error":{"kind":%q}}`+"\n", url, kind)
}

// The file that takes the place of the old one is where the old one was, and open to the same people. What else is there stays.
func TestRetryKeepsLinkAndMode(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.jsonl"), filepath.Join(dir, "link.jsonl")
	ok := strings.TrimSuffix(resultLine("http://a.test/1", ""), "\n")
	write(t, real, []byte(resultLine("http://a.test/2", KindDNS)+ok))
	write(t, real+".retry", []byte("somebody's own"))
	if err := errors.Join(os.Chmod(real, 0o666), os.Symlink("real.jsonl", link)); err != nil {
		t.Fatal(err)
	}
	r, err := resumed(t, link, JournalConfig{RetryFailed: true}, false, URLs("http://a.test/1", "http://a.test/2"))
	if err != nil || r.counts.Before != 1 || r.counts.OK != 2 {
		t.Fatalf("%v, %+v", err, r.counts)
	}
	info, err := os.Lstat(real)
	if err != nil || info.Mode() != 0o666 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if to, err := os.Readlink(link); err != nil || to != "real.jsonl" {
		t.Errorf("the link leads to %s, %v", to, err)
	}
	if text := read(t, real); !bytes.HasPrefix(text, []byte(ok+"\n{")) || bytes.Count(text, []byte("\n")) != 2 {
		t.Errorf("the file has %s", text)
	}
	if text := read(t, real+".retry"); string(text) != "somebody's own" {
		t.Errorf("somebody's file has %q", text)
	}
	if files, _ := os.ReadDir(dir); len(files) != 3 {
		t.Errorf("left behind: %v", files)
	}
}

// Failed results of items that are not in the list stay, and of several for one id those that no item of the list has.
func TestRetryKeepsResultsOfOtherItems(t *testing.T) {
	const a, b, c, d = "http://a.test/gone/1", "http://a.test/gone/2", "http://a.test/3", "http://a.test/gone/4"
	others := resultLine(b, KindDNS) + resultLine("http://a.test/gone/5", KindStatus) + `{"ok":false, "id":"x", "url":"y", "outcome":"failed", "error":{"kind":"odd"}}` + "\n"
	for _, tt := range []struct {
		what, had, kept string
		list            []Item
		unmatched       int64
	}{
		{"one of many", resultLine(a, KindDNS) + others + resultLine(c, ""), others + resultLine(c, ""), []Item{{URL: a}, {URL: c}}, 3},
		{"the last, without its newline", others + strings.TrimSuffix(resultLine(a, KindDNS), "\n"), others, []Item{{URL: a}}, 3},
		{"one of two for a URL", resultLine(a, KindDNS) + others + resultLine(a, KindDNS), others + resultLine(a, KindDNS), []Item{{URL: a}}, 4},
		{"both for a URL", resultLine(a, KindDNS) + others + resultLine(a, KindReset), others, []Item{{URL: a}, {URL: a}}, 3},
		{"one that is ok and one that failed", resultLine(a, KindDNS) + others + resultLine(a, ""), others + resultLine(a, ""), []Item{{URL: a}, {URL: a}}, 3},
		{"an id whose URL has changed", strings.Replace(resultLine(a, KindDNS), a, "id", 1) + others, others, []Item{{ID: "id", URL: d}}, 3},
		{"none that failed", others + resultLine(c, ""), others + resultLine(c, ""), []Item{{URL: c}, {URL: d}}, 3},
	} {
		name := filepath.Join(t.TempDir(), "results.jsonl")
		write(t, name, []byte(tt.had))
		r, err := resumed(t, name, JournalConfig{RetryFailed: true}, true, Items(tt.list...))
		now := string(read(t, name))
		if err != nil || !strings.HasPrefix(now, tt.kept) || strings.Count(now, "\n") != len(tt.list)+int(tt.unmatched) || r.unmatched != tt.unmatched {
			t.Errorf("%s: %v, %d unmatched, the file has\n%swant first\n%s", tt.what, err, r.unmatched, now, tt.kept)
		}
		if r.counts.Read != int64(len(tt.list)) || r.counts.OK != r.counts.Read {
			t.Errorf("%s: %+v", tt.what, r.counts)
		}
	}
}

// What has no result yet is fetched while the list is read, and its records are in the file that takes the place of the old one.
func TestRetryComesAfterWhatIsNew(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	write(t, name, []byte(resultLine("http://a.test/1", KindDNS)+resultLine("http://a.test/2", "")))
	o := new(origin)
	synctest.Test(t, func(t *testing.T) {
		j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
		if err != nil {
			t.Fatal(err)
		}
		more := make(chan struct{})
		src := Concat(URLs("http://a.test/1", "http://a.test/2", "http://a.test/3"), func(context.Context) iter.Seq2[Item, error] {
			return func(func(Item, error) bool) { <-more }
		})
		over := make(chan error)
		go func() {
			_, err := Run(t.Context(), Config{Transport: o}, src, j)
			over <- errors.Join(err, j.Close())
		}()
		synctest.Wait()
		if o.mu.Lock(); o.seen["http://a.test/3"] != 1 || o.seen["http://a.test/1"] != 0 {
			t.Errorf("while the list goes on, requests are %v", o.seen)
		}
		o.mu.Unlock()
		close(more)
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	ids, _ := idsIn(t, read(t, name))
	if len(ids) != 3 || ids["http://a.test/1"] != 1 || ids["http://a.test/3"] != 1 || o.seen["http://a.test/1"] != 1 {
		t.Errorf("results are %v, requests %v", ids, o.seen)
	}
}

// A retry that is stopped before the end of its list leaves the failed results where they are.
func TestRetryThatIsStoppedKeepsFailedResults(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	had := resultLine("http://a.test/1", KindDNS) + resultLine("http://a.test/2", "")
	write(t, name, []byte(had))
	synctest.Test(t, func(t *testing.T) {
		j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
		if err != nil {
			t.Fatal(err)
		}
		stop := make(chan struct{})
		src := Concat(URLs("http://a.test/1"), func(ctx context.Context) iter.Seq2[Item, error] {
			return func(func(Item, error) bool) {
				close(stop)
				<-ctx.Done()
			}
		})
		_, err = Run(t.Context(), Config{Transport: &origin{}, Stop: stop}, src, j)
		if cerr := j.Close(); !errors.Is(err, ErrStopped) || cerr != nil {
			t.Errorf("%v, and closing: %v", err, cerr)
		}
	})
	if now := string(read(t, name)); now != had {
		t.Errorf("the file has\n%swant\n%s", now, had)
	}
}

// A file that somebody else has changed since is not replaced: it could get two results for an item.
func TestRetryOfAFileThatHasChanged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	had := resultLine("http://a.test/1", KindDNS)
	write(t, name, []byte(had))
	j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
	if err != nil {
		t.Fatal(err)
	}
	now := strings.Replace(had, "a.test", "b.test", 2)
	write(t, name, []byte(now))
	_, err = Run(t.Context(), Config{Transport: &origin{}}, URLs("http://a.test/1"), j)
	j.Close()
	if !errors.Is(err, errChanged) || string(read(t, name)) != now {
		t.Errorf("%v, and the file has %s", err, read(t, name))
	}
	if files, _ := os.ReadDir(filepath.Dir(name)); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

// While the file is copied, the run goes on to write.
func TestRetryKeepsWhatIsWrittenMeanwhile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	write(t, name, []byte(resultLine("http://a.test/1", KindDNS)+resultLine("http://a.test/2", "")))
	j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	add := func(id string) {
		t.Helper()
		if err := errors.Join(j.Write(failedRecord(id, KindDNS)), j.Flush()); err != nil {
			t.Fatal(err)
		}
	}
	j.known.take("http://a.test/1", "http://a.test/1")
	if err := j.settle(); err != nil {
		t.Fatal(err)
	}
	add("before")
	h, err := j.heir()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.copyOthers(t.Context(), j.known, 1); err != nil {
		t.Fatal(err)
	}
	add("meanwhile")
	if err := j.Write(failedRecord("kept back", KindDNS)); err != nil {
		t.Fatal(err)
	}
	if err := j.succeed(h); err != nil {
		t.Fatal(err)
	}
	add("after")
	ids, _ := idsIn(t, read(t, name))
	if want := map[string]int{"http://a.test/2": 1, "before": 1, "meanwhile": 1, "kept back": 1, "after": 1}; !maps.Equal(ids, want) {
		t.Errorf("the file has %v, want %v", ids, want)
	}
	if int64(len(read(t, name))) != j.size {
		t.Errorf("the file has %d bytes, and is thought to have %d", len(read(t, name)), j.size)
	}
}

// What goes wrong while the file is copied leaves the old one where it is, and nothing beside it.
func TestRetryThatFailsChangesNothing(t *testing.T) {
	had := strings.Repeat(resultLine("http://a.test/1", KindDNS), 3000)
	gone, full := errors.New("caller has gone"), errors.New("no space")
	for _, want := range []error{gone, full} {
		name := filepath.Join(t.TempDir(), "results.jsonl")
		write(t, name, []byte(had))
		j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
		if err != nil {
			t.Fatal(err)
		}
		j.known.takeAny("http://a.test/1")
		ctx, cancel := context.WithCancelCause(t.Context())
		if want == gone {
			cancel(gone)
		} else {
			j.failed = full
		}
		if err := j.withoutTaken(ctx, 1); !errors.Is(err, want) || string(read(t, name)) != had {
			t.Errorf("%v, want %v and the file as it was", err, want)
		}
		cancel(nil)
		j.failed = nil
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		if files, _ := os.ReadDir(filepath.Dir(name)); len(files) != 1 {
			t.Errorf("left behind: %v", files)
		}
	}
}
