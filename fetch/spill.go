package fetch

import (
	"errors"
	"fmt"
	"os"
)

// spillBlock is the unit in which a spill writes, and about half of what each of its queues takes in memory: small, since ten thousand
// hosts may have a queue each.
const spillBlock = 4 << 10

// A spill is a temporary file for queues that must not take memory. They share it in blocks, so that any number of them needs
// one descriptor; it is created with the first block and shrinks to nothing when all its queues are read to their end. It has no lock.
type spill struct {
	dir      string   // "" means where temporary files go
	file     *os.File // nil as long as nothing was written
	unlinked bool
	blocks   uint32   // in the file
	free     []uint32 // of them, to be used again
}

// A spilled is a queue of items in a spill, as long as the disk allows. What fits into a block stays in memory. The zero
// spilled is empty; to must be set before the first push.
type spilled struct {
	to     *spill
	len    int
	head   []byte       // read back, from at on
	at     int          // in head
	blocks fifo[uint32] // written, of spillBlock bytes each
	tail   []byte       // not written yet
}

// push adds it to the end. An error is one of the temporary file, and is ErrWrite.
func (q *spilled) push(it Item) error { return q.put(appendItem(nil, it)) }

// pop takes the oldest item. The queue must not be empty.
func (q *spilled) pop() (Item, error) {
	entry, err := q.take()
	if err != nil {
		return Item{}, err
	}
	it, rest := cutItem(entry)
	if rest == nil {
		return Item{}, spillError(errSpoiled)
	}
	return it, nil
}

// put adds an entry, which must be shorter than 4 GB.
func (q *spilled) put(entry []byte) error {
	q.tail = appendUint32(q.tail, uint32(len(entry)))
	q.tail = append(q.tail, entry...)
	written := 0
	for ; len(q.tail)-written >= spillBlock; written += spillBlock {
		n, err := q.to.write(q.tail[written : written+spillBlock])
		if err != nil {
			return spillError(err)
		}
		q.blocks.push(n)
	}
	if written > 0 {
		q.tail = shift(q.tail, written)
	}
	q.len++
	return nil
}

// take returns the oldest entry, which is good until the next call.
func (q *spilled) take() ([]byte, error) {
	if err := q.need(4); err != nil {
		return nil, err
	}
	n, _ := cutUint32(q.head[q.at:])
	if err := q.need(4 + int(n)); err != nil {
		return nil, err
	}
	entry := q.head[q.at+4 : q.at+4+int(n)]
	q.at += 4 + int(n)
	if q.len--; q.len == 0 {
		q.head, q.at, q.tail = nil, 0, nil
	}
	return entry, nil
}

// need brings n bytes into head.
func (q *spilled) need(n int) error {
	if len(q.head)-q.at >= n {
		return nil
	}
	q.head, q.at = shift(q.head, q.at), 0
	for len(q.head) < n && q.blocks.len > 0 {
		var err error
		if q.head, err = q.to.read(q.head, q.blocks.pop()); err != nil {
			return spillError(err)
		}
	}
	if len(q.head) < n {
		q.head = append(q.head, q.tail...)
		q.tail = q.tail[:0]
	}
	if len(q.head) < n {
		return spillError(errSpoiled)
	}
	return nil
}

// shift drops the first n bytes of b, and its memory too if one long entry made it large.
func shift(b []byte, n int) []byte {
	if cap(b) > 4*spillBlock {
		return append(make([]byte, 0, max(spillBlock, len(b)-n)), b[n:]...)
	}
	return append(b[:0], b[n:]...)
}

// write puts a block into the file and returns its number.
func (s *spill) write(block []byte) (uint32, error) {
	if s.file == nil {
		f, err := os.CreateTemp(s.dir, "mettle-*")
		if err != nil {
			return 0, err
		}
		// Where an open file can be removed, nothing stays behind even if the process is killed.
		s.file, s.unlinked = f, os.Remove(f.Name()) == nil
	}
	n := s.blocks
	if last := len(s.free) - 1; last >= 0 {
		n, s.free = s.free[last], s.free[:last]
	} else {
		s.blocks++
	}
	_, err := s.file.WriteAt(block, int64(n)*spillBlock)
	return n, err
}

// read appends a block to b and frees it.
func (s *spill) read(b []byte, n uint32) ([]byte, error) {
	end := len(b)
	b = append(b, make([]byte, spillBlock)...)
	if _, err := s.file.ReadAt(b[end:], int64(n)*spillBlock); err != nil {
		return b[:end], err
	}
	if s.free = append(s.free, n); len(s.free) == int(s.blocks) {
		s.blocks, s.free = 0, nil
		return b, s.file.Truncate(0)
	}
	return b, nil
}

// close removes the file. What is in the queues is lost.
func (s *spill) close() {
	if s.file == nil {
		return
	}
	s.file.Close() // what was in it is of no use any more
	if !s.unlinked {
		os.Remove(s.file.Name())
	}
}

var errSpoiled = errors.New("it does not have what was written to it")

func spillError(err error) error {
	return fmt.Errorf("%w: keeping URLs that wait in a temporary file: %w", ErrWrite, err)
}
