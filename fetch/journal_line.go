package fetch

import (
	"bytes"
	"encoding/json"
	"errors"
)

var errNotResult = errors.New("not a result")

// resultOf returns the id and the URL of the record that line is, and the kind of its failure, "" if it is ok. They are good as
// long as line is.
func resultOf(line []byte) (id, url []byte, kind Kind, err error) {
	if id, url, kind, ok := ownResult(line); ok {
		return id, url, kind, nil
	}
	return anyResult(line)
}

// How Record.Line begins.
var (
	startID    = []byte(`{"id":"`)
	startURL   = []byte(`","url":"`)
	startOK    = []byte(`","ok":`)
	wasOK      = []byte(`true,"outcome":"ok",`)
	wasFailed  = []byte(`false,"outcome":"failed",`)
	startError = []byte(`"error":{"kind":"`)
	startPath  = []byte(`,"path":"`) // by the same reasoning, in no string
	nearEnd    = []byte(`,"elapsed_ms":`)
)

// ownResult reads a line that stands as Record.Line writes nearly all: the fields in its order, and no escapes in id and URL. It is
// twenty times as fast as package json, with which ten million lines would take more than a minute.
func ownResult(line []byte) (id, url []byte, kind Kind, ok bool) {
	rest, ok := bytes.CutPrefix(line, startID)
	if !ok || line[len(line)-1] != '}' {
		return nil, nil, "", false
	}
	id, rest, ok = plainUntil(rest, startURL)
	if !ok {
		return nil, nil, "", false
	}
	url, rest, ok = plainUntil(rest, startOK)
	if !ok {
		return nil, nil, "", false
	}
	// No string can hold such bytes, whatever a server wrote into its error message: the first quote within would have a backslash
	// before it. And only the record itself has these fields. Without nearEnd, the last brace may be an attempt's.
	if bytes.LastIndex(rest, nearEnd) < 0 {
		return nil, nil, "", false
	}
	if bytes.HasPrefix(rest, wasOK) {
		return id, url, "", true
	}
	if !bytes.HasPrefix(rest, wasFailed) {
		return nil, nil, "", false
	}
	at := bytes.Index(rest, startError)
	if at < 0 {
		return nil, nil, "", false
	}
	rest = rest[at+len(startError):]
	end := bytes.IndexByte(rest, '"')
	if end <= 0 || bytes.IndexByte(rest[:end], '\\') >= 0 {
		return nil, nil, "", false
	}
	return id, url, kindOf(rest[:end]), true
}

// plainUntil cuts a string without escapes from b, together with the end that must follow it.
func plainUntil(b, end []byte) (s, rest []byte, ok bool) {
	n := bytes.IndexByte(b, '"')
	if n < 0 || !bytes.HasPrefix(b[n:], end) || bytes.IndexByte(b[:n], '\\') >= 0 {
		return nil, nil, false
	}
	return b[:n], b[n+len(end):], true
}

// kindOf spares the usual kinds a string each.
func kindOf(b []byte) Kind {
	switch Kind(b) {
	case KindStatus:
		return KindStatus
	case KindTimeout:
		return KindTimeout
	case KindRefused:
		return KindRefused
	case KindReset:
		return KindReset
	case KindDNS:
		return KindDNS
	}
	return Kind(b)
}

// anyResult reads a record in any form that JSON allows, as other programs may leave it.
func anyResult(line []byte) (id, url []byte, kind Kind, err error) {
	var r struct {
		ID      *string  `json:"id"`
		URL     *string  `json:"url"`
		OK      *bool    `json:"ok"`
		Outcome Outcome  `json:"outcome"`
		Error   struct { // absent if ok
			Kind Kind `json:"kind"`
		} `json:"error"`
	}
	if json.Unmarshal(line, &r) != nil || r.ID == nil || r.URL == nil || r.OK == nil {
		return nil, nil, "", errNotResult
	}
	switch {
	case *r.OK && r.Outcome == OK:
		return []byte(*r.ID), []byte(*r.URL), "", nil
	case !*r.OK && r.Outcome == Failed && r.Error.Kind != "":
		return []byte(*r.ID), []byte(*r.URL), r.Error.Kind, nil
	}
	return nil, nil, "", errNotResult
}

// judgeTail says how many of the bytes that follow the last newline of a file are a result, which then only lacks its own: 0 if they are
// the beginning of one, to be cut off. It returns errNotResult for anything that mettle cannot have left behind, as that belongs to
// somebody. So may a file that has nothing but zeros.
func judgeTail(b []byte, first bool) (keep int, err error) {
	// After a power cut a file may be longer than what reached the disk, and the difference reads as zeros.
	b = bytes.TrimRight(b, "\x00")
	if _, _, _, err := resultOf(b); err == nil {
		return len(b), nil
	}
	if first && len(b) == 0 || json.Valid(b) || !beginsResult(b) {
		return 0, errNotResult
	}
	return 0, nil
}

// beginsResult reports whether b, which is not whole, may be the beginning of what Record.Line returns.
func beginsResult(b []byte) bool {
	for i, literal := range [][]byte{startID, startURL, startOK} {
		if len(b) <= len(literal) {
			return bytes.HasPrefix(literal, b)
		}
		rest, ok := bytes.CutPrefix(b, literal)
		if !ok {
			return false
		}
		if b = rest; i < 2 { // a string follows
			b = b[stringEnd(b):]
		}
	}
	for _, after := range [][]byte{wasOK, wasFailed} {
		if bytes.HasPrefix(b, after) || bytes.HasPrefix(after, b) {
			return true
		}
	}
	return false
}

// stringEnd is where the quote is that ends the string which b is inside of, or len(b).
func stringEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(b)
}
