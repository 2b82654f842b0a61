package main

import (
	"net/http"
	"net/url"
	"testing"
)

// TestVisit is one visit: sign in at a deep link, reload, call the API, sign out.
func TestVisit(t *testing.T) {
	site := start(t, map[string]string{"ADDR": "127.0.0.1:0"})
	b := newBrowser(t)

	b.want(b.open(site+"/"), site+"/", "Nobody is signed in.")

	const deep = "/me?tab=%2Fx&q=a+b"
	signIn := b.open(site + deep)
	if signIn.at.Hostname() != "localhost" {
		t.Fatalf("a page for members shows %s, want the provider's sign-in page", signIn.at)
	}
	me := b.submit(signIn, "alice", url.Values{"subject": {"alice"}})
	b.want(me, site+deep, `<b id="name">Alice Ashby</b>`)
	b.want(me, site+deep, "/me?tab=%2Fx&amp;q=a&#43;b")
	b.want(me, site+deep, "alice@example.com")

	b.want(b.open(site+deep), site+deep, "Alice Ashby")
	b.want(b.open(site+"/"), site+"/", `Hello, <span id="name">Alice Ashby</span>.`)
	b.want(b.open(site+"/api"), site+"/api", "the API answers")

	out := b.submit(b.open(site+"/"), "Sign out", nil)
	out.at.RawQuery = "" // the state of the sign-out
	b.want(out, site+"/auth/logout", "You are signed out.")
	b.want(b.open(site+"/"), site+"/", "Nobody is signed in.")
	if again := b.open(site + "/me"); again.at.Hostname() != "localhost" {
		t.Errorf("after signing out, a page for members shows %s", again.at)
	}
}

// TestScriptsGet401: what is not a page load is told, not redirected.
func TestScriptsGet401(t *testing.T) {
	site := start(t, map[string]string{"ADDR": "127.0.0.1:0"})
	b := newBrowser(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site+"/api", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Mode", "cors")
	req.Header.Set("Sec-Fetch-Dest", "empty")
	req.Header.Set("Accept", "*/*")
	if got := b.do(req); got.status != http.StatusUnauthorized {
		t.Errorf("fetch without a session: got %d, want 401", got.status)
	}
}

func TestHeaders(t *testing.T) {
	site := start(t, map[string]string{"ADDR": "127.0.0.1:0"})
	b := newBrowser(t)
	for path, contentType := range map[string]string{"/": "text/html; charset=utf-8", "/style.css": "text/css; charset=utf-8"} {
		got := b.open(site + path)
		for name, want := range map[string]string{
			"Content-Type":            contentType,
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff",
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got.header.Get(name), want)
			}
		}
	}
}

// TestSettings: what the environment gets wrong is said before anything starts.
func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a client without a provider": {map[string]string{"CLIENT_ID": "x"}, "CLIENT_ID without ISSUER: which provider is it for?"},
		"an address without a port":   {map[string]string{"ADDR": "localhost"}, `ADDR: "localhost" has no port`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := settings(func(name string) string { return tc.env[name] })
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// TestOwnProvider: with ISSUER the site starts even though nothing answers there.
func TestOwnProvider(t *testing.T) {
	site := start(t, map[string]string{
		"ISSUER":       "http://localhost:1",
		"CLIENT_ID":    "web",
		"ADDR":         "127.0.0.1:0",
		"REDIRECT_URL": "http://127.0.0.1:8080/auth/callback",
		"SECRET":       "aW5zdGVhZCBvZiAzMiByYW5kb20gYnl0ZXMgZm9yIGEgdGVzdA",
	})
	b := newBrowser(t)
	b.want(b.open(site+"/"), site+"/", "Nobody is signed in.")
	if got := b.open(site + "/me"); got.status != http.StatusServiceUnavailable && got.status != http.StatusBadGateway {
		t.Errorf("a provider that is down: got %d, want 502 or 503", got.status)
	}
}
