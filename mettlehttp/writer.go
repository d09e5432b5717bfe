package mettlehttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// An answerWriter notes the status of an answer. Handlers that ask for a Flusher, a Hijacker or an io.ReaderFrom find one; where the server's writer
// has no such thing, Flush does nothing and Hijack says so.
type answerWriter struct {
	http.ResponseWriter
	status int // 0 while nothing was answered
}

func (w *answerWriter) begun() bool { return w.status != 0 }

func (w *answerWriter) WriteHeader(status int) {
	// Informational answers come before the real one, except for the one that ends HTTP.
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *answerWriter) Write(p []byte) (int, error) {
	w.implicit()
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets net/http copy from files without reading them.
func (w *answerWriter) ReadFrom(r io.Reader) (int64, error) {
	w.implicit()
	return io.Copy(w.ResponseWriter, r)
}

func (w *answerWriter) Flush() { _ = w.FlushError() }

func (w *answerWriter) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if err == nil {
		w.implicit() // what is flushed first are the headers
	}
	return err
}

func (w *answerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil && w.status == 0 {
		w.status = http.StatusSwitchingProtocols // whatever is said on it: there is no more to answer
	}
	return conn, rw, err
}

func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *answerWriter) implicit() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}
