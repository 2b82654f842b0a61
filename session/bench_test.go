package session

import (
	"net/http"
	"testing"
)

// discardWriter costs nothing, and has a new header for each request as a
// server's has.
type discardWriter struct{ header http.Header }

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *discardWriter) WriteHeader(int)             {}

// BenchmarkRequire is the whole middleware beside the handler alone, and beside
// the opening of the cookie, which is most of it.
func BenchmarkRequire(b *testing.B) {
	a := newApp(b)
	user := a.browser()
	user.mustSignIn("alice")
	page := []byte("hello")
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(page) })
	r := user.request("GET", "/", fetchHeaders...)
	b.Run("bare", func(b *testing.B) { serve(b, handler, r) })
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if rec, err := a.m.cookies.readSession(r); rec == nil || err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("require", func(b *testing.B) { serve(b, a.m.Require(handler), r) })
}

func serve(b *testing.B, h http.Handler, r *http.Request) {
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&discardWriter{header: make(http.Header)}, r)
	}
}

// TestRequireAllocations gates what Require adds to opening the cookie.
func TestRequireAllocations(t *testing.T) {
	a := newApp(t)
	user := a.browser()
	user.mustSignIn("alice")
	handler := a.m.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(nil) }))
	r := user.request("GET", "/", fetchHeaders...)
	opening := testing.AllocsPerRun(100, func() { a.m.cookies.readSession(r) })
	whole := testing.AllocsPerRun(100, func() { handler.ServeHTTP(&discardWriter{header: make(http.Header)}, r) })
	if added := whole - opening; added > 15 {
		t.Errorf("%v allocations beside the %v of opening the cookie", added, opening)
	}
}
