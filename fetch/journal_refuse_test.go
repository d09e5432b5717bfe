package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

// Whatever is wrong with a file, it is not touched, and nothing is fetched.
func TestRefusedFilesStayAsTheyAre(t *testing.T) {
	const good = `{"id":"a","url":"http://a.test/","ok":true,"outcome":"ok","bytes":0}` + "\n"
	for _, tt := range []struct {
		what, text string
		line       int64
		want       error
	}{
		{"another list", good, 0, ErrOtherList},
		{"another list, torn", good + `{"id":"b","ur`, 0, ErrOtherList},
		{"another list, without the last newline", good + good[:len(good)-1], 0, ErrOtherList},
		{"a text", "Dear diary\n", 1, ErrNotJournal},
		{"a text of one line", "Dear diary", 1, ErrNotJournal},
		{"a list of URLs", "http://a.test/1\nhttp://a.test/2\n", 1, ErrNotJournal},
		{"a list of items", `{"id":"7","url":"http://a.test/"}` + "\n", 1, ErrNotJournal},
		{"a single item", `{"id":"7","url":"http://a.test/"}`, 1, ErrNotJournal},
		{"a JSON object", "{}", 1, ErrNotJournal},
		{"zeros", "\x00\x00\x00", 1, ErrNotJournal},
		{"a stranger among results", good + "hello\n" + good, 2, ErrNotJournal},
		{"a stranger at the end", good + "hello", 2, ErrNotJournal},
		{"a torn line in the middle", good + good[:30] + good, 2, ErrNotJournal},
		{"failed without a reason", strings.Replace(good, `true,"outcome":"ok"`, `false,"outcome":"failed"`, 1), 1, ErrNotJournal},
		{"failed without a reason, at the end", good + strings.Replace(good[:len(good)-1], `true,"outcome":"ok"`, `false,"outcome":"failed"`, 1), 2, ErrNotJournal},
		{"a contradiction", strings.Replace(good, `true`, `false`, 1), 1, ErrNotJournal},
		{"a long line", strings.Repeat("x", 3<<20) + "\n", 1, ErrNotJournal},
		{"an array", "[" + good[:len(good)-1] + "]\n", 1, ErrNotJournal},
	} {
		name := filepath.Join(t.TempDir(), "results.jsonl")
		write(t, name, []byte(tt.text))
		r, err := resumed(t, name, JournalConfig{RetryFailed: true}, false, URLs("http://a.test/1", "http://a.test/2"))
		e, ok := errors.AsType[*JournalError](err)
		if !ok || !errors.Is(err, tt.want) || e.Name != name || e.Line != tt.line || errors.Is(err, ErrRead) {
			t.Errorf("%s: error is %v, want %v in line %d", tt.what, err, tt.want, tt.line)
		}
		if string(read(t, name)) != tt.text || len(r.requests) != 0 {
			t.Errorf("%s: the file was touched, or %d requests made", tt.what, len(r.requests))
		}
	}
}

// What other programs make of a file of results is still one: jq orders and escapes in its own way, and some systems end lines in
// their own way.
func TestFilesFromElsewhere(t *testing.T) {
	text := "\n" + `{ "url":"http://a.test/1", "ok":true, "outcome":"ok", "id":"http:\/\/a.test\/1", "more":[{"id":"x"}] }` + "\r\n \t\r\n" +
		`{"id":"http://a.test/gone","url":"http://a.test/gone","ok":false,"outcome":"failed","error":{"message":"m","kind":"odd"}}` + "\r\n"
	name := filepath.Join(t.TempDir(), "results.jsonl")
	for _, end := range []string{"", "\r", "\n", " ", "{", `{"id":"http://a.test/2`, `{"id":"` + "\x00\x00", "\x00"} {
		write(t, name, []byte(text+end))
		r, err := resumed(t, name, JournalConfig{}, false, URLs("http://a.test/1", "http://a.test/gone", "http://a.test/2"))
		if end == "\r" || end == " " {
			// Blanks without a newline are nothing that mettle would leave behind.
			if !errors.Is(err, ErrNotJournal) {
				t.Errorf("with %q at the end: %v", end, err)
			}
			continue
		}
		if err != nil || len(r.requests) != 1 || r.counts.Before != 2 || r.counts.Kinds["odd"] != 1 {
			t.Errorf("with %q at the end: %v, %d requests, %+v", end, err, len(r.requests), r.counts)
		}
		if now := read(t, name); !bytes.HasPrefix(now, []byte(text)) || !bytes.HasPrefix(bytes.TrimLeft(now[len(text):], "\n"), []byte(`{"id":"http://a.test/2","url"`)) {
			t.Errorf("with %q at the end: %q", end, now)
		}
	}
}

func TestAJournalServesOneRun(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	j, err := OpenJournal(name, JournalConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for i, want := range []bool{true, false} {
		if _, err := Run(t.Context(), Config{Transport: &origin{}}, URLs("http://a.test/1"), j); (err == nil) != want {
			t.Errorf("run %d: %v", i+1, err)
		}
	}
}

// A run that ends while it still looks for the first item of its list leaves the file alone, and says why it ended.
func TestStopWhileTheListIsCompared(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	const text = `{"id":"x","url":"","ok":true,"outcome":"ok","bytes":0}` + "\n" + `{"id":"y`
	write(t, name, []byte(text))
	endless := func(context.Context) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for yield(Item{URL: "http://a.test/"}, nil) {
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		j, err := OpenJournal(name, JournalConfig{RetryFailed: true})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("enough")
		list := func(ctx context.Context) iter.Seq2[Item, error] {
			return func(yield func(Item, error) bool) {
				yield(Item{URL: "http://a.test/"}, nil)
				cancel(cause)
				endless(ctx)(yield)
			}
		}
		counts, err := Run(ctx, Config{Transport: &origin{}}, list, j)
		if !errors.Is(err, cause) || counts.Done() != 0 || j.Unmatched() != 0 {
			t.Errorf("%v, %+v", err, counts)
		}
	})
	if string(read(t, name)) != text {
		t.Error("the file was touched")
	}
}

// An input that cannot be read is told as such, also before the first item that has a result.
func TestJournalOfAListThatCannotBeRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "results.jsonl")
	write(t, name, []byte(`{"id":"x","url":"","ok":true,"outcome":"ok","bytes":0}`+"\n"))
	broken := Lines("list", io.MultiReader(strings.NewReader("http://a.test/1\n"), errReader{}))
	r, err := resumed(t, name, JournalConfig{}, false, broken)
	if !errors.Is(err, ErrRead) || len(r.requests) != 0 {
		t.Errorf("%v, %d requests", err, len(r.requests))
	}
	// A list with nothing in it is no other list.
	if r, err := resumed(t, name, JournalConfig{}, false, URLs()); err != nil || r.unmatched != 1 {
		t.Errorf("an empty list: %v, %d unmatched", err, r.unmatched)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("bad sector") }
