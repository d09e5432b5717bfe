// Package chaos is a hostile HTTP server: it resets connections, cuts bodies, stalls, redirects in
// circles and asks to be left alone, on purpose and exactly as the URL says. It draws nothing at
// random: the same seed and the same requests for one URL give the same answers, down to the byte.
//
// # When to use it
//
// To see what a client does when a server misbehaves: in tests, in memory and inside a
// testing/synctest bubble ([Server.StartPipe]), or over loopback TCP ([Server.Start]) where a real
// reset is wanted. [Server.Expect] says what a correct client ends up with, [Server.Stats] what the
// server has seen, so a test compares the client's own account with two truths.
//
// # Not for
//
// Load tests, faults of TLS, DNS or HTTP/2, and anything that strangers can reach: one request for
// /endless sends 16 MiB a second for as long as it is read.
//
// # Example
//
//	srv := chaos.New(chaos.Config{Seed: 1})
//	defer srv.Close()
//	srv.StartPipe()
//	client := &http.Client{Transport: &http.Transport{DialContext: srv.DialContext}}
//	res, err := client.Get("http://a.test/short?size=4096&heal=1") // io.ErrUnexpectedEOF from its body
//	res, err = client.Get("http://a.test/short?size=4096&heal=1")  // 4096 bytes
//
// # Paths
//
// The first element of the path is the fault; what follows is free and makes different URLs of it
// (/reset/1, /reset/2). "/" is a page that lists all of this with every parameter. A path of another
// name answers 404; a parameter that the path does not know, or that is out of range, answers 400
// and says what is wanted.
//
//	/ok            the good answer: 200 with Content-Length, ETag and ranges
//	/status/CODE   that status and a small HTML page; after=5 | date:5 | zero | past | huge | junk is its Retry-After
//	/reset         a reset before any byte of an answer
//	/reset-body    a reset after about half of the body
//	/short         Content-Length says size, about half comes, then a clean close
//	/cut-chunk     chunked, ends after about half without the terminating chunk
//	/slow-headers  the good answer after for=2s; without for=, silence
//	/stall         headers and a part of the body (after=BYTES), then silence
//	/endless       a chunked body without end
//	/drip          the good body in pieces=10 over for=2s: not a fault, it must be had
//	/loop          a redirect to itself, or in a circle of n=2 URLs
//	/redirect      n=3 redirects and then the good answer, or one to=URL
//	/idle-close    the good answer, then the connection dies under the next request (when=next) or at once (when=now)
//	/hold          holds the host, see below
//
// Every fault takes heal=N: the first N requests for that exact URL (Host header and request URI) get
// it, later ones the good answer; without it a URL never heals. size=N is the length of the good
// body, 1024 by default. Its bytes are made from the seed and the URL without its host, or from the
// seed and body=NAME where that is given: two URLs with the same name and size are mirrors. HEAD gets
// the headers; any other method is served as GET, its body read and thrown away (above 1 MiB: 413).
// A request that asks for a range of a good or a cut answer gets that range, so resuming makes
// progress even from a URL that never heals.
//
// # Pages of the server itself
//
// These are no part of what is tested: they are not counted, and no hold concerns them.
//
//   - / lists all of this with every parameter, and what the server has seen: HTML for browsers, plain text for others.
//   - /stats is [Stats] as JSON, for tests in other languages.
//   - /expect?url=URL&attempts=N is an [Expectation] as JSON; the URL may be relative to this one, N is 1 by default.
//
// # Holds
//
// The first request for /hold on a host, by the Host header, gets 429 (code=503 is the other choice)
// with a Retry-After of for=2s, rounded up to whole seconds (form=date says it as a date). From then
// on until that time is over, before rounding, every request to that host, whatever its path, gets
// the same status and the time that is left. Afterwards /hold is good, or with every=N holds the
// host again at every Nth request for /hold that finds it free. A hold is announced once the first
// such answer has been written. A request that arrives more than Config.Grace after that, and before the
// end, is a violation. What the hold answers does not count for heal=.
//
// # Defaults
//
// Seed 0, Grace 250 ms, bodies of 1024 bytes of type application/octet-stream.
//
// # Errors
//
// Faults are not errors of the server; it reports none while serving. What the client meets is for
// reset ECONNRESET (over TCP a reset overtakes bytes that are still on their way, so a client may see
// less than was sent before it), for short and cut-chunk io.ErrUnexpectedEOF. Note that net/http's client
// silently repeats an idempotent request when a connection it reused ends before the answer: /reset and
// /idle-close then count one more request than the client knows of.
//
// Stats.Faults counts by the names above, and also "unknown" (404), "invalid" (400) and
// "dropped" (requests that met the dead connection of /idle-close). A healed answer counts as "ok".
//
// # Concurrency, cancellation, panics
//
// All methods may be called by any goroutine. An answer ends when its client goes away or the server
// is closed; Close waits for every goroutine. Mounted as a handler in another server, Close ends the
// waits but not a read or write that blocks there. [New] panics on a bad Config, StartPipe on a closed server.
//
// # Cost
//
// One lock, taken three times a request, and some 4 µs more than a handler that only writes. A body is
// computed while it is sent and costs no memory, whatever its size. Each distinct URL and host costs a
// map entry, some 60 bytes and its name, until the server is dropped: ten million URLs of 60
// characters are 1.2 GB.
package chaos
