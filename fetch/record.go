package fetch

import "time"

// A Record is the result of one item: one JSON line of the output.
type Record struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"` // as given, with its user and password if it has them
	OK        bool      `json:"ok"`
	Outcome   Outcome   `json:"outcome"`
	Status    int       `json:"status,omitempty"` // of the last answer, or of the one that began the body; absent if there was none
	Attempts  []Attempt `json:"attempts"`
	Error     *Error    `json:"error,omitempty"`
	Bytes     int64     `json:"bytes"`               // of the body if ok, else received in the last attempt
	SHA256    string    `json:"sha256,omitempty"`    // of the body, if ok
	Path      string    `json:"path,omitempty"`      // of the file with the body, if ok and Config.Dir is set: that and what is below it
	Complete  bool      `json:"complete"`            // the body's end was marked by the server, and reached
	ElapsedMS int64     `json:"elapsed_ms"`          // from the first attempt's start to the end, waits included
	Started   time.Time `json:"started"`             // of the first attempt
	FinalURL  string    `json:"final_url,omitempty"` // where redirects led, if they did
	Mirror    string    `json:"mirror,omitempty"`    // which of Item.Mirrors served the body, as given; absent if that was URL
}

// Outcome is how an item ended.
type Outcome string

const (
	OK     Outcome = "ok"     // a 2xx answer with its whole body, or the rest of one
	Failed Outcome = "failed" // anything else
)

// An Attempt is one request for an item, redirects included.
type Attempt struct {
	N          int       `json:"n"`                // from 1
	Mirror     string    `json:"mirror,omitempty"` // which of Item.Mirrors it was for; absent if it was for URL
	Started    time.Time `json:"started"`
	DurationMS int64     `json:"duration_ms"`
	Status     int       `json:"status,omitempty"`
	Error      string    `json:"error,omitempty"`    // the kind and the message
	WaitMS     int64     `json:"wait_ms"`            // since the attempt before it
	Hedged     bool      `json:"hedged,omitempty"`   // a second request was sent as the first took long; one attempt stands for both
	Replayed   bool      `json:"replayed,omitempty"` // made by net/http on its own, after a kept connection proved dead
}

// An Error says why an item failed.
type Error struct {
	Kind      Kind   `json:"kind"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"` // a later run may succeed
}

// Error is the kind and the message.
func (e *Error) Error() string { return string(e.Kind) + ": " + e.Message }

// Kind sorts failures.
type Kind string

const (
	KindStatus    Kind = "status"    // an answer that is not 2xx
	KindTimeout   Kind = "timeout"   // an attempt took longer than Config.Timeout
	KindStalled   Kind = "stalled"   // a body brought nothing for Config.Stall
	KindRefused   Kind = "refused"   // nothing listens there, or it cannot be reached
	KindReset     Kind = "reset"     // the connection broke before the answer, or within it
	KindDNS       Kind = "dns"       // the name could not be resolved
	KindTLS       Kind = "tls"       // no secure connection
	KindTruncated Kind = "truncated" // the body ended before its end, or was longer than announced, or a part that does not fit
	KindTooLarge  Kind = "too_large" // the body is larger than Config.MaxSize
	KindChecksum  Kind = "checksum"  // the body is not the one that Item.SHA256 is of
	KindRedirect  Kind = "redirect"  // too many redirects, or one that leads nowhere
	KindInvalid   Kind = "invalid"   // the input line is not an item
	KindHint      Kind = "hint"      // the server asked to wait longer than Config.MaxHint
	KindOther     Kind = "other"
)

// A Sink takes the records. Run calls it from one goroutine at a time. An error from it ends the run.
type Sink interface {
	// Write takes one record. It may keep it back.
	Write(*Record) error
	// Flush is called when Run has nothing else to do for the moment, and at its end.
	Flush() error
}
