package ctxvar_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/mettle-go/mettle/ctxvar"
)

func wantPanic(t *testing.T, want any, f func()) {
	t.Helper()
	defer func() {
		if got := recover(); got != want {
			t.Errorf("panic %v, want %v", got, want)
		}
	}()
	f()
}

func TestVarIsSetBelowOnly(t *testing.T) {
	v := ctxvar.New[int]("n")
	top := t.Context()
	one := v.With(top, 1)
	two := v.With(one, 2)
	below, cancel := context.WithCancel(two)
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		want int
		ok   bool
	}{
		{"above", top, 0, false},
		{"set", one, 1, true},
		{"set again", two, 2, true},
		{"below, canceled", below, 2, true},
		{"without cancel", context.WithoutCancel(below), 2, true},
	} {
		if got, ok := v.Get(tt.ctx); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
	if got := v.Or(top, 7); got != 7 {
		t.Errorf("Or of an unset variable is %v, want 7", got)
	}
	if got := v.Or(two, 7); got != 2 {
		t.Errorf("Or of a set variable is %v, want 2", got)
	}
}

func TestZeroValuesAreValues(t *testing.T) {
	text, failure := ctxvar.New[string]("text"), ctxvar.New[error]("failure")
	ctx := failure.With(text.With(t.Context(), ""), nil)
	if got, ok := text.Get(ctx); got != "" || !ok || text.Or(ctx, "x") != "" {
		t.Errorf("%q, %v, want it set to nothing", got, ok)
	}
	if got, ok := failure.Get(ctx); got != nil || !ok {
		t.Errorf("%v, %v, want it set to nil", got, ok)
	}
}

func TestVariablesOfOneName(t *testing.T) {
	a, b := ctxvar.New[string]("id"), ctxvar.New[string]("id")
	ctx := b.With(a.With(t.Context(), "a"), "b")
	if a.Or(ctx, "") != "a" || b.Or(ctx, "") != "b" {
		t.Errorf("%q and %q, want a and b", a.Or(ctx, ""), b.Or(ctx, ""))
	}
}

// Whoever has what Get returned cannot change what others get.
func TestGetReturnsACopy(t *testing.T) {
	v := ctxvar.New[[2]int]("pair")
	x := [2]int{1, 2}
	ctx := v.With(t.Context(), x)
	x[0] = 9
	y, _ := v.Get(ctx)
	y[1] = 9
	if got, _ := v.Get(ctx); got != [2]int{1, 2} {
		t.Errorf("%v, want it as it was set", got)
	}
}

func TestNewWantsAName(t *testing.T) {
	wantPanic(t, "ctxvar: New: name is empty, want one to log the variable by", func() { ctxvar.New[int]("") })
}

func TestPrintedContextTellsNoValues(t *testing.T) {
	v := ctxvar.New[string]("token")
	got := fmt.Sprint(v.With(t.Context(), "secret"))
	if strings.Contains(got, "secret") || !strings.Contains(got, "token") {
		t.Errorf("%s, want the name without the value", got)
	}
}

func TestAttr(t *testing.T) {
	v := ctxvar.New[int]("n")
	if a, ok := v.Attr(t.Context()); ok || !a.Equal(slog.Attr{}) {
		t.Errorf("%v, %v of an unset variable", a, ok)
	}
	if a, ok := v.Attr(v.With(t.Context(), 3)); !ok || !a.Equal(slog.Int("n", 3)) {
		t.Errorf("%v, %v, want n=3", a, ok)
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	v, other := ctxvar.New[string]("id"), ctxvar.New[int]("n")
	ctx := other.With(v.With(t.Context(), strings.Repeat("r", 20)), 1000)
	var kept context.Context
	if n := testing.AllocsPerRun(1000, func() { kept = v.With(ctx, "x") }); n > 2 {
		t.Errorf("With allocates %v times, want at most 2", n)
	}
	if n := testing.AllocsPerRun(1000, func() { _, _ = v.Get(kept); _ = other.Or(kept, 1) }); n > 0 {
		t.Errorf("Get allocates %v times, want 0", n)
	}
	log := slog.New(ctxvar.Handler(slog.DiscardHandler, v, other))
	if n := testing.AllocsPerRun(1000, func() { log.InfoContext(ctx, "") }); n > 0 {
		t.Errorf("a record that is not enabled allocates %v times, want 0", n)
	}
	log = slog.New(ctxvar.Handler(nowhere{}, v, other))
	if n := testing.AllocsPerRun(1000, func() { log.InfoContext(t.Context(), "") }); n > 0 {
		t.Errorf("a record without values allocates %v times, want 0", n)
	}
}

// nowhere is a handler that is enabled and does nothing.
type nowhere struct{}

func (nowhere) Enabled(context.Context, slog.Level) bool  { return true }
func (nowhere) Handle(context.Context, slog.Record) error { return nil }
func (nowhere) WithAttrs([]slog.Attr) slog.Handler        { return nowhere{} }
func (nowhere) WithGroup(string) slog.Handler             { return nowhere{} }
