package chaos

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A serverPage is a path that the server answers for itself. It is no part of what is tested: nobody counts it, and no hold, of which
// a person who looks would be the first to be found guilty, concerns it.
type serverPage struct {
	path, doc string
	params    []string
	serve     func(*Server, http.ResponseWriter, *http.Request) error
}

var serverPages []serverPage

func init() { // which the pages themselves list
	serverPages = []serverPage{
		{"/", "this page, as HTML or as plain text by the Accept header", nil, (*Server).serveIndex},
		{"/stats", "what the server has seen so far, as JSON", nil, (*Server).serveStats},
		{"/expect", "what a correct client gets from a URL, as JSON", []string{"url", "attempts"}, (*Server).serveExpect},
	}
}

// findOwn returns the page of that path, or nil.
func findOwn(path string) *serverPage {
	if path == "" {
		path = "/"
	}
	i := slices.IndexFunc(serverPages, func(p serverPage) bool { return p.path == path })
	if i < 0 {
		return nil
	}
	return &serverPages[i]
}

// serveOwn answers with p, whose errors are mistakes of the request.
func (s *Server) serveOwn(w http.ResponseWriter, r *http.Request, p *serverPage) {
	if !s.enter() {
		s.sever(w, false)
		return
	}
	defer s.work.Done()
	w.Header().Set("Cache-Control", "no-store")
	err := knownOnly(r.URL.RawQuery, p)
	if err == nil {
		err = p.serve(s, w, r)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// enter lets Close wait for the caller, who is to call work.Done, unless the server is closed.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.work.Add(1)
	return true
}

func knownOnly(rawQuery string, p *serverPage) error {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return fmt.Errorf("chaos: query is %q, want name=value&…: %w", rawQuery, err)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) { // of two mistakes the same one is reported each time
		switch values := query[name]; {
		case !slices.Contains(p.params, name) && p.params != nil:
			return fmt.Errorf("chaos: parameter %q is %q, want none of that name; is the URL escaped?", name, values[0])
		case !slices.Contains(p.params, name):
			return fmt.Errorf("chaos: parameter %q is %q, want none of that name", name, values[0])
		case len(values) > 1:
			return fmt.Errorf("chaos: parameter %q is given %d times, want once", name, len(values))
		}
	}
	return nil
}

func (s *Server) serveStats(w http.ResponseWriter, _ *http.Request) error {
	writeJSON(w, s.Stats())
	return nil
}

// maxExpectAttempts keeps a slip of the keyboard from asking for a day of hashing.
const maxExpectAttempts = 1000

func (s *Server) serveExpect(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	attempts := 1
	if v := query.Get("attempts"); query.Has("attempts") && !number(v, 1, maxExpectAttempts, &attempts) {
		return fmt.Errorf("chaos: parameter %q is %q, want 1 to %d", "attempts", v, maxExpectAttempts)
	}
	raw := query.Get("url")
	u, err := url.Parse(raw)
	if err != nil || raw == "" {
		return fmt.Errorf("chaos: parameter %q is %q, want a URL of this server, escaped", "url", raw)
	}
	e, err := s.Expect((&url.URL{Scheme: "http", Host: r.Host, Path: "/"}).ResolveReference(u).String(), attempts)
	if err != nil {
		return err
	}
	writeJSON(w, e)
	return nil
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false) // URLs have &, and people read them
	enc.SetIndent("", "  ")
	enc.Encode(v) // fails only if the client has left
}

func (s *Server) serveIndex(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") { // which browsers name, and curl does not
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, index())
		return nil
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, s.indexHTML())
	return nil
}

// index is the page about everything as plain text, made from the table.
func index() string {
	var b strings.Builder
	b.WriteString("The chaos server. Paths choose a fault, the query tunes it; what follows the path is free.\n")
	for _, f := range table {
		fmt.Fprintf(&b, "\n%s\n    %s.\n", f.example, f.doc)
		for _, p := range f.params {
			fmt.Fprintf(&b, "      %s\n", p)
		}
	}
	b.WriteString("\nPages of the server itself, which are not counted and which no hold concerns:\n")
	for _, p := range serverPages {
		fmt.Fprintf(&b, "\n%s\n    %s.\n", p.example(), p.doc)
	}
	return b.String()
}

func (p serverPage) example() string {
	if p.path == "/expect" {
		return p.path + "?attempts=5&url=" + url.QueryEscape("/short?heal=1&size=4096")
	}
	return p.path
}

// comma groups digits by thousands.
func comma(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
