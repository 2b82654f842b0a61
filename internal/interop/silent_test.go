package interop

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/postern-go/postern/session"
)

// A page for everybody greets who is signed in at the provider, and asks nobody anything.
// It costs one detour, whatever comes of it.
func TestSilentSignInInChromium(t *testing.T) {
	p := startSecureProvider(t)
	a := startSecureApp(t, p, nil, nil)
	a.mux.Handle("/public", a.auth.Silently(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><p id=hello>hello %s</p>", session.From(r.Context()).Subject())
	})))
	b := newTab(t)
	visit := func(greeting string, detours int, how func()) {
		t.Helper()
		n := p.asks(t, how)
		b.awaitText("#hello", greeting)
		if n != detours {
			t.Errorf("%s: %d detours, want %d", greeting, n, detours)
		}
		if b.url() != a.url+"/public"+deepLink {
			t.Errorf("%s: at %s", greeting, b.url())
		}
	}
	public := func() { b.open(a.url + "/public" + deepLink) }
	visit("hello", 1, public)
	visit("hello", 0, func() { b.reload() })
	visit("hello", 0, public)

	b.open(a.url + "/who")
	b.login(p, "alice", a.url)
	b.awaitText("#who", "alice")
	visit("hello alice", 0, public)

	// The session here is gone, that at the provider goes on.
	forgetSession(b)
	visit("hello alice", 1, public)
	visit("hello alice", 0, func() { b.reload() })

	// A stranger to this app is not asked to consent.
	other := startSecureApp(t, p, nil, func(cfg *session.Config) { cfg.Name = "other" })
	other.mux.Handle("/public", other.auth.Silently(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", session.From(r.Context()).Subject())
	})))
	for _, detours := range []int{1, 0} {
		if n := p.asks(t, func() { b.open(other.url + "/public") }); n != detours || b.url() != other.url+"/public" {
			t.Errorf("where nothing was granted yet: %d detours, want %d, at %s", n, detours, b.url())
		}
	}
}
