package fetch

import (
	"net/url"
	"testing"
)

func TestPlainHost(t *testing.T) {
	for text, want := range map[string]string{
		"http://a.test":               "a.test:80",
		"https://a-1.test/":           "a-1.test:443",
		"http://a.test:8080/b?c=d#e":  "a.test:8080",
		"https://127.0.0.1:1/x:y@z//": "127.0.0.1:1",
		"http://a.test:443":           "a.test:443",

		"":                     "",
		"http://":              "",
		"http:///a":            "",
		"http://:80/":          "",
		"http://a.test:/":      "",
		"http://a.test:8o/":    "",
		"http://a.test?b":      "",
		"http://a.test#b":      "",
		"http://user@a.test/":  "",
		"http://u:1@a.test/":   "",
		"http://A.test/":       "",
		"http://[::1]/":        "",
		"http://a.test/%zz":    "",
		"http://a.test/a b":    "",
		"http://a.test/\x7f":   "",
		"http://a.test/é":      "",
		"http://é.test/":       "",
		"HTTP://a.test/":       "",
		"httpss://a.test/":     "",
		"ftp://a.test/":        "",
		"//a.test/":            "",
		"http://a.test/\nb":    "",
		"http://a.test:80:80/": "",
	} {
		if got, port, ok := plainHost(text); got+port != want || ok != (want != "") {
			t.Errorf("plainHost(%q) = %q, %q, %v", text, got, port, ok)
		}
	}
}

// FuzzPlainHost compares plainHost with package url.
func FuzzPlainHost(f *testing.F) {
	for _, text := range []string{
		"http://a.test", "https://a.test:8080/b?c=d#e", "http://a.test/b:c@d", "http://a.test:99999999999/", "http://-./..", "http://a/?%zz",
		"http://a.test:80/[]{}|\\^`\"<>", "https://1.2.3.4:/", "http://a.test/#%41",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, port, ok := plainHost(text)
		if !ok {
			return
		}
		host := name + port
		u, err := url.Parse(text)
		if err != nil {
			t.Fatalf("plainHost(%q) = %q; package url says %v", text, host, err)
		}
		if want := hostOf(u); host != want || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			t.Errorf("plainHost(%q) = %q, want %q of %+v", text, host, want, u)
		}
	})
}
