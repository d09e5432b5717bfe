package keyed_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/keyed"
	"github.com/mettle-go/mettle/ratelimit"
)

// A proxy holds each tenant to a rate, and stays away from each host that is down. The limit is outside: what a tenant asks for
// counts, whatever becomes of it.
func Example_hosts() {
	tenants := keyed.New(keyed.Config[string]{New: func(tenant string) mettle.Policy {
		return ratelimit.New(ratelimit.Config{Name: tenant, Rate: 60, Per: time.Hour, Burst: 3})
	}})
	hosts := keyed.New(keyed.Config[string]{New: func(host string) mettle.Policy {
		return breaker.New(breaker.Config{Name: host, Trip: breaker.Consecutive(2)})
	}})

	proxy := func(ctx context.Context, tenant, host string) error {
		return tenants.For(tenant).Do(ctx, func(ctx context.Context) error {
			return hosts.For(host).Do(ctx, func(context.Context) error {
				if host == "down.example.org" {
					return errors.New("connection refused")
				}
				return nil
			})
		})
	}

	for _, req := range []struct{ tenant, host string }{
		{"ada", "down.example.org"},
		{"bob", "down.example.org"},
		{"ada", "down.example.org"}, // its breaker is open by now
		{"ada", "up.example.org"},
		{"ada", "up.example.org"}, // Ada's fourth
		{"bob", "up.example.org"},
	} {
		fmt.Println(req.tenant, req.host, proxy(context.Background(), req.tenant, req.host))
	}
	// Output:
	// ada down.example.org connection refused
	// bob down.example.org connection refused
	// ada down.example.org mettle: rejected by breaker down.example.org: breaker: open
	// ada up.example.org <nil>
	// ada up.example.org mettle: rejected by ratelimit ada: ratelimit: limited
	// bob up.example.org <nil>
}
