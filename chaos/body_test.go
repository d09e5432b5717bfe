package chaos

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// Bytes depend on the place alone: any read gives what reading from the start would have given.
func TestContentIsTheSameFromEverywhere(t *testing.T) {
	c := content{key: keyOf(1, "x"), size: 1000}
	all, err := io.ReadAll(c.reader())
	if err != nil || len(all) != 1000 {
		t.Fatalf("%d bytes, %v", len(all), err)
	}
	for off := range 1000 {
		for _, n := range []int{1, 7, 8, 9, 64, 1000} {
			p := make([]byte, n)
			got, err := c.ReadAt(p, int64(off))
			want := all[off:min(off+n, 1000)]
			if !bytes.Equal(p[:got], want) || (err == io.EOF) != (got < n) {
				t.Fatalf("%d bytes at %d: %q, %v; want %q", n, off, p[:got], err, want)
			}
		}
	}
	if err := iotest.TestReader(c.reader(), all); err != nil {
		t.Error(err)
	}
	if _, err := c.ReadAt(nil, -1); err == nil {
		t.Error("read at -1: no error")
	}
	if _, err := c.ReadAt(make([]byte, 1), 1000); !errors.Is(err, io.EOF) {
		t.Errorf("read at the end: %v, want EOF", err)
	}
	for i, b := range all {
		if (b == '\n') != (i%64 == 63) || b != '\n' && strings.IndexByte(alphabet, b) < 0 {
			t.Fatalf("byte %d is %q, want lines of 63 printable bytes", i, b)
		}
	}
}

// A repeated stretch would hide pieces that a client put together in the wrong order.
func TestContentDoesNotRepeat(t *testing.T) {
	c := content{key: keyOf(2, "y"), size: 1 << 16}
	all, _ := io.ReadAll(c.reader())
	seen := make(map[string]int)
	for i := 0; i+16 <= len(all); i++ {
		k := string(all[i : i+16])
		if j, ok := seen[k]; ok {
			t.Fatalf("the 16 bytes at %d and at %d are the same", j, i)
		}
		seen[k] = i
	}
}

func TestCutPointIsInside(t *testing.T) {
	for total := int64(1); total < 300; total++ {
		for draw := range uint64(400) {
			p := cutPoint(draw, total)
			if p < total/4 || p >= total || p > total*3/4 {
				t.Fatalf("cutPoint(%d, %d) = %d", draw, total, p)
			}
		}
	}
	if p := cutPoint(1<<64-1, maxSize); p < maxSize/4 || p > maxSize/4*3 {
		t.Errorf("cutPoint of the largest body: %d", p)
	}
}

// The headers of a date are consistent whatever fraction of a second the clock stands at.
func TestDateAfterNeverTellsTooEarly(t *testing.T) {
	for _, frac := range []time.Duration{0, 1, 500 * time.Millisecond, time.Second - 1} {
		for _, d := range []time.Duration{0, 1, time.Second - 1, time.Second, time.Second + 1, 90 * time.Second} {
			now := time.Unix(1000, 0).Add(frac)
			_, _, wait := dateAfter(now, d)
			from := now.Truncate(time.Second)
			if wait < d || from.Add(wait).Before(now.Add(d)) || wait >= d+2*time.Second {
				t.Errorf("at %v for %v: wait %v", frac, d, wait)
			}
		}
	}
}

// The manual lists what the table has, no more and no less.
func TestManualListsTheTable(t *testing.T) {
	b, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "//\t/"); ok {
			name, _, _ := strings.Cut(strings.Fields(rest)[0], "/")
			listed = append(listed, name)
		}
	}
	var names []string
	for _, f := range table {
		names = append(names, f.name)
		if !strings.Contains(index(), "\n"+f.example+"\n") {
			t.Errorf("the index page lacks %s", f.example)
		}
	}
	if strings.Join(listed, " ") != strings.Join(names, " ") {
		t.Errorf("doc.go lists %v, the table has %v", listed, names)
	}
}
