package fetch

import "github.com/mettle-go/mettle/internal/clock"

// A claim is the right of one task to write a file, from its first request to its record. Tasks with the same path are the same request: they
// take turns.
type claim struct {
	part *part
	next []*task
}

// claim makes t the one that writes its file, if it saves one. It returns false if another task is at that: then t is queued again when
// the other has ended.
func (f *run) claim(t *task) bool {
	if t.part != nil {
		return true
	}
	p := f.partOf(t)
	if p == nil {
		return true
	}
	if c := f.claims[p.path]; c != nil {
		c.next = append(c.next, t)
		return false
	}
	t.part = p
	f.claims[p.path] = &claim{part: p}
	return true
}

// release ends t's claim.
func (f *run) release(t *task) {
	if t.part == nil {
		return
	}
	t.part.abandon()
	path := t.part.path
	next := f.claims[path].next
	delete(f.claims, path)
	if len(next) == 0 {
		return
	}
	heir := next[0]
	f.claim(heir)
	f.claims[path].next = next[1:]
	f.requeue(heir, clock.Now())
}

// abandon removes the parts of the tasks that the run leaves to do, where nobody could go on with them. No request runs any more.
func (f *run) abandon() {
	for _, c := range f.claims {
		c.part.abandon()
	}
}
