package fetch

// A fifo is a queue on a ring that grows as needed and gives its memory back when it runs empty.
type fifo[T any] struct {
	ring  []T // its length is a power of two
	first int
	len   int
}

func (q *fifo[T]) push(v T) {
	if q.len == len(q.ring) {
		grown := make([]T, max(4, 2*len(q.ring)))
		n := copy(grown, q.ring[q.first:])
		copy(grown[n:], q.ring[:q.first])
		q.ring, q.first = grown, 0
	}
	q.ring[(q.first+q.len)&(len(q.ring)-1)] = v
	q.len++
}

// pop takes the oldest. The queue must not be empty.
func (q *fifo[T]) pop() T {
	var zero T
	v := q.ring[q.first]
	q.ring[q.first] = zero
	q.first = (q.first + 1) & (len(q.ring) - 1)
	if q.len--; q.len == 0 && len(q.ring) > 64 {
		*q = fifo[T]{}
	}
	return v
}

// at returns the i-th, from 0.
func (q *fifo[T]) at(i int) T { return q.ring[(q.first+i)&(len(q.ring)-1)] }

// remove takes the i-th out, and leaves the others in their order. It costs the distance to the nearer end.
func (q *fifo[T]) remove(i int) T {
	v := q.at(i)
	if 2*i < q.len {
		for ; i > 0; i-- {
			*q.slot(i) = q.at(i - 1)
		}
		q.pop()
		return v
	}
	for ; i < q.len-1; i++ {
		*q.slot(i) = q.at(i + 1)
	}
	var zero T
	*q.slot(i) = zero
	q.len--
	return v
}

func (q *fifo[T]) slot(i int) *T { return &q.ring[(q.first+i)&(len(q.ring)-1)] }
