package fetch

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBodyPath(t *testing.T) {
	for _, tc := range []struct{ url, want string }{ // XX stands for digits
		{"http://Example.COM/a/report.pdf?x=1", "example.com/XX/report-XX.pdf"},
		{"http://example.com:8080/", "example.com_8080/XX/index-XX"},
		{"https://example.com:443/docs/", "example.com/XX/index-XX"},
		{"http://[::1]:99/x", "__1_99/XX/x-XX"},
		{"http://[fe80::1%25eth0]/x", "fe80__1%eth0/XX/x-XX"},
		{"http://a.test/src.tar.gz", "a.test/XX/src-XX.tar.gz"},
		{"http://a.test/.tar.gz", "a.test/XX/index-XX.tar.gz"},
		{"http://a.test/..", "a.test/XX/index-XX"},
		{"http://a.test/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "a.test/XX/_.._etc_passwd-XX"},
		{"http://a.test/a%00b%0a%1b[2J", "a.test/XX/a_b__[2J-XX"},
		{"http://a.test/%ff%fe.txt", "a.test/XX/__-XX.txt"},
		{"http://a.test/%E2%80%AEgpj.exe", "a.test/XX/_gpj-XX.exe"},
		{"http://a.test/gr%C3%BC%C3%9Fe.txt", "a.test/XX/grüße-XX.txt"},
		{"http://a.test/con.x.txt", "a.test/XX/_con.x-XX.txt"},
		{"http://a.test/COM%C2%B9.log", "a.test/XX/_COM¹-XX.log"},
		{"http://a.test/console.txt", "a.test/XX/console-XX.txt"},
		{"http://nul.test/x", "_nul.test/XX/x-XX"},
		{"http://./x", "_/XX/x-XX"},
		{"http://a.test./x", "a.test/XX/x-XX"},
		{"http://a.test/a:b%7Cc%3Fd*e%22f%3Cg%3E%5C", "a.test/XX/a_b_c_d_e_f_g__-XX"},
		{"http://a.test/-rf", "a.test/XX/rf-XX"},
		{"http://a.test/v1.2%20final%20version", "a.test/XX/v1.2 final version-XX"},
		{"http://a.test/x.averylongextension", "a.test/XX/x.averylongextension-XX"},
		{"http://a.test/" + strings.Repeat("%E2%82%AC", 100) + ".png", "a.test/XX/" + strings.Repeat("€", 25) + "-XX.png"}, // 75 bytes, not 76
		{"http://" + strings.Repeat("a", 300) + "/", strings.Repeat("a", 80) + "/XX/index-XX"},
	} {
		u, err := url.Parse(tc.url)
		if err != nil {
			t.Errorf("%s: %v", tc.url, err)
			continue
		}
		got := filepath.ToSlash(bodyPath(Item{URL: tc.url}, u))
		want := strings.Replace(regexp.QuoteMeta(tc.want), "/XX/", "/[0-9a-f]{2}/", 1)
		want = strings.Replace(want, "-XX", "-[0-9a-f]{16}", 1)
		if !regexp.MustCompile("^" + want + "$").MatchString(got) {
			t.Errorf("%s: %s, want %s", tc.url, got, tc.want)
		}
	}
}

// What makes another request makes another path, and nothing else does.
func TestBodyPathOfRequests(t *testing.T) {
	base := Item{ID: "i", URL: "http://a.test/x", Method: "POST", Body: "b", Header: map[string]string{"A": "1", "B": "2"}}
	u, _ := url.Parse(base.URL)
	seen := map[string]int{bodyPath(base, u): -1}
	for i, change := range []func(*Item){
		func(it *Item) { it.ID = "j" }, func(it *Item) { it.URL += "?" }, func(it *Item) { it.Method = "PUT" },
		func(it *Item) { it.Body = "" }, func(it *Item) { it.Header = nil }, func(it *Item) { it.Header = map[string]string{"A": "1B", "": "2"} },
		func(it *Item) { it.ID, it.Method = "iPOST", "" },
	} {
		it := base
		change(&it)
		p := bodyPath(it, u)
		if j, ok := seen[p]; ok {
			t.Errorf("changes %d and %d give the same path %s", i, j, p)
		}
		seen[p] = i
	}
	same := base
	same.SHA256, same.Header = strings.Repeat("0", 64), map[string]string{"b": "2", "a": "1"}
	if bodyPath(same, u) != bodyPath(base, u) {
		t.Error("what is no part of the request changes the path")
	}
	get, plain := Item{URL: "http://a.test/x", Method: "GET"}, Item{URL: "http://a.test/x"}
	if bodyPath(get, u) != bodyPath(plain, u) {
		t.Error("GET is not the default")
	}
}

var fitPath = regexp.MustCompile(`^[^/\\]+/[0-9a-f]{2}/[^/\\]+-[0-9a-f]{16}(\.tar)?(\.[0-9A-Za-z]+)?$`)

func FuzzBodyPath(f *testing.F) {
	for _, s := range []string{"http://a/b.c", "http://[::1]:8080/%2e%2e/%2f", "http://con/aux.tar.gz", "http://x/%ff", "http://.../..%5c.."} {
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, raw, id string) {
		it := Item{URL: raw, ID: id}
		if it.check() != nil {
			return
		}
		u, _ := url.Parse(raw)
		got := bodyPath(it, u)
		if got != bodyPath(it, u) {
			t.Fatalf("%q has two paths", raw)
		}
		slashed := filepath.ToSlash(got)
		if !fitPath.MatchString(slashed) || !filepath.IsLocal(got) || filepath.Clean(got) != got || !utf8.ValidString(got) {
			t.Fatalf("%q gives %q", raw, got)
		}
		for _, name := range strings.Split(slashed, "/") {
			if len(name)+len(".part.json.new") > 143 || strings.ContainsAny(name, `<>:"|?*`) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) ||
				strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") || device(name) {
				t.Fatalf("%q gives the name %q", raw, name)
			}
		}
	})
}
