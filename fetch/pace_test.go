package fetch

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

// A told is something that a paced host said, for the model to think about.
type told struct {
	at       clock.Instant
	status   int
	lastSeen int // how many strikes there had been when its request began
}

// expectedGap reads the whole story and tells what the gap is after it.
func expectedGap(story []told, most time.Duration) time.Duration {
	gap, strikes := 0.0, 0
	var calm clock.Instant
	for i, s := range story {
		switch {
		case s.status == 429:
			if s.lastSeen == strikes && together(story[:i+1]) {
				strikes++
				gap = min(max(gap*2, 0.050), most.Seconds())
				calm = s.at
			}
		case s.status == 200 && gap > 0 && s.at.Sub(calm).Seconds() >= max(1, 10*gap):
			if gap *= 0.75; gap < 0.025 {
				gap = 0
			}
			calm = s.at
		}
	}
	return time.Duration(gap * 1e9)
}

// together reports whether the 429 at the end of the story is the second in a row, or the third of the last eight answers.
func together(story []told) bool {
	last := story[max(0, len(story)-8):]
	n := 0
	for _, s := range last {
		if s.status == 429 {
			n++
		}
	}
	return n >= 3 || len(last) > 1 && last[len(last)-2].status == 429
}

// A checkedPace is what the model is compared with: the pace itself, or one with a fault in it.
type checkedPace interface {
	hear(told, time.Duration) (gap time.Duration)
}

type realPace struct{ pace }

func (p *realPace) hear(s told, most time.Duration) time.Duration {
	if s.status == 429 {
		p.limited(s.at)
		p.strike(uint64(s.lastSeen), most, s.at)
	} else {
		p.answered(s.status == 200, s.at)
	}
	return p.gap
}

// checkPace tells a pace a random story and returns what is wrong with its gaps.
func checkPace(p checkedPace, data []byte, begin clock.Instant) error {
	const most = 3 * time.Second
	var story []told
	now, strikes, gap := begin, 0, time.Duration(0)
	for i, b := range data {
		now = now.Add(time.Duration(b>>4) * time.Duration(b>>4) * (50*time.Millisecond + 7*time.Microsecond))
		s := told{at: now, status: []int{429, 200, 200, 500}[b&3], lastSeen: max(0, strikes-int(b>>2&3)/3)}
		story = append(story, s)
		if s.status == 429 && s.lastSeen == strikes && together(story) {
			strikes++
		}
		before := gap
		gap = p.hear(s, most)
		if want := expectedGap(story, most); gap.Round(time.Millisecond) != want.Round(time.Millisecond) {
			return fmt.Errorf("step %d: gap %v, want %v", i, gap, want)
		}
		if gap < before && s.status != 200 || gap != 0 && gap < leastGap || gap > most {
			return fmt.Errorf("step %d: gap %v after %v and a %d", i, gap, before, s.status)
		}
	}
	return nil
}

func FuzzPace(f *testing.F) {
	f.Add([]byte{0, 0, 0xf1, 0xf1, 0xf1})
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		b := make([]byte, 200)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, begin := range []clock.Instant{0, -1 << 59} {
			if err := checkPace(&realPace{}, data[:min(len(data), 500)], begin); err != nil {
				t.Error(err)
			}
		}
	})
}

// A faultyPace has the fault of that name.
type faultyPace struct {
	realPace
	fault string
}

func (p *faultyPace) hear(s told, most time.Duration) time.Duration {
	switch p.fault {
	case "an error page counts as good":
		s.status = map[int]int{429: 429, 200: 200, 500: 200}[s.status]
	case "every 429 strikes":
		s.lastSeen = int(p.volley)
	case "no quiet is needed":
		p.calm -= clock.Instant(time.Hour)
	case "one 429 among others strikes":
		p.recent |= 2
	case "long ago is of late":
		if s.status == 429 && bits.OnesCount8(p.recent) > 0 {
			p.recent |= 1
		}
	case "no bound":
		most *= 2
	}
	return p.realPace.hear(s, most)
}

func TestThePaceModelFindsFaults(t *testing.T) {
	for _, fault := range []string{"an error page counts as good", "every 429 strikes", "no quiet is needed", "one 429 among others strikes", "long ago is of late", "no bound"} {
		r := rand.New(rand.NewPCG(3, 4))
		found := false
		for range 200 {
			b := make([]byte, 200)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			found = found || checkPace(&faultyPace{fault: fault}, b, 0) != nil
		}
		if !found {
			t.Errorf("nobody noticed: %s", fault)
		}
	}
}

// A counter is a server without connections that notes when it was asked.
type counter struct {
	mu    sync.Mutex
	begin time.Time
	asked map[string][]time.Duration // by host
}

// serve makes a wire of what answers a request; n counts the requests to its URL from 1, at is the time since the first of all.
func (c *counter) serve(answers func(r *http.Request, n int, at time.Duration) (*http.Response, error)) wire {
	c.begin, c.asked = time.Now(), make(map[string][]time.Duration)
	urls := make(map[string]int)
	return func(r *http.Request) (*http.Response, error) {
		c.mu.Lock()
		at := time.Since(c.begin)
		c.asked[r.URL.Host] = append(c.asked[r.URL.Host], at)
		urls[r.URL.String()]++
		n := urls[r.URL.String()]
		c.mu.Unlock()
		return answers(r, n, at)
	}
}

func many(n int, format string) []string {
	urls := make([]string, n)
	for i := range urls {
		urls[i] = fmt.Sprintf(format, i)
	}
	return urls
}

// fetchAll runs urls through w and returns the records by URL.
func fetchAll(t *testing.T, c Config, w wire, urls ...string) map[string]*Record {
	t.Helper()
	c.Transport = w
	sink := &collector{t: t}
	counts, err := Run(t.Context(), c, URLs(urls...), sink)
	got := sink.byID()
	if err != nil || len(got) != len(urls) || counts.Left() != 0 {
		t.Fatalf("%d records of %d, %v, %+v", len(got), len(urls), err, counts)
	}
	return got
}

func TestAFastErrorPageNeverSpeedsAHostUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
			if at == 0 {
				return answer(r, 429, ""), nil
			}
			return answer(r, 404, "an error page"), nil
		})
		fetchAll(t, Config{}, w, many(400, "http://a.test/%d")...)
		asked := c.asked["a.test"]
		for i := 9; i < len(asked); i++ { // after the first volley
			if asked[i] < time.Second || asked[i]-asked[i-1] < firstGap-grain {
				t.Fatalf("request %d came at %v, %v after the one before; want a hold of 1s, then gaps of %v", i, asked[i], asked[i]-asked[i-1], firstGap)
			}
		}
		if took := asked[len(asked)-1]; took < 390*firstGap {
			t.Errorf("400 requests took %v", took)
		}
	})
}

func TestAHostIsForgivenAfterQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.serve(func(r *http.Request, n int, at time.Duration) (*http.Response, error) {
			time.Sleep(10 * time.Millisecond)
			if at == 0 {
				return answer(r, 429, "", "Retry-After", "2"), nil
			}
			return answer(r, 200, "ok"), nil
		})
		fetchAll(t, Config{}, w, many(2000, "http://a.test/%d")...)
		asked := c.asked["a.test"]
		last := asked[len(asked)-1]
		for i, at := range asked[8:] {
			if at < 2*time.Second {
				t.Fatalf("request %d came %v after the host asked for 2s", i+8, at)
			}
		}
		// With a gap of 50 ms for ever it would take 100 s, without any 4.5 s.
		if last < 5*time.Second || last > 12*time.Second {
			t.Errorf("the last request began at %v, want some seconds of gaps and then none", last)
		}
	})
}

// limit admits n requests a second, as servers do: it counts anew each second.
func limit(n int) func(at time.Duration) bool {
	second, used := time.Duration(-1), 0
	return func(at time.Duration) bool {
		if s := at.Truncate(time.Second); s != second {
			second, used = s, 0
		}
		used++
		return used <= n
	}
}

func TestAHostWithALimitGivesAllItsURLsInTheEnd(t *testing.T) {
	for _, n := range []int{2, 5, 40} {
		synctest.Test(t, func(t *testing.T) {
			var c counter
			var mu sync.Mutex
			admits, refused := limit(n), 0
			w := c.serve(func(r *http.Request, _ int, at time.Duration) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				if !admits(at) {
					refused++
					return answer(r, 429, ""), nil
				}
				return answer(r, 200, "ok"), nil
			})
			urls := many(100*n, "http://a.test/%d")
			for u, r := range fetchAll(t, Config{Attempts: 3}, w, urls...) {
				if !r.OK {
					t.Errorf("%d a second: %s: %v after %d attempts", n, u, r.Error, len(r.Attempts))
				}
			}
			took := c.asked["a.test"][len(c.asked["a.test"])-1]
			t.Logf("%d a second, %d URLs: %v, %d answers 429", n, len(urls), took, refused)
			if refused < 5 || refused > len(urls) || took > 400*time.Second {
				t.Errorf("%d a second: %d of %d requests were refused, and it took %v; 100s are needed", n, refused, len(urls)+refused, took)
			}
		})
	}
}

func TestAURLThatIsAlwaysLimitedFailsAloneAndSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.serve(func(r *http.Request, _ int, _ time.Duration) (*http.Response, error) {
			time.Sleep(50 * time.Millisecond)
			if r.URL.Path == "/bad" {
				return answer(r, 429, ""), nil
			}
			return answer(r, 200, "ok"), nil
		})
		bad := "http://a.test/bad"
		got := fetchAll(t, Config{}, w, append(many(3000, "http://a.test/%d"), bad)...)
		var last time.Duration
		for u, r := range got {
			if r.OK != (u != bad) {
				t.Errorf("%s: %v", u, r.Error)
			}
			if end := r.Started.Sub(c.begin) + time.Duration(r.ElapsedMS)*time.Millisecond; u != bad {
				last = max(last, end)
			}
		}
		if n := len(got[bad].Attempts); n < 5 || n > 20 {
			t.Errorf("%d attempts, want the 5, and at most 15 that do not count", n)
		}
		if last > time.Minute { // 19 s without the bad one
			t.Errorf("the good ones took %v", last)
		}
	})
}

func TestAHostThatSaysNothingBut429CostsEachURLItsOwnAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counter
		w := c.serve(func(r *http.Request, _ int, _ time.Duration) (*http.Response, error) { return answer(r, 429, ""), nil })
		for u, r := range fetchAll(t, Config{}, w, many(500, "http://a.test/%d")...) {
			if r.OK || r.Error.Kind != KindStatus || r.Status != 429 || len(r.Attempts) < 5 || len(r.Attempts) > 20 {
				t.Fatalf("%s: %+v", u, r)
			}
		}
		asked := c.asked["a.test"]
		if took := asked[len(asked)-1]; took < 2*time.Minute || took > 6*time.Minute {
			t.Errorf("took %v with a patience of 2m", took)
		}
	})
}
