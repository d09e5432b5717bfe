package chaos

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Fault describes one path of the server. See [Faults].
type Fault struct {
	Name    string   // the first element of the path, and the key in Stats.Faults
	Doc     string   // one sentence: what a client meets
	Example string   // a path with its query
	Params  []string // "name=WHAT IT TAKES", in the order of the index page
}

// Faults lists what the server can do, in the order of its index page. The slice is the caller's.
func Faults() []Fault {
	list := make([]Fault, len(table))
	for i, f := range table {
		list[i] = Fault{Name: f.name, Doc: f.doc, Example: f.example}
		for _, p := range f.params {
			list[i].Params = append(list[i].Params, p.String())
		}
	}
	return list
}

// A fault is a row of the table that routes, documents, serves and predicts.
type fault struct {
	name, doc, example string
	arg                string // what the path takes after the name, "" for nothing
	params             []*param
	own                int   // how many of params are those of this fault alone
	minSize            int64 // bytes of body below which the fault could not be seen
	defaults           func(*args)
	plan               func(*request) answer
}

// A request is one request as the table sees it: nothing of the connection, so the oracle can make
// one as well.
type request struct {
	fault *fault
	u     *url.URL
	query url.Values
	args  args
	body  content
	nth   int64 // of the requests that this URL answered itself, from 1
	hold  *hold
	now   time.Time
}

var table = []*fault{
	{
		name: "ok", example: "/ok?size=2048&type=text/plain",
		doc:  "the good answer: 200 with Content-Length, ETag and ranges",
		plan: func(q *request) answer { return good(q) },
	}, {
		name: "status", arg: "CODE", example: "/status/503?after=2&heal=2",
		doc:    "that status (400 to 599) with a small HTML page and, if asked for, a Retry-After header",
		params: []*param{afterParam},
		plan: func(q *request) answer {
			a := answer{status: q.args.code, body: page}
			q.args.after.put(&a, q.now)
			return a
		},
	}, {
		name: "reset", example: "/reset?heal=1",
		doc:  "the connection is reset before any byte of an answer",
		plan: func(q *request) answer { return answer{end: endReset} },
	}, {
		name: "reset-body", example: "/reset-body?size=4096&heal=1", minSize: 1,
		doc:  "headers with Content-Length, about half of the body, then a reset",
		plan: func(q *request) answer { return cut(q, endReset) },
	}, {
		name: "short", example: "/short?heal=1", minSize: 1,
		doc:  "headers with Content-Length, about half of the body, then a clean close",
		plan: func(q *request) answer { return cut(q, endClose) },
	}, {
		name: "cut-chunk", example: "/cut-chunk?heal=1", minSize: 1,
		doc: "a chunked body that ends after about half, without the terminating chunk",
		plan: func(q *request) answer {
			a := cut(q, endClose)
			a.chunked = true
			return a
		},
	}, {
		name: "slow-headers", example: "/slow-headers?for=2s",
		doc:      "the good answer after that time; without for=, silence until the client leaves",
		params:   []*param{forParam},
		defaults: func(a *args) { a.wait = forever },
		plan: func(q *request) answer {
			a := good(q)
			a.fault, a.silence = "", q.args.wait
			return a
		},
	}, {
		name: "stall", example: "/stall?after=100&heal=1", minSize: 1,
		doc:      "headers and a part of the body, then silence until the client leaves",
		params:   []*param{cutParam},
		defaults: func(a *args) { a.cut = -1 },
		plan: func(q *request) answer {
			a := cut(q, endSilence)
			a.cutAt = q.args.cut
			return a
		},
	}, {
		name: "endless", example: "/endless?heal=1",
		doc:  "a chunked body without end, 16 KiB a millisecond",
		plan: func(q *request) answer { return answer{status: http.StatusOK, body: endless, content: q.body} },
	}, {
		name: "drip", example: "/drip?size=4096&for=2s&pieces=10",
		doc:      "the good answer, its body in pieces spread over that time; slow, but whole",
		params:   []*param{forParam, piecesParam},
		defaults: func(a *args) { a.wait = 2 * time.Second },
		plan: func(q *request) answer {
			a := good(q)
			a.fault, a.drip, a.pieces = "", q.args.wait, int64(q.args.pieces)
			return a
		},
	}, {
		name: "loop", example: "/loop?n=2",
		doc:    "a redirect to itself, or in a circle of n URLs",
		params: []*param{cycleParam, atParam},
		plan: func(q *request) answer {
			if q.args.n == 1 {
				return redirect(http.StatusFound, q.u.RequestURI())
			}
			return redirect(http.StatusFound, q.with("at", (q.args.at+1)%q.args.n))
		},
	}, {
		name: "redirect", example: "/redirect?n=3",
		doc:    "a chain of n redirects that ends at the good answer of n=0, or one redirect to another URL",
		params: []*param{hopsParam, toParam, redirectCodeParam},
		plan: func(q *request) answer {
			switch {
			case q.args.to != "":
				return redirect(q.args.code, q.args.to)
			case q.args.n == 0:
				return good(q)
			}
			return redirect(q.args.code, q.with("n", q.args.n-1))
		},
	}, {
		name: "idle-close", example: "/idle-close?when=next",
		doc:      "the good answer with keep-alive, then the connection closes under the next request, or at once",
		params:   []*param{whenParam},
		defaults: func(a *args) { a.next = true },
		plan: func(q *request) answer {
			a := good(q)
			a.fault, a.end = "", endIdle
			if q.args.next {
				a.end = endNext
			}
			return a
		},
	}, {
		name: "hold", example: "/hold?for=2s",
		doc:      "holds the host: for that time every request to it, any path, gets 429 and the time left in Retry-After; then the good answer",
		params:   []*param{forParam, holdCodeParam, formParam, everyParam},
		defaults: func(a *args) { a.wait, a.code = 2*time.Second, http.StatusTooManyRequests },
		plan: func(q *request) answer {
			if q.hold.ask(&q.args, q.now) {
				return q.hold.answer(q.now)
			}
			return good(q)
		},
	},
}

// Every fault takes what the good answer takes, because it may heal into it.
func init() {
	for _, f := range table {
		f.own = len(f.params)
		f.params = append(slices.Clone(f.params), goodParams...)
		if f.name != "ok" {
			f.params = append(f.params, healParam)
		}
	}
}

// find returns the row for a path and its defaults with the path's own argument in them. Elements of
// the path beyond that argument are free: they make different URLs of one fault.
func find(path string) (*fault, args, error) {
	a := args{size: 1024, ctype: "application/octet-stream", heal: -1, code: http.StatusFound, n: 1, pieces: 10}
	name, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	i := slices.IndexFunc(table, func(f *fault) bool { return f.name == name })
	if i < 0 {
		return nil, a, nil
	}
	f := table[i]
	if f.defaults != nil {
		f.defaults(&a)
	}
	if f.arg != "" {
		code, _, _ := strings.Cut(rest, "/")
		if !number(code, 400, 599, &a.code) {
			return f, a, fmt.Errorf("chaos: path element %s is %q, want 400 to 599, as in %s", f.arg, code, f.example)
		}
	}
	return f, a, nil
}

// with returns this URL, as a reference, with one parameter changed.
func (q *request) with(name string, v int) string {
	query := make(url.Values, len(q.query)+1)
	for k, vs := range q.query {
		query[k] = vs
	}
	query.Set(name, strconv.Itoa(v))
	return q.u.EscapedPath() + "?" + query.Encode()
}

// good is what /ok says, and what a healed URL says.
func good(q *request) answer {
	return answer{fault: "ok", status: http.StatusOK, body: whole, content: q.body, ctype: q.args.ctype}
}

// cut is the good answer up to a point inside the body. The point changes from request to request,
// so a client that resumes meets it at different places.
func cut(q *request, end ending) answer {
	a := good(q)
	a.fault, a.end, a.cutAt, a.draw = "", end, -1, mix(q.body.key+uint64(q.nth))
	return a
}

func redirect(code int, to string) answer {
	return answer{status: code, body: page, location: to}
}
