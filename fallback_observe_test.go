package mettle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"testing"

	"github.com/mettle-go/mettle"
)

func TestFallbackTellsOfEachFunctionUsed(t *testing.T) {
	var used []string
	var events []mettle.Event
	watched := mettle.FallbackConfig{Name: "price", Observer: func(_ context.Context, e mettle.Event) { events = append(events, e) }}
	get := mettle.FallbackWith(watched,
		link(&used, "primary", errA),
		mettle.When(is(errB), link(&used, "skipped", nil)),
		link(&used, "replica", errB),
		mettle.When(is(errB), link(&used, "cache", nil)),
		link(&used, "never", nil),
	)
	if v, err := get(t.Context()); v != "cache" || err != nil {
		t.Fatalf("%q, %v", v, err)
	}
	want := []mettle.Event{
		{Kind: mettle.FellBack, Policy: "fallback", Name: "price", Err: errA, Attempt: 3, Of: 5},
		{Kind: mettle.FellBack, Policy: "fallback", Name: "price", Err: errB, Attempt: 4, Of: 5},
	}
	if !reflect.DeepEqual(events, want) {
		t.Errorf("events %+v, want %+v", events, want)
	}
	events = nil
	if _, err := mettle.FallbackWith(watched, link(&used, "primary", nil), link(&used, "replica", nil))(t.Context()); err != nil || events != nil {
		t.Errorf("%v, events %+v; want none when the first works", err, events)
	}
}

func TestLogOfAFallback(t *testing.T) {
	var out bytes.Buffer
	log := mettle.Log(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime})))
	log(t.Context(), mettle.Event{Kind: mettle.FellBack, Policy: "stale", Err: errA, After: 3e9})
	if want := "level=WARN msg=\"stale: fallback\" age=3s error=a\n"; out.String() != want {
		t.Errorf("logged %q, want %q", out.String(), want)
	}
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// A fallback for listed errors only, and the line it logs.
func ExampleFallbackWith() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	errBusy := errors.New("replica is busy")
	get := mettle.FallbackWith(mettle.FallbackConfig{Name: "price", Observer: mettle.Log(log)},
		func(context.Context) (string, error) { return "", errBusy },
		mettle.When(func(err error) bool { return errors.Is(err, errBusy) },
			func(context.Context) (string, error) { return "42, of the primary", nil }),
	)
	fmt.Println(get(context.Background()))
	// Output:
	// level=WARN msg="fallback: fallback" name=price function=2 of=2 error="replica is busy"
	// 42, of the primary <nil>
}
