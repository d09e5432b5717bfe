package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"unicode/utf8"
)

// An Item is one URL to fetch.
type Item struct {
	ID      string            `json:"id,omitempty"`     // names the item in its Record; empty means its URL, after its method unless that is GET
	URL     string            `json:"url"`              // http or https
	Method  string            `json:"method,omitempty"` // empty means GET
	Header  map[string]string `json:"header,omitempty"`
	Body    string            `json:"body,omitempty"`
	Mirrors []string          `json:"mirrors,omitempty"` // other URLs of the same content; see "Mirrors" in the package's documentation
	SHA256  string            `json:"sha256,omitempty"`  // of the body that comes back, as 64 hexadecimal digits; empty means that any will do
}

// Parse reads an item from a line: a URL, or a JSON object with the fields of Item. A field that Item does not have is an
// error.
func Parse(line []byte) (Item, error) {
	line = bytes.TrimSpace(line)
	if !bytes.HasPrefix(line, []byte("{")) {
		it := Item{URL: string(line)}
		return it, it.check()
	}
	var it Item
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&it); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return it, fmt.Errorf("not an item: %s is a JSON %s, want %s", wrong.Field, wrong.Value, wanted(wrong.Field))
		}
		return it, fmt.Errorf("not an item: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return it, errors.New("not an item: something follows the JSON object")
	}
	return it, it.check()
}

// wanted says what a field of an item holds.
func wanted(field string) string {
	switch {
	case field == "header":
		return "an object of strings"
	case strings.HasPrefix(field, "mirrors"):
		return "an array of strings"
	}
	return "a string"
}

// check returns what is wrong with it, if anything.
func (it Item) check() error {
	if err := checkURL(it.URL); err != nil {
		return fmt.Errorf("url %w", err)
	}
	for _, m := range it.Mirrors {
		if err := checkURL(m); err != nil {
			return fmt.Errorf("mirror %q %w", m, err)
		}
	}
	if it.Method != "" && !token(it.Method) {
		return fmt.Errorf("method is %q, want an HTTP method", it.Method)
	}
	if it.SHA256 != "" {
		if sum, err := hex.DecodeString(it.SHA256); err != nil || len(sum) != sha256.Size {
			return fmt.Errorf("sha256 is %q, want 64 hexadecimal digits", it.SHA256)
		}
		if it.Method == http.MethodHead {
			return errors.New("sha256 is given for HEAD, which brings no body")
		}
	}
	for k, v := range it.Header {
		if !token(k) {
			return fmt.Errorf("header has the name %q, want an HTTP field name", k)
		}
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("header %s is %q, want one line of text", k, v)
		}
		if u, err := url.Parse("http://" + v); strings.EqualFold(k, "Host") && (err != nil || u.Host != v) {
			return fmt.Errorf("header %s is %q, want a host and perhaps a port", k, v)
		}
	}
	return nil
}

func checkURL(s string) error {
	if _, _, ok := plainHost(s); ok {
		return nil
	}
	if s == "" {
		return errors.New("is empty, want http:// or https://")
	}
	if !utf8.ValidString(s) {
		return errors.New("is not UTF-8, want other bytes as %XX")
	}
	if !strings.Contains(s, "://") {
		return errors.New("has no scheme, want http://… or https://…")
	}
	u, err := url.Parse(s)
	if err != nil {
		// The error of package url repeats the URL, which the record has already.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("is not valid: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("has the scheme %q, want http or https", u.Scheme)
	}
	if u.Hostname() == "" {
		return errors.New("has no host")
	}
	return nil
}

// token reports whether s is a token of RFC 9110, section 5.6.2.
func token(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != ""
}

// id returns the item's name for its record.
func (it Item) id() string {
	switch {
	case it.ID != "":
		return it.ID
	case it.Method != "" && it.Method != http.MethodGet:
		return it.Method + " " + it.URL
	default:
		return it.URL
	}
}

// request makes the item's request to that URL, its own or a mirror's. The Item has been checked, so that an error here is rare.
func (it Item) request(to string, common http.Header) (*http.Request, error) {
	var body io.Reader
	if it.Body != "" {
		body = strings.NewReader(it.Body)
	}
	req, err := http.NewRequest(it.Method, to, body)
	if err != nil {
		return nil, err
	}
	// A body that a server packs for the way has no length to check it against, and cannot be gone on with.
	req.Header.Set("Accept-Encoding", "identity")
	for k, v := range common {
		req.Header[textproto.CanonicalMIMEHeaderKey(k)] = v
	}
	for k, v := range it.Header {
		req.Header.Set(k, v)
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	return req, nil
}
