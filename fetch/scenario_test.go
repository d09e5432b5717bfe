package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var (
	scenarios     = flag.Int("scenarios", 20, "how many random scenarios to play")
	firstScenario = flag.Uint64("firstscenario", 1, "the seed of the first one")
)

// A scenario is a list, servers, a configuration and a story of runs, all drawn from a seed. Whatever they are: each run ends, nothing is asked that should
// not be, each item has one record in the end, the counts say what is so, and the files are what the records say.
type scenario struct {
	t         *testing.T
	seed      uint64
	draw      *rand.Rand
	c         Config
	world     *world
	items     []Item
	file      string // of the journal, or ""
	calm      bool   // no outage
	redirects bool   // some hosts may
}

func TestScenarios(t *testing.T) {
	defer func(a, b int64) { checkpointAt, worthwhile = a, b }(checkpointAt, worthwhile)
	checkpointAt, worthwhile = 4<<10, 1<<10
	for i := range uint64(*scenarios) {
		seed := *firstScenario + i
		dir := inMemoryDir(t)
		synctest.Test(t, func(t *testing.T) {
			newScenario(t, seed, dir).play()
			if t.Failed() {
				t.Fatalf("in scenario %d", seed)
			}
		})
		os.RemoveAll(dir)
	}
}

func newScenario(t *testing.T, seed uint64, dir string) *scenario {
	s := &scenario{t: t, seed: seed, draw: rand.New(rand.NewPCG(seed, 2))}
	pick := func(of ...int) int { return of[s.draw.IntN(len(of))] }
	s.c = Config{
		Concurrency: pick(1, 2, 5, 64), PerHost: pick(1, 2, 8), Attempts: pick(1, 2, 3, 5), Window: pick(1, 3, 20, 40, 60, 200, 100_000),
		Hedge: time.Duration(pick(0, 0, 1, 100, 3000)) * time.Millisecond, Rate: float64(pick(0, 0, 0, 3, 20)), HostRate: float64(pick(0, 0, 0, 1, 5)),
		Patience: time.Duration(pick(0, 1, 20, 120)) * time.Second, Grace: time.Duration(pick(0, 1, 5)) * time.Second, MaxSize: int64(pick(0, 0, 8000)),
		Timeout: time.Duration(pick(5, 30)) * time.Second, MaxHint: time.Duration(pick(20, 300)) * time.Second, Park: time.Duration(pick(0, 1, 1000)) * time.Millisecond,
		MaxBackoff: time.Duration(pick(1, 30, 3600)) * time.Second,
	}
	s.c.Backoff = s.c.MaxBackoff / time.Duration(pick(1, 100))
	s.c = s.c.withDefaults()
	if s.draw.IntN(2) == 0 {
		s.c.Dir = filepath.Join(dir, "bodies")
	}
	if s.draw.IntN(2) == 0 {
		s.file = filepath.Join(dir, "results")
	}
	s.world = &world{c: s.c, begin: time.Now(), draw: rand.New(rand.NewPCG(seed, 1)), hosts: make(map[string]*worldHost)}
	span := func() (a [2]time.Duration) {
		a[0] = time.Duration(s.draw.IntN(60)) * time.Second
		a[1] = a[0] + time.Duration(s.draw.IntN(300))*time.Second
		return a
	}
	s.world.updown = span()
	if s.calm = s.draw.IntN(3) > 0; !s.calm {
		s.world.outage = span()
	}
	s.c.Transport = s.world
	some := append([]string(nil), worldKinds...)
	s.draw.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	some = some[:1+s.draw.IntN(len(some))]
	for _, kind := range some {
		s.redirects = s.redirects || kind == "moving" || kind == "ping" || kind == "pong"
	}
	mirrors, again := s.draw.IntN(2) == 0, pick(0, 10, 10, 80)
	for i := range 1 + s.draw.IntN(pick(10, 60, 300)) {
		path := fmt.Sprintf("/%d-%d", i, pick(0, 1, 500, 3000, 3000, 20_000))
		where := func() string {
			return fmt.Sprintf("http://%s%d.test%s", some[s.draw.IntN(len(some))], s.draw.IntN(3), path)
		}
		it := Item{URL: where()}
		if s.draw.IntN(10) == 0 {
			it.Method = []string{"HEAD", "POST", "PUT"}[s.draw.IntN(3)]
			it.Body = []string{"", "x"}[s.draw.IntN(2)]
		}
		if s.draw.IntN(20) == 0 { // in clumps
			mirrors = !mirrors
		}
		for mirrors && s.draw.IntN(2) == 0 {
			it.Mirrors = append(it.Mirrors, where())
		}
		if it.Method != "HEAD" && s.draw.IntN(5) == 0 {
			it.SHA256 = worldSum(path)
		}
		if s.draw.IntN(30) == 0 {
			it.URL = []string{"", "x", "http://", "http://good0.test:99999" + path, "http://good0.test/%zz", "http://user:pw@good0.test" + path}[s.draw.IntN(6)]
			it.Mirrors = nil
		}
		s.items = append(s.items, it)
		for s.draw.IntN(100) < again {
			s.items = append(s.items, it)
		}
	}
	return s
}

// source yields the items, perhaps slowly, and ends with an error after the given number of them.
func (s *scenario) source(broken int) Source {
	every := time.Duration([]int{0, 0, 1, 300, 5000}[s.draw.IntN(5)]) * time.Millisecond
	pause, now := s.draw.IntN(2*len(s.items)), 0 // perhaps there is none
	return func(ctx context.Context) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for it, err := range Items(s.items...)(ctx) {
				if broken--; broken < 0 {
					yield(Item{}, errors.New("the list breaks off"))
					return
				}
				wait := every
				if now++; now == pause {
					wait = 2 * time.Minute
				}
				if wait > 0 {
					select {
					case <-time.After(wait):
					case <-ctx.Done():
						return
					}
				}
				if !yield(it, err) {
					return
				}
			}
		}
	}
}

var errGone, errHung = errors.New("the caller has gone"), errors.New("the run hangs")

func (s *scenario) play() {
	runs := 1
	if s.file != "" {
		runs += s.draw.IntN(4)
	}
	for i := range runs {
		s.run(i == runs-1 && s.draw.IntN(8) > 0)
		if s.t.Failed() {
			return
		}
	}
}

// run plays one run, to its end or until something comes between.
func (s *scenario) run(undisturbed bool) {
	c, t := s.c, s.t
	c.Meter = new(Meter)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	defer time.AfterFunc(10_000*time.Hour, func() { cancel(errHung) }).Stop()
	soon := func() time.Duration { return time.Duration(s.draw.ExpFloat64() * float64(20*time.Second)) }
	expected := []error{nil}
	if !undisturbed {
		if s.draw.IntN(2) == 0 {
			stop := make(chan struct{})
			c.Stop = stop
			defer time.AfterFunc(soon(), func() { close(stop) }).Stop()
			expected = append(expected, ErrStopped)
		}
		if s.draw.IntN(3) == 0 {
			defer time.AfterFunc(soon(), func() { cancel(errGone) }).Stop()
			expected = append(expected, errGone)
		}
		if s.draw.IntN(4) == 0 {
			c.MaxTime = soon()
			expected = append(expected, ErrTime)
		}
		if s.draw.IntN(4) == 0 {
			c.MaxFailures = 1 + s.draw.IntN(10)
			expected = append(expected, ErrFailures)
		}
	}
	broken := len(s.items)
	if !undisturbed && s.draw.IntN(6) == 0 {
		broken = s.draw.IntN(broken)
		expected = append(expected, ErrRead)
	}
	var sink Sink
	var before []*Record
	var journal *Journal
	memory := &fullSink{collector: collector{t: t}, room: len(s.items), err: ErrWrite}
	if !undisturbed && s.file == "" && s.draw.IntN(4) == 0 {
		memory.room = s.draw.IntN(memory.room)
		expected = append(expected, ErrWrite)
	}
	if sink = memory; s.file != "" {
		before = s.lines()
		j, err := OpenJournal(s.file, JournalConfig{RetryFailed: s.draw.IntN(4) == 0})
		if err != nil {
			t.Fatal(err)
		}
		if !j.retry {
			j.file = quick{j.file.(*os.File)}
		}
		journal, sink = j, j
	}
	s.world.starts = nil
	for _, h := range s.world.hosts { // no run knows what another was told
		h.to, h.starts = time.Now(), nil
	}
	began := time.Now()
	counts, err := Run(ctx, c, s.source(broken), sink)
	if took := time.Since(began); errors.Is(err, ErrTime) && took > c.MaxTime+c.Grace+time.Second {
		t.Errorf("took %v with %v and a grace of %v", took, c.MaxTime, c.Grace)
	}
	synctest.Wait()
	if err == nil && !s.redirects && counts.Attempts != int64(len(s.world.starts)) {
		t.Errorf("%d requests, want what was counted: %+v", len(s.world.starts), counts)
	}
	if journal != nil {
		if err := journal.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if s.world.running != 0 || s.world.open != 0 || counts.Running != 0 {
		t.Errorf("after the run %d requests run, %d by its own count, and %d bodies are open", s.world.running, counts.Running, s.world.open)
	}
	for _, fault := range s.world.faults {
		t.Error(fault)
	}
	if !slices.ContainsFunc(expected, func(e error) bool { return errors.Is(err, e) }) || err == nil && (counts.Left() > 0 || !counts.AllRead) {
		t.Errorf("the run ended with %v, want one of %v; %+v", err, expected, counts)
	}
	records := memory.records
	if s.file != "" {
		records = s.lines()
	}
	if done := len(records) - len(before); journal == nil || !journal.retry {
		if int64(done) != counts.Done()-counts.Before {
			t.Errorf("%d new records, want what was counted: %+v", done, counts)
		}
	}
	s.check(counts, records, err == nil)
}

// lines returns what the journal has.
func (s *scenario) lines() (list []*Record) {
	text, err := os.ReadFile(s.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		r := new(Record)
		if err := json.Unmarshal(line, r); err != nil || line[len(line)-1] != '\n' {
			s.t.Fatalf("line %q: %v", line, err)
		}
		list = append(list, r)
	}
	return list
}
