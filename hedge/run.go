package hedge

import (
	"context"
	"sync"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/budget"
	"github.com/mettle-go/mettle/internal/deadline"
)

// A run is one run of a call, and its context: that of the run's branch, which the run can end by itself.
//
// Until somebody asks for Done it is not tied to its parent and costs nothing beyond itself. Most calls end before that or need no
// cancellation; the others pay for context.WithCancelCause when they ask.
type run struct {
	context.Context // of the branch
	branch          *mettle.Branch
	token           budget.Withdrawal // what a further run took from the budget
	err             error             // how the run ended; guarded by the call's lock

	mu     sync.Mutex
	made   context.Context // nil until somebody needs it
	cancel context.CancelCauseFunc
	ended  bool
	cause  error // of the end, if it was the run's own
	holds  int   // how many want the context to live on
	left   bool  // Do has returned, or is about to
}

// Done makes the underlying context.
func (r *run) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.make().Done()
}

// Err asks the parent while there is no underlying context. An end that it has told of stays what it is: see make.
func (r *run) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.made == nil && !r.ended && r.Context.Err() == nil {
		return nil
	}
	return r.make().Err()
}

// Value hands on to the underlying context, if there is one. Only the key by which package context finds a canceler makes a
// difference, and it asks for that one after Done or an Err that is not nil.
func (r *run) Value(key any) any {
	if key == (runKey{}) {
		return r
	}
	r.mu.Lock()
	made := r.made
	r.mu.Unlock()
	if made != nil {
		return made.Value(key)
	}
	return r.Context.Value(key)
}

// String keeps the fields from being read without the lock when the context is printed.
func (r *run) String() string { return deadline.Name(r.Context) + ".Hedge" }

// make returns the underlying context. The caller holds r.mu.
func (r *run) make() context.Context {
	if r.made == nil {
		r.made, r.cancel = context.WithCancelCause(r.Context)
		if r.ended {
			r.cancel(r.cause)
		}
	}
	return r.made
}

// stop ends the run's context with the cause.
func (r *run) stop(cause error) {
	r.mu.Lock()
	if !r.ended {
		r.ended, r.cause = true, cause
	}
	cancel := r.cancel
	r.mu.Unlock()
	if cancel != nil {
		cancel(cause) // outside of the lock: whoever is told may ask this context
	}
}

// leave ends the context of a run that won, unless it is held.
func (r *run) leave() {
	r.mu.Lock()
	r.left = true
	held := r.holds > 0
	r.mu.Unlock()
	if !held {
		r.stop(context.Canceled)
	}
}

// let gives up one hold.
func (r *run) let() {
	r.mu.Lock()
	r.holds--
	last := r.left && r.holds == 0
	r.mu.Unlock()
	if last {
		r.stop(context.Canceled)
	}
}

type runKey struct{}

// Hold keeps the context of a run alive beyond the end of Do, for a result that needs it, such as the body of a response that is still
// to be read or the rows of a query. Call it within the function, with the context that the function got or one derived from it, before
// the function returns, and call release when the result is closed, from any goroutine. Without the call of release the context
// stays tied to the caller's until that one ends.
//
// It holds the runs of all hedges around the function; other policies, such as a timeout, end their contexts as ever. A run that
// loses is canceled all the same. Where ctx belongs to no hedged run, Hold does nothing.
func Hold(ctx context.Context) (release func()) {
	var held []*run
	for r, ok := ctx.Value(runKey{}).(*run); ok; r, ok = r.Context.Value(runKey{}).(*run) {
		r.mu.Lock()
		r.holds++
		r.mu.Unlock()
		held = append(held, r)
	}
	return sync.OnceFunc(func() {
		for _, r := range held {
			r.let()
		}
	})
}
