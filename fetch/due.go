package fetch

import (
	"container/heap"

	"github.com/mettle-go/mettle/internal/clock"
)

// An alarm is something to do at an instant: a task to queue again, a host to look at again, or a request to hedge.
type alarm struct {
	at   clock.Instant
	task *task
	host *host
	leg  *leg
}

// alarms is a heap, the earliest on top.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at < a[j].at }
func (a alarms) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a.locate(i)
	a.locate(j)
}
func (a *alarms) Push(x any) {
	*a = append(*a, x.(alarm))
	a.locate(len(*a) - 1)
}
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = alarm{}
	*a = (*a)[:last]
	if x.leg != nil {
		x.leg.race.alarm = 0
	}
	return x
}

// locate tells the race whose alarm is at i where it is: most of these are not wanted any more when their time comes.
func (a alarms) locate(i int) {
	if l := a[i].leg; l != nil {
		l.race.alarm = i + 1
	}
}

func (a *alarms) set(x alarm) { heap.Push(a, x) }

// drop removes the alarm of r, if there is one.
func (a *alarms) drop(r *race) {
	if r.alarm > 0 {
		heap.Remove(a, r.alarm-1)
	}
}

// next returns the earliest alarm if its time has come.
func (a *alarms) next(now clock.Instant) (alarm, bool) {
	if len(*a) == 0 || (*a)[0].at > now {
		return alarm{}, false
	}
	return heap.Pop(a).(alarm), true
}
