package session

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// A responseWriter lets the session write its cookies at the last moment: when
// the handler sends the header, by whatever way.
//
// It has all the optional methods and hands them on; where the writer below
// lacks one, it answers with http.ErrNotSupported. Having Unwrap alone would not
// do: http.ResponseController would then flush past the session.
type responseWriter struct {
	http.ResponseWriter
	session *Session
}

// Unwrap is for http.ResponseController: deadlines and the like.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader: with a status of 1xx the header is not out yet, but for 101,
// which is final.
func (w *responseWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		w.session.commit(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseWriter) Write(b []byte) (int, error) {
	w.session.commit(w.Header())
	return w.ResponseWriter.Write(b)
}

// WriteString spares the copy io.WriteString would make.
func (w *responseWriter) WriteString(s string) (int, error) {
	w.session.commit(w.Header())
	return io.WriteString(w.ResponseWriter, s)
}

// ReadFrom keeps the road open by which files go out without a copy.
func (w *responseWriter) ReadFrom(src io.Reader) (int64, error) {
	w.session.commit(w.Header())
	return io.Copy(w.ResponseWriter, src)
}

// Flush is for handlers that ask for an http.Flusher.
func (w *responseWriter) Flush() { w.FlushError() }

// FlushError is what http.ResponseController looks for.
func (w *responseWriter) FlushError() error {
	w.session.commit(w.Header())
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack: whoever takes the connection writes the header too. What the session would
// have written is in Header, for those who look there.
func (w *responseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.session.commit(w.Header())
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
