package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mettle-go/mettle/fetch"
)

// summary is a whole run in a line.
func summary(c fetch.Counts, took time.Duration) string {
	s := fmt.Sprintf("%s ok, %s failed", number(c.OK), number(c.Failed))
	if len(c.Kinds) > 0 {
		s += " (" + tally(c.Kinds, countFirst) + ")"
	}
	if left := c.Left(); left > 0 {
		s += fmt.Sprintf(", %s still to do", number(left))
	}
	return fmt.Sprintf("%s of %s in %s", s, total(c), short(took))
}

// statusLine is a run so far in a line.
func statusLine(m moment) string {
	c := m.counts
	s := fmt.Sprintf("%s ok, %s failed of %s in %s, %s running", number(c.OK), number(c.Failed), total(c), short(m.took), number(c.Running))
	s += pauses(c)
	if m.bytes > 0 {
		s += ", " + speed(m.bytes)
	}
	if m.left > 0 {
		s += ", " + clock(m.left) + " left"
	}
	return s
}

// pauses says what a run waits for.
func pauses(c fetch.Counts) string {
	s := ""
	if c.Resting > 0 {
		s += ", " + plural(c.Resting, "host") + " resting"
	}
	if c.Offline {
		s += ", network down"
	}
	return s
}

// stopNotice says what happens after the first signal, which was s.
func stopNotice(c fetch.Counts, grace time.Duration, s syscall.Signal) string {
	if c.Running == 0 {
		return "mettle: stopping, nothing is running\n"
	}
	again := "press Ctrl-C again"
	switch s {
	case syscall.SIGTERM:
		again = "send SIGTERM again"
	case syscall.SIGHUP:
		again = "send SIGTERM" // the terminal is gone, and kill sends that
	}
	return fmt.Sprintf("mettle: stopping, %s may finish within %s\nhint: %s to exit now\n",
		plural(c.Running, "running request"), short(grace), again)
}

// How a tally writes a name and its count.
const (
	nameFirst  = "%[1]v %[2]s" // where names may be numbers: 404 12
	countFirst = "%[2]s %[1]v" // where "1 failed (status 1)" would be taken for an exit code
)

// tally lists counts, the largest first.
func tally[K cmp.Ordered](counts map[K]int64, format string) string {
	keys := slices.SortedFunc(maps.Keys(counts), func(a, b K) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = fmt.Sprintf(format, k, number(counts[k]))
	}
	return strings.Join(parts, ", ")
}

func total(c fetch.Counts) string {
	if c.AllRead {
		return number(c.Read)
	}
	return number(c.Read) + " read so far"
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// number groups the digits of n, which is not negative, by thousands.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short is d as precise as a person wants it.
func short(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + "s"
	}
	return d.Round(time.Second).String()
}

// clock is d as a clock shows it, which keeps its width from second to second.
func clock(d time.Duration) string {
	s := int64(d.Seconds())
	switch {
	case s < 60*60:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	case s < 100*60*60:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%dd", s/(24*60*60))
}

// speed is in the units that lines are sold in: powers of 1000.
func speed(bytes float64) string {
	unit := "kB/s"
	for _, next := range []string{"MB/s", "GB/s", "TB/s"} {
		if bytes < 999_500 {
			break
		}
		bytes /= 1000
		unit = next
	}
	bytes /= 1000
	if bytes < 9.95 {
		return fmt.Sprintf("%.1f %s", bytes, unit)
	}
	return fmt.Sprintf("%.0f %s", bytes, unit)
}
