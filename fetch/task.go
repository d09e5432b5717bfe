package fetch

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/httprule"
)

// A task is an item on its way to its record.
type task struct {
	item Item
	host *host
	next *http.Request // what to send; nil: made from item when its turn comes
	hops int           // redirects followed in this attempt
	part *part         // of the body, if that is saved: from the first request to the record

	attempts []Attempt
	open     bool // the last of attempts goes on at another host
	begun    clock.Instant
	ended    clock.Instant // of the last attempt
	route    *route        // nil: the item has no mirrors
	account
}

// An account is what speaks for and against another attempt at one URL.
type account struct {
	tries     int           // attempts
	free      int           // how many of these do not count
	wait      time.Duration // decided after the last one
	mistaken  bool          // a whole body was not the one that Item.SHA256 is of
	limited   int           // answers 429
	oks       uint64        // good answers of the host when the last of these came
	asked     uint64        // requests to the host that had begun by then
	doubts    int           // failures that may prove the network's
	streak    uint64        // in which those came
	exhausted bool          // there was a time at which our own resources were not enough
	since     clock.Instant
}

// record adds l to the task's attempts: a new one, or the rest of one that went on at another host.
func (t *task) record(l *leg, failure *Error) {
	if l.extra {
		l.started, l.began = l.race.started, l.race.began
	}
	if len(t.attempts) == 0 {
		t.begun, t.ended = l.began, l.began
	}
	if !t.open {
		t.tries++
		t.attempts = append(t.attempts, Attempt{
			N: len(t.attempts) + 1, Mirror: t.mirror(), Started: l.started, WaitMS: ms(l.began.Sub(t.ended)),
		})
	}
	last := &t.attempts[len(t.attempts)-1]
	for range l.replays {
		last.Error = "reset: the kept connection was dead, and net/http sent the request again"
		t.attempts = append(t.attempts, Attempt{N: last.N + 1, Mirror: last.Mirror, Started: l.started, Replayed: true})
		t.tries++
		last = &t.attempts[len(t.attempts)-1]
	}
	last.Hedged = last.Hedged || l.race != nil && l.race.hedged
	last.DurationMS += ms(l.ended.Sub(l.began))
	last.Status = l.status
	if failure != nil {
		last.Error = failure.Error()
	}
	t.open = l.moved != nil && failure == nil
	t.ended = l.ended
}

// final makes the task's record after its last leg.
func (t *task) final(l *leg, failure *Error) *Record {
	r := &Record{
		ID: t.item.id(), URL: t.item.URL, OK: failure == nil, Outcome: OK, Status: l.status, Attempts: t.attempts, Error: failure,
		FinalURL: l.finalURL, Bytes: l.bytes, SHA256: l.sum, Path: l.path, Complete: l.complete && failure == nil,
		ElapsedMS: ms(t.ended.Sub(t.begun)), Started: t.attempts[0].Started,
	}
	if l.whole {
		r.Bytes = l.size
		if l.asked {
			r.Status = http.StatusOK // that of the answer which began the body: 206, or 416, only says how its rest came
		}
	}
	if failure == nil {
		r.Mirror = t.mirror()
		return r
	}
	r.Outcome = Failed
	if t.route != nil && t.route.passes() {
		failure.Retryable = true
	}
	return r
}

// named returns the ID and the URL of the record that an item will have, be it one of which the source says that it is none.
func named(it Item, err error) (id, url string) {
	id, url = it.id(), it.URL
	if le, ok := errors.AsType[*LineError](err); ok {
		id, url = cmp.Or(id, le.Text), cmp.Or(url, le.Text)
	}
	return id, url
}

// invalid makes the record of an item that cannot be requested.
func invalid(it Item, text string, err error) *Record {
	return &Record{
		ID: cmp.Or(it.id(), text), URL: cmp.Or(it.URL, text), Outcome: Failed, Attempts: []Attempt{}, Started: time.Now(),
		Error: &Error{Kind: KindInvalid, Message: err.Error()},
	}
}

func statusFailure(code int) *Error {
	text := http.StatusText(code)
	if text == "" {
		text = "unknown status"
	}
	return &Error{Kind: KindStatus, Message: strconv.Itoa(code) + " " + text, Retryable: httprule.Passing(code)}
}

func hintFailure(hint, allowed time.Duration) *Error {
	return &Error{Kind: KindHint, Retryable: true,
		Message: fmt.Sprintf("the server asks to wait %v, longer than the %v allowed", hint, allowed)}
}

func ms(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }
