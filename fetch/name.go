package fetch

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// longestName is how many bytes of a URL go into one name on disk, its extension included.
	longestName = 80
	// longestExt keeps what only looks like an extension, as the end of "v1.2 final", from being taken for one.
	longestExt = 12
)

// bodyPath returns the path, below Config.Dir, of the file for the body of an item with the parsed URL u: the host, then a directory of
// 256, so that none gets too full, then a name that people recognize. The digits in it are of a hash of all that the request is made of, so that
// items with the same path are the same request. By 72 bits of it, two of ten million requests of one host and name share a path with a chance
// of less than one in 50 million.
func bodyPath(it Item, u *url.URL) string {
	sum := sha256.Sum256(it.appendRequest(make([]byte, 0, 256)))
	digits := hex.EncodeToString(sum[:9])
	stem, ext := fileName(u)
	return filepath.Join(hostDir(u), digits[:2], stem+"-"+digits[2:]+ext)
}

// appendRequest appends all that makes the item's request what it is: the same for equal items, something else for others, as lengths go before
// texts.
func (it Item) appendRequest(b []byte) []byte {
	method := it.Method
	if method == "" {
		method = http.MethodGet
	}
	put := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, s := range []string{it.id(), method, it.URL, it.Body} {
		put(s)
	}
	if len(it.Header) > 0 {
		for _, name := range slices.Sorted(maps.Keys(it.Header)) {
			put(textproto.CanonicalMIMEHeaderKey(name))
			put(it.Header[name])
		}
	}
	return b
}

// hostDir names the directory of u's host.
func hostDir(u *url.URL) string {
	name := clean(strings.ToLower(u.Hostname()), longestName)
	if name == "" {
		name = "_"
	}
	if port := u.Port(); port != "" && port != "80" && port != "443" {
		name += "_" + port[:min(len(port), 5)]
	}
	return name
}

// fileName returns what the last element of u's path gives for a name, and its extension.
func fileName(u *url.URL) (stem, ext string) {
	last := u.EscapedPath()
	last = last[strings.LastIndexByte(last, '/')+1:]
	if plain, err := url.PathUnescape(last); err == nil {
		last = plain
	}
	ext = path.Ext(last)
	if len(ext) < 2 || len(ext) > longestExt || strings.ContainsFunc(ext[1:], notAlphanumeric) {
		ext = ""
	}
	stem = strings.TrimSuffix(last, ext)
	if ext != "" && strings.HasSuffix(stem, ".tar") {
		stem, ext = strings.TrimSuffix(stem, ".tar"), ".tar"+ext
	}
	stem = clean(stem, longestName-len(ext))
	if stem == "" {
		stem = "index"
	}
	return stem, ext
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// clean makes s fit to begin a name on any system: without separators, control characters, those that Windows reserves and leading dots, and no
// longer than most bytes, a leading underscore that keeps a device's name from being one included.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(`<>:"/\|?*`, r) {
			return '_'
		}
		return r
	}, s)
	s = strings.TrimLeft(s, ". -") // a leading dash is an option to many a command
	if device(s) {
		s = "_" + s
	}
	if len(s) > most {
		for most > 0 && !utf8.RuneStart(s[most]) {
			most--
		}
		s = s[:most]
	}
	return strings.TrimRight(s, ". ") // Windows drops these
}

// device reports whether Windows would take a file of that name for a device. It looks only at what comes before the first dot.
func device(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	name = strings.ToUpper(strings.TrimRight(name, " "))
	switch name {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, ok := strings.CutPrefix(name, "COM")
	if !ok {
		port, ok = strings.CutPrefix(name, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.ContainsAny(port, "0123456789¹²³")
}
