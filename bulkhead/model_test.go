package bulkhead

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// answer is what a caller was told.
type answer string

const (
	admitted answer = "admitted"
	full     answer = "full"
	late     answer = "late"
	ended    answer = "ended"
)

func told(err error) answer {
	switch {
	case err == nil:
		return admitted
	case errors.Is(err, ErrFull):
		return full
	case errors.Is(err, ErrWait):
		return late
	case errors.Is(err, context.Canceled):
		return ended
	default:
		return answer(err.Error())
	}
}

// call is a call of a model.
type call struct {
	id    int
	n     int       // its weight
	until time.Time // when it has waited too long
}

// model says what a bulkhead is to do, with plain lists.
type model struct {
	limit, queue int
	order        Order
	maxWait      time.Duration
	inside       []call
	waiting      []call // as they came
	answers      map[int]answer
}

func (m *model) free() int {
	free := m.limit
	for _, c := range m.inside {
		free -= c.n
	}
	return free
}

func (m *model) admit(c call) {
	m.inside = append(m.inside, c)
	m.answers[c.id] = admitted
}

// gone takes the k-th waiter away.
func (m *model) gone(k int, why answer) {
	m.answers[m.waiting[k].id] = why
	m.waiting = slices.Delete(m.waiting, k, k+1)
}

// settle lets in whom it can.
func (m *model) settle() {
	for len(m.waiting) > 0 {
		k := 0
		if m.order == LIFO {
			k = len(m.waiting) - 1
		}
		c := m.waiting[k]
		if c.n > m.free() {
			return
		}
		m.waiting = slices.Delete(m.waiting, k, k+1)
		m.admit(c)
	}
}

func (m *model) arrive(id, n int, now time.Time, over bool) {
	c := call{id, n, now.Add(m.maxWait)}
	crowded := len(m.waiting) >= m.queue
	switch {
	case n <= m.free() && (len(m.waiting) == 0 || m.order == LIFO):
		m.admit(c)
	case n > m.limit, m.queue == 0, crowded && m.order == FIFO:
		m.answers[id] = full
	case over:
		m.answers[id] = ended
	default:
		if crowded {
			m.gone(0, full)
		}
		m.waiting = append(m.waiting, c)
	}
}

func (m *model) leave(k int) {
	m.inside = slices.Delete(m.inside, k, k+1)
	m.settle()
}

func (m *model) quit(k int, why answer) {
	m.gone(k, why)
	m.settle()
}

func (m *model) setLimit(n int) {
	m.limit = n
	for k := len(m.waiting) - 1; k >= 0; k-- {
		if m.waiting[k].n > n {
			m.gone(k, full)
		}
	}
	m.settle()
}

// pass makes it now.
func (m *model) pass(now time.Time) {
	for m.maxWait > 0 && len(m.waiting) > 0 && !now.Before(m.waiting[0].until) {
		m.quit(0, late)
	}
}

func random(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 98))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}

// script reads numbers from bytes, zeros when they have run out.
type script []byte

func (s *script) next() int {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b)
}

// shape makes a configuration of the script's first two bytes.
func (s *script) shape() Config {
	shape, order := s.next(), s.next()
	return Config{
		Limit:   1 + shape%4,
		Queue:   []int{0, 1, 4, 100}[shape/4%4],
		MaxWait: []time.Duration{0, 50}[shape/16%2],
		Order:   Order(order % 2),
	}
}

func modelOf(c Config) *model {
	return &model{limit: c.Limit, queue: c.Queue, order: c.Order, maxWait: c.MaxWait, answers: map[int]answer{}}
}

// weight makes a weight of a byte: mostly 1, sometimes more than there are places.
func weight(b int) int { return []int{1, 1, 1, 2, 2, 3, 4, 7}[b%8] }
