package fetch

import (
	"fmt"
	"iter"
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
	at     clock.Instant
	status int
	volley int // how often the host had been spared when the request began
}

// A paceModel is the rule of a pace in other words: it keeps what was said and looks at all of it again each time.
type paceModel struct {
	gap, small  time.Duration
	spared      int
	said        []told // that is news, since the gap was last changed or found right
	row         []told
	rest        time.Duration
	level       clock.Instant
	experiments []experiment // of which the last one counts
	usual       float64
	until       clock.Instant
}

// An experiment is a gap with the share of 429 that it had.
type experiment struct {
	gap   time.Duration
	share float64
}

func (m *paceModel) share() float64 {
	n := 0
	for _, s := range m.said {
		if s.status == 429 {
			n++
		}
	}
	return float64(n) / float64(len(m.said))
}

func (m *paceModel) change(gap time.Duration, at clock.Instant) {
	if gap < time.Millisecond {
		gap = 0
	}
	m.gap, m.said, m.level = gap, nil, at
}

func (m *paceModel) double(park time.Duration, at clock.Instant) {
	if last := m.last(); len(m.said) >= 8 && m.share() >= last.share*4/3 {
		m.experiments = append(m.experiments, experiment{m.gap, m.share()})
	}
	m.spared++
	m.small = m.gap
	m.change(min(max(50*time.Millisecond, 2*m.gap), park), at)
}

func (m *paceModel) last() experiment {
	if len(m.experiments) == 0 {
		return experiment{gap: time.Hour}
	}
	return m.experiments[len(m.experiments)-1]
}

// hear takes in what the host said, and returns for how long to leave it alone.
func (m *paceModel) hear(s told, park, most time.Duration) time.Duration {
	if s.volley != m.spared {
		return 0
	}
	if s.at >= m.until {
		m.usual = 0
	}
	m.said = append(m.said, s)
	if s.status != 429 {
		m.row, m.rest = nil, 0
	} else if m.row = append(m.row, s); len(m.row) >= int(5/(1-m.usual)) {
		if len(m.row) == int(5/(1-m.usual)) {
			m.double(park, s.at)
		} else {
			m.spared++
		}
		m.rest = min(max(park, m.rest*2), most)
		return m.rest
	}
	share, last := m.share(), m.last()
	quiet := s.at.Sub(m.level) >= time.Second
	switch {
	case len(m.said) < 8:
	case share <= m.usual+(1-m.usual)*0.25 && (s.status != 200 || !quiet):
	case share <= m.usual+(1-m.usual)*0.25:
		m.experiments = nil
		if share <= m.usual && m.gap/2 > m.small {
			m.change(m.gap/2, s.at)
		} else {
			m.change(m.gap/4*3, s.at)
		}
	case m.gap > last.gap && share <= 0.75 && share > last.share*0.75 && share < last.share*4/3:
		if s.status == 200 {
			m.usual, m.until = share, s.at.Add(time.Minute)
			m.small, m.experiments = 0, nil
			m.change(last.gap, s.at)
		}
	default:
		m.double(park, s.at)
	}
	return 0
}

// A checkedPace is what the model is compared with: the pace itself, or one with a fault in it.
type checkedPace interface {
	hear(s told, park, most time.Duration) (gap, rest time.Duration)
}

type realPace struct{ pace }

func (p *realPace) hear(s told, park, most time.Duration) (gap, rest time.Duration) {
	if s.status == 429 {
		rest = p.limited(uint64(s.volley), park, most, s.at)
	} else {
		p.answered(s.status == 200, uint64(s.volley), park, s.at)
	}
	return p.gap, rest
}

// checkPace tells a pace a random story and returns what is wrong with what it makes of it. The first byte is how often the host says 429.
func checkPace(p checkedPace, data []byte, begin clock.Instant) error {
	const park, most = time.Second, 10 * time.Second
	if len(data) == 0 {
		return nil
	}
	var m paceModel
	now, gap, often := begin, time.Duration(0), data[0]
	for i, b := range data[1:] {
		now = now.Add(time.Duration(b>>5) * time.Duration(b>>5) * (40*time.Millisecond + 7*time.Microsecond))
		s := told{at: now, status: 200, volley: m.spared}
		switch {
		case b*37 < often:
			s.status = 429
		case b%16 == 1:
			s.status = 500
		case b%16 == 2:
			s.volley--
		}
		before, spared := gap, m.spared
		want := m.hear(s, park, most)
		var rest time.Duration
		gap, rest = p.hear(s, park, most)
		if gap != m.gap || rest != want {
			return fmt.Errorf("step %d, a %d: gap %v and rest %v, want %v and %v", i, s.status, gap, rest, m.gap, want)
		}
		if gap < before && s.status != 200 || gap != 0 && gap < leastGap || gap > park || rest > most || (rest > 0 || gap > before) && m.spared == spared {
			return fmt.Errorf("step %d: gap %v after %v, rest %v and a %d", i, gap, before, rest, s.status)
		}
	}
	return nil
}

// stories are random ones, of hosts that say 429 more and more often.
func stories(n int, seed uint64) iter.Seq[[]byte] {
	r := rand.New(rand.NewPCG(seed, 2))
	return func(yield func([]byte) bool) {
		for i := range n {
			b := make([]byte, 300)
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			b[0] = byte(i * 256 / n)
			if !yield(b) {
				return
			}
		}
	}
}

func FuzzPace(f *testing.F) {
	for b := range stories(100, 1) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, begin := range []clock.Instant{0, -1 << 59} {
			if err := checkPace(&realPace{}, data[:min(len(data), 1000)], begin); err != nil {
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

func (p *faultyPace) hear(s told, park, most time.Duration) (gap, rest time.Duration) {
	switch p.fault {
	case "an error page counts as good":
		s.status = map[int]int{429: 429, 200: 200, 500: 200}[s.status]
	case "every answer is news":
		s.volley = int(p.volley)
	case "no quiet is needed":
		p.level -= clock.Instant(time.Hour)
	case "a row never ends":
		defer func(row int) { p.row = max(p.row, row) }(p.row)
	case "rests do not grow":
		p.rest = 0
	case "the usual is forgotten":
		p.usual = 0
	case "the usual is never forgotten":
		p.usualUntil = s.at.Add(time.Hour)
	case "no experiment ends":
		p.base = p.gap
	case "an experiment is never forgotten":
		defer func(before float64) { p.before = max(p.before, before) }(p.before)
	case "what was too small is tried again at once":
		p.small = 0
	case "no bound":
		park *= 2
	}
	return p.realPace.hear(s, park, most)
}

func TestThePaceModelFindsFaults(t *testing.T) {
	for _, fault := range []string{
		"an error page counts as good", "every answer is news", "no quiet is needed", "a row never ends", "rests do not grow", "the usual is forgotten",
		"the usual is never forgotten", "no experiment ends", "an experiment is never forgotten", "what was too small is tried again at once", "no bound",
	} {
		found := false
		for b := range stories(500, 3) {
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
		for i := 8 + longRow; i < len(asked); i++ { // after the first volley, and those that took the places of the first in the row
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
