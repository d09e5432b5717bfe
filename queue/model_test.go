package queue

import (
	"fmt"
	"slices"
)

// model says what a queue is to do, with plain lists. Callers are known by the number of their operation, and answers
// has what those were told who have been told since the last look.
type model struct {
	capacity int
	closed   bool
	items    []int
	putters  []caller
	getters  []caller
	joiners  []caller
	put, got int
	done     int
	answers  map[int]string
}

type caller struct{ id, v int }

const (
	ok     = "ok"
	ended  = "ended"
	closed = "closed"
	full   = "full"
	empty  = "empty"
	panics = "panics"
)

func got(v int) string        { return fmt.Sprint("got ", v) }
func left(items []int) string { return fmt.Sprint("left ", items) }

func (m *model) tryPut(id, v int) {
	switch {
	case m.closed:
		m.answers[id] = closed
	case len(m.getters) > 0:
		m.answers[id] = ok
		m.answers[m.getters[0].id] = got(v)
		m.getters = m.getters[1:]
		m.put++
		m.got++
	case len(m.items) < m.capacity:
		m.answers[id] = ok
		m.items = append(m.items, v)
		m.put++
	default:
		m.answers[id] = full
	}
}

func (m *model) tryGet(id int) {
	switch {
	case len(m.items) > 0:
		m.answers[id] = got(m.items[0])
		m.items = m.items[1:]
		m.got++
		if len(m.putters) > 0 {
			m.answers[m.putters[0].id] = ok
			m.items = append(m.items, m.putters[0].v)
			m.putters = m.putters[1:]
			m.put++
		}
	case m.closed:
		m.answers[id] = closed
	default:
		m.answers[id] = empty
	}
}

func (m *model) putOrWait(id, v int, over bool) {
	if over {
		m.answers[id] = ended
	} else if m.tryPut(id, v); m.answers[id] == full {
		delete(m.answers, id)
		m.putters = append(m.putters, caller{id, v})
	}
}

func (m *model) getOrWait(id int, over bool) {
	if over {
		m.answers[id] = ended
	} else if m.tryGet(id); m.answers[id] == empty {
		delete(m.answers, id)
		m.getters = append(m.getters, caller{id: id})
	}
}

func (m *model) wait(id int, over bool) {
	switch {
	case m.put == m.done:
		m.answers[id] = ok
	case over:
		m.answers[id] = ended
	default:
		m.joiners = append(m.joiners, caller{id: id})
	}
}

func (m *model) finish(n int) {
	m.done += n
	if m.put == m.done {
		m.tell(&m.joiners, ok)
	}
}

func (m *model) markDone(id int) {
	if m.done == m.got {
		m.answers[id] = panics
		return
	}
	m.answers[id] = ok
	m.finish(1)
}

func (m *model) cancel(id int) {
	for _, callers := range []*[]caller{&m.putters, &m.getters, &m.joiners} {
		if k := slices.IndexFunc(*callers, func(c caller) bool { return c.id == id }); k >= 0 {
			*callers = slices.Delete(slices.Clone(*callers), k, k+1)
			m.answers[id] = ended
		}
	}
}

func (m *model) close() {
	m.closed = true
	m.tell(&m.putters, closed)
	m.tell(&m.getters, closed)
}

func (m *model) closeNow(id int) {
	m.close()
	m.answers[id] = left(m.items)
	m.got += len(m.items)
	n := len(m.items)
	m.items = nil
	if n > 0 {
		m.finish(n)
	}
}

func (m *model) tell(callers *[]caller, answer string) {
	for _, c := range *callers {
		m.answers[c.id] = answer
	}
	*callers = nil
}
