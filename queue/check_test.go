package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

// subject is the queue under test: a Queue, or one with a bug planted.
type subject interface {
	Put(context.Context, int) error
	Get(context.Context) (int, error)
	TryPut(int) error
	TryGet() (int, error)
	Close()
	CloseNow() []int
	Done()
	Wait(context.Context) error
	Len() int
}

func correct(capacity int) subject { return New[int](capacity) }

// check makes operations of the bytes, does them to the subject and to the model, and returns the first difference.
// If some may wait, it must run in a bubble, where it leaves no goroutine behind.
func check(data []byte, with func(capacity int) subject, mayWait bool) error {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	shape := next()
	ref := &model{capacity: 1 + shape%4, answers: map[int]string{}}
	sut := with(ref.capacity)
	answers := map[int]string{}
	cancels := map[int]context.CancelFunc{}
	told := make(chan answer, 10000)
	start := func(id int, over bool, fn func(ctx context.Context) string) {
		ctx, cancel := context.WithCancel(context.Background())
		cancels[id] = cancel
		if over {
			cancel()
		}
		go func() { told <- answer{id, fn(ctx)} }()
		synctest.Wait() // so that its place in a line is certain
	}
	if mayWait {
		defer func() {
			for _, cancel := range cancels {
				cancel()
			}
			synctest.Wait()
		}()
	}
	for id := 1; len(data) > 0; id++ {
		op := next()
		over, what := op&0x70 == 0, ""
		kind := op % 16
		if !mayWait {
			switch kind {
			case 0, 1, 2:
				kind = 6
			case 3, 4, 5:
				kind = 7
			case 8, 9, 10, 11:
				kind = 14
			}
			if kind < 14 && kind >= 12 && next() != 0 { // seldom: it is for good
				kind = 6 + kind%2
			}
		}
		switch kind {
		case 0, 1, 2:
			what = "Put"
			ref.putOrWait(id, id, over)
			start(id, over, func(ctx context.Context) string { return verdict(sut.Put(ctx, id)) })
		case 3, 4, 5:
			what = "Get"
			ref.getOrWait(id, over)
			start(id, over, func(ctx context.Context) string { return verdictOf(sut.Get(ctx)) })
		case 6:
			what = "TryPut"
			ref.tryPut(id, id)
			answers[id] = verdict(sut.TryPut(id))
		case 7:
			what = "TryGet"
			ref.tryGet(id)
			answers[id] = verdictOf(sut.TryGet())
		case 8:
			what = "Wait"
			ref.wait(id, over)
			start(id, over, func(ctx context.Context) string { return verdict(sut.Wait(ctx)) })
		case 9, 10:
			what = "cancel"
			whom := max(id-1-next()%8, 0) // one who waits, or has just been served and not got up
			if cancel := cancels[whom]; cancel != nil {
				ref.cancel(whom)
				cancel()
				synctest.Wait() // so that it is out of its line
			}
		case 12:
			if next()%8 != 0 { // seldom, since little is left to see afterwards
				continue
			}
			what = "Close"
			ref.close()
			sut.Close()
		case 13:
			if next()%8 != 0 {
				continue
			}
			what = "CloseNow"
			ref.closeNow(id)
			answers[id] = left(sut.CloseNow())
		default:
			what = "Done"
			ref.markDone(id)
			answers[id] = doneOf(sut)
		}
		if mayWait {
			if op >= 128 && len(data) > 0 {
				continue // the next comes before those who were served have got up
			}
			synctest.Wait()
			for len(told) > 0 {
				a := <-told
				answers[a.id] = a.said
			}
		}
		if !maps.Equal(answers, ref.answers) {
			return fmt.Errorf("at %d, after %s: callers were told %v, want %v", id, what, answers, ref.answers)
		}
		clear(answers)
		clear(ref.answers)
		if n := sut.Len(); n != len(ref.items) {
			return fmt.Errorf("at %d, after %s: %d items, want %d", id, what, n, len(ref.items))
		}
	}
	return nil
}

type answer struct {
	id   int
	said string
}

func verdict(err error) string {
	switch {
	case err == nil:
		return ok
	case err == ErrClosed:
		return closed
	case err == ErrFull:
		return full
	case err == ErrEmpty:
		return empty
	case errors.Is(err, context.Canceled):
		return ended
	default:
		return err.Error()
	}
}

func verdictOf(v int, err error) string {
	if err == nil {
		return got(v)
	}
	if v != 0 {
		return fmt.Sprint("an error and ", v)
	}
	return verdict(err)
}

func doneOf(s subject) (answer string) {
	defer func() {
		if recover() != nil {
			answer = panics
		}
	}()
	s.Done()
	return ok
}

func random(seed uint64, n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 5}).Read(data)
	return data
}

func FuzzQueue(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(random(seed, 200))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4000 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			if err := check(data, correct, true); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestRandomOperations(t *testing.T) {
	for seed := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) {
			if err := check(random(seed, 300), correct, true); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
	}
}

// A million and more operations of which none waits, in one goroutine.
func TestRandomOperationsWithoutWaits(t *testing.T) {
	for seed := range uint64(150) {
		if err := check(random(seed, 8000), correct, false); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
