// Package ctxvar gives values of a request a type and a name: the request's id, the tenant, the user. Functions read them from
// their context, and a log handler adds them to every record.
//
// # When to use it
//
// For what belongs to a request as a whole and is wanted in places that have no other business with it: in logs, in headers
// of outgoing calls, in decisions by tenant. It is what Python's contextvars are for.
//
// # Not for
//
// What a function needs to do its work: that is a parameter. Optional settings and dependencies: those are fields.
// Values that change while the request runs: a variable is set for what is below, and never for the caller.
//
// # Example
//
//	var RequestID = ctxvar.New[string]("request_id")
//
//	slog.SetDefault(slog.New(ctxvar.Handler(slog.NewJSONHandler(os.Stderr, nil), RequestID)))
//
//	ctx = RequestID.With(ctx, "r-17")
//	slog.InfoContext(ctx, "charged", "cents", 1250) // … "cents":1250,"request_id":"r-17"
//	id := RequestID.Or(ctx, "none")
//
// The scopes of package group and all policies hand their context on, so that tasks, attempts and hedges have the
// values of their caller, and so have the events that mettle.Log writes.
//
// # Concurrency, cancellation, panics
//
// Variables and contexts are safe for concurrent use; a value is as safe as its type. Setting a value does not affect
// cancellation: context.WithoutCancel keeps the values. New and Handler panic on misuse.
//
// # Cost
//
// With costs two allocations, Get none. Get looks at each context from the given one up to the one it finds; a request that
// carries many values is better off with one variable for a struct of them.
//
// # Mistakes
//
// Wrong: a log call without the context. The handler has nothing to look at.
//
//	slog.Info("charged")
//
// Right:
//
//	slog.InfoContext(ctx, "charged")
//
// Wrong: a variable made where it is used. Each New is another variable, and finds nothing.
//
//	id, ok := ctxvar.New[string]("request_id").Get(ctx)
//
// Right: one package-level variable, exported to those who may read it.
package ctxvar
