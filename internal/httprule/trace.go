package httprule

import (
	"net/http/httptrace"
	"sync/atomic"
)

// A Trace sees what a transport does with one request. When a kept connection proves dead, net/http sends the request once more on its own, and
// nobody else hears of it. The hooks may be called by goroutines of net/http, also after the request has ended. Init makes a Trace ready; it must not be
// copied after that.
type Trace struct {
	Client httptrace.ClientTrace // for httptrace.WithClientTrace

	asked   atomic.Bool  // the transport tells of connections
	got     atomic.Bool  // there was one, so that the server may have seen the request
	wrote   atomic.Bool  // the request went out on the connection at hand
	replays atomic.Int32 // times that it went out before
}

// Init makes t ready for a request. Without unsent, Unsent is always false and one allocation is saved.
func (t *Trace) Init(unsent bool) {
	if unsent {
		t.Client.GetConn = t.getConn
	}
	t.Client.GotConn = t.gotConn
	t.Client.WroteHeaders = t.wroteHeaders
}

func (t *Trace) getConn(string) { t.asked.Store(true) }

func (t *Trace) gotConn(httptrace.GotConnInfo) {
	t.got.Store(true)
	if t.wrote.Swap(false) {
		t.replays.Add(1)
	}
}

func (t *Trace) wroteHeaders() { t.wrote.Store(true) }

// Unsent reports whether no server can have seen the request. That nothing is known of connections proves nothing: a transport need not tell.
func (t *Trace) Unsent() bool { return t.asked.Load() && !t.got.Load() }

// Replays is how many times the request was sent again.
func (t *Trace) Replays() int { return int(t.replays.Load()) }
