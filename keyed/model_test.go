package keyed

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
)

// subject is the map under test: a Map, or one with a bug planted.
type subject interface {
	For(int) mettle.Policy
	Acquire(context.Context, int) (mettle.Permit, error)
	Len() int
	All() iter.Seq2[int, mettle.Policy]
}

// probe is the policy of a key: a gate that tells the model who is inside.
type probe struct {
	model  *model
	key    int
	inside int
	stale  bool
	last   time.Time // when the last call ended
}

func (p *probe) Do(ctx context.Context, fn func(context.Context) error) error {
	p.enter()
	defer p.Release(ctx, 0, nil)
	return fn(ctx)
}

func (p *probe) Acquire(ctx context.Context) (mettle.Permit, error) {
	p.enter()
	return mettle.NewPermit(ctx, p, 0), nil
}

func (p *probe) Release(context.Context, uint64, error) {
	p.inside--
	p.last = time.Now()
}

func (p *probe) Fresh() bool { return !p.stale }

func (p *probe) enter() {
	p.inside++
	p.model.settle("a call")
	if now := p.model.kept[p.key]; now != p {
		p.model.object("a call of key %d under a policy that is not the key's", p.key)
	}
}

// model says what a map may do, by what it is seen to keep.
type model struct {
	max  int
	idle time.Duration
	sut  subject

	kept    map[int]*probe // after the last operation
	handles map[int][]mettle.Policy
	permits []mettle.Permit
	depth   int
	wrong   error
}

func (m *model) object(format string, args ...any) {
	if m.wrong == nil {
		m.wrong = fmt.Errorf(format, args...)
	}
}

func (m *model) make(key int) mettle.Policy {
	for k := range m.sut.All() {
		if k == key {
			m.object("a second policy made for key %d", key)
		}
	}
	return &probe{model: m, key: key, last: time.Now()}
}

// settle compares what is kept with what was kept before the operation.
func (m *model) settle(op string) {
	now := map[int]*probe{}
	for k, p := range m.sut.All() {
		if now[k] != nil || p.(*probe).key != k {
			m.object("%s: key %d is there twice, or with the policy of another", op, k)
		}
		now[k] = p.(*probe)
	}
	if len(now) > m.max || m.sut.Len() != len(now) {
		m.object("%s: %d policies kept of at most %d, and Len says %d", op, len(now), m.max, m.sut.Len())
	}
	made, ousted := 0, 0
	for k, p := range now {
		if m.kept[k] != p {
			made++
		}
	}
	for k, p := range m.kept {
		switch {
		case now[k] == p:
		case p.inside > 0:
			m.object("%s: key %d lost its policy while in use", op, k)
		case p.stale:
			m.object("%s: key %d lost a policy that remembers something", op, k)
		case time.Since(p.last) < m.idle:
			ousted++
		}
	}
	if ousted > made || ousted > 0 && (len(m.kept) < m.max || len(now) < m.max) {
		m.object("%s: %d policies evicted before their time, and %d made, where %d were kept of %d", op, ousted, made, len(m.kept), m.max)
	}
	m.kept = now
}

// room reports whether a call of key must be let in.
func (m *model) room(key int) bool {
	if m.kept[key] != nil || len(m.kept) < m.max {
		return true
	}
	for _, p := range m.kept {
		if p.inside == 0 && !p.stale {
			return true
		}
	}
	return false
}

// call sees to it that a call of key is let in when it must be.
func (m *model) call(op string, key int, do func() error) bool {
	room := m.room(key)
	err := do()
	m.settle(op)
	if err != nil && (room || !errors.Is(err, ErrFull)) {
		m.object("%s: key %d rejected with %v though there is room", op, key, err)
	}
	if err == nil && !room {
		m.object("%s: key %d let in though there is no room", op, key)
	}
	return err == nil
}

// tidy makes so many calls, over so long a time, that all idle policies must be gone.
func (m *model) tidy(key int) {
	h := m.sut.For(key)
	m.settle("For")
	for range 11 {
		for range 16 {
			if !m.call("tidy", key, func() error { return h.Do(context.Background(), func(context.Context) error { return nil }) }) {
				return
			}
		}
		time.Sleep(m.idle / 8)
	}
	for k, p := range m.kept {
		if k != key && p.inside == 0 && !p.stale {
			m.object("key %d is still there after %v without a call", k, time.Since(p.last))
		}
	}
}

// step does one operation, which may nest others.
func (m *model) step(next func() int) {
	op, key := next(), next()%12
	ctx := context.Background()
	hs := m.handles[key]
	nested := func(context.Context) error {
		m.depth++
		defer func() { m.depth-- }()
		for range next() % 4 {
			if m.depth < 5 {
				m.step(next)
			}
		}
		return nil
	}
	switch {
	case op%16 < 3 || len(hs) == 0:
		h := m.sut.For(key)
		m.settle("For")
		m.handles[key] = append(hs, h)
		if len(hs) > 4 {
			m.handles[key] = m.handles[key][1:]
		}
	case op%16 < 7:
		h := hs[next()%len(hs)]
		m.call("Do", key, func() error { return h.Do(ctx, nested) })
	case op%16 < 10:
		h := hs[next()%len(hs)]
		m.call("Call", key, func() error {
			v, err := mettle.Call(ctx, h, func(ctx context.Context) (int, error) { return key, nested(ctx) })
			if err == nil && v != key {
				m.object("Call returned %d for %d", v, key)
			}
			return err
		})
	case op%16 < 12 && len(m.permits) < 6:
		m.call("Acquire", key, func() error {
			p, err := m.sut.Acquire(ctx, key)
			if err == nil {
				m.permits = append(m.permits, p)
			}
			return err
		})
	case op%16 < 13 && len(m.permits) > 0:
		i := next() % len(m.permits)
		m.permits[i].Done(nil)
		m.permits = append(m.permits[:i], m.permits[i+1:]...)
		m.settle("Done")
	case op%16 < 14 && m.kept[key] != nil:
		m.kept[key].stale = !m.kept[key].stale && next()%2 == 0
	case op%16 == 15 && op/16 == 0:
		m.tidy(key)
	default:
		time.Sleep(time.Duration(next()%8) * m.idle / 16)
	}
}

// check does the operations that data tells, and returns the first thing that is wrong. It runs in a bubble.
func check(data []byte, with func(Config[int]) subject) error {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	m := &model{
		max: []int{1, 2, 3, 5, 8}[next()%5], idle: 16 * time.Minute,
		kept: map[int]*probe{}, handles: map[int][]mettle.Policy{},
	}
	m.sut = with(Config[int]{New: m.make, Max: m.max, Idle: m.idle})
	for len(data) > 0 && m.wrong == nil {
		m.step(next)
	}
	for _, p := range m.permits {
		p.Done(nil)
	}
	for k, p := range m.kept {
		if p.inside != 0 {
			m.object("key %d has %d calls inside in the end", k, p.inside)
		}
	}
	return m.wrong
}

func random(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	data := make([]byte, n)
	r.Read(data)
	return data
}

func sound(c Config[int]) subject { return New(c) }

// These are 1.4 million operations.
func TestModel(t *testing.T) {
	seeds := uint64(2000)
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			if err := check(random(seed, 2000), sound); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
	}
}

func FuzzModel(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(random(seed, 300))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			if err := check(data, sound); err != nil {
				t.Fatal(err)
			}
		})
	})
}
