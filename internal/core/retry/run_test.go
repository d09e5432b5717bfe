package retry

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// The history against the obvious model: a slice of all attempts, cut in the middle.
func TestAttemptsKeepsTheFirstAndTheLastEight(t *testing.T) {
	var r Run
	for round := range 3 { // also after Reset
		var all []Attempt
		for n := 1; n <= 100; n++ {
			a := Attempt{N: n, Err: fmt.Errorf("error %d of round %d", n, round), Took: time.Duration(n), Wait: time.Duration(2 * n)}
			all = append(all, a)
			a.N = 0 // Add gives the number
			r.Add(a)

			want := slices.Clone(all)
			if n > 16 {
				want = append(slices.Clone(all[:8]), all[n-8:]...)
			}
			if got := r.Attempts(); !slices.Equal(got, want) {
				t.Fatalf("after %d attempts: %v, want %v", n, got, want)
			}
			if r.N() != n {
				t.Fatalf("N() = %d after %d attempts", r.N(), n)
			}
		}
		r.Reset()
		if !reflect.DeepEqual(r, Run{}) {
			t.Fatalf("after Reset: %+v", r)
		}
	}
}

func TestResetClearsShortRuns(t *testing.T) {
	for n := range 20 {
		r := Run{Begun: 5, Wait: 6}
		for range n {
			r.Add(Attempt{Err: errors.New("down")})
		}
		if r.Reset(); !reflect.DeepEqual(r, Run{}) {
			t.Fatalf("after %d attempts and Reset: %+v", n, r)
		}
		if got := r.Attempts(); len(got) != 0 {
			t.Fatalf("Attempts() of an empty run: %v", got)
		}
	}
}
