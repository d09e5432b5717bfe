package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cutRun fetches the item of a server that breaks off after n bytes, in one attempt, and returns the names of the part and of its note.
func cutRun(t *testing.T, srv *script, dir string, n int) (part, note string) {
	t.Helper()
	r := one(t, Config{Dir: dir, Attempts: 1}, Item{URL: srv.URL + "/x.bin"})
	names, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.part"))
	if err != nil || len(names) != 1 || r.OK || r.Bytes != int64(n) {
		t.Fatalf("%v, %v after the first run: %+v", names, err, r)
	}
	return names[0], names[0] + ".json"
}

// Across runs: what an earlier one left is gone on with, if nothing is wrong with it. Otherwise it is as if it had not been there.
func TestResumeWhatAnEarlierRunLeft(t *testing.T) {
	const n = 100_000
	ask := fmt.Sprintf("bytes=%d- %s", n, tag)
	change := func(edit func(*note)) func(t *testing.T, part, file string) {
		return func(t *testing.T, part, file string) {
			var was note
			text, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(text, &was)
			}
			if err != nil {
				t.Fatal(err)
			}
			edit(&was)
			text, _ = json.Marshal(was)
			write(t, file, text)
		}
	}
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, part, file string)
		asked string
	}{
		{"as it was", func(*testing.T, string, string) {}, ask},
		{"more in the part than was synced", func(t *testing.T, part, _ string) { write(t, part, append(bytes.Clone(body[:n]), "junk"...)) }, ask},
		{"less in the part than was synced", func(t *testing.T, part, _ string) { write(t, part, body[:n-1]) }, ""},
		{"a hole in the part", func(t *testing.T, part, _ string) {
			write(t, part, append(bytes.Clone(body[:n-4096]), make([]byte, 4096)...))
		}, ""},
		{"no part", func(t *testing.T, part, _ string) { os.Remove(part) }, ""},
		{"an empty part", func(t *testing.T, part, _ string) { write(t, part, nil) }, ""},
		{"no note", func(t *testing.T, _, file string) { os.Remove(file) }, ""},
		{"an empty note", func(t *testing.T, _, file string) { write(t, file, nil) }, ""},
		{"a torn note", func(t *testing.T, _, file string) {
			text, _ := os.ReadFile(file)
			write(t, file, text[:len(text)-2])
		}, ""},
		{"a note that is something else", func(t *testing.T, _, file string) { write(t, file, []byte("[1,2]")) }, ""},
		{"of another URL", change(func(n *note) { n.URL += "?" }), ""},
		{"of another resource", change(func(n *note) { n.Resource += "x" }), ""},
		{"with a weak tag", change(func(n *note) { n.ETag = "W/" + n.ETag }), ""},
		{"with no tag", change(func(n *note) { n.ETag = "" }), ""},
		{"with more bytes than there are in all", change(func(n *note) { n.Total = n.Synced - 1 }), ""},
		{"with an impossible total", change(func(n *note) { n.Total = -2 }), ""},
		{"with an impossible size", change(func(n *note) { n.Synced = -5 }), ""},
		{"with no size", change(func(n *note) { n.Synced = 0 }), ""},
		{"of other bytes", change(func(n *note) { n.SHA256 = sumOf(other[:n.Synced]) }), ""},
		{"a next note that was not finished", func(t *testing.T, _, file string) { write(t, file+".new", []byte("{")) }, ask},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			srv := scripted(t, send(200, body, n, "ETag", tag))
			part, file := cutRun(t, srv, dir, n)
			tc.spoil(t, part, file)
			srv.steps = []step{nil, send(200, body, -1, "ETag", tag)}
			if tc.asked != "" {
				srv.steps[1] = rest(body, n, "ETag", tag)
			}
			r := one(t, Config{Dir: dir, Attempts: 1}, Item{URL: srv.URL + "/x.bin"})
			saved(t, r, dir, body)
			if got := srv.requests(); got[1] != tc.asked {
				t.Errorf("the second run asked for %q, want %q", got[1], tc.asked)
			}
		})
	}
}

// What is noted outlives failures that have nothing to do with it, and only those.
func TestWhatAFailedItemLeaves(t *testing.T) {
	const n = 100_000
	first := send(200, body, n, "ETag", tag)
	for _, tc := range []struct {
		name  string
		steps []step
		files int
	}{
		{"cut", []step{first, send(206, body[n:], 10, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", n, len(body)-1, len(body)))}, 2},
		{"error pages", []step{first, send(503, nil, -1)}, 2},
		{"not found any more", []step{first, send(404, nil, -1)}, 2},
		{"another body, cut early", []step{first, send(200, other, 1000, "ETag", `"v2"`)}, 0},
		{"a body that cannot be gone on with", []step{first, send(200, other, 150_000)}, 0},
		{"cut early", []step{send(200, body, 1000, "ETag", tag), send(503, nil, -1)}, 0},
		{"nothing there any more", []step{first, send(416, nil, -1)}, 0},
	} {
		dir := t.TempDir()
		srv := scripted(t, tc.steps...)
		if r := one(t, Config{Dir: dir, Attempts: 2}, Item{URL: srv.URL}); r.OK || r.Path != "" || r.SHA256 != "" {
			t.Errorf("%s: %+v", tc.name, r)
		}
		left := files(t, dir)
		if len(left) != tc.files {
			t.Errorf("%s: %d files are left, want %d", tc.name, len(left), tc.files)
		}
		for name := range left {
			if !strings.HasSuffix(name, ".part") && !strings.HasSuffix(name, ".part.json") {
				t.Errorf("%s: %s is left", tc.name, name)
			}
		}
	}
}

// What a run that was killed left, and no run can use, goes when its item ends, also if that fails before there is a body.
func TestLitterOfAKilledRun(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, part, file string){
		"no note":                 func(t *testing.T, _, file string) { os.Remove(file) },
		"a torn note":             func(t *testing.T, _, file string) { write(t, file, []byte("{")) },
		"a note without its part": func(t *testing.T, part, _ string) { os.Remove(part) },
		"a next note alone":       func(t *testing.T, _, file string) { os.Rename(file, file+".new") },
	} {
		for _, method := range []string{"", "POST"} {
			dir := t.TempDir()
			srv := scripted(t, send(200, body, 100_000, "ETag", tag), send(404, nil, -1))
			part, file := cutRun(t, srv, dir, 100_000)
			spoil(t, part, file)
			it := Item{URL: srv.URL + "/x.bin", Method: method}
			if method != "" { // as if the killed run had been one of this item
				u, _ := url.Parse(it.URL)
				os.RemoveAll(filepath.Join(dir, hostDir(u)))
				left := filepath.Join(dir, bodyPath(it, u)) + ".part"
				if err := os.MkdirAll(filepath.Dir(left), 0o777); err != nil {
					t.Fatal(err)
				}
				write(t, left, body)
			}
			if r := one(t, Config{Dir: dir}, it); r.OK || r.Status != 404 {
				t.Errorf("%s %s: %+v", method, name, r)
			}
			if left := files(t, dir); len(left) != 0 {
				t.Errorf("%s %s: %d files are left", method, name, len(left))
			}
		}
	}
}

// A part under random operations, with power losses: after one, what was written since the last note may be there, be missing, or be anything
// else. What is found then is always a beginning of the body, and at least what the last note stood for.
func FuzzPart(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		ops := make([]byte, 40)
		for i := range ops {
			ops[i] = byte(random.Uint32())
		}
		f.Add(ops)
	}
	at, worth := checkpointAt, worthwhile
	checkpointAt, worthwhile = 300, 100
	f.Cleanup(func() { checkpointAt, worthwhile = at, worth })
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 100 {
			return
		}
		s := &store{dir: inMemoryDir(t), made: make(map[string]bool)}
		fresh := func() *part {
			return &part{store: s, path: filepath.Join(s.dir, "h", "00", "x"), url: "u", whole: true, total: -1}
		}
		p := fresh()
		seed := 10 // of the body at hand
		noted := int64(0)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, op := range ops {
			switch kind, open := op%10, p.file != nil; {
			case kind == 0 && !open: // an answer from the start, of another body
				seed++
				must(p.create())
				p.validator, p.resource = validator{etag: fmt.Sprintf(`"%d"`, seed)}, "r"
				noted = 0
			case kind == 1 && open: // the end of a failed attempt
				must(p.suspend())
			case kind == 2 && !open && p.resumable(): // the rest
				must(p.reopen())
			case kind == 3 || kind == 4: // power loss, or kill -9
				if open {
					p.file.Close()
				}
				if b, err := os.ReadFile(p.temp()); err == nil && kind == 3 {
					keep := min(len(b), int(noted)+i)
					write(t, p.temp(), append(b[:keep:keep], bytes.Repeat([]byte{0}, len(ops))...))
				}
				p = fresh()
				must(p.find(t.Context(), make([]byte, 64)))
				if p.size != noted {
					t.Fatalf("step %d: %d bytes are found, want the %d that were noted", i, p.size, noted)
				}
			case kind == 5 && !open:
				must(p.drop())
				noted = 0
			case kind == 6 && open:
				want := text(seed, int(p.size))
				must(p.finish())
				got, err := os.ReadFile(p.path)
				if err != nil || !bytes.Equal(got, want) {
					t.Fatalf("step %d: the file has %d bytes, want %d of body %d; %v", i, len(got), len(want), seed, err)
				}
				must(os.Remove(p.path))
				if left := files(t, s.dir); len(left) != 0 {
					t.Fatalf("step %d: left beside the file: %v", i, left)
				}
				p, noted = fresh(), 0
			case kind > 6 && open:
				must(p.write(text(seed, int(p.size)+int(op))[p.size:]))
			}
			if p.size > 0 && fmt.Sprintf("%x", p.sum.Sum(nil)) != sumOf(text(seed, int(p.size))) {
				t.Fatalf("step %d, operation %d: the hash is not that of %d bytes of body %d", i, op, p.size, seed)
			}
			if p.synced < noted || p.synced > p.size || p.file != nil && p.resumable() && p.size-p.synced >= checkpointAt+255 {
				t.Fatalf("step %d, operation %d: %d of %d bytes are noted, before it were %d", i, op, p.synced, p.size, noted)
			}
			noted = p.synced
		}
	})
}

// What stands in the place of a part, but is not one, is replaced, not written to.
func TestLinksAreNotParts(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(t.TempDir(), "mine")
	write(t, mine, []byte("mine"))
	srv := scripted(t, send(200, body, -1))
	it := Item{URL: srv.URL + "/x"}
	path := one(t, Config{Dir: dir}, it).Path
	if err := errors.Join(os.Remove(path), os.Symlink(mine, path), os.Symlink(mine, path+".part")); err != nil {
		t.Fatal(err)
	}
	saved(t, one(t, Config{Dir: dir}, it), dir, body)
	if got := read(t, mine); string(got) != "mine" {
		t.Errorf("the file that links led to has %d bytes now", len(got))
	}
}

// inMemoryDir is a directory for tests that sync often, on a file system where that costs nothing if there is one.
func inMemoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "mettle-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
