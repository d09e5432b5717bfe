package fetch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// A Source yields items. Run iterates over it once, in a goroutine of its own, and no further ahead than Config.Window;
// the iteration must end soon after ctx does. An error that is a *LineError concerns that one item, which gets a
// failed record; any other one ends the input and, when all that came before has been fetched, the run.
type Source func(ctx context.Context) iter.Seq2[Item, error]

// Items is the source of the given items.
func Items(items ...Item) Source {
	return func(context.Context) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for i, it := range items {
				var err error
				if reason := it.check(); reason != nil {
					err = &LineError{Name: "items", Line: i + 1, Text: it.URL, Err: reason}
				}
				if !yield(it, err) {
					return
				}
			}
		}
	}
}

// URLs is the source of the given URLs.
func URLs(urls ...string) Source {
	items := make([]Item, len(urls))
	for i, u := range urls {
		items[i].URL = u
	}
	return Items(items...)
}

// Concat is one source after the other.
func Concat(sources ...Source) Source {
	return func(ctx context.Context) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for _, src := range sources {
				for it, err := range src(ctx) {
					if !yield(it, err) {
						return
					}
				}
			}
		}
	}
}

// A LineError says that a line of the input is not an item.
type LineError struct {
	Name string // of the file
	Line int    // from 1
	Text string // the line, or its beginning if it is long
	Err  error
}

// Error names the file, the line and the reason.
func (e *LineError) Error() string { return fmt.Sprintf("%s line %d: %v", e.Name, e.Line, e.Err) }

// Unwrap returns the reason.
func (e *LineError) Unwrap() error { return e.Err }

// MaxLine is how many bytes a line of the input may have.
const MaxLine = 1 << 20

// Lines is the source of the lines of r, each one item (see Parse). Blank lines, and lines that begin with #, are skipped.
// The name stands for r in errors.
//
// A Read that blocks, as that of a terminal, cannot be canceled: then one goroutine stays with it until it returns, though the
// iteration has ended.
func Lines(name string, r io.Reader) Source {
	return func(ctx context.Context) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			left := make(chan struct{})
			defer close(left)
			in := batches(r, left, ctx.Done())
			for {
				var b batch
				select {
				case next, ok := <-in:
					if !ok {
						return
					}
					b = next
				case <-ctx.Done():
					return
				}
				for _, l := range b.lines {
					if l.blank() {
						continue
					}
					it, err := parseLine(name, l)
					if !yield(it, err) {
						return
					}
				}
				if b.err != nil {
					yield(Item{}, fmt.Errorf("fetch: reading %s: %w", name, b.err))
					return
				}
			}
		}
	}
}

type line struct {
	n    int
	text []byte
	long bool
}

type batch struct {
	lines []line
	err   error
}

// batches reads r in a goroutine, which ends when its next Read does after either channel is closed. The result is
// closed at the end of r.
func batches(r io.Reader, left, done <-chan struct{}) <-chan batch {
	out := make(chan batch)
	go func() {
		defer close(out)
		br := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; {
			var b batch
			for len(b.lines) == 0 || whole(br) && len(b.lines) < 256 {
				text, long, err := readLine(br)
				if n == 1 {
					text = bytes.TrimPrefix(text, []byte("\ufeff")) // a byte order mark
				}
				if err == nil || errors.Is(err, io.EOF) && len(text) > 0 {
					b.lines = append(b.lines, line{n, text, long})
					n++
				}
				if err != nil {
					b.err = err
					break
				}
			}
			end := b.err != nil
			if errors.Is(b.err, io.EOF) {
				b.err = nil
			}
			select {
			case out <- b:
			case <-left:
				return
			case <-done:
				return
			}
			if end {
				return
			}
		}
	}()
	return out
}

// whole reports whether br has a whole line in its buffer. One that a writer has not finished must not hold back those before it.
func whole(br *bufio.Reader) bool {
	b, _ := br.Peek(br.Buffered())
	return bytes.IndexByte(b, '\n') >= 0
}

// readLine returns the next line without its end, cut off after MaxLine bytes if it is longer.
func readLine(br *bufio.Reader) (text []byte, long bool, err error) {
	for {
		part, err := br.ReadSlice('\n')
		if room := MaxLine - len(text); len(part) > room && !(len(part) == room+1 && part[room] == '\n') {
			long, part = true, part[:room]
		}
		text = append(text, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(text, []byte("\n")), long, err
		}
	}
}

func (l line) blank() bool {
	text := bytes.TrimSpace(l.text)
	return len(text) == 0 || text[0] == '#'
}

func parseLine(name string, l line) (it Item, err error) {
	if l.long {
		err = fmt.Errorf("the line is longer than %d bytes", MaxLine)
	} else {
		it, err = Parse(l.text)
	}
	if err == nil {
		return it, nil
	}
	text := l.text[:min(len(l.text), 200)]
	return it, &LineError{Name: name, Line: l.n, Text: strings.ToValidUTF8(string(text), "\ufffd"), Err: err}
}
