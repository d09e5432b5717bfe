package mettle_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/group"
	"github.com/mettle-go/mettle/hedge"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/stale"
	"github.com/mettle-go/mettle/timeout"
)

// The stacks of docs/semantics.md, which shows their code: see TestSemanticsShowsTheStacks.

func newUsers() *mettle.Stack {
	answered := func(err error) mettle.Verdict {
		if errors.Is(err, sql.ErrNoRows) {
			return mettle.Success // an answer: no reason to try again, and the database is well
		}
		return mettle.Failure
	}
	users := mettle.Compose( // outermost first
		timeout.New(timeout.Config{Name: "users", After: 2 * time.Second}), // the whole call
		retry.New(retry.Config{Classify: answered}),
		breaker.New(breaker.Config{Name: "users-db", Classify: answered}),
		// As many as the pool has connections.
		bulkhead.New(bulkhead.Config{Limit: 20, Queue: 40, MaxWait: 500 * time.Millisecond}),
		timeout.After(300*time.Millisecond), // each attempt
	)
	return users
}

// A client of a database. A row that is not there is an answer, and passes as it is.
func Example_stackDatabase() {
	calls := 0
	user := mettle.Wrap(newUsers(), func(_ context.Context, id int) (User, error) {
		if calls++; id == 0 {
			return User{}, sql.ErrNoRows
		}
		return User{Name: "Ada"}, nil
	})
	u, err := user(context.Background(), 7)
	fmt.Println(u.Name, err, calls)
	_, err = user(context.Background(), 0)
	fmt.Println(err == sql.ErrNoRows, calls)
	// Output:
	// Ada <nil> 1
	// true 2
}

func newSearch() (*mettle.Stack, *stale.Cache[string, string]) {
	answered := func(err error) mettle.Verdict {
		if status(400, 499)(err) && !status(429, 429)(err) {
			return mettle.Success // the server is well, and says no
		}
		return mettle.Failure
	}
	search := mettle.Compose( // outermost first
		timeout.New(timeout.Config{Name: "search", After: 5 * time.Second}), // the whole call
		retry.New(retry.Config{Classify: answered, Rules: []retry.Rule{
			{If: retry.Is(syscall.ECONNREFUSED, syscall.ECONNRESET), Attempts: 5, Backoff: retry.Backoff{Base: 10 * time.Millisecond}},
		}}),
		hedge.New(hedge.Config{Quantile: 0.95, Classify: answered}), // for reads only
		breaker.New(breaker.Config{Name: "search", Classify: answered}),
		bulkhead.New(bulkhead.Config{Limit: 64, Queue: 64, MaxWait: time.Second}),
		timeout.After(time.Second), // each run
	)
	pages := stale.New[string, string](stale.Config{Name: "search", MaxAge: time.Hour, If: func(err error) bool {
		return answered(err) == mettle.Failure
	}}) // around all of it
	return search, pages
}

// A client of an HTTP API that is only read. Around the policies is what was found before, for when they give up.
func Example_stackHTTP() {
	search, pages := newSearch()
	var answer error
	page := func(words string) {
		v, err := pages.Do(context.Background(), words, func(ctx context.Context, words string) (string, error) {
			return mettle.Call(ctx, search, func(context.Context) (string, error) { return "all about " + words, answer })
		})
		fmt.Printf("%q stale=%v %v\n", v.Value, v.Stale, err)
	}
	page("gophers")
	answer = mettle.Permanent(StatusError(501))
	page("gophers")
	answer = StatusError(404)
	page("gophers")
	// Output:
	// "all about gophers" stale=false <nil>
	// "all about gophers" stale=true <nil>
	// "" stale=false status 404
}

func newUploads() *mettle.Stack {
	uploads := mettle.Compose( // outermost first
		retry.New(retry.Config{
			Attempts: 6, MaxElapsed: 10 * time.Minute,
			Rules: []retry.Rule{ // wait until the breaker admits calls again, however often it takes
				{If: retry.Is(breaker.ErrOpen), Attempts: -1, Backoff: retry.Backoff{Base: time.Second, Max: 5 * time.Second}},
			},
		}),
		breaker.New(breaker.Config{Name: "archive"}),
		timeout.After(30*time.Second), // each attempt
	)
	return uploads
}

// A batch: it may wait where a request may not. How many run at a time says the scope, so that there is no bulkhead.
func Example_stackBatch() {
	uploads := newUploads()
	var sent atomic.Int64
	upload := func(_ context.Context, file string) (int64, error) { return sent.Add(int64(len(file))), nil }

	files := []string{"a.log", "b.log", "c.log"}
	_, err := group.Map(context.Background(), files, group.Config{Limit: 8, MaxFailures: -1, Policy: uploads}, upload)
	fmt.Println(sent.Load(), err)
	// Output: 15 <nil>
}
