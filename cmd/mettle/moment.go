package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/mettle-go/mettle/fetch"
)

// A moment is what there is to show of a run.
type moment struct {
	counts fetch.Counts
	took   time.Duration
	bytes  float64       // received a second, lately; 0: unknown, or hardly any
	left   time.Duration // until all is done, if it goes on like lately; 0: unknown
}

const (
	// lately is short enough to show what happens now, and long enough for a number that a person can read before it is another.
	lately = 20 * time.Second
	// hardlyAny bytes are not worth their place.
	hardlyAny = 1000
)

// A pace knows how fast a run is. What it counts began with the run: results of earlier runs are no sign of speed.
type pace struct {
	past []reading // the first is where lately begins; at least a second lies between two
}

type reading struct {
	at          time.Duration
	done, bytes int64
}

// at takes note of the counts and says how things stand.
func (p *pace) at(c fetch.Counts, took time.Duration) moment {
	if len(p.past) == 0 {
		p.past = append(p.past, reading{}) // the beginning
	}
	now := reading{took, c.Done() - c.Before, c.Bytes}
	for len(p.past) > 1 && took-p.past[1].at >= lately {
		p.past = p.past[1:]
	}
	from, m := p.past[0], moment{counts: c, took: took}
	if span := (took - from.at).Seconds(); span >= 1 {
		if rate := float64(now.bytes-from.bytes) / span; rate >= hardlyAny {
			m.bytes = rate
		}
		if rate := float64(now.done-from.done) / span; c.AllRead && rate > 0 && c.Resting == 0 && !c.Offline { // else nobody knows
			m.left = time.Duration(min(float64(c.Left())/rate, longest) * float64(time.Second))
		}
	}
	if took-p.past[len(p.past)-1].at >= time.Second {
		p.past = append(p.past, now)
	}
	return m
}

// longest is as many seconds as are worth showing: a thousand days.
const longest = 1000 * 24 * 60 * 60

const (
	barColumns  = 80 // the most: what is no wider survives a window that is made narrower
	tinyColumns = 12 // the least that makes a bar of brackets worth its place
	fewColumns  = 50 // in fewer there is room for numbers only
)

// line is the moment in that many columns, the less important left out where they are few.
func (m *moment) line(columns int) string {
	columns = min(columns, barColumns)
	share := "  ?%"
	part := 0.0
	if c := m.counts; c.AllRead && c.Read > 0 {
		part = float64(c.Done()) / float64(c.Read)
		share = fmt.Sprintf("%3d%%", 100*c.Done()/c.Read)
	}
	room := columns - len(share) - 2 // for the numbers and a bar
	numbers := m.numbers(room - tinyColumns)
	drawn := room - len(numbers)
	if columns < fewColumns || drawn < tinyColumns {
		return clipped(share+" "+m.numbers(room+1), columns)
	}
	return share + " " + drawing(part, drawn) + " " + numbers
}

// drawing is a bar of that many columns.
func drawing(part float64, columns int) string {
	inner := columns - 2
	full := int(part * float64(inner))
	tip := ""
	if full > 0 && full < inner {
		full, tip = full-1, ">"
	}
	return "[" + strings.Repeat("=", full) + tip + strings.Repeat("-", inner-full-len(tip)) + "]"
}

func clipped(s string, columns int) string { return s[:max(0, min(len(s), columns))] }

// numbers are as many as fit, and at least the first.
func (m *moment) numbers(columns int) string {
	c := m.counts
	s := number(c.Done()) + " of " + number(c.Read)
	if !c.AllRead {
		s += "+"
	}
	// In the order they are shown. Of those that do not fit together, the one with the lower rank is shown.
	list := []struct {
		rank int
		text string
	}{{0, s}, {1, number(c.Failed) + " failed"}, {5, number(c.Running) + " active"}, {4, ""}, {3, ""}, {2, clock(m.took)}}
	if c.Failed == 0 {
		list[1].rank = 6
	}
	list[3].text = strings.TrimPrefix(pauses(c), ", ")
	if c.Offline { // then nothing else tells as much
		list[3].rank = 1
	}
	if m.bytes > 0 {
		list[4].text = speed(m.bytes)
	}
	if m.left > 0 {
		list[5].text = clock(m.left) + " left"
	}
	used, shown := -len(", "), make([]bool, len(list))
	for rank := range 7 {
		for i, part := range list {
			need := len(", ") + len(part.text)
			if part.rank == rank && part.text != "" && (rank == 0 || used+need <= columns) {
				used += need
				shown[i] = true
			}
		}
	}
	var texts []string
	for i, part := range list {
		if shown[i] {
			texts = append(texts, part.text)
		}
	}
	return strings.Join(texts, ", ")
}
