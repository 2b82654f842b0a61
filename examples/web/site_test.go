package main

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
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
		"every address, demo":         {map[string]string{"ADDR": ":0"}, `ADDR ":0" is every address of this machine: REDIRECT_URL must say which one people use`},
		"every address": {map[string]string{"ADDR": "0.0.0.0:0", "ISSUER": "https://op.example.com", "CLIENT_ID": "web"},
			`ADDR "0.0.0.0:0" is every address of this machine: REDIRECT_URL must say which one people use`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := settings(func(name string) string { return tc.env[name] })
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// TestAddressIsThatOfTheRedirectURL: a sign-in that begins under another name of the
// same machine loses its cookie.
func TestAddressIsThatOfTheRedirectURL(t *testing.T) {
	for _, env := range []map[string]string{
		{"ADDR": "localhost:0"},
		{"ADDR": "localhost:0", "ISSUER": "https://op.example.com", "CLIENT_ID": "web"},
		{"ADDR": ":0", "ISSUER": "https://op.example.com", "CLIENT_ID": "web", "REDIRECT_URL": "https://app.example.com/cb"},
	} {
		set, err := settings(func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(set.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		want := "http://localhost:" + port
		if env["REDIRECT_URL"] != "" {
			want = "https://app.example.com"
		}
		if set.address != want || !strings.HasPrefix(set.client.RedirectURL, want+"/") {
			t.Errorf("%v: open %s, back to %s, want both at %s", env, set.address, set.client.RedirectURL, want)
		}
		if err := errors.Join(set.listener.Close(), set.close()); err != nil {
			t.Error(err)
		}
	}
}

// TestOwnProvider: with ISSUER the site starts even though nothing answers there.
func TestOwnProvider(t *testing.T) {
	site := start(t, map[string]string{
		"ISSUER":    "http://localhost:1",
		"CLIENT_ID": "web",
		"ADDR":      "127.0.0.1:0",
		"SECRET":    "aW5zdGVhZCBvZiAzMiByYW5kb20gYnl0ZXMgZm9yIGEgdGVzdA",
	})
	b := newBrowser(t)
	b.want(b.open(site+"/"), site+"/", "Nobody is signed in.")
	if got := b.open(site + "/me"); got.status != http.StatusServiceUnavailable && got.status != http.StatusBadGateway {
		t.Errorf("a provider that is down: got %d, want 502 or 503", got.status)
	}
}
