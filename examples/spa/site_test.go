package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// script sends what app.js sends from a page of the site.
func (b *browser) script(method, address, body string) shown {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, address, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-CSRF": "1", "Accept": "*/*", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty",
	} {
		req.Header.Set(name, value)
	}
	return b.do(req)
}

// decode reads the JSON of an answer.
func decode[T any](t *testing.T, answer shown) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer.body), &v); err != nil {
		t.Fatalf("%d: %v in %s", answer.status, err, answer.body)
	}
	return v
}

type state struct {
	SignedIn bool `json:"signed_in"`
	Reason   string
	Claims   map[string]string
	IdleIn   int `json:"idle_in"`
	Login    string
	Logout   string
}

type problem struct{ Reason, Login string }

// TestVisit is one visit: sign in, write a note, sign in once more to delete it, sign out.
func TestVisit(t *testing.T) {
	site := start(t, map[string]string{"ADDR": "127.0.0.1:0"})
	b := newBrowser(t)

	nobody := decode[state](t, b.script("GET", site+"/auth/session", ""))
	if nobody.SignedIn || nobody.Reason != "no-session" {
		t.Fatalf("before: %+v", nobody)
	}
	if got := b.script("GET", site+"/api/notes", ""); got.status != http.StatusUnauthorized || decode[problem](t, got).Login != nobody.Login {
		t.Fatalf("the API, for nobody: %d %s", got.status, got.body)
	}
	b.want(b.submit(b.open(site+nobody.Login+"?return_to=%2F"), "alice", url.Values{"subject": {"alice"}}), site+"/", "/app.js")

	alice := decode[state](t, b.script("GET", site+"/auth/session", ""))
	if !alice.SignedIn || alice.Claims["sub"] != "alice" || alice.Claims["name"] != "Alice Ashby" || len(alice.Claims) != 2 || alice.IdleIn < 1 {
		t.Fatalf("after: %+v", alice)
	}
	if got := b.script("POST", site+"/api/notes", `"buy <milk>"`); got.status != http.StatusCreated {
		t.Fatalf("a note: %d %s", got.status, got.body)
	}
	notes := func() string {
		return strings.Join(decode[[]string](t, b.script("GET", site+"/api/notes", "")), "|")
	}
	if got := notes(); got != "buy <milk>" {
		t.Errorf("notes %q", got)
	}

	refused := b.script("DELETE", site+"/api/notes", "")
	again := decode[problem](t, refused)
	if refused.status != http.StatusUnauthorized || !strings.Contains(again.Login, "?step_up=") || notes() == "" {
		t.Fatalf("to delete with a weak sign-in: %d %s", refused.status, refused.body)
	}
	b.stepUp(b.open(site+again.Login+"&return_to=%2F"), site)
	if got := b.script("DELETE", site+"/api/notes", ""); got.status != http.StatusNoContent || notes() != "" {
		t.Errorf("to delete with a strong one: %d %s", got.status, got.body)
	}

	out := b.submitTo(site + alice.Logout)
	out.at.RawQuery = "" // the state of the sign-out
	b.want(out, site+"/auth/logout", "You are signed out.")
	if got := decode[state](t, b.script("GET", site+"/auth/session", "")); got.SignedIn {
		t.Errorf("after signing out: %+v", got)
	}
}

// stepUp ends a sign-in at the provider, which may or may not show its page again.
func (b *browser) stepUp(p shown, site string) {
	b.Helper()
	if p.at.Hostname() == "localhost" {
		p = b.submit(p, "alice", url.Values{"subject": {"alice"}})
	}
	b.want(p, site+"/", "/app.js")
}

// submitTo posts the form that the page has for signing out.
func (b *browser) submitTo(address string) shown {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Origin", u.Scheme+"://"+u.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

// TestOtherSites: with the user's cookie, and without what only a script of this page can send.
func TestOtherSites(t *testing.T) {
	site := start(t, map[string]string{"ADDR": "127.0.0.1:0"})
	b := newBrowser(t)
	b.submit(b.open(site+"/auth/login"), "alice", url.Values{"subject": {"alice"}})
	for _, path := range []string{"/auth/session", "/api/notes"} {
		got := b.open(site + path)
		if got.status != http.StatusForbidden || strings.Contains(got.body, "alice") {
			t.Errorf("%s without the header: %d %s", path, got.status, got.body)
		}
	}
}

// TestPage: everything that runs is in files of this site, and uses what the server has.
func TestPage(t *testing.T) {
	site := start(t, map[string]string{"ADDR": "127.0.0.1:0"})
	b := newBrowser(t)
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
	for path, contentType := range map[string]string{
		"/": "text/html; charset=utf-8", "/app.js": "text/javascript; charset=utf-8", "/style.css": "text/css; charset=utf-8",
	} {
		got := b.open(site + path)
		if got.status != http.StatusOK || got.header.Get("Content-Type") != contentType || got.header.Get("Content-Security-Policy") != policy {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
	}
	page := b.open(site + "/").body
	for _, inline := range []string{`<script>`, `<style`, ` style=`, ` on[a-z]+=`, `javascript:`, `https?://`} {
		if found := regexp.MustCompile(inline).FindString(page); found != "" {
			t.Errorf("the page has %q, which the policy forbids", found)
		}
	}
	script, err := os.ReadFile("app.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range regexp.MustCompile(`(?:at|show)\("([a-z-]+)"`).FindAllStringSubmatch(string(script), -1) {
		if !strings.Contains(page, `id="`+id[1]+`"`) {
			t.Errorf("the script looks for %q, which is not in the page", id[1])
		}
	}
	for _, forbidden := range []string{"innerHTML", "eval(", "localStorage", "sessionStorage", "document.cookie"} {
		if strings.Contains(string(script), forbidden) {
			t.Errorf("the script uses %s", forbidden)
		}
	}
}

// TestSettings: what the environment gets wrong is said before anything starts.
func TestSettings(t *testing.T) {
	for name, tc := range map[string]struct {
		env  map[string]string
		want string
	}{
		"a client without a provider": {map[string]string{"CLIENT_ID": "x"}, "CLIENT_ID or API_URL without ISSUER: which provider is it for?"},
		"an API without a provider":   {map[string]string{"API_URL": "x"}, "CLIENT_ID or API_URL without ISSUER: which provider is it for?"},
		"a provider without an API":   {map[string]string{"ISSUER": "https://op.example.com"}, "ISSUER without API_URL: which API takes its tokens?"},
		"an address without a port":   {map[string]string{"ADDR": "localhost"}, `ADDR: "localhost" has no port`},
		"every address, demo":         {map[string]string{"ADDR": ":0"}, `ADDR ":0" is every address of this machine: REDIRECT_URL must say which one people use`},
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
	env := map[string]string{
		"ISSUER":    "http://localhost:1",
		"CLIENT_ID": "web",
		"API_URL":   "https://api.example.com/v1",
		"ADDR":      "127.0.0.1:0",
		"SECRET":    "aW5zdGVhZCBvZiAzMiByYW5kb20gYnl0ZXMgZm9yIGEgdGVzdA",
	}
	site := start(t, env)
	b := newBrowser(t)
	b.want(b.open(site+"/"), site+"/", "/app.js")
	if got := b.open(site + "/auth/login"); got.status != http.StatusServiceUnavailable && got.status != http.StatusBadGateway {
		t.Errorf("a provider that is down: got %d, want 502 or 503", got.status)
	}
	env["API_URL"] = "http://api.example.com"
	err := run(t.Context(), func(name string) string { return env[name] }, errWriter{})
	if err == nil || !strings.Contains(err.Error(), "neither https nor http on a loopback host") {
		t.Errorf("an API by http: %v", err)
	}
}

type errWriter struct{}

func (errWriter) Write([]byte) (int, error) { return 0, errors.New("nothing should be printed") }
