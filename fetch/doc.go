// Package fetch gets every URL of a list and brings back one result for each, come what may.
//
// # When to use it
//
// For lists that are too long, and servers too unreliable, for a loop around an http.Client: a million URLs of ten thousand hosts, of
// which some are down, some are slow, some cut their answers and some ask to be left alone. It is the engine of
// the command mettle fetch.
//
// # Not for
//
// Calls within a program: use a policy stack around your own client. Crawling: it follows redirects, not links.
//
// # Example
//
//	counts, err := fetch.Run(ctx, fetch.Config{}, fetch.Lines("urls.txt", file), sink)
//
// # What it does
//
// Every item gets exactly one Record, or is still to do when the run ends early. An item is tried up to Config.Attempts times, where
// the failure may pass and where the request may be repeated: a method that is not idempotent is sent again only with an
// Idempotency-Key, or if the server cannot have seen it. A body that is shorter than announced, or cut off between its chunks, is a
// failure, never a success.
//
// No URL fails because of its neighbors. What is known of a host is kept in one place:
//
//   - Config.PerHost bounds its requests at a time.
//   - After an answer 429 or 503 with Retry-After, no request to the host is begun until that time is over. A hint longer than Config.MaxHint
//     fails that one URL and holds nobody.
//   - When request after request fails, the host is parked: nothing is sent to it for a while, then one probe, and so on with
//     longer whiles until a probe succeeds. Waiting uses up no attempt. When the host has been down for Config.Patience, its URLs use up
//     their attempts one by one.
//
// Meanwhile the other hosts go on, each in its turn: an item that waits holds no worker, only its place in Config.Window. Redirects to
// another host wait for that host's turn like anything else.
//
// # Defaults
//
//	Concurrency 64, PerHost 8, Attempts 5
//	Timeout 30 s, Stall 15 s, Grace 10 s
//	Backoff 500 ms to 30 s, MaxHint 5 min
//	Park 1 s to 30 s, Patience 2 min
//	Window 100,000 items
//
// # Errors
//
// That items fail is not an error of Run; see Record.Error and its Kind. Run's own errors are ErrStopped, ErrRead, ErrWrite and the end of
// its context.
//
// # Concurrency, cancellation, panics
//
// One goroutine owns the state and calls the Sink; each running request has a goroutine; one more reads the Source. All have ended when
// Run returns (see Lines for the one exception). A panic, which only a Sink, a Source or a Transport can raise, ends the run.
//
// # Cost
//
// About 500 bytes for each item in memory, 2 KB for one that waits after a redirect, and what net/http takes for each running request. The input is not read further ahead
// than Config.Window.
//
// # Mistakes
//
// Wrong: a Transport that decompresses bodies, which makes a body impossible to check against its length. Set
// DisableCompression.
package fetch
