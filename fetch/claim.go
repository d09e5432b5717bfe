package fetch

import (
	"hash/maphash"
	"net/http"

	"github.com/mettle-go/mettle/internal/clock"
)

// A claim is the right of one task to write a file, from its first request to its record. Tasks with the same path are the same request: they
// take turns.
type claim struct {
	part *part
	next []*task
}

var claimSeed = maphash.MakeSeed()

// claim makes t the one that writes its file, if it saves one. It returns false if another task is at that: then t is queued again when
// the other has ended.
func (f *run) claim(t *task) bool {
	if t.part != nil || f.store == nil || t.item.Method == http.MethodHead {
		return true
	}
	// The path itself, which is of a better and slower hash, is left to the worker. Should two items have one key by chance, they take turns for nothing.
	var b [256]byte
	key := maphash.Bytes(claimSeed, t.item.appendRequest(b[:0]))
	if c := f.claims[key]; c != nil {
		c.next = append(c.next, t)
		return false
	}
	t.part = f.partOf(t.item)
	t.part.key = key
	f.claims[key] = &claim{part: t.part}
	return true
}

// release ends t's claim.
func (f *run) release(t *task) {
	if t.part == nil {
		return
	}
	t.part.abandon()
	key := t.part.key
	next := f.claims[key].next
	delete(f.claims, key)
	if len(next) == 0 {
		return
	}
	heir := next[0]
	f.claim(heir)
	f.claims[key].next = next[1:]
	f.requeue(heir, clock.Now())
}

// abandon removes the parts of the tasks that the run leaves to do, where nobody could go on with them. No request runs any more.
func (f *run) abandon() {
	parts := make([]*part, 0, len(f.claims))
	for _, c := range f.claims {
		parts = append(parts, c.part)
	}
	each(len(parts), func(i int) { parts[i].abandon() }) // each of those that are whole may have to wait for the disk
}
