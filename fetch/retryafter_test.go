package fetch

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

// A form is one way to say Retry-After.
type form struct {
	name  string
	code  int
	after func(now time.Time, h http.Header) (until time.Time) // the zero time: nobody is held
	fails bool                                                 // the URL, since it is asked to wait longer than allowed
}

// inSeconds asks for s seconds as a number.
func inSeconds(s int) func(time.Time, http.Header) time.Time {
	return func(now time.Time, h http.Header) time.Time {
		h.Set("Retry-After", strconv.Itoa(s))
		return now.Add(time.Duration(s) * time.Second)
	}
}

// byDate asks for s seconds as a date, on a clock that is off by skew. Without a Date header, it is right.
func byDate(s int, skew time.Duration, date bool, layout string) func(time.Time, http.Header) time.Time {
	return func(now time.Time, h http.Header) time.Time {
		clock := now.Add(skew).UTC().Truncate(time.Second)
		h["Date"] = nil // net/http would say the time
		if date {
			h.Set("Date", clock.Format(http.TimeFormat))
		}
		h.Set("Retry-After", clock.Add(time.Duration(s)*time.Second).Format(layout))
		return now.Truncate(time.Second).Add(time.Duration(s) * time.Second)
	}
}

// word says something that holds nobody.
func word(s string) func(time.Time, http.Header) time.Time {
	return func(_ time.Time, h http.Header) time.Time {
		h.Set("Retry-After", s)
		return time.Time{}
	}
}

const asctime, rfc850 = time.ANSIC, "Monday, 02-Jan-06 15:04:05 GMT"

var forms = []form{
	{"seconds", 429, inSeconds(7), false},
	{"seconds", 503, inSeconds(12), false},
	{"date", 429, byDate(9, 0, true, http.TimeFormat), false},
	{"date without Date", 503, byDate(8, 0, false, http.TimeFormat), false},
	{"date, the clock an hour fast", 429, byDate(11, time.Hour, true, http.TimeFormat), false},
	{"date, the clock an hour slow", 503, byDate(10, -time.Hour, true, http.TimeFormat), false},
	{"date of asctime", 429, byDate(6, 0, true, asctime), false},
	{"date of RFC 850", 503, byDate(5, 0, true, rfc850), false},
	{"date with a fast clock beyond all bounds", 503, byDate(13, 1000*time.Hour, true, http.TimeFormat), false},
	{"zero", 503, word("0"), false},
	{"zero", 429, word("0"), false},
	{"past", 503, word("Fri, 31 Dec 1999 23:59:59 GMT"), false},
	{"past", 429, word("Fri, 31 Dec 1999 23:59:59 GMT"), false},
	{"junk", 503, word("soon"), false},
	{"a negative number", 429, word("-30"), false},
	{"a fraction", 503, word("1.5"), false},
	{"empty", 429, word(""), false},
	{"as long as allowed", 429, inSeconds(300), false},
	{"a second too long", 429, word("301"), true},
	{"huge", 503, word("99999999999999999999"), true},
	{"a date far off", 503, word("Fri, 31 Dec 9999 23:59:59 GMT"), true},
}

// A strict host says each form in turn, every fifth time that somebody comes while it is free. It forgives nobody: one instant after it
// has asked to be left alone, a request is a violation.
type strict struct {
	mu         sync.Mutex
	free       int // requests while it was free
	told       []string
	since      time.Time
	until      time.Time
	violations []string
}

func (s *strict) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if now.Before(s.until) {
		if now.After(s.since) {
			s.violations = append(s.violations, fmt.Sprintf("%v after, %v before the end of: %s", now.Sub(s.since), s.until.Sub(now), s.told[len(s.told)-1]))
		}
		w.Header().Set("Retry-After", strconv.Itoa(int((s.until.Sub(now)+time.Second-1)/time.Second)))
		w.WriteHeader(429)
		return
	}
	if s.free++; s.free%5 == 0 && len(s.told) < len(forms) {
		f := forms[len(s.told)]
		s.told = append(s.told, f.name)
		s.since, s.until = now, f.after(now, w.Header())
		w.WriteHeader(f.code)
	}
}

// One host says Retry-After in every form while twenty others are busy. Nobody comes before its time, what can be had is had, and the
// others take exactly as long as they take without it: no worker waits for the host.
func TestEveryFormOfRetryAfterWhileOthersRun(t *testing.T) {
	const workers, others, each = 8, 20, 160
	const takes = time.Second / 4
	var alone time.Duration
	for _, held := range []int{0, 150} {
		synctest.Test(t, func(t *testing.T) {
			host := new(strict)
			srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Host == "strict.test" {
					host.ServeHTTP(w, r)
					return
				}
				time.Sleep(takes)
			})}
			pipe := chaos.NewPipe()
			go srv.Serve(pipe)
			transport := &http.Transport{DialContext: pipe.DialContext, MaxIdleConnsPerHost: workers}
			defer srv.Close()
			defer transport.CloseIdleConnections()

			var urls []string
			for i := range held {
				urls = append(urls, fmt.Sprintf("http://strict.test/%d", i)) // all of them first in line
			}
			for i := range others * each {
				urls = append(urls, fmt.Sprintf("http://other%d.test/%d", i%others, i))
			}
			sink := &collector{t: t}
			begin := time.Now()
			// Whoever comes in a bad moment is told many times over. That costs attempts, and is not what is tested here.
			c := Config{Transport: transport, Concurrency: workers, PerHost: workers, Attempts: 100}
			if _, err := Run(t.Context(), c, URLs(urls...), sink); err != nil {
				t.Fatal(err)
			}
			hints := 0
			var took time.Duration // by the others
			for _, r := range sink.byID() {
				switch {
				case !strings.HasPrefix(r.URL, "http://strict.test/"):
					took = max(took, r.Started.Add(time.Duration(r.ElapsedMS)*time.Millisecond).Sub(begin))
				case !r.OK && r.Error.Kind == KindHint:
					hints++
					continue
				}
				if !r.OK {
					t.Errorf("%s: %v", r.URL, r.Error)
				}
			}
			if held == 0 {
				if alone = took; alone != others*each/workers*takes {
					t.Errorf("the others alone took %v, want %v: every worker busy all the time", alone, others*each/workers*takes)
				}
				return
			}
			wantHints := 0
			for _, f := range forms {
				if f.fails {
					wantHints++
				}
			}
			if len(host.told) != len(forms) || hints != wantHints {
				t.Errorf("the host said %d of %d forms, and %d URLs failed for a wait that is too long, want %d", len(host.told), len(forms), hints, wantHints)
			}
			for _, v := range host.violations {
				t.Errorf("a request came %s", v)
			}
			if took != alone {
				t.Errorf("the others took %v beside the host that is on hold, and %v without it", took, alone)
			}
		})
	}
}
