package main

import (
	"context"
	"errors"
	"regexp"
)

// A row is one piece of work that several contenders do, each in its own way.
type row struct {
	name       string // what -run matches, such as "breaker/open"
	what       string // the row's heading in the table
	contenders []contender
}

// A contender does the work of a row. Both functions make an instance of their own.
type contender struct {
	name string
	// start returns a loop that is ready to be timed. What it holds ends with the bed.
	start func(b *bed) loop
	// check returns an error unless the contender does what the row says: what is admitted runs, what is over the limit does
	// not, what hangs is canceled. No contender is timed without it.
	check func(b *bed) error
	// pools is true if its package keeps used channels for anyone: those of one testing/synctest bubble would reach the next.
	pools bool
}

// A loop does the work n times and returns an error as soon as one call did something else than the row says.
type loop func(ctx context.Context, n int) error

// The two forms in which contenders are called. The function is handed through as a parameter, so that no compiler can see
// what it does, in no contender.
type (
	act   func(ctx context.Context, fn func(context.Context) error) error
	query func(ctx context.Context, id int) (user, error)
)

// A rival is a way to do the work of several rows. P is what is different between those: a delay, a limit, a state.
type rival[P, Op any] struct {
	name  string
	build func(b *bed, p P) Op
}

// contenders makes one contender for a row of each rival. What is timed is made with p by the same code as what is checked, only
// there with whatever p the check needs.
func contenders[P, Op any](rivals []rival[P, Op], p P, timed func(Op) loop, check func(build func(P) Op) error) []contender {
	var cs []contender
	for _, r := range rivals {
		cs = append(cs, contender{
			name:  r.name,
			start: func(b *bed) loop { return timed(r.build(b, p)) },
			check: func(b *bed) error { return check(func(p P) Op { return r.build(b, p) }) },
		})
	}
	return cs
}

// A bed is where instances live: it ends what they hold, last made first.
type bed struct{ ends []func() }

func (b *bed) cleanup(end func()) { b.ends = append(b.ends, end) }

func (b *bed) close() {
	for i := len(b.ends) - 1; i >= 0; i-- {
		b.ends[i]()
	}
	b.ends = nil
}

// verify checks the contender on a bed of its own.
func (c contender) verify() error {
	b := new(bed)
	defer b.close()
	return c.check(b)
}

type requestKey struct{}

// request returns a context like that of a server's request: a value and a cancellable parent.
func request() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithValue(context.Background(), requestKey{}, 1))
}

// A user is what queries return.
type user struct {
	ID   int
	Name string
}

var errDown = errors.New("down")

func nothing(context.Context) error { return nil }

func asksDone(ctx context.Context) error { ctx.Done(); return nil }

func load(_ context.Context, id int) (user, error) { return user{id, "ada"}, nil }

func loadAsksDone(ctx context.Context, id int) (user, error) { ctx.Done(); return user{id, "ada"}, nil }

var (
	errFailed  = errors.New("a timed call failed, want success")
	errPassed  = errors.New("a timed call was admitted, want a rejection")
	errAnother = errors.New("a timed call returned another value than its own")
)

// succeeds is a loop whose calls all have to succeed.
func succeeds(fn func(context.Context) error) func(act) loop {
	return func(do act) loop {
		return func(ctx context.Context, n int) error {
			for range n {
				if do(ctx, fn) != nil {
					return errFailed
				}
			}
			return nil
		}
	}
}

// rejects is a loop whose calls all have to be rejected.
func rejects(do act) loop {
	return func(ctx context.Context, n int) error {
		for range n {
			if do(ctx, nothing) == nil {
				return errPassed
			}
		}
		return nil
	}
}

// answers is a loop whose calls all have to return their own value.
func answers(get query) loop {
	return func(ctx context.Context, n int) error {
		for id := range n {
			if u, err := get(ctx, id); err != nil {
				return errFailed
			} else if u.ID != id {
				return errAnother
			}
		}
		return nil
	}
}

// rows returns all rows whose name pattern matches, in the order of the table.
func rows(pattern *regexp.Regexp) []row {
	var chosen []row
	for _, group := range [][]row{
		clockRows(), breakerRows(), bulkheadRows(), limiterRows(), retryRows(), timeoutRows(), hedgeRows(), stackRows(),
		mapRows(), streamRows(), taskRows(), queueRows(), lockRows(),
	} {
		for _, r := range group {
			if pattern.MatchString(r.name) {
				chosen = append(chosen, r)
			}
		}
	}
	return chosen
}
