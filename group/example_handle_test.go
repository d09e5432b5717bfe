package group_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/mettle-go/mettle/group"
)

// load stands for work that fails in two ways: a page that is not there can be done without, a broken disk cannot.
func load(_ context.Context, page string) (string, error) {
	switch page {
	case "news":
		return "", &fs.PathError{Op: "open", Path: page, Err: fs.ErrNotExist}
	case "index":
		return "", fmt.Errorf("read %s: %w", page, io.ErrUnexpectedEOF)
	}
	return "<p>" + page, nil
}

// Some failures can be lived with: they are logged. The critical ones are returned.
func Example_recoverable() {
	pages := []string{"start", "news", "index"}
	render := func(ctx context.Context) error {
		_, err := group.Map(ctx, pages, group.Config{MaxFailures: -1}, load)
		return group.Handle(err, group.On[*fs.PathError](func(missing *group.Error) error {
			for _, err := range missing.Failures {
				fmt.Println("left out:", err)
			}
			return nil
		}))
	}

	fmt.Println(render(context.Background()))
	// Output:
	// left out: group: item 1: open news: file does not exist
	// group: 1 of 3 items failed: item 2: read index: unexpected EOF
}

// Handlers run in order, each with what those before it left, as Python's except* clauses do.
func ExampleError_Handle() {
	_, err := group.Map(context.Background(), []string{"news", "index"}, group.Config{MaxFailures: -1}, load)

	if e, ok := errors.AsType[*group.Error](err); ok {
		err = e.Handle(
			group.On[*fs.PathError](func(part *group.Error) error {
				fmt.Println("ignored:", part)
				return nil
			}),
			group.On[error](func(part *group.Error) error { // all the rest
				return fmt.Errorf("site not rendered: %w", part)
			}),
		)
	}
	fmt.Println(err)
	// Output:
	// ignored: group: 1 of 2 items failed: item 0: open news: file does not exist
	// site not rendered: group: 1 of 2 items failed: item 1: read index: unexpected EOF
}

func ExampleHandle() {
	ignored := func(*group.Error) error { return nil }
	missing := group.On[*fs.PathError](ignored)

	_, err := load(context.Background(), "news") // not an error of a scope
	fmt.Println(group.Handle(err, missing))
	_, err = load(context.Background(), "index")
	fmt.Println(group.Handle(err, missing))
	// Output:
	// <nil>
	// read index: unexpected EOF
}

func ExampleIf() {
	_, err := group.Map(context.Background(), []string{"news", "index"}, group.Config{MaxFailures: -1}, load)

	missing := func(err error) bool { return errors.Is(err, fs.ErrNotExist) }
	fmt.Println(group.Handle(err, group.If(missing, func(*group.Error) error { return nil })))
	// Output: group: 1 of 2 items failed: item 1: read index: unexpected EOF
}

func ExampleOn() {
	_, err := group.Map(context.Background(), []string{"news", "index"}, group.Config{MaxFailures: -1}, load)

	_ = group.Handle(err, group.On[*fs.PathError](func(part *group.Error) error {
		fmt.Println(part.Failed, "missing")
		return nil
	}))
	// Output: 1 missing
}

func ExampleError_Split() {
	_, err := group.Map(context.Background(), []string{"news", "start", "index"}, group.Config{MaxFailures: -1}, load)

	all, _ := errors.AsType[*group.Error](err) // nil if there was no failure
	missing, rest := all.Split(func(err error) bool { return errors.Is(err, fs.ErrNotExist) })
	fmt.Println(missing)
	fmt.Println(rest)
	// Output:
	// group: 1 of 3 items failed: item 0: open news: file does not exist
	// group: 1 of 3 items failed: item 2: read index: unexpected EOF
}

func ExampleError_Err() {
	unless := func(e *group.Error, ignored error) error {
		_, rest := e.Split(func(err error) bool { return errors.Is(err, ignored) })
		return rest.Err() // rest alone would be an error that is not nil
	}
	_, err := group.Map(context.Background(), []string{"news"}, group.Config{}, load)
	all, _ := errors.AsType[*group.Error](err)
	fmt.Println(unless(all, fs.ErrNotExist))
	// Output: <nil>
}
