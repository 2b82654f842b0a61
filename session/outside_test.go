package session

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// There are no lists of paths to skip: what Require wraps is protected, however the
// address is written, and what is beside it is a pattern of http.ServeMux.
func TestV31NoWrittenPathGetsAround(t *testing.T) {
	a := newApp(t)
	reached := 0
	a.mux.Handle("GET /public/{$}", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "for everybody") }))
	a.mux.Handle("/admin", a.m.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })))
	if got := body(a.browser().get("/public/")); got != "for everybody" {
		t.Fatalf("the public page says %q", got)
	}
	for _, target := range []string{
		"/admin", "/admin?/public/", "/admin?x=/public/", "/admin;/public/", "/admin#/public/", "//admin", "/public/../admin", "/public/..%2fadmin",
		"/public%2f..%2fadmin", "/./admin", "/admin/", "/admin/public/", "/ADMIN", "/PUBLIC/../admin", "/public//../admin", "/%61dmin", "/admin%00/public/",
	} {
		r := &http.Request{Method: "GET", URL: parseURL(t, appURL), Host: "app.example.com", Header: http.Header{"Accept": {"text/html"}}, RequestURI: target}
		u, err := r.URL.Parse(target)
		if err != nil {
			continue // net/http refuses it before any handler
		}
		r.URL = u
		a.handler.ServeHTTP(httptest.NewRecorder(), r)
		if reached != 0 {
			t.Fatalf("%s reaches the protected handler", target)
		}
	}
	b := a.browser()
	b.mustSignIn("alice")
	if b.get("/admin"); reached != 1 {
		t.Error("nobody can reach the protected handler")
	}
}

// Who is signed in is told by the context alone: a handler that trusts a header
// would trust what anybody sends.
func TestV32NoIdentityInHeaders(t *testing.T) {
	a := newApp(t)
	var got http.Header
	a.mux.Handle("/headers", a.m.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Clone() })))
	b := a.browser()
	b.mustSignIn("alice")
	r := b.request("GET", "/headers", "X-User", "mallory", "X_User", "mallory")
	sent := r.Header.Clone()
	b.send(r)
	if got == nil {
		t.Fatal("not signed in")
	}
	for name, values := range got {
		if !slices.Equal(values, sent[name]) {
			t.Errorf("%s became %q", name, values)
		}
	}
	if len(got) != len(sent) {
		t.Errorf("%d headers became %d", len(sent), len(got))
	}
}
