package breaker

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// meanCalls returns the mean number of calls until Shift(p0, p1, h) trips where calls fail at the given rate. It solves the
// Markov chain of the sum, for which it takes the two steps as whole multiples of a unit, within a few in 10,000 of what they are.
// States are eliminated from the top one by one, without a subtraction (Grassmann, Taksar and Heyman 1985), so that the result
// is as good for a million years as for a minute.
func meanCalls(p0, p1, h, rate float64) float64 {
	up, down, n := lattice(math.Log(p1/p0), math.Log((1-p0)/(1-p1)), h)
	p := make([][]float64, n)   // from each of the states 0 to n-1 to each
	trips := make([]float64, n) // from each to the end
	takes := make([]float64, n) // calls
	for s := range p {
		p[s] = make([]float64, n)
		p[s][max(0, s-down)] += 1 - rate
		if s+up >= n {
			trips[s] += rate
		} else {
			p[s][s+up] += rate
		}
		takes[s] = 1
	}
	for s := n - 1; s > 0; s-- {
		low := max(0, s-down)
		leaves := trips[s]
		for _, q := range p[s][low:s] {
			leaves += q
		}
		for from := max(0, s-up); from < s; from++ {
			q := p[from][s] / leaves
			takes[from] += q * takes[s]
			trips[from] += q * trips[s]
			for to := low; to < s; to++ {
				p[from][to] += q * p[s][to]
			}
		}
	}
	return takes[0] / trips[0]
}

// lattice returns the steps and the threshold in the unit, of those that give at most 1200 states, in which the steps are nearest to
// whole numbers.
func lattice(stepUp, stepDown, h float64) (up, down, n int) {
	best := math.Inf(1)
	for k := 1; math.Ceil(h/stepDown*float64(k)) <= 1200; k++ {
		exact := stepUp / stepDown * float64(k)
		if off := math.Abs(math.Round(exact)-exact) / exact; off < best {
			best, up, down, n = off, int(math.Round(exact)), k, int(math.Ceil(h/stepDown*float64(k)))
		}
	}
	return up, down, n
}

func simulated(trip *Trip, rate float64, rng *rand.Rand, runs int) float64 {
	sum := 0
	for range runs {
		sum += callsToTrip(trip, rate, rng, math.MaxInt-1)
	}
	return float64(sum) / float64(runs)
}

// The table in the manual is read from there, so that it cannot say what is not so. What does not take too long is simulated with
// the detector itself, the rest computed; where both are possible, both have to agree with it.
func TestTheTableOfShift(t *testing.T) {
	rows := table(t)
	if len(rows) < 5 {
		t.Fatalf("the manual has %d rows, want 5 or more", len(rows))
	}
	rates := []float64{0.01, 0.05, 0.1, 0.3, 0.5, 1}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, row := range rows {
		trip, ok := Shift(row.p0, row.p1, row.h)
		if !ok || len(row.calls) != len(rates) {
			t.Fatalf("%+v: want a valid Shift and %d figures", row, len(rates))
		}
		for i, text := range row.calls {
			want, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := meanCalls(row.p0, row.p1, row.h, rates[i]); math.Abs(got-want) > 0.03*want+0.5 {
				t.Errorf("Shift(%v, %v, %v) where %v fail: %.4g calls, the manual says %s", row.p0, row.p1, row.h, rates[i], got, text)
			}
			if want > 30_000 {
				continue
			}
			runs := min(20_000, int(2_000_000/want))
			// The time to a trip is spread no wider than an exponential one.
			off := 4*want/math.Sqrt(float64(runs)) + 0.5
			if got := simulated(&trip, rates[i], rng, runs); math.Abs(got-want) > off {
				t.Errorf("Shift(%v, %v, %v) where %v fail: %.4g calls in simulation, the manual says %s", row.p0, row.p1, row.h, rates[i], got, text)
			}
		}
	}
}

type row struct {
	p0, p1, h float64
	calls     []string
}

func table(t *testing.T) (rows []row) {
	t.Helper()
	manual, err := os.ReadFile("../../../breaker/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(manual)) {
		var r row
		if n, _ := fmt.Sscanf(line, "//\tShift(%g, %g, %g) ", &r.p0, &r.p1, &r.h); n == 3 {
			_, figures, _ := strings.Cut(line, ")")
			r.calls = strings.Fields(figures)
			rows = append(rows, r)
		}
	}
	return rows
}
