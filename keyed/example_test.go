package keyed_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/keyed"
)

func ExampleNew() {
	var regions = keyed.New(keyed.Config[string]{
		New: func(region string) mettle.Policy {
			limit := 2
			if region == "eu" { // a larger one
				limit = 10
			}
			return bulkhead.New(bulkhead.Config{Name: region, Limit: limit})
		},
		Max: 100,
	})

	err := regions.For("eu").Do(context.Background(), func(context.Context) error {
		fmt.Println("calling the eu region")
		return nil
	})
	fmt.Println(err)
	// Output:
	// calling the eu region
	// <nil>
}

// What befalls one key is not held against another.
func ExampleMap_For() {
	hosts := keyed.New(keyed.Config[string]{New: func(host string) mettle.Policy {
		return breaker.New(breaker.Config{Name: host, Trip: breaker.Consecutive(1)})
	}})
	get := func(host string) (string, error) {
		return mettle.Call(context.Background(), hosts.For(host), func(context.Context) (string, error) {
			if host == "down.example.org" {
				return "", errors.New("connection refused")
			}
			return "200 OK", nil
		})
	}

	for _, host := range []string{"down.example.org", "down.example.org", "up.example.org"} {
		fmt.Println(get(host))
	}
	// Output:
	//  connection refused
	//  mettle: rejected by breaker down.example.org: breaker: open
	// 200 OK <nil>
}

// The permit keeps the key's policy in its place until it is given back.
func ExampleMap_Acquire() {
	tenants := keyed.New(keyed.Config[int]{New: func(int) mettle.Policy {
		return bulkhead.New(bulkhead.Config{Limit: 1})
	}})
	ctx := context.Background()

	permit, err := tenants.Acquire(ctx, 7)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = tenants.Acquire(ctx, 7) // the same tenant's second stream
	fmt.Println(err)
	permit.Done(nil)
	_, err = tenants.Acquire(ctx, 7)
	fmt.Println(err)
	// Output:
	// mettle: rejected by bulkhead: bulkhead: full
	// <nil>
}

func ExampleMap_Len() {
	hosts := keyed.New(keyed.Config[string]{New: newBreaker, Max: 2})
	for _, host := range []string{"a.example.org", "b.example.org", "c.example.org"} {
		hosts.For(host)
	}
	fmt.Println(hosts.Len(), "of three") // one had to go
	// Output: 2 of three
}

// A page of breakers, for those who look after the program.
func ExampleMap_All() {
	hosts := keyed.New(keyed.Config[string]{New: func(host string) mettle.Policy {
		return breaker.New(breaker.Config{Name: host, Trip: breaker.Consecutive(1)})
	}})
	hosts.For("up.example.org").Do(context.Background(), nothing)
	hosts.For("down.example.org").Do(context.Background(), fail)

	policies := maps.Collect(hosts.All())
	for _, host := range slices.Sorted(maps.Keys(policies)) {
		fmt.Println(host, policies[host].(mettle.Describer).Describe().State)
	}
	// Output:
	// down.example.org open
	// up.example.org closed
}

func ExampleMap_Describe() {
	hosts := keyed.New(keyed.Config[string]{Name: "hosts", New: newBreaker})
	hosts.For("a.example.org")
	hosts.For("b.example.org")

	d := hosts.Describe()
	fmt.Println(d.Name, d.Limit)
	for _, m := range d.Metrics {
		fmt.Println(m.Name, m.Value)
	}
	// Output:
	// hosts 10000
	// keys 2
	// created 2
	// evicted 0
	// rejections 0
}

func ExampleConfig_Validate() {
	c := keyed.Config[string]{New: newBreaker, Max: -1}
	fmt.Println(c.Validate())
	// Output: keyed: Config.Max is -1, want 0 or more
}
