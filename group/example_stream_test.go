package group_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mettle-go/mettle/group"
)

// A stream takes a sequence of any length, and yields its results in order as they come.
func ExampleStream() {
	log := "GET /\nGET /about\nbroken\nGET /news"
	parse := func(_ context.Context, line string) (string, error) {
		method, path, ok := strings.Cut(line, " ")
		if !ok {
			return "", fmt.Errorf("no path after %q", method)
		}
		return path, nil
	}

	cfg := group.Config{Limit: 4, MaxFailures: -1} // go on whatever fails
	for path, err := range group.Stream(context.Background(), strings.SplitSeq(log, "\n"), cfg, parse) {
		if err != nil {
			fmt.Println("failed:", err)
			continue
		}
		fmt.Println(path)
	}
	// Output:
	// /
	// /about
	// failed: group: item 2: no path after "broken"
	// /news
}

// As completed: whoever is ready first is yielded first.
func ExampleStream_unordered() {
	starters := map[string]chan struct{}{"tortoise": make(chan struct{}), "hare": make(chan struct{})}
	run := func(ctx context.Context, name string) (string, error) {
		select {
		case <-starters[name]:
			return name, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	names := func(yield func(string) bool) { _ = yield("tortoise") && yield("hare") }

	close(starters["hare"])
	for name, err := range group.Stream(context.Background(), names, group.Config{Unordered: true}, run) {
		fmt.Println(name, err)
		if name == "hare" {
			close(starters["tortoise"])
		}
	}
	// Output:
	// hare <nil>
	// tortoise <nil>
}

// A failure ends the stream. All that was taken from the sequence is still yielded, and then comes the account.
func ExampleStream_failure() {
	closed := false
	pages := func(yield func(int) bool) {
		defer func() { closed = true }()
		for page := 1; yield(page); page++ { // an endless book
		}
	}
	read := func(_ context.Context, page int) (string, error) {
		if page == 3 {
			return "", errors.New("torn out")
		}
		return fmt.Sprint("page ", page), nil
	}

	for text, err := range group.Stream(context.Background(), pages, group.Config{Limit: 1}, read) {
		var end *group.Error
		switch {
		case err == nil:
			fmt.Println(text)
		case errors.Is(err, group.ErrNotStarted): // was taken, but came too late
		case errors.As(err, &end):
			fmt.Println(end.Succeeded, "were read, and then:", end.Cause)
		default:
			fmt.Println("failed:", err)
		}
	}
	fmt.Println("the book is closed:", closed)
	// Output:
	// page 1
	// page 2
	// failed: group: item 2: torn out
	// 2 were read, and then: group: item 2: torn out
	// the book is closed: true
}

// A loop may end at any time. What runs is then canceled and waited for.
func ExampleStream_break() {
	mirrors := slices.Values([]string{"eu", "us", "asia"})
	var running atomic.Int32
	ask := func(ctx context.Context, mirror string) (string, error) {
		running.Add(1)
		defer running.Add(-1)
		if mirror == "us" {
			return "answer from us", nil
		}
		<-ctx.Done() // slow
		return "", ctx.Err()
	}

	for answer, err := range group.Stream(context.Background(), mirrors, group.Config{Unordered: true}, ask) {
		fmt.Println(answer, err)
		break
	}
	fmt.Println(running.Load(), "still running")
	// Output:
	// answer from us <nil>
	// 0 still running
}
