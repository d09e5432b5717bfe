package fetch

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What one server had begun to send is never gone on with by another, whatever that one says of it. Back at the first, it is.
func TestBytesOfTwoMirrorsAreNotSpliced(t *testing.T) {
	const n = 100_000
	cut := send(200, body, n, "ETag", tag)
	for _, tc := range []struct {
		name         string
		first, other []step
		want         []byte
		asked        string
	}{
		{"another body with the same tag", []step{cut}, []step{send(200, other, -1, "ETag", tag)}, other, "url 200, mirror 200"},
		{"a server that sends a part unasked", []step{cut, rest(body, n)}, []step{rest(other, n)}, body, "url 200, mirror 206, url 206"},
		{"errors meanwhile", []step{cut, rest(body, n)}, []step{send(404, nil, -1)}, body, "url 200, mirror 404, url 206"},
		{"cut as well, and there gone on with", []step{cut, cut}, []step{send(200, other, n, "ETag", `"m"`), rest(other, n)}, other, "url 200, mirror 200, mirror 206"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			a, b := scripted(t, tc.first...), scripted(t, tc.other...)
			it := Item{URL: a.URL + "/x", Mirrors: []string{b.URL + "/x"}, SHA256: sumOf(tc.want)}
			r := one(t, Config{Dir: dir, Backoff: 1}, it)
			saved(t, r, dir, tc.want)
			var got []string
			for _, a := range r.Attempts {
				where := "url"
				if a.Mirror != "" {
					where = "mirror"
				}
				got = append(got, fmt.Sprint(where, " ", a.Status))
			}
			if s := strings.Join(got, ", "); s != tc.asked {
				t.Errorf("asked: %s; want %s", s, tc.asked)
			}
			for _, q := range b.requests()[:1] {
				if q != "" {
					t.Errorf("the mirror was asked for %s of what it had not begun to send", q)
				}
			}
		})
	}
}

// A download that gets on stays where it is, for a mirror would have to begin anew.
func TestADownloadThatGetsOnIsNotInterrupted(t *testing.T) {
	big := text(3, 5<<20)
	var steps []step
	for at := 0; at < len(big); at += 2 << 20 {
		end := min(at+2<<20, len(big))
		if at == 0 {
			steps = append(steps, send(200, big, end, "ETag", tag))
		} else {
			steps = append(steps, send(206, big[at:], end-at, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(big)-1, len(big))))
		}
	}
	a, b := scripted(t, steps...), scripted(t, send(200, big, -1))
	dir := t.TempDir()
	r := one(t, Config{Dir: dir, Backoff: 1, Attempts: 2}, Item{URL: a.URL, Mirrors: []string{b.URL}})
	saved(t, r, dir, big)
	if len(b.requests()) != 0 || r.Mirror != "" || len(r.Attempts) != 3 {
		t.Errorf("the mirror was asked %d times; %s", len(b.requests()), asked(r))
	}
}

// An item with mirrors keeps the name of its result and of its file, whoever serves it.
func TestTheMirrorIsNoPartOfTheName(t *testing.T) {
	a, b := scripted(t, send(404, nil, -1)), scripted(t, send(200, body, -1))
	dir := t.TempDir()
	r := one(t, Config{Dir: dir}, Item{URL: a.URL + "/file.bin", Mirrors: []string{b.URL + "/other.txt"}})
	saved(t, r, dir, body)
	plain := scripted(t)
	plain.Close()
	it := Item{URL: a.URL + "/file.bin"}
	if r.ID != it.id() || !strings.HasSuffix(r.Path, bodyPath(it, mustParse(t, it.URL))) || r.Mirror != b.URL+"/other.txt" {
		t.Errorf("id %s, path %s, mirror %s", r.ID, r.Path, r.Mirror)
	}
	line, err := r.Line()
	if err != nil || !strings.Contains(string(line), `"mirror":"`+b.URL+`/other.txt"`) {
		t.Errorf("%s, %v", line, err)
	}
	if id, _, kind, ok := ownResult(slices.Clone(line[:len(line)-1])); !ok || kind != "" || string(id) != it.id() {
		t.Errorf("the line reads as the result %q of %q", kind, id)
	}
}

func mustParse(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
