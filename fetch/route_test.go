package fetch

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/mettle-go/mettle/internal/clock"
)

// FuzzNextPlace compares the choice of the next place to one made the long way: sort all that may be asked by what the rules say, in their order.
func FuzzNextPlace(f *testing.F) {
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{3, 255, 7, 1, 9, 250, 17, 3, 91, 22, 4, 13, 77})
	f.Fuzz(func(t *testing.T, b []byte) {
		draw := func(n int) int {
			if len(b) == 0 {
				return 0
			}
			v := int(b[0]) % n
			b = b[1:]
			return v
		}
		type state struct {
			well bool
			free clock.Instant
		}
		for _, now := range []clock.Instant{-1 << 59, 0} {
			r := &route{places: make([]place, 1+draw(5))}
			n := len(r.places)
			r.last, r.kept, r.stay = draw(n+1)-1, draw(n+1)-1, draw(2) == 0
			hosts := make(map[string]state)
			for i := range r.places {
				h := fmt.Sprint(draw(4))
				hosts[h] = state{draw(2) == 0, now + clock.Instant(draw(9))}
				r.places[i] = place{host: h, tried: draw(2) == 0, out: draw(4) == 0, again: now - 4 + clock.Instant(draw(9))}
			}
			r.stay = r.stay && r.last >= 0 // which an attempt has set
			health := func(h string) (bool, clock.Instant) { return hosts[h].well, hosts[h].free }

			// The model.
			var order []int
			for k := 1; k <= n; k++ {
				if i := (r.last + k + n) % n; !r.places[i].out {
					order = append(order, i)
				}
			}
			value := func(i int) []int64 {
				p := r.places[i]
				h := hosts[p.host]
				switch {
				case r.stay && i == r.last && h.well:
					return []int64{0, 0}
				case h.well && !p.tried:
					return []int64{1, 0}
				case h.well && i == r.kept:
					return []int64{2, 0}
				case h.well:
					return []int64{3, 0}
				case p.tried:
					return []int64{4, max(int64(p.again), int64(h.free))}
				}
				return []int64{4, int64(h.free)}
			}
			slices.SortStableFunc(order, func(i, j int) int { return slices.Compare(value(i), value(j)) })
			i, ok := r.next(now, health)
			if ok != (len(order) > 0) || ok && i != order[0] {
				t.Fatalf("next is %d, %v; want the first of %v\n%+v\n%+v", i, ok, order, r, hosts)
			}
		}
	})
}

func TestRequestsOfAnItemGoToItsPlace(t *testing.T) {
	it := Item{URL: "http://a/x", Mirrors: []string{"http://b/y"}, Header: map[string]string{"X": "1"}}
	req, err := it.request(it.place(1), http.Header{"Y": {"2"}})
	if err != nil || req.URL.String() != "http://b/y" || req.Host != "b" || req.Header.Get("X")+req.Header.Get("Y") != "12" {
		t.Errorf("%+v, %v", req, err)
	}
}
