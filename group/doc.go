// Package group runs concurrent work in scopes that end: when Run or Map returns, or the loop over a Stream ends, every
// goroutine that it started has ended, and every failure has been told.
//
// # When to use it
//
// Map, for one call for each item of a slice, a few at a time, with the results in order. Run, for tasks of different
// kinds that belong together: a server and its consumer, three queries for one page, a crawl whose tasks find further
// tasks. Settle is Map for batches in which items may fail, each for itself. Stream is Map for sequences that are too long
// for a slice or never end. First asks several and takes the first answer; Wait gives several one time limit together. Group.Stop and Signals end such a scope in an orderly way, Cleanup and Detach are for what a task does when it is
// canceled and for what cannot be canceled.
//
// # Not for
//
// Work that outlives the function that starts it: a scope waits. Functions that do not look at their context: a scope
// cancels them, and then waits until they end by themselves; call those through Detach, which can leave one behind. Loops of pure computation over large slices, where one
// call an item costs more than the item: give Map a slice of chunks.
//
// # Example
//
//	users, err := group.Map(ctx, ids, group.Config{Limit: 8, MaxFailures: 3}, db.User)
//
//	err = group.Run(ctx, func(g *group.Group) error {
//		g.Go(serve)
//		g.Go(consume)
//		return nil
//	})
//
//	for page, err := range group.Stream(ctx, urls, group.Config{Limit: 8, MaxFailures: -1}, fetch) {
//		…
//	}
//
// # Defaults
//
//	Limit        none in Run; 8 in Map, Settle and Stream
//	MaxFailures  1: the first failure cancels the rest; but -1, none does, in Settle
//	Policy       none
//	Crash        false: a panic is returned as an error
//	Progress     none
//	Unordered    false: Stream yields in the order of its items
//
// # Errors
//
// What Run, RunWith, Map and First return is nil or a *Error, also for a single failure. It counts what succeeded, failed,
// was canceled and was never started, and unwraps to each failure, so that errors.Is and errors.As look at all. A
// failure is
//
//   - any error that a task, an item's call or the body of Run returns, except a cancellation;
//   - a panic in a task, as *PanicError;
//   - a runtime.Goexit in a task, as ErrGoexit.
//
// From Map each failure is a *ItemError, which knows its item; Error.Item tells how any one item ended:
//
//	pages, err := group.Map(ctx, urls, group.Config{MaxFailures: -1}, fetch)
//	all, _ := errors.AsType[*group.Error](err) // nil if there was no failure
//	for i, page := range pages {
//		if err := all.Item(i); err != nil {
//			log.Print(urls[i], ": ", err)
//			continue
//		}
//		use(page)
//	}
//
// Settle returns no error: each result has its own, as it is. Stream yields a *ItemError in the place of an item's value, and
// a *Error as its last pair if it was canceled.
//
// Some failures can be lived with. Handle takes an error apart by kinds, also through inner scopes; each handler gets
// all failures of its kind, and what none of them takes is returned:
//
//	return group.Handle(err,
//		group.On[*fs.PathError](func(missing *group.Error) error {
//			log.Print(missing)
//			return nil
//		}))
//
// Error.Split is the same for any condition, without handlers. Printed by %+v, or given to slog as it is, an *Error
// counts its failures by kind: a thousand take a few lines.
//
// A cancellation by the scope is not a failure. An error counts as one if the scope had been canceled before and the
// error is, to errors.Is, the error or the cause of the scope's context. A *Error with failures of its own, from a
// scope within the task, stays a failure.
//
// When the context given to Run or Map ends, so does the scope, and the error is also that context's error and its
// cause to errors.Is. If all succeeded nevertheless, there is no error: what a task returns counts, so one that
// returns nil when its context ends has ended well.
//
// A scope that is stopped by Group.Stop returns nil if its tasks end well within the grace. Those that it cuts off count as
// canceled, those that it keeps from being started as never started, and the error is then ErrStopped to errors.Is.
//
// # Concurrency, cancellation, panics
//
// The body of Run runs in the caller's goroutine, tasks and items' calls in goroutines of the scope. They get one
// context, derived from the caller's. It is canceled by the failure that was one too many, by a panic, by Stop after its
// grace, and at the end of the scope. Its context.Cause is then that failure to errors.Is, though not by ==, so that a task that returns
// the cause is told from one that fails with an equal error. After that no task is started; those that run are waited
// for. What a task has still to do then, it does with the context that Cleanup gives it.
//
// A panic in a task is recovered in its goroutine, cancels the scope whatever MaxFailures says, and is returned with
// its stack. In Settle and Wait it cancels nothing, since there each is for itself. With Config.Crash nothing is
// recovered and the program ends as it does by a panic in a bare goroutine. A panic in the body of Run or of the loop over
// a Stream, or a runtime.Goexit there, cancels the tasks, waits for them and passes through, neither recovered nor wrapped.
//
// A Policy runs inside the task: what the scope sees is how the call ended after all attempts. A rejection is a
// failure of that task. The Error is mettle.ErrRejected only if no function of the scope ran at all.
//
// # Cost
//
// Map hands out its items by an atomic index to min(Limit, len(items)) goroutines: a trivial item costs about as much
// as two uncontended locks, and no allocation, and there is no context of its own for it. A policy costs each call
// what it costs elsewhere, and an allocation for the closure. Go costs an allocation and a goroutine; a task that had
// to queue takes over the goroutine of one that ended. Failures are kept until the scope ends: a scope that lives as
// long as the program and allows any number of failures grows with each. Stream is the exception. It takes the memory of
// 2 × Limit items however many there are; a trivial one costs a few hand-overs between goroutines, several times what
// it does in Map, and no allocation.
//
// # Mistakes
//
// Wrong: the outer context in a task. It does not end with the scope, and the scope waits.
//
//	g.Go(func(context.Context) error { return poll(ctx) })
//
// Right: the task's own, or g.Context().
//
//	g.Go(func(ctx context.Context) error { return poll(ctx) })
//
// Wrong: a body that waits for its tasks. In a scope with a Limit the task it waits for may itself be waiting in Go
// for a place, and after a failure may never have been started.
//
//	g.Go(func(ctx context.Context) error { …; g.Go(more); …; close(found); return nil })
//	<-found
//	return nil
//
// Right: return, since Run waits; and let the tasks start what comes next.
//
// Wrong: a loop that may end while its sequence waits, as a queue does for its next item. The range statement waits with
// it.
//
//	for job, err := range group.Stream(ctx, jobs.All(ctx), cfg, run) {
//		if err != nil {
//			break
//		}
//		…
//	}
//
// Right: the sequence, too, gets a context that ends with the loop.
//
//	ctx, cancel := context.WithCancel(ctx)
//	defer cancel()
//	for job, err := range group.Stream(ctx, jobs.All(ctx), cfg, run) {
//		if err != nil {
//			cancel()
//			break
//		}
//		…
//	}
//
// Wrong: results that tasks append to a shared slice. Right: Map, or one variable for each task, read after Run.
//
// Wrong: a part of a Split returned as it is. A nil *Error in an error is not nil.
//
//	_, rest := all.Split(missing)
//	return rest
//
// Right: rest.Err().
//
// Wrong: the method Handle after errors.AsType, of an error that may be no *Error: it is then called for a nil one, and
// the error is lost.
//
//	all, _ := errors.AsType[*group.Error](err)
//	return all.Handle(ignoreMissing)
//
// Right: group.Handle(err, ignoreMissing).
package group
