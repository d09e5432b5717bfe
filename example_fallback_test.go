package mettle_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/stale"
)

// A function and the one that stands in for it.
func Example_fallbackPair() {
	remote := func(context.Context) (string, error) { return "", errors.New("settings: no route to host") }
	builtIn := func(context.Context) (string, error) { return "dark", nil }

	theme := mettle.Fallback(remote, builtIn)
	fmt.Println(theme(context.Background()))
	// Output: dark <nil>
}

// A chain, each link with policies of its own: the primary is tried again, the replica is behind a breaker, the default needs nothing.
func Example_fallbackChain() {
	asked := ""
	ask := func(name string) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { asked += name + " "; return 0, errors.New(name + " is down") }
	}
	again := retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(0)})
	guard := breaker.New(breaker.Config{Name: "replica"})

	stock := mettle.Fallback(
		mettle.Bind(again, ask("primary")),
		mettle.Bind(guard, ask("replica")),
		func(context.Context) (int, error) { return -1, nil }, // unknown
	)
	n, err := stock(context.Background())
	fmt.Println(n, err, "after", asked)
	// Output: -1 <nil> after primary primary replica
}

// When all fail, the error tells why each did, and each is to be found in it.
func Example_allFallbacksFail() {
	errPrimary, errReplica, errCache := errors.New("primary is down"), errors.New("replica lags"), errors.New("not in the cache")
	fails := func(err error) func(context.Context) (int, error) {
		return func(context.Context) (int, error) { return 0, err }
	}
	n, err := mettle.Fallback(fails(errPrimary), fails(errReplica), fails(errCache))(context.Background())
	fmt.Println(n, err)
	fmt.Println(errors.Is(err, errPrimary), errors.Is(err, errReplica), errors.Is(err, errCache))
	// Output:
	// 0 mettle: all fallbacks failed: primary is down; then replica lags; then not in the cache
	// true true true
}

// A chain whose last resort is the value of earlier. It is around the chain and its policies, so that they learn of every failure.
func Example_staleInAChain() {
	up := true
	ask := func(name string, price int) func(context.Context, string) (int, error) {
		return func(context.Context, string) (int, error) {
			if !up {
				return 0, errors.New(name + " is down")
			}
			return price, nil
		}
	}
	again := retry.New(retry.Config{Attempts: 2, Backoff: retry.Constant(0)})
	shop, mirror := mettle.Wrap(again, ask("shop", 42)), ask("mirror", 43)
	prices := stale.New[string, int](stale.Config{Name: "prices", MaxAge: time.Hour})

	price := func(ctx context.Context, id string) (stale.Value[int], error) {
		return prices.Do(ctx, id, func(ctx context.Context, id string) (int, error) {
			return mettle.Fallback(
				func(ctx context.Context) (int, error) { return shop(ctx, id) },
				func(ctx context.Context) (int, error) { return mirror(ctx, id) },
			)(ctx)
		})
	}
	v, err := price(context.Background(), "tea")
	fmt.Println(v.Value, v.Stale, err)
	up = false
	v, err = price(context.Background(), "tea")
	fmt.Println(v.Value, v.Stale, err)
	_, err = price(context.Background(), "coffee") // never sold before
	fmt.Println(err != nil, v.Err != nil)
	// Output:
	// 42 false <nil>
	// 42 true <nil>
	// true true
}
