package fetch

import (
	"net"
	"net/url"
	"strings"
)

// hostOf returns the name and the port of u's host, as the key of its limits.
func hostOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// hostIn is hostOf of a URL that checkURL has approved.
func hostIn(text string) string {
	if host, port, ok := plainHost(text); ok {
		return host + port
	}
	u, _ := url.Parse(text)
	return hostOf(u)
}

// plainHost returns hostOf of a URL that has nothing but plain characters, as nearly all have, and false for any other: package url takes ten times as
// long, and every line of a list is looked at, also those that have their result from an earlier run. The port is apart if it is not in the URL, and else
// empty, so that who only wants to know whether all is well with the URL pays for no new string.
func plainHost(text string) (host, port string, ok bool) {
	port = ":80"
	rest, ok := strings.CutPrefix(text, "http://")
	if !ok {
		rest, ok = strings.CutPrefix(text, "https://")
		port = ":443"
	}
	if !ok {
		return "", "", false
	}
	end := 0
	for end < len(rest) && inName(rest[end]) {
		end++
	}
	name := end
	if name < len(rest) && rest[name] == ':' {
		for end++; end < len(rest) && '0' <= rest[end] && rest[end] <= '9'; end++ {
		}
		port = ""
	}
	if name == 0 || end == name+1 || end < len(rest) && rest[end] != '/' {
		return "", "", false
	}
	for i := end; i < len(rest); i++ {
		if c := rest[i]; c <= ' ' || c >= 0x7f || c == '%' {
			return "", "", false
		}
	}
	return rest[:end], port, true
}

// inName reports whether c stands for itself in the name of a host.
func inName(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-'
}
