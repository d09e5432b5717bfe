package fetch

import (
	"context"
	"errors"
	"iter"
)

// rest is src without the items that have a result, which are counted instead. Nothing passes until one of them has been
// found, unless there are no results at all: the list must be the file's, and until that is known nothing is fetched, and nothing changed
// in the file.
func (j *Journal) rest(src Source, m *Meter) Source {
	return func(ctx context.Context) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			f := filter{journal: j, meter: m, yield: yield}
			defer f.waiting.close()
			f.held.to, f.moved.to, f.again.to = &f.waiting, &f.waiting, &f.waiting
			if err := f.run(ctx, src); err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
				yield(Item{}, err)
			}
		}
	}
}

// A filter is one pass over the list.
type filter struct {
	journal *Journal
	meter   *Meter
	yield   func(Item, error) bool
	held    spilled // items that came before the first that has a result
	moved   spilled // items whose id has results of other URLs only
	again   spilled // items that failed and are to be fetched again
	waiting spill
}

// errEnough ends a filter when nobody wants more items.
var errEnough = errors.New("no more items are wanted")

// run returns what ended the list early, or what is wrong with it.
func (f *filter) run(ctx context.Context, src Source) error {
	j := f.journal
	if err := j.begin(f.meter); err != nil {
		return err
	}
	found := j.Len() == 0
	n := 0
	for it, err := range src(ctx) {
		if !perItem(err) {
			return err
		}
		if n++; n%256 == 0 && ctx.Err() != nil { // which src need not look at while nothing is yielded
			return ctx.Err()
		}
		id, url := named(it, err)
		id, url = written(id), written(url)
		kind, done := j.known.take(id, url)
		moved := !done && j.known.has(id)
		if (done || moved) && !found {
			found = true
			if err := f.release(); err != nil {
				return err
			}
		}
		switch {
		case done:
			err = f.known(it, err, kind)
		case moved:
			// Its URL may have changed since, or the result is of another item with the same id: that shows at the end of the list.
			err = holdBack(&f.moved, it, err)
		case !found:
			err = holdBack(&f.held, it, err)
		case !f.yield(it, err):
			err = errEnough
		default:
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if err := f.finish(ctx); err != nil {
		return err
	}
	switch {
	case ctx.Err() != nil: // src ended because of it, perhaps
		return ctx.Err()
	case !found && n > 0:
		return &JournalError{Name: j.name, Err: ErrOtherList}
	}
	j.end()
	return nil
}

// begin gives the journal to a run.
func (j *Journal) begin(m *Meter) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.began {
		return j.wrong(errors.New("a Journal serves one Run, and this is its second"))
	}
	j.began, j.meter = true, m
	return nil
}

// settle makes the file ready for the results of its list.
func (j *Journal) settle() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mend()
}

func (j *Journal) end() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.matched = true
}

// known counts an item that has a result, or keeps it back if that is a failure which is to be had again.
func (f *filter) known(it Item, err error, kind Kind) error {
	if kind != "" && f.journal.retry {
		return holdBack(&f.again, it, err)
	}
	f.meter.resume(kind)
	return nil
}

// finish deals with the items that wait for the end of the list.
func (f *filter) finish(ctx context.Context) error {
	// What results of their ids are left now are theirs.
	for f.moved.len > 0 && ctx.Err() == nil {
		it, bad, err := heldBack(&f.moved)
		if err != nil {
			return err
		}
		id, _ := named(it, bad)
		if kind, done := f.journal.known.takeAny(written(id)); done {
			err = f.known(it, bad, kind)
		} else if !f.yield(it, bad) {
			err = errEnough
		}
		if err != nil {
			return err
		}
	}
	if f.again.len == 0 || ctx.Err() != nil {
		return nil
	}
	// Only now it is known which of the failed results belong to an item of the list. The others stay.
	if err := f.journal.withoutTaken(ctx, f.again.len); err != nil {
		return err
	}
	return f.pass(&f.again)
}

// release lets through what was held back: the list is the file's.
func (f *filter) release() error {
	if err := f.journal.settle(); err != nil {
		return err
	}
	return f.pass(&f.held)
}

// pass lets all of q through.
func (f *filter) pass(q *spilled) error {
	for q.len > 0 {
		it, bad, err := heldBack(q)
		if err != nil {
			return err
		}
		if !f.yield(it, bad) {
			return errEnough
		}
	}
	return nil
}

// holdBack keeps an item in q, with what the source says of it.
func holdBack(q *spilled, it Item, bad error) error {
	b := appendItem(nil, it)
	if le, ok := errors.AsType[*LineError](bad); ok {
		b = appendString(appendUint32(b, uint32(le.Line)), le.Name)
		b = appendString(appendString(b, le.Text), le.Err.Error())
	}
	return q.put(b)
}

// heldBack takes the oldest item of q.
func heldBack(q *spilled) (it Item, bad, err error) {
	b, err := q.take()
	if err != nil {
		return it, nil, err
	}
	it, rest := cutItem(b)
	if len(rest) > 0 {
		le := new(LineError)
		var n uint32
		var reason string
		n, rest = cutUint32(rest)
		le.Name, rest = cutString(rest)
		le.Text, rest = cutString(rest)
		reason, rest = cutString(rest)
		le.Line, le.Err, bad = int(n), errors.New(reason), le
	}
	if rest == nil {
		return it, nil, spillError(errSpoiled)
	}
	return it, bad, nil
}
