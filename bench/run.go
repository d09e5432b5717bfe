package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/mettle-go/mettle/bench/internal/stats"
)

// A plan says how long to measure.
type plan struct {
	rounds int           // times that every contender of a row is timed
	chunk  time.Duration // about how long each time
	tidy   func()        // is called before each time: the garbage of whoever ran before is not the cost of the next
}

// A figure is what was measured of a contender.
type figure struct {
	Contender string  `json:"contender"`
	Low       float64 `json:"ns_low_quartile"`
	Median    float64 `json:"ns_median"`
	High      float64 `json:"ns_high_quartile"`
	Ratio     float64 `json:"ratio"` // to the row's first contender: the median of the rounds' ratios
	Bytes     float64 `json:"bytes"`
	Allocs    float64 `json:"allocs"`
}

// A result is a row as it was measured.
type result struct {
	Row     string   `json:"row"`
	What    string   `json:"what"`
	Figures []figure `json:"figures"`
}

// sample is one timing of one contender.
type sample struct{ ns, bytes, allocs float64 }

// verify checks every contender of the row and returns an error that names the first one that does something else.
func (r row) verify() error {
	for _, c := range r.contenders {
		if err := c.verify(); err != nil {
			return fmt.Errorf("bench: %s: %s: %w", r.name, c.name, err)
		}
	}
	return nil
}

// measure times the contenders of the row, interleaved: each of them once a round. So whatever slows the machine for longer
// than a moment slows all of them, and the ratio of each round stays what it is.
func (r row) measure(ctx context.Context, p plan) (result, error) {
	b := new(bed)
	defer b.close()
	loops := make([]loop, len(r.contenders))
	turns := make([]int, len(r.contenders))
	for i, c := range r.contenders {
		loops[i] = c.start(b)
		n, err := calibrate(ctx, loops[i], p.chunk)
		if err != nil {
			return result{}, fmt.Errorf("bench: %s: %s: %w", r.name, c.name, err)
		}
		turns[i] = n
	}
	samples := make([][]sample, len(r.contenders))
	for round := range p.rounds {
		for _, i := range stats.Rotated(len(r.contenders), round) {
			p.tidy()
			s, err := once(ctx, loops[i], turns[i])
			if err != nil {
				return result{}, fmt.Errorf("bench: %s: %s: %w", r.name, r.contenders[i].name, err)
			}
			samples[i] = append(samples[i], s)
		}
	}
	return r.sum(samples), nil
}

// sum makes the figures of the samples, which are one list a contender with one sample a round.
func (r row) sum(samples [][]sample) result {
	res := result{Row: r.name, What: r.what}
	for i, c := range r.contenders {
		var ns, ratios, bytes, allocs []float64
		for round, s := range samples[i] {
			ns = append(ns, s.ns)
			ratios = append(ratios, s.ns/samples[0][round].ns)
			bytes = append(bytes, s.bytes)
			allocs = append(allocs, s.allocs)
		}
		f := figure{Contender: c.name, Ratio: stats.Median(ratios), Bytes: stats.Median(bytes), Allocs: stats.Median(allocs)}
		f.Low, f.Median, f.High = stats.Quartiles(ns)
		res.Figures = append(res.Figures, f)
	}
	return res
}

// calibrate returns how many calls take about chunk. It also warms up what grows on first use, such as free lists.
func calibrate(ctx context.Context, l loop, chunk time.Duration) (int, error) {
	for n := 1; ; {
		began := time.Now()
		if err := l(ctx, n); err != nil {
			return 0, err
		}
		took := time.Since(began)
		if took >= chunk/4 || n >= 1<<30 {
			return max(1, int(float64(n)*float64(chunk)/float64(max(took, 1)))), nil
		}
		n *= 2
	}
}

// once times n calls.
func once(ctx context.Context, l loop, n int) (sample, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	err := l(ctx, n)
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return sample{
		ns:     float64(took) / float64(n),
		bytes:  float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
		allocs: float64(after.Mallocs-before.Mallocs) / float64(n),
	}, err
}
