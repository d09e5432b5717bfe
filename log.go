package mettle

import (
	"context"
	"log/slog"
)

// Log returns an Observer that writes each event as one record to l, or, if l is nil, to what slog.Default
// is at that moment. Rejections are logged at level Debug, since an overload brings a flood of them;
// the rest at Warn, except a return to the state "closed", which is Info.
func Log(l *slog.Logger) Observer {
	return func(ctx context.Context, e Event) {
		l := l
		if l == nil {
			l = slog.Default()
		}
		level := e.level()
		if !l.Enabled(ctx, level) {
			return
		}
		l.LogAttrs(ctx, level, e.Policy+": "+e.Kind.String(), e.attrs()...)
	}
}

func (e Event) level() slog.Level {
	switch {
	case e.Kind == Rejected:
		return slog.LevelDebug
	case e.Kind == StateChanged && e.To == "closed":
		return slog.LevelInfo
	default:
		return slog.LevelWarn
	}
}

// attrs returns the fields that e's kind sets, in the order in which one reads them.
func (e Event) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 8)
	if e.Name != "" {
		attrs = append(attrs, slog.String("name", e.Name))
	}
	switch e.Kind {
	case Retried:
		attrs = append(attrs, slog.Int("attempt", e.Attempt))
		if e.Of > 0 {
			attrs = append(attrs, slog.Int("of", e.Of))
		}
		attrs = append(attrs, slog.Duration("wait", e.Wait))
	case Rejected:
		if e.Wait > 0 {
			attrs = append(attrs, slog.Duration("retry_after", e.Wait))
		}
	case StateChanged:
		attrs = append(attrs, slog.String("from", e.From), slog.String("to", e.To),
			slog.Duration("after", e.After), slog.Uint64("calls", e.Calls), slog.Uint64("failures", e.Failures))
	case TimedOut:
		attrs = append(attrs, slog.Duration("after", e.After))
	case FellBack:
		if e.Of > 0 {
			attrs = append(attrs, slog.Int("function", e.Attempt), slog.Int("of", e.Of))
		}
		if e.After > 0 {
			attrs = append(attrs, slog.Duration("age", e.After))
		}
	case Hedged:
		attrs = append(attrs, slog.Int("attempt", e.Attempt))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return attrs
}
