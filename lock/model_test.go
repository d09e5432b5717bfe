package lock

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
)

// keys is how many locks the model has: Mutexes, or keys of a Keyed.
const keys = 3

const (
	held   = "held"
	busy   = "busy"
	ended  = "ended"
	done   = "done"
	panics = "panics"
)

// model says what locks are to do, with plain lists. Callers are known by the number of their operation, and answers
// has what those were told who have been told since the last look.
type model struct {
	taken   [keys]bool
	waiting [keys][]int
	answers map[int]string
}

func (m *model) lock(id, k int, over bool) {
	switch {
	case !m.taken[k]:
		m.taken[k] = true
		m.answers[id] = held
	case over:
		m.answers[id] = ended
	default:
		m.waiting[k] = append(m.waiting[k], id)
	}
}

func (m *model) tryLock(id, k int) {
	m.answers[id] = busy
	if !m.taken[k] {
		m.taken[k] = true
		m.answers[id] = held
	}
}

func (m *model) unlock(id, k int) {
	m.answers[id] = done
	switch {
	case !m.taken[k]:
		m.answers[id] = panics
	case len(m.waiting[k]) > 0:
		m.answers[m.waiting[k][0]] = held
		m.waiting[k] = m.waiting[k][1:]
	default:
		m.taken[k] = false
	}
}

func (m *model) cancel(id int) {
	for k := range m.waiting {
		if i := slices.Index(m.waiting[k], id); i >= 0 {
			m.waiting[k] = slices.Delete(slices.Clone(m.waiting[k]), i, i+1)
			m.answers[id] = ended
		}
	}
}

// subject is the locks under test, or locks with a bug planted.
type subject interface {
	Lock(ctx context.Context, k int) error
	TryLock(k int) bool
	Unlock(k int)
}

// mutexes is a subject of Mutexes. That of a Keyed is the Keyed itself.
type mutexes [keys]Mutex

func (m *mutexes) Lock(ctx context.Context, k int) error { return m[k].Lock(ctx) }
func (m *mutexes) TryLock(k int) bool                    { return m[k].TryLock() }
func (m *mutexes) Unlock(k int)                          { m[k].Unlock() }

// check makes operations of the bytes, does them to sut and to the model, and returns the first difference. It runs in
// a bubble, where it leaves no goroutine behind.
func check(data []byte, sut subject) error {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	ref := &model{answers: map[int]string{}}
	answers := map[int]string{}
	cancels := map[int]context.CancelFunc{}
	type answer struct {
		id   int
		said string
	}
	told := make(chan answer, 10000)
	defer func() {
		for _, cancel := range cancels {
			cancel()
		}
		synctest.Wait()
	}()
	for id := 1; len(data) > 0; id++ {
		op, what := next(), ""
		k := op >> 4 % 4 % keys // the first one twice as often
		switch op % 8 {
		case 0, 1, 2:
			over := op&0xc0 == 0
			what = "Lock"
			ref.lock(id, k, over)
			ctx, cancel := context.WithCancel(context.Background())
			cancels[id] = cancel
			if over {
				cancel()
			}
			go func() { told <- answer{id, verdict(sut.Lock(ctx, k))} }()
			synctest.Wait() // so that its place in the line is certain
		case 3:
			what = "TryLock"
			ref.tryLock(id, k)
			if answers[id] = busy; sut.TryLock(k) {
				answers[id] = held
			}
		case 4:
			what = "cancel"
			whom := max(id-1-next()%8, 0) // one who waits, or has just been served and not got up
			if cancel := cancels[whom]; cancel != nil {
				ref.cancel(whom)
				cancel()
				synctest.Wait() // so that it is out of its line
			}
		default:
			what = "Unlock"
			ref.unlock(id, k)
			answers[id] = unlock(sut, k)
		}
		if op >= 128 && len(data) > 0 {
			continue // the next comes before those who were served have got up
		}
		synctest.Wait()
		for len(told) > 0 {
			a := <-told
			answers[a.id] = a.said
		}
		if !maps.Equal(answers, ref.answers) {
			return fmt.Errorf("at %d, after %s of %d: callers were told %v, want %v", id, what, k, answers, ref.answers)
		}
		clear(answers)
		clear(ref.answers)
		if err := remains(sut, ref); err != nil {
			return fmt.Errorf("at %d, after %s of %d: %w", id, what, k, err)
		}
	}
	return nil
}

// remains compares what the locks keep with what they need.
func remains(sut subject, ref *model) error {
	switch sut := sut.(type) {
	case interface{ Len() int }:
		n := 0
		for _, taken := range ref.taken {
			if taken {
				n++
			}
		}
		if sut.Len() != n {
			return fmt.Errorf("%d keys are locked, want %d", sut.Len(), n)
		}
	case *mutexes:
		for k := range sut {
			if n := sut[k].waiters; n != len(ref.waiting[k]) {
				return fmt.Errorf("%d wait for %d, want %d", n, k, len(ref.waiting[k]))
			}
		}
	}
	return nil
}

func verdict(err error) string {
	switch {
	case err == nil:
		return held
	case errors.Is(err, context.Canceled):
		return ended
	default:
		return err.Error()
	}
}

func unlock(sut subject, k int) (answer string) {
	defer func() {
		if recover() != nil {
			answer = panics
		}
	}()
	sut.Unlock(k)
	return done
}

// correct are the subjects without a bug.
var correct = map[string]func() subject{
	"Mutex": func() subject { return new(mutexes) },
	"Keyed": func() subject { return new(Keyed[int]) },
}

func random(seed uint64, n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 6}).Read(data)
	return data
}

func FuzzLocks(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(random(seed, 200))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		for name, made := range correct {
			synctest.Test(t, func(t *testing.T) {
				if err := check(data, made()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	})
}

func TestRandomOperations(t *testing.T) {
	for name, made := range correct {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(500) {
				synctest.Test(t, func(t *testing.T) {
					if err := check(random(seed, 300), made()); err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
				})
			}
		})
	}
}
