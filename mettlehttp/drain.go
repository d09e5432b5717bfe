package mettlehttp

import (
	"bytes"
	"io"
	"net/http"
	"time"
)

// What is read of the body of an answer that is a failure, so that its connection can serve again.
const (
	drainBytes = 64 << 10
	drainTime  = 250 * time.Millisecond
)

// readAhead reads what there is of the body, closes it, and reports whether that was all: then resp has it still.
func readAhead(resp *http.Response) bool {
	body := resp.Body
	if resp.StatusCode == http.StatusSwitchingProtocols || resp.ContentLength > drainBytes {
		body.Close()
		return false
	}
	// net/http's bodies may be closed while they are read, which ends the read.
	t := time.AfterFunc(drainTime, func() { body.Close() })
	data, err := io.ReadAll(io.LimitReader(body, drainBytes+1))
	inTime := t.Stop()
	body.Close()
	if err != nil || !inTime || len(data) > drainBytes {
		return false
	}
	if len(data) == 0 {
		resp.Body = http.NoBody
	} else {
		resp.Body = io.NopCloser(bytes.NewReader(data))
	}
	return true
}
