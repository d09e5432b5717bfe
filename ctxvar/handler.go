package ctxvar

import (
	"context"
	"log/slog"
	"slices"
)

// A Source knows an attribute of a context. Each *Var is one.
type Source interface {
	// Attr returns the attribute, and whether ctx has it. It must be safe for concurrent use.
	Attr(ctx context.Context) (slog.Attr, bool)
}

// Handler returns a handler that passes each record on to next, with the attributes that the sources have in the context of
// the call: that of InfoContext or Log, say. Info and its like have none, and their records are passed on as they are.
//
// The attributes come at the top level of the record, after those that are there, in the order of the sources. That holds
// also for a logger with groups: what WithGroup and WithAttrs brought stays within the group, and the attributes of
// the context outside. Sources that have none are left out.
//
// The handler is as safe for concurrent use as next is. It panics if next or a source is nil.
//
// A record for which no source has an attribute costs a look at the context for each. One that has some is cloned; and
// below WithGroup, what WithAttrs brought into the group is formatted anew for each record.
func Handler(next slog.Handler, sources ...Source) slog.Handler {
	if next == nil {
		panic("ctxvar: Handler: next is nil, want a handler")
	}
	if slices.Contains(sources, nil) {
		panic("ctxvar: Handler: a source is nil, want none or a Source")
	}
	return &handler{sources: slices.Clone(sources), top: next, next: next}
}

type handler struct {
	sources []Source
	top     slog.Handler // what next was when the first group began
	next    slog.Handler // with all attributes and groups
	groups  []group      // open ones, outermost first
}

// group is an open group with the attributes that it has.
type group struct {
	name  string
	attrs []slog.Attr
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	var buf [8]slog.Attr
	own := buf[:0]
	for _, s := range h.sources {
		if a, ok := s.Attr(ctx); ok {
			own = append(own, a)
		}
	}
	if len(own) == 0 {
		return h.next.Handle(ctx, r)
	}
	if len(h.groups) == 0 {
		r = r.Clone()
		r.AddAttrs(own...)
		return h.next.Handle(ctx, r)
	}
	// The next handler would put all of the record into its groups. So the groups become attributes of a record for the
	// handler that has none.
	inner := make([]slog.Attr, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		inner = append(inner, a)
		return true
	})
	for _, g := range slices.Backward(h.groups) {
		all := slices.Concat(g.attrs, inner)
		inner = []slog.Attr{{Key: g.name, Value: slog.GroupValue(all...)}}
	}
	flat := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	flat.AddAttrs(inner...)
	flat.AddAttrs(own...)
	return h.top.Handle(ctx, flat)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	with := *h
	with.next = h.next.WithAttrs(attrs)
	if len(h.groups) == 0 {
		with.top = with.next
		return &with
	}
	with.groups = slices.Clone(h.groups)
	last := &with.groups[len(with.groups)-1]
	last.attrs = slices.Concat(last.attrs, attrs)
	return &with
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.next = h.next.WithGroup(name)
	with.groups = append(slices.Clip(h.groups), group{name: name})
	return &with
}
