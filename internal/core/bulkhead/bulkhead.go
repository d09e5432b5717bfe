// Package bulkhead decides who gets a place in a bulkhead: a pure state machine whose state is one word.
package bulkhead

// MaxCount is the largest number of places, and of waiters, that a word can hold.
const MaxCount = 1<<31 - 1

const (
	waiter = 1 << 32 // one waiter in a word
	inside = waiter - 1
)

// A Machine is a bulkhead's configuration. It is immutable.
//
// Its functions are given a word and return the next one. Somebody waits only while all places are taken, and
// nobody else is given a place then: this is what makes the queue fair. Within an owner that shares the word,
// the number inside may change by compare-and-swap; the number of waiters must change together with the queue
// they wait in.
type Machine struct {
	Limit uint64 // places, 1 to MaxCount
	Queue uint64 // who may wait for one, 0 to MaxCount
}

// An Answer is what a caller is told.
type Answer uint8

const (
	Admitted Answer = iota // he has a place
	Queued                 // he waits for his turn
	Full                   // he is turned away
)

// Counts returns how many are inside and how many wait.
func Counts(word uint64) (in, waiting uint64) { return word & inside, word / waiter }

// Enter decides on a caller.
func (m *Machine) Enter(word uint64) (uint64, Answer) {
	switch {
	case word < m.Limit: // nobody waits, or it would be larger than any limit
		return word + 1, Admitted
	case word/waiter < m.Queue:
		return word + waiter, Queued
	default:
		return word, Full
	}
}

// Leave gives a place back. If somebody waits, the place stays taken: it is to be handed to him by Handed.
func Leave(word uint64) (next uint64, hand bool) {
	switch {
	case word >= waiter:
		return word, true
	case word == 0: // somebody gave a permit back twice: at least the count stays whole
		return 0, false
	default:
		return word - 1, false
	}
}

// Handed moves a waiter inside, to the place of one who left.
func Handed(word uint64) uint64 { return word - waiter }

// Quit takes a waiter away who gave up.
func Quit(word uint64) uint64 { return word - waiter }
