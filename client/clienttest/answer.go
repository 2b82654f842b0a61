package clienttest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

const (
	hugeSize  = 8 << 20 // of a huge answer
	hugeChunk = 32 << 10
)

// An endpointError is a refusal in the form of RFC 6749 section 5.2.
type endpointError struct {
	status            int
	code, description string
}

func invalidRequest(why string) *endpointError {
	return &endpointError{http.StatusBadRequest, "invalid_request", why}
}

func invalidGrant(why string) *endpointError {
	return &endpointError{http.StatusBadRequest, "invalid_grant", why}
}

func invalidClient(why string) *endpointError {
	return &endpointError{http.StatusUnauthorized, "invalid_client", why}
}

func (e *endpointError) write(w http.ResponseWriter) {
	if e.code == "invalid_client" {
		w.Header().Set("WWW-Authenticate", `Basic realm="clienttest"`)
	}
	writeJSON(w, e.status, map[string]any{"error": e.code, "error_description": e.description})
}

func writeJSON(w http.ResponseWriter, status int, members map[string]any) {
	writeBody(w, status, mustJSON(members))
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body)
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil { // the claims of a user, with a function or a channel among them
		panic("clienttest: " + err.Error())
	}
	return text
}

// writeHuge sends 8 MiB of white space, which may stand before any JSON. Whoever hangs
// up ends it.
func writeHuge(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	space := strings.Repeat(" ", hugeChunk)
	for range hugeSize / hugeChunk {
		if _, err := io.WriteString(w, space); err != nil {
			return
		}
	}
}

func writeHTML(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, "<!doctype html><title>Oops</title><p>Something went wrong, or somebody put a proxy here.")
}

func redirectElsewhere(w http.ResponseWriter) {
	w.Header().Set("Location", "https://"+elsewhere+"/")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func serverError(w http.ResponseWriter) {
	(&endpointError{http.StatusInternalServerError, "server_error", "out of order"}).write(w)
}
