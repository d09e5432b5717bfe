package fetch

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

const (
	// mostSaving is how many whole bodies may wait for the disk before nothing more is started. Each of them has an open file.
	mostSaving = 256
	// savers is how many batches are saved at a time: while the names of one wait for the disk, the bytes of the next do, often for the same write.
	savers = 2
	// syncsAtOnce is how many calls of a batch wait for the disk at a time. Each takes a thread.
	syncsAtOnce = 32
	// prompt is how long a sync takes at most where the disk is memory, so that a goroutine would cost more than it.
	prompt = 50 * time.Microsecond
	// large is from how many bytes on a body is synced by its worker, so that who has much to write goes no faster than the disk.
	large = 1 << 20
)

// save brings whole bodies onto the disk and under their names, many at a time, and sends their legs back. It runs behind the workers, which fetch
// others meanwhile: a disk takes about as long for the files of a batch as for one of them.
func (f *run) save(ctx context.Context) {
	var batch []*leg
	slow := false // the disk, at the last batch
	for l := range f.whole {
		batch = append(batch[:0], l)
		for more := true; more && len(batch) < mostSaving; {
			select {
			case l, more = <-f.whole:
				if more {
					batch = append(batch, l)
				}
			default:
				more = false
			}
		}
		if ctx.Err() == nil {
			slow = saveAll(batch, slow)
		}
		for _, l := range batch {
			if !l.saved {
				l.saved, l.err = true, context.Cause(ctx)
			}
			f.results <- l
		}
	}
}

// saveAll saves the bodies of all legs, or says in each why not. It reports whether the disk took its time.
func saveAll(batch []*leg, hurry bool) (slow bool) {
	if hurry && len(batch) > 1 {
		for _, l := range batch {
			l.task.part.hurry()
		}
	}
	slow = each(len(batch), func(i int) { batch[i].fatal = batch[i].task.part.saveBytes() })
	var dirs []string
	place := make(map[string]int)
	for _, l := range batch {
		l.saved = true
		if l.fatal == nil {
			l.fatal = l.task.part.rename()
		}
		dir := filepath.Dir(l.path)
		if _, ok := place[dir]; !ok {
			place[dir] = len(dirs)
			dirs = append(dirs, dir)
		}
	}
	errs := make([]error, len(dirs))
	each(len(dirs), func(i int) { errs[i] = syncNamesPatiently(dirs[i]) })
	for _, l := range batch {
		if l.fatal == nil {
			l.fatal = errs[place[filepath.Dir(l.path)]]
		}
	}
	return slow
}

// each calls f with every number below n: one after the other as long as f returns promptly, else many at a time. It reports whether f did not.
func each(n int, f func(i int)) (slow bool) {
	for i := range n {
		began := clock.Now()
		f(i)
		if clock.Now().Sub(began) <= prompt {
			continue
		}
		var next atomic.Int64
		next.Store(int64(i))
		var wg sync.WaitGroup
		for range min(syncsAtOnce, n-1-i) {
			wg.Go(func() {
				for i := int(next.Add(1)); i < n; i = int(next.Add(1)) {
					f(i)
				}
			})
		}
		wg.Wait()
		return true
	}
	return false
}

// syncNamesPatiently is syncNames, for who must not fail for want of a file that others are about to close.
func syncNamesPatiently(dir string) (err error) {
	for wait := time.Millisecond; wait < 2*time.Second; wait *= 2 {
		if err = syncNames(dir); !scarce(err) {
			return err
		}
		time.Sleep(wait)
	}
	return err
}

// handOver gives l, whose body is whole, to those who save it. Its request has ended, and another one may take its place.
func (f *run) handOver(l *leg) {
	f.saving++
	f.meter.running.Add(1)
	f.whole <- l
}

// saved ends the task of l, whose body has been saved, or could not be.
func (f *run) saved(ctx context.Context, l *leg) error {
	f.saving--
	f.meter.running.Add(-1)
	if l.fatal != nil {
		return f.giveUp(ctx, l.fatal)
	}
	if l.err != nil {
		return l.err // the run is abandoned, and run.abandon sees to the part
	}
	f.forget(l.task)
	return f.write(l.task.final(l, nil))
}

// giveUp ends the run, as a body cannot be saved. Those that are being saved may have better luck: they would be fetched again for nothing.
func (f *run) giveUp(ctx context.Context, why error) error {
	why = fmt.Errorf("%w: %w", ErrWrite, why)
	for f.saving > 0 {
		select {
		case l := <-f.results:
			if !l.saved {
				continue
			}
			f.saving--
			f.meter.running.Add(-1)
			if l.fatal == nil && l.err == nil {
				f.forget(l.task)
				if err := f.write(l.task.final(l, nil)); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return why
		}
	}
	return why
}

// room reports whether one more request may run.
func (f *run) room() bool { return f.running < f.cfg.Concurrency && f.saving < mostSaving }
