package ctxvar_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/mettle-go/mettle/ctxvar"
	"github.com/mettle-go/mettle/group"
)

var (
	RequestID = ctxvar.New[string]("request_id")
	Tenant    = ctxvar.New[string]("tenant")
)

// withoutTime makes logs the same each time.
var withoutTime = &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}}

// Three requests at once, each with its own id in all that is logged on its behalf.
func Example() {
	var out bytes.Buffer // the handler writes one record at a time
	log := slog.New(ctxvar.Handler(slog.NewTextHandler(&out, withoutTime), RequestID))

	charge := func(ctx context.Context, cents int) {
		log.InfoContext(ctx, "charged", "cents", cents) // knows no request
	}
	serve := func(ctx context.Context, id string) (int, error) {
		ctx = RequestID.With(ctx, id)
		log.InfoContext(ctx, "begin")
		charge(ctx, 100*len(id))
		return 0, nil
	}
	_, err := group.Map(context.Background(), []string{"a", "bb", "ccc"}, group.Config{}, serve)

	lines := slices.Sorted(strings.Lines(out.String()))
	fmt.Print(strings.Join(lines, ""))
	fmt.Println(err)
	// Output:
	// level=INFO msg=begin request_id=a
	// level=INFO msg=begin request_id=bb
	// level=INFO msg=begin request_id=ccc
	// level=INFO msg=charged cents=100 request_id=a
	// level=INFO msg=charged cents=200 request_id=bb
	// level=INFO msg=charged cents=300 request_id=ccc
	// <nil>
}

func ExampleNew() {
	ctx := RequestID.With(context.Background(), "r-17")

	id, ok := RequestID.Get(ctx) // a string, without an assertion
	fmt.Println(id, ok)
	// Output: r-17 true
}

func ExampleVar_With() {
	outer := Tenant.With(context.Background(), "acme")
	inner := Tenant.With(outer, "acme/eu")

	fmt.Println(Tenant.Or(inner, "none"), Tenant.Or(outer, "none"))
	// Output: acme/eu acme
}

func ExampleVar_Get() {
	_, ok := Tenant.Get(context.Background())
	fmt.Println(ok)
	// Output: false
}

func ExampleVar_Or() {
	fmt.Println(Tenant.Or(context.Background(), "public"))
	// Output: public
}

func ExampleVar_Attr() {
	ctx := Tenant.With(context.Background(), "acme")
	if a, ok := Tenant.Attr(ctx); ok {
		fmt.Println(a)
	}
	// Output: tenant=acme
}

func ExampleHandler() {
	log := slog.New(ctxvar.Handler(slog.NewTextHandler(os.Stdout, withoutTime), RequestID, Tenant))

	ctx := RequestID.With(context.Background(), "r-17")
	log.InfoContext(ctx, "begin") // Tenant is not set
	ctx = Tenant.With(ctx, "acme")
	log.WithGroup("card").InfoContext(ctx, "charged", "cents", 1250)
	log.Info("no context, no variables")
	// Output:
	// level=INFO msg=begin request_id=r-17
	// level=INFO msg=charged card.cents=1250 request_id=r-17 tenant=acme
	// level=INFO msg="no context, no variables"
}

// deadline is a source that is no variable.
type deadline struct{}

func (deadline) Attr(ctx context.Context) (slog.Attr, bool) {
	_, ok := ctx.Deadline()
	return slog.Bool("deadline", ok), ok
}

func ExampleSource() {
	log := slog.New(ctxvar.Handler(slog.NewTextHandler(os.Stdout, withoutTime), RequestID, deadline{}))

	ctx, cancel := context.WithTimeout(context.Background(), 1<<40)
	defer cancel()
	log.InfoContext(ctx, "begin")
	// Output: level=INFO msg=begin deadline=true
}
