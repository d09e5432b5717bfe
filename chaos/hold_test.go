package chaos_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/chaos"
)

func TestHoldAnswersForTheWholeHost(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		const hold = "http://a.test/hold?for=2500ms"
		if r := get(c, "http://a.test/ok"); r.status != 200 {
			t.Fatalf("before the hold: %d", r.status)
		}
		steps := []struct {
			at    time.Duration // since the hold began
			url   string
			code  int
			after string
		}{
			{0, hold, 429, "3"},
			{0, "http://a.test/ok", 429, "3"},
			{0, "http://b.test/ok", 200, ""},
			{0, "http://A.TEST/nonesuch", 429, "3"},
			{500 * time.Millisecond, "http://a.test/nonesuch", 429, "2"},
			{500*time.Millisecond + 1, hold, 429, "2"},
			{1500 * time.Millisecond, "http://a.test/reset", 429, "1"},
			{2500*time.Millisecond - 1, "http://a.test/ok", 429, "1"},
			{2500 * time.Millisecond, hold, 200, ""},
			{2500 * time.Millisecond, "http://a.test/ok", 200, ""},
			{time.Hour, hold, 200, ""},
		}
		start := time.Now()
		for _, step := range steps {
			time.Sleep(time.Until(start.Add(step.at)))
			r := get(c, step.url)
			if r.err != nil || r.status != step.code || r.header.Get("Retry-After") != step.after {
				t.Errorf("%v after the hold %s: %d, Retry-After %q, %v; want %d and %q", step.at, step.url,
					r.status, r.header.Get("Retry-After"), r.err, step.code, step.after)
			}
		}
		st := s.Stats()
		if st.Violations != 4 || st.Hosts["a.test"].Violations != 4 || st.Hosts["b.test"].Violations != 0 {
			t.Errorf("violations %d, a.test %+v, b.test %+v; want the 4 that came late", st.Violations, st.Hosts["a.test"], st.Hosts["b.test"])
		}
		if st.Faults["hold"] != 7 || st.Status[429] != 7 || st.Status[200] != 5 {
			t.Errorf("Stats = %+v, want 7 held and 5 good", st)
		}
	})
}

func TestGraceEndsToTheNanosecond(t *testing.T) {
	for _, tt := range []struct {
		grace, at time.Duration
		want      int64
	}{
		{0, 250 * time.Millisecond, 0},
		{0, 250*time.Millisecond + 1, 1},
		{time.Nanosecond, 1, 0},
		{time.Nanosecond, 2, 1},
		{time.Hour, 2*time.Second - 1, 0},
		{0, 2*time.Second - 1, 1},
		{0, 2 * time.Second, 0},
	} {
		inBubble(t, chaos.Config{Grace: tt.grace}, func(t *testing.T, s *chaos.Server, c *http.Client) {
			get(c, "http://a.test/hold")
			time.Sleep(tt.at)
			get(c, "http://a.test/ok")
			if got := s.Stats().Violations; got != tt.want {
				t.Errorf("grace %v, %v after the announcement: %d violations, want %d", tt.grace, tt.at, got, tt.want)
			}
		})
	}
}

// A hold that nobody could read about is not announced: its grace starts with the first answer that
// reached a connection.
func TestHoldIsAnnouncedByTheFirstAnswerWritten(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		raw, err := s.DialContext(t.Context(), "tcp", "a.test:80")
		if err != nil {
			t.Fatal(err)
		}
		// The one who starts the hold does not read, so its 429 is stuck in the pipe.
		if _, err := raw.Write([]byte("GET /hold?for=10s HTTP/1.1\r\nHost: a.test\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if r := get(c, "http://a.test/ok"); r.status != 429 || r.header.Get("Retry-After") != "5" {
			t.Errorf("%d, Retry-After %q, want the host held for 5 s more", r.status, r.header.Get("Retry-After"))
		}
		time.Sleep(250 * time.Millisecond)
		get(c, "http://a.test/ok")
		if got := s.Stats().Violations; got != 0 {
			t.Errorf("%d violations within the grace of the first written answer, want 0", got)
		}
		time.Sleep(time.Nanosecond)
		get(c, "http://a.test/ok")
		if got := s.Stats().Violations; got != 1 {
			t.Errorf("%d violations, want 1", got)
		}
		raw.Close()
	})
}

func TestHoldAgain(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		var got []string
		for range 7 {
			r := get(c, "http://a.test/hold?every=3&for=1s")
			got = append(got, http.StatusText(r.status))
			if r.status == 429 {
				time.Sleep(time.Second)
			}
		}
		const h, ok = "Too Many Requests", "OK"
		if want := []string{h, ok, ok, h, ok, ok, h}; strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("got %v, want %v", got, want)
		}
		if n := s.Stats().Violations; n != 0 {
			t.Errorf("%d violations by a client that obeys, want 0", n)
		}
	})
}

// Whoever waits for what a 429 says, in whichever form, at whatever fraction of a second, finds the
// host free.
func TestObeyingIsAlwaysLongEnough(t *testing.T) {
	for _, form := range []string{"seconds", "date"} {
		for _, at := range []time.Duration{0, 1, 300 * time.Millisecond, 999_999_999, time.Second, 1900 * time.Millisecond} {
			inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
				time.Sleep(700 * time.Millisecond) // away from the whole second the bubble starts at
				get(c, "http://a.test/hold?for=2s&form="+form)
				time.Sleep(at)
				r := get(c, "http://a.test/ok")
				var wait time.Duration
				if form == "seconds" {
					d, err := time.ParseDuration(r.header.Get("Retry-After") + "s")
					if err != nil {
						t.Fatal(err)
					}
					wait = d
				} else {
					date, err1 := http.ParseTime(r.header.Get("Date"))
					until, err2 := http.ParseTime(r.header.Get("Retry-After"))
					if err1 != nil || err2 != nil {
						t.Fatal(err1, err2)
					}
					wait = until.Sub(date)
					// One that trusts its own clock instead waits less, and still enough.
					wait = min(wait, time.Until(until))
				}
				if left := 2*time.Second - at; wait < left || wait >= left+2*time.Second {
					t.Errorf("%s, %v into the hold: told to wait %v, %v are left", form, at, wait, left)
				}
				time.Sleep(wait)
				if r := get(c, "http://a.test/ok"); r.status != 200 {
					t.Errorf("%s, %v into the hold: obeying for %v met %d", form, at, wait, r.status)
				}
			})
		}
	}
}

// What the hold answers does not use up what other URLs of the host have to heal from.
func TestHeldRequestsDoNotHeal(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		get(c, "http://a.test/hold")
		for range 3 {
			get(c, "http://a.test/status/500?heal=1")
		}
		time.Sleep(2 * time.Second)
		for _, want := range []int{500, 200} {
			if r := get(c, "http://a.test/status/500?heal=1"); r.status != want {
				t.Errorf("got %d, want %d", r.status, want)
			}
		}
	})
}

func TestStatsCountTheMostAtATime(t *testing.T) {
	inBubble(t, chaos.Config{}, func(t *testing.T, s *chaos.Server, c *http.Client) {
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() { get(c, "http://a.test/slow-headers?for="+string(rune('1'+i))+"s") })
		}
		synctest.Wait()
		if h := s.Stats().Hosts["a.test"]; h.Active != 5 || h.Peak != 5 {
			t.Errorf("while five are served: %+v", h)
		}
		wg.Wait()
		get(c, "http://a.test/ok")
		st := s.Stats()
		if h := st.Hosts["a.test"]; h.Active != 0 || h.Peak != 5 || h.Requests != 6 {
			t.Errorf("afterwards: %+v, want 6 requests and a peak of 5", h)
		}
		if st.URLs["a.test/ok"] != 1 || len(st.URLs) != 6 || st.Requests != 6 {
			t.Errorf("URLs = %v", st.URLs)
		}
		st.URLs["a.test/ok"], st.Faults["ok"], st.Status[200] = 99, 99, 99
		if again := s.Stats(); again.URLs["a.test/ok"] != 1 || again.Faults["ok"] != 1 || again.Status[200] != 6 {
			t.Error("changing what Stats returned changed the server's own")
		}
	})
}
