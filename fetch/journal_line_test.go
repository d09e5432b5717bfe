package fetch

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestEachLine(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	for _, tt := range []struct {
		text  string
		lines []string
		rest  string
		err   error
	}{
		{text: ""},
		{text: "\n\na\n", lines: []string{"", "", "a"}},
		{text: "a\nb", lines: []string{"a"}, rest: "b"},
		{text: long + "1\n" + long + "2\nc", lines: []string{long + "1", long + "2"}, rest: "c"},
		{text: "a\n" + long + long, lines: []string{"a", ""}, err: errNotResult},
	} {
		var lines []string
		rest, err := eachLine(strings.NewReader(tt.text), 4<<20, func(line []byte) error {
			lines = append(lines, string(line))
			return nil
		})
		if !slices.Equal(lines, tt.lines) || string(rest) != tt.rest || err != tt.err {
			t.Errorf("of %d bytes: %d lines, %d bytes left, %v", len(tt.text), len(lines), len(rest), err)
		}
	}
}

// FuzzResultLine compares the fast reader of lines with package json.
func FuzzResultLine(f *testing.F) {
	for _, r := range []*Record{okRecord("a"), okRecord(`a"b\`), failedRecord("é", KindDNS), failedRecord("\xff", "a\"b")} {
		r.Attempts = []Attempt{{N: 1, Error: `dns: "error":{"kind":"x"`}}
		line, err := r.Line()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.TrimSuffix(line, []byte("\n")))
	}
	f.Add([]byte(`{"id":"","url":"","ok":false,"outcome":"failed","error":{"kind":""}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		id, url, kind, ok := ownResult(line)
		if !ok {
			return
		}
		want, wantURL, wantKind, err := anyResult(line)
		if err != nil || !isPlain(line) {
			return // the fast reader looks only at what it needs
		}
		if string(id) != string(want) || string(url) != string(wantURL) || kind != wantKind && bytes.Count(line, startError) == 1 && bytes.Count(line, []byte(`"kind"`)) == 1 {
			t.Errorf("%q is %q, %q; json says %q, %q", line, id, kind, want, wantKind)
		}
	})
}

// isPlain reports whether each field of a record stands only once in line, as far as that can be seen.
func isPlain(line []byte) bool {
	for _, field := range []string{`"id"`, `"url"`, `"ok"`, `"outcome"`, `"error"`} {
		if bytes.Count(bytes.ToLower(line), []byte(field)) != 1 {
			return false
		}
	}
	return !bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0xfffd || r > 0x7f })
}

// Each beginning of a result is taken for one, and nothing that differs from it in a byte which matters.
func TestTailOfEveryLength(t *testing.T) {
	bad := failedRecord("a \" \\ é \u2028", KindDNS)
	for _, r := range []*Record{okRecord("plain"), okRecord(`"`), okRecord(""), bad} {
		line, err := r.Line()
		if err != nil {
			t.Fatal(err)
		}
		line = line[:len(line)-1]
		head := bytes.Index(line, []byte(`,"attempts":`))
		for n := range len(line) + 1 {
			for zeros := range 3 {
				b := append(slices.Clone(line[:n]), make([]byte, zeros)...)
				want := 0
				if n == len(line) {
					want = n
				}
				if keep, err := judgeTail(b, false); err != nil || keep != want {
					t.Fatalf("%q: keep %d, %v, want %d", b, keep, err, want)
				}
				_, err := judgeTail(b, true)
				if (err == nil) != (n > 0) {
					t.Fatalf("%q in a file of its own: %v", b, err)
				}
			}
		}
		inside := false
		for i := range head {
			if line[i] == '"' && line[i-1] != '\\' {
				inside = !inside
			}
			b := slices.Clone(line[:head])
			b[i] ^= 1
			if _, err := judgeTail(b, false); err == nil && !inside {
				t.Fatalf("%q is taken for the beginning of a result", b)
			}
		}
	}
}
