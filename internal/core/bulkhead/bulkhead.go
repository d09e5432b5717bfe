// Package bulkhead decides who gets a place in a bulkhead: a pure state machine whose state is one word.
package bulkhead

// MaxCount is the largest number of places, and of waiters, that a word can hold.
const MaxCount = 1<<31 - 1

// Gone is what a waiter who gives up, or is turned away, adds to the word.
const Gone = 1 << freeBits

const freeBits = 32 // of a word, with sign

// A Machine is a bulkhead's configuration. It is immutable.
//
// Its functions are given a word and return the next one. A word holds how many places are free, less Gone for each
// waiter. An empty bulkhead's word is its limit; to change the limit, add the difference. Free places
// are fewer than none while more are inside than a lowered limit allows.
//
// So a word is as large as a caller's weight only if nobody waits and there is room: one comparison admits. Within
// an owner that shares the word, the free places may change by compare-and-swap at any time, but the number of waiters
// only together with the queue they wait in. Whenever places come free while somebody waits, the owner is to ask Grant
// for the first of the queue, and again until it says no: else somebody waits beside free places.
type Machine struct {
	Queue int64 // who may wait, 0 to MaxCount
	LIFO  bool  // the last to come is the first of the queue
}

// An Answer is what a caller is told.
type Answer uint8

const (
	Admitted Answer = iota // he has his places
	Queued                 // he waits for his turn
	Evicting               // he waits for his turn, instead of the one who has waited longest
	Full                   // he is turned away
)

// Counts returns how many places are free and how many callers wait.
func Counts(word int64) (free, waiting int64) {
	free = int64(int32(word))
	return free, (free - word) >> freeBits
}

// Enter decides on a caller who wants n places, 1 or more and not more than the limit.
func (m *Machine) Enter(word, n int64) (int64, Answer) {
	if word >= n {
		return word - n, Admitted
	}
	switch free, waiting := Counts(word); {
	case m.LIFO && free >= n:
		return word - n, Admitted
	case waiting < m.Queue:
		return word - Gone, Queued
	case m.LIFO && m.Queue > 0:
		return word, Evicting
	default:
		return word, Full
	}
}

// Leave gives n of limit places back. It never makes more places free than there are, so that a permit given back twice
// leaves the count whole. Unless alone, the next word is right only where neither the limit nor the queue can change meanwhile:
// either somebody waits, or the limit is not the word's, or more is given back than was taken.
func Leave(word, n, limit int64) (next int64, alone bool) {
	free := int64(int32(word))
	return word + min(n, limit-free), word == free && n <= limit-free
}

// Grant lets the first of the queue in, who wants n places, if so many are free.
func Grant(word, n int64) (next int64, ok bool) {
	if int64(int32(word)) < n {
		return word, false
	}
	return word - n + Gone, true
}
