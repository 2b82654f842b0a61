package session

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// bareWriter has only what http.ResponseWriter asks for.
type bareWriter struct{ w http.ResponseWriter }

func (b bareWriter) Header() http.Header         { return b.w.Header() }
func (b bareWriter) Write(p []byte) (int, error) { return b.w.Write(p) }
func (b bareWriter) WriteHeader(status int)      { b.w.WriteHeader(status) }

// Whatever way the header goes out, the cookie is in it: one row for each way.
// The handlers run behind Require over a real connection.
func TestWriterFeatures(t *testing.T) {
	ways := map[string]struct {
		handle func(t *testing.T, w http.ResponseWriter)
		want   string
	}{
		"nothing written": {func(*testing.T, http.ResponseWriter) {}, ""},
		"WriteHeader":     {func(_ *testing.T, w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) }, ""},
		"Write":           {func(_ *testing.T, w http.ResponseWriter) { w.Write([]byte("text")) }, "text"},
		"WriteString":     {func(_ *testing.T, w http.ResponseWriter) { io.WriteString(w, "text") }, "text"},
		"ReadFrom": {func(t *testing.T, w http.ResponseWriter) {
			if n, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("text")); n != 4 || err != nil {
				t.Errorf("ReadFrom: %d, %v", n, err)
			}
		}, "text"},
		"io.Copy": {func(_ *testing.T, w http.ResponseWriter) { io.Copy(w, struct{ io.Reader }{strings.NewReader("text")}) }, "text"},
		"Flusher": {func(_ *testing.T, w http.ResponseWriter) { w.(http.Flusher).Flush(); io.WriteString(w, "text") }, "text"},
		"ResponseController.Flush": {func(t *testing.T, w http.ResponseWriter) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("Flush: %v", err)
			}
			io.WriteString(w, "text")
		}, "text"},
		"deadlines": {func(t *testing.T, w http.ResponseWriter) {
			c := http.NewResponseController(w)
			if err := errors.Join(c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}), c.EnableFullDuplex()); err != nil {
				t.Errorf("ResponseController: %v", err)
			}
		}, ""},
		"1xx first": {func(_ *testing.T, w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
			io.WriteString(w, "text")
		}, "text"},
		"event stream": {func(_ *testing.T, w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream")
			for range 3 {
				io.WriteString(w, "data: x\n\n")
				http.NewResponseController(w).Flush()
			}
		}, "data: x\n\ndata: x\n\ndata: x\n\n"},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.mustSignIn("alice")
			a.expireToken() // so that there is a cookie to be written
			handler := a.m.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { way.handle(t, w) }))
			server := httptest.NewServer(handler)
			defer server.Close()
			resp, err := server.Client().Do(overSocket(b, server.URL))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := body(resp); got != way.want {
				t.Errorf("body %q, want %q", got, way.want)
			}
			if !slices.Contains(setCookies(resp), "__Host-postern") {
				t.Errorf("the header has no session cookie: %v", resp.Header)
			}
		})
	}
}

// overSocket is a request of a signed-in browser for a real server.
func overSocket(b *browser, address string) *http.Request {
	r, err := http.NewRequest("GET", address+"/", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header = b.request("GET", "/", fetchHeaders...).Header
	r.Header.Del("Accept-Encoding")
	return r
}

// An event must arrive when it is flushed, not when the handler is done.
func TestEventsArriveAtOnce(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	next := make(chan struct{})
	server := httptest.NewServer(a.m.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 2 {
			io.WriteString(w, "data: x\n")
			w.(http.Flusher).Flush()
			<-next
		}
	})))
	defer server.Close()
	resp, err := server.Client().Do(overSocket(b, server.URL))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for range 2 {
		if line, err := lines.ReadString('\n'); err != nil || line != "data: x\n" {
			t.Errorf("%q, %v", line, err)
		}
		next <- struct{}{}
	}
}

func TestHijack(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.expireToken()
	for name, hijack := range map[string]func(http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"Hijacker": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() },
		"ResponseController": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(a.m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conn, rw, err := hijack(w)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				// The connection is long-lived, and the session of its request is not.
				if err := From(r.Context()).Set("x", nil); !errors.Is(err, ErrHeadersSent) {
					t.Errorf("Set after Hijack: %v", err)
				}
				io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
				rw.Flush()
			})))
			defer server.Close()
			r := overSocket(b, server.URL)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "echo")
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if got := body(resp); resp.StatusCode != http.StatusSwitchingProtocols || got != "hello" {
				t.Errorf("%d %q", resp.StatusCode, got)
			}
		})
	}
	a.wantUser(b, "alice") // the refresh before the hijack is not lost
	if n := refreshes(a); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

// A switch of protocols by WriteHeader is final, unlike the other 1xx.
func TestSwitchingProtocolsCommits(t *testing.T) {
	for status, want := range map[int]bool{100: false, 103: false, 101: true, 200: true, 404: true} {
		a := newApp(t)
		s := &Session{m: a.m, r: httptest.NewRequest("GET", "/", nil), reason: ReasonNoSession}
		w := &responseWriter{ResponseWriter: bareWriter{httptest.NewRecorder()}, session: s}
		w.WriteHeader(status)
		if s.out != want {
			t.Errorf("after %d the header is out: %v", status, s.out)
		}
	}
}

// What the writer below cannot do is an error, not a panic or a lie.
func TestWriterWithoutFeatures(t *testing.T) {
	a := newApp(t)
	recorder := httptest.NewRecorder()
	w := &responseWriter{ResponseWriter: bareWriter{recorder}, session: &Session{m: a.m, r: httptest.NewRequest("GET", "/", nil), reason: ReasonNoSession}}
	c := http.NewResponseController(w)
	_, _, hijack := c.Hijack()
	for name, err := range map[string]error{"Flush": c.Flush(), "Hijack": hijack, "SetReadDeadline": c.SetReadDeadline(time.Time{})} {
		if !errors.Is(err, http.ErrNotSupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.Flush()
	if _, err := w.ReadFrom(bytes.NewReader([]byte("text"))); err != nil || recorder.Body.String() != "text" {
		t.Errorf("ReadFrom: %v, %q", err, recorder.Body)
	}
}
