package chaos

import (
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// args are the parameters of one URL after parsing. What a fault does not list keeps its default.
type args struct {
	size   int64         // bytes of body
	ctype  string        // Content-Type
	body   string        // name the bytes derive from; "" is the URL itself
	heal   int64         // requests until the URL is well; -1 is never
	wait   time.Duration // for=
	cut    int64         // bytes before the silence; -1 is drawn
	after  retryAfter
	code   int
	n      int    // hops to go, or length of the loop
	at     int    // place in the loop
	to     string // target of a redirect
	pieces int
	every  int64
	next   bool // close on the next request rather than at once
	date   bool // Retry-After as a date
}

// A param is one query parameter. The same one may serve several faults; its default belongs to the
// fault and is set before parsing.
type param struct {
	name, want string
	set        func(*args, string) bool
}

func (p *param) String() string { return p.name + "=" + p.want }

var (
	sizeParam = &param{"size", "BYTES (0 to 17179869184, default 1024)", func(a *args, v string) bool {
		return number(v, 0, maxSize, &a.size)
	}}
	typeParam = &param{"type", "MEDIA/TYPE (default application/octet-stream)", func(a *args, v string) bool {
		kind, _, err := mime.ParseMediaType(v)
		a.ctype = v
		return err == nil && strings.Contains(kind, "/")
	}}
	bodyParam = &param{"body", "NAME (URLs of one name and size have the same bytes; default the URL itself)", func(a *args, v string) bool {
		a.body = v
		return v != ""
	}}
	healParam = &param{"heal", "N (requests for this URL until it is well, 0 to 1000000; absent: never)", func(a *args, v string) bool {
		return number(v, 0, 1_000_000, &a.heal)
	}}
	forParam = &param{"for", "DURATION (above 0, up to 24h)", func(a *args, v string) bool {
		d, err := time.ParseDuration(v)
		a.wait = d
		return err == nil && d > 0 && d <= 24*time.Hour
	}}
	cutParam = &param{"after", "BYTES (sent before the silence, fewer than size; default about half)", func(a *args, v string) bool {
		return number(v, 0, maxSize, &a.cut)
	}}
	afterParam = &param{"after", "SECONDS | date:SECONDS | zero | past | huge | junk (default no Retry-After)", func(a *args, v string) bool {
		return a.after.parse(v)
	}}
	hopsParam = &param{"n", "HOPS (0 to 50, default 1)", func(a *args, v string) bool {
		return number(v, 0, 50, &a.n)
	}}
	cycleParam = &param{"n", "URLS (length of the loop, 1 to 50, default 1: to itself)", func(a *args, v string) bool {
		return number(v, 1, 50, &a.n)
	}}
	atParam = &param{"at", "PLACE (in the loop, 0 to 49, default 0)", func(a *args, v string) bool {
		return number(v, 0, 49, &a.at)
	}}
	toParam = &param{"to", "URL (http, or relative to this one; instead of a chain)", func(a *args, v string) bool {
		u, err := url.Parse(v)
		a.to = v
		return err == nil && v != "" && (u.Scheme == "" || u.Scheme == "http" && u.Host != "")
	}}
	redirectCodeParam = &param{"code", "301 | 302 | 303 | 307 | 308 (default 302)", oneOf(301, 302, 303, 307, 308)}
	holdCodeParam     = &param{"code", "429 | 503 (default 429)", oneOf(429, 503)}
	formParam         = &param{"form", "seconds | date (of Retry-After, default seconds)", func(a *args, v string) bool {
		a.date = v == "date"
		return v == "seconds" || v == "date"
	}}
	everyParam = &param{"every", "N (the 1st, N+1st, 2N+1st … request for /hold on a free host holds it, 1 to 1000000; default only the 1st)", func(a *args, v string) bool {
		return number(v, 1, 1_000_000, &a.every)
	}}
	piecesParam = &param{"pieces", "N (1 to 1000, default 10)", func(a *args, v string) bool {
		return number(v, 1, 1000, &a.pieces)
	}}
	whenParam = &param{"when", "next | now (close as the next request arrives, or at once; default next)", func(a *args, v string) bool {
		a.next = v == "next"
		return v == "next" || v == "now"
	}}
)

// goodParams are those of the good answer, which every fault may end in.
var goodParams = []*param{sizeParam, typeParam, bodyParam}

func number[T int | int64](v string, low, high int64, to *T) bool {
	n, err := strconv.ParseInt(v, 10, 64)
	*to = T(n)
	return err == nil && low <= n && n <= high
}

func oneOf(codes ...int) func(*args, string) bool {
	return func(a *args, v string) bool {
		return number(v, 0, 999, &a.code) && slices.Contains(codes, a.code)
	}
}

// parse reads the query into a, which holds the defaults. What the fault does not know, what is given
// twice and what is out of range are errors: a typing mistake must not turn a fault into another one.
func (q *request) parse(a *args) error {
	f := q.fault
	query, err := url.ParseQuery(q.u.RawQuery)
	if err != nil {
		return fmt.Errorf("chaos: query is %q, want name=value&…: %w", q.u.RawQuery, err)
	}
	q.query = query
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names) // of two mistakes the same one is reported each time
	for _, name := range names {
		values := query[name]
		i := slices.IndexFunc(f.params, func(p *param) bool { return p.name == name })
		if i < 0 {
			return fmt.Errorf("chaos: parameter %q is %q, want none of that name; /%s knows %s",
				name, values[0], f.name, strings.Join(f.paramNames(), ", "))
		}
		if len(values) > 1 {
			return fmt.Errorf("chaos: parameter %q is given %d times, want once", name, len(values))
		}
		if p := f.params[i]; !p.set(a, values[0]) {
			return fmt.Errorf("chaos: parameter %q is %q, want %s", name, values[0], p.want)
		}
	}
	switch {
	case a.at > 0 && a.at >= a.n:
		return fmt.Errorf("chaos: parameter %q is %q, want less than n, which is %d", "at", strconv.Itoa(a.at), a.n)
	case a.cut > 0 && a.cut >= a.size:
		return fmt.Errorf("chaos: parameter %q is %q, want less than size, which is %d", "after", strconv.FormatInt(a.cut, 10), a.size)
	case f.minSize > a.size:
		return fmt.Errorf("chaos: parameter %q is %q, want %d or more: /%s strikes in the body", "size", strconv.FormatInt(a.size, 10), f.minSize, f.name)
	}
	return nil
}

func (f *fault) paramNames() []string {
	names := make([]string, len(f.params))
	for i, p := range f.params {
		names[i] = p.name
	}
	return names
}
