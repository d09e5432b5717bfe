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
// Idempotency-Key, or if the server provably did not process it: it cannot have seen it, says 421 or 425, or refused it by the means of HTTP/2. A body that is shorter than announced, or cut off between its chunks, is a
// failure, never a success.
//
// No URL fails because of its neighbors. What is known of a host is kept in one place:
//
//   - Config.PerHost bounds its requests at a time.
//   - After an answer 429 or 503 with Retry-After, no request to the host is begun until that time is over. A hint longer than Config.MaxHint
//     fails that one URL and holds nobody.
//   - When more than a quarter of a host's answers are 429, or five in a row, its requests begin a gap apart: 50 ms at first, then twice as much
//     each time, up to Config.Park. Answers 2xx make the gap smaller again after a second with few 429. Where twice the gap does not mean fewer of them, the
//     host refuses for other reasons than the speed, and is asked as before. While nothing but 429 comes, the host is also left alone, for Config.Park
//     and then twice as long each time, up to Config.MaxPark. A 429 uses up no attempt where the host was asked for anything else since the item's
//     last one, up to three times Config.Attempts for an item, or twenty times where the host says 429 most of the time. What has said nothing else for
//     Config.Patience is treated like a host that is down.
//   - When request after request fails, the host is parked: nothing is sent to it for a while, then one probe, and so on with
//     longer whiles until a probe succeeds. Waiting uses up no attempt, nor do these probes. If it is a URL which had failed before that succeeds, such URLs take
//     turns with new ones from then on: perhaps each has to fail a few times. When the host has been down for Config.Patience, its URLs use up
//     their attempts one by one.
//
// Meanwhile the other hosts go on, each in its turn: an item that waits holds no worker, only its place in Config.Window, and where that
// gets short a place in a temporary file. Redirects to another host wait for that host's turn like anything else.
//
// When five different hosts in a row cannot be reached for reasons that may be our own (no route, no name server, no proxy, a dial that takes too long), and
// nobody answers in between, the run pauses: one probe after the other is sent, each to another host, after Config.Park and then after longer and longer
// whiles up to Config.MaxPark, until any server answers. What failed because of it uses up no attempt. After Config.Patience everything goes on as if nothing were
// known. That a name does not exist, or that a host refuses, is no sign. A failure for want of file descriptors uses up no attempt for as long, either.
//
// # Going on
//
// A run that ended early, in whatever way, goes on when it is started again with the same Journal, which keeps the records in a file. What has
// a record there is not fetched again. The list may have grown meanwhile.
//
// # Saving bodies
//
// With Config.Dir every body goes into a file of its own, whose path is in the record:
//
//	DIR/example.com/3f/report-9a41c07d22be60f5.pdf
//
// The digits are a hash of the item's request: its id, method, URL, body and header. So the same item has the same path in every run, and items that
// differ in any of these have different ones. Items that do not differ share a file, take turns at it, and the last one's body stays. HEAD saves
// nothing.
//
// A file has its name only when it is whole: the length and Item.SHA256 are right, its bytes and its name are on the disk. Its record is written after that.
// So a record never speaks of a file that is not there, whatever happens to process or power; a file without a record is possible, and is fetched
// again. Until then the bytes are in a file whose name ends in .part.
//
// An attempt that brings a part of a body is not for nothing: the next one asks for the rest by Range, in the same run or in a later one, if
// the item is a GET without a Range and the server named the body by a strong validator. That is an ETag which is not weak, or, without one, a
// Last-Modified that was at least a minute old. The answer is taken only if it begins where the part ends, is of the same total and of the same validator, and comes from
// the same host and path, redirects included; anything else begins anew, so bytes of two versions are never put together. An attempt that
// brings such a body forward by 1 MiB or more does not count against Config.Attempts: a huge file gets there over a line that breaks again and
// again, or with a Timeout that is too short for all of it. The last attempt of
// such a body has the status 206, or 416 if nothing was missing but the end; the record has 200. A server that answers the question for the rest by a 4xx
// which is no word on the resource itself, as 400 or 431, is asked for the whole instead, and for the rest no more in this run; that attempt does not count either.
//
// For later runs the file .part.json says what the part is of. It is written, after the bytes it speaks of have reached the disk, every 8 MiB and when an attempt fails; a later
// run trusts only the bytes whose hash is in it. A power loss or kill costs at most what came since, which is
// less than 8 MiB a body; a failed item that got less than 64 KiB leaves nothing behind, nor does one whose part is of no use to anybody.
//
// A disk that is full, a directory that may not be written: these are no failures of items. They end the run, with ErrWrite and a *SaveError, and what
// has no record is still to do. A directory serves one run at a time.
//
// # Mirrors
//
// Item.Mirrors are other URLs of the same content. The item begins with its own URL, or, if that one's host is down, on hold or asked slowly at the moment, with
// the first mirror whose host is well. After a failure the next URL in turn has its chance: at once if the item has not asked it yet, else
// after the backoff. Each URL has Config.Attempts of its own. One that fails for good, by a status such as 404, a bad certificate, a body that is too large or for the second
// time not the one that Item.SHA256 is of, is not asked again for this item; the item fails when no URL is left. An item that waits for a
// host that is parked or put on hold goes over to a mirror that is well. When no host is well, it waits for the one that is free
// first.
//
// What is known of hosts is shared by all items: of a long list with a dead first host, only some twenty items, and a probe now and then, find
// out that it is dead.
//
// Only Item.SHA256 can tell that a mirror serves something else: without it, whatever comes first is taken. Item.Header goes to every
// URL, credentials included. A request that may not be repeated goes to a mirror only if no server can have seen it. The bytes of two
// URLs are never put together: a body that was cut is gone on with at the URL that it came from, and a mirror begins anew; hence an item stays where it is as long
// as an attempt brings 1 MiB or more. A later run begins with the item's own URL again.
//
// Record.Mirror tells who served, and Attempt.Mirror who was asked. ID and file name are the same in any case.
//
// # Hedging
//
// With Config.Hedge, a GET or HEAD that has brought no header of an answer for so long gets a second request: at a mirror whose host is well, if the item
// has one, else at the same host. The first that brings a good header goes on to the body, and the other is canceled; one that fails leaves the
// attempt to the other. Both together are one attempt of the record, marked as Attempt.Hedged, with one Config.Timeout, but each is counted in Counts.Attempts.
//
// A second request keeps all the limits that others keep, Config.PerHost, holds and rates among them, and goes before new items where there is room for one
// only. There is one for twenty requests at most, and one a second beside. A request for the rest of a body is not hedged. A canceled
// request over HTTP/1 costs its connection. A good Hedge is longer than nearly all answers take: what 95 of 100 need, or
// more.
//
// # Defaults
//
//	Concurrency 64, PerHost 8, Attempts 5
//	Timeout 30 s, Stall 15 s, Grace 10 s
//	Backoff 500 ms to 30 s, MaxHint 5 min
//	Park 1 s to 30 s, Patience 2 min
//	Window 100,000 items
//	Dir none, MaxSize any
//
// # Errors
//
// That items fail is not an error of Run; see Record.Error and its Kind. Run's own errors are ErrStopped, ErrTime, ErrFailures, ErrRead, ErrWrite
// and the end of its context. Where results were lost, it is ErrWrite, whatever else it is.
//
// # Concurrency, cancellation, panics
//
// One goroutine owns the state and calls the Sink; up to Config.Concurrency others make the requests; one more reads the Source; where bodies are saved, some sixty
// more wait for the disk. All have ended when
// Run returns (see Lines for the one exception). A panic, which only a Sink, a Source or a Transport can raise, ends the run.
//
// # Cost
//
// About 500 bytes for each item in memory, 2 KB for one that waits after a redirect, and what net/http takes for each running request. The input is not read further ahead
// than Config.Window, unless hosts that are slow or down hold up requests to others: then by up to ten windows of items in a row for hosts that are behind already, in
// a temporary file of about the size of these lines. What has been tried stays in memory, some twenty items of each host that is down: where these alone fill
// Config.Window, the other hosts wait for Config.Patience. A record may be kept back for 20 ms before the Sink is flushed. A body that is saved takes no memory but a buffer of 64 KiB. It
// waits twice for its disk, for its bytes and for its name. Of bodies below 1 MiB, up to 256 do so together, each with an open file, while other requests
// run; where the disk is behind by more, nothing is started until it has caught up. A larger one waits for its bytes as part of its request.
//
// # Mistakes
//
// Wrong: a Transport that decompresses bodies, which makes a body impossible to check against its length. Set
// DisableCompression.
//
// Wrong: a Journal for items with the same method and URL that differ in their bodies or headers. After an early end nobody knows which of
// them have been sent. Give each an ID.
package fetch
