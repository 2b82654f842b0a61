package interop

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Without any environment the example brings a provider along.
func TestDemo(t *testing.T) {
	site, err := startExample(t, "web")
	if err != nil {
		t.Fatal(err)
	}
	b := newTab(t)
	b.open(site)
	b.click("#sign-in")
	if at := b.url(); !strings.HasPrefix(at, "http://localhost:") {
		t.Fatalf("the sign-in page is at %s, want it at localhost, another site than %s", at, site)
	}
	b.click("button[name=subject][value=alice]")
	b.arrive(site, "#name")
	if got := b.read("#name"); got != "Alice Ashby" {
		t.Errorf("signed in as %q", got)
	}
	if got := b.reload().Status; got != http.StatusOK || b.read("#name") != "Alice Ashby" {
		t.Errorf("after a reload: %d, %s", got, b.text())
	}
	b.open(site + "/api")
	if got := b.read("#claims"); !strings.Contains(got, "alice@example.com") {
		t.Errorf("the API says %q", got)
	}
	b.click("#sign-out")
	b.arrive(site, "body")
	if got := b.text(); !strings.Contains(got, "You are signed out.") {
		t.Errorf("after signing out:\n%s", got)
	}
	wantNoCookies(t, b)
	b.open(site)
	b.click("#sign-in")
	b.arrive("http://localhost:", "button[name=subject]")
}

func TestSignInReloadSignOut(t *testing.T) {
	site := startSite(t, op)
	b := newTab(t)
	b.open(site)
	b.click("#sign-in")
	b.login(op, "alice", site)
	if got := b.read("#name"); got != "alice" {
		t.Errorf("signed in as %q", got)
	}
	if at := b.url(); at != site+"/" {
		t.Errorf("the sign-in ended at %s, want %s/", at, site)
	}
	wantSessionCookies(t, b)
	if got := b.reload().Status; got != http.StatusOK || b.read("#name") != "alice" {
		t.Errorf("after a reload: %d, %s", got, b.text())
	}
	b.open(site + "/api")
	if got := b.read("#claims"); !strings.Contains(got, "alice@example.com") {
		t.Errorf("the API says %q", got)
	}

	b.click("#sign-out")
	wantNoCookies(t, b) // signed out here, before the provider has asked anything
	b.arrive(origin(t, op.Issuer), "#ok")
	b.do(chromedp.Click(chromedp.CSS("#ok")))
	b.arrive(site, "#sign-in")
	wantNoCookies(t, b)

	b.click("#sign-in")
	b.arrive(origin(t, op.Issuer)+"/interaction/", "input[name=password]")
}

// wantSessionCookies checks the attributes of what a sign-in leaves, and that the
// attempt is gone.
func wantSessionCookies(t *testing.T, b *tab) {
	t.Helper()
	cookies := b.cookies("127.0.0.1")
	if len(cookies) == 0 {
		t.Fatal("no session cookie")
	}
	for _, c := range cookies {
		if !c.HTTPOnly || c.Path != "/" || c.SameSite != network.CookieSameSiteLax {
			t.Errorf("cookie %s: HttpOnly %v, Path %s, SameSite %q", c.Name, c.HTTPOnly, c.Path, c.SameSite)
		}
		if !strings.Contains(c.Name, "postern-example") {
			t.Errorf("cookie %s does not carry the name of the app", c.Name)
		}
		if strings.Contains(c.Name, "-login-") || strings.Contains(c.Name, "-post-") {
			t.Errorf("cookie %s outlives its sign-in", c.Name)
		}
	}
}

func wantNoCookies(t *testing.T, b *tab) {
	t.Helper()
	for _, c := range b.cookies("127.0.0.1") {
		t.Errorf("cookie %s is left behind", c.Name)
	}
}

// Where the person wanted to go survives the way through the provider, byte for byte.
func TestDeepLinks(t *testing.T) {
	site := startSite(t, op)
	for i, target := range []string{
		"/me?x=%2Fa&y=1+2&z=//c",
		"/me?next=https%3A%2F%2Fexample.com%2F%3Fa%3Db%26c&q=%E6%BC%A2%F0%9F%94%90&empty=&bare",
		"/me?a=1&a=2&%61=3&b=%20%2B+;c&d=()!*~",
		"/me?",
	} {
		b := newTab(t)
		b.open(site + target)
		b.login(op, "alice", site)
		if at := b.url(); at != site+target {
			t.Errorf("%d: the sign-in ended at %s, want %s", i, at, site+target)
		}
		if got := b.read("#asked"); got != target {
			t.Errorf("%d: the server saw %s, want %s", i, got, target)
		}
	}
}

// Two tabs stand at the provider's page before either is sent.
func TestTwoTabs(t *testing.T) {
	site := startSite(t, op)
	one := newTab(t)
	two := one.another()
	one.open(site + "/me?tab=1")
	two.open(site + "/me?tab=2")
	one.fillIn(op, "alice")
	two.fillIn(op, "alice")
	one.submit(op, site)
	two.submit(op, site)
	for _, c := range []struct {
		b    *tab
		want string
	}{{one, "/me?tab=1"}, {two, "/me?tab=2"}} {
		if at := c.b.url(); at != site+c.want || c.b.read("#name") != "alice" {
			t.Errorf("came to %s, want %s:\n%s", at, site+c.want, c.b.text())
		}
		if got := c.b.reload().Status; got != http.StatusOK || c.b.read("#name") != "alice" {
			t.Errorf("%s after a reload: %d", c.want, got)
		}
	}
	wantSessionCookies(t, one)
}

// Signing out in one tab forgets the sign-in that another has begun.
func TestSignOutForgetsAttempts(t *testing.T) {
	site := startSite(t, op)
	one := newTab(t)
	two := one.another()
	one.open(site + "/me?tab=1")
	two.open(site + "/me?tab=2")
	one.login(op, "alice", site)
	if n := len(one.cookies("127.0.0.1")); n < 2 {
		t.Errorf("%d cookies, want the session's and the attempt of the other tab", n)
	}
	one.click("#sign-out")
	wantNoCookies(t, one)
}

// A script gets an answer, not a sign-in page.
func TestFetch(t *testing.T) {
	site := startSite(t, op)
	b := newTab(t)
	// The example's own policy forbids its pages to fetch anything.
	b.bypassCSP()
	b.open(site)
	type answer struct {
		Status     int
		Redirected bool
		Type       string
		Cache      string
		Body       string
	}
	const fetch = `fetch(%s).then(async r => JSON.stringify({Status: r.status, Redirected: r.redirected,
		Type: r.headers.get('content-type'), Cache: r.headers.get('cache-control'), Body: await r.text()}))`
	get := func(arguments string) answer {
		t.Helper()
		var a answer
		if err := json.Unmarshal([]byte(eval[string](b, strings.Replace(fetch, "%s", arguments, 1))), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	before := op.requests(t, "/auth")
	for _, arguments := range []string{`'/me'`, `'/me', {headers: {Accept: 'text/html'}}`, `'/me', {method: 'HEAD'}`} {
		got := get(arguments)
		if got.Status != http.StatusUnauthorized || got.Redirected {
			t.Errorf("fetch(%s): %d, redirected: %v", arguments, got.Status, got.Redirected)
		}
		if !strings.Contains(got.Cache, "no-store") {
			t.Errorf("fetch(%s): Cache-Control %q", arguments, got.Cache)
		}
	}
	if got := get(`'/me'`); !strings.HasPrefix(got.Type, "application/problem+json") || !json.Valid([]byte(got.Body)) {
		t.Errorf("fetch: %s %s", got.Type, got.Body)
	}
	if n := op.requests(t, "/auth") - before; n != 0 {
		t.Errorf("%d scripts were sent to the provider", n)
	}
	if cookies := b.cookies("127.0.0.1"); len(cookies) != 0 {
		t.Errorf("a refused fetch left %d cookies", len(cookies))
	}

	b.click("#sign-in")
	b.login(op, "alice", site)
	if got := get(`'/me'`); got.Status != http.StatusOK || !strings.Contains(got.Body, "alice") {
		t.Errorf("fetch with a session: %d", got.Status)
	}
}

func (b *tab) bypassCSP() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, cdppage.SetBypassCSP, cdppage.SetBypassCSPParams{Enabled: true}); err != nil {
		b.t.Fatal(err)
	}
}

// Another site can neither sign anybody out nor use their session.
func TestFromAnotherSite(t *testing.T) {
	site := startSite(t, op)
	// At localhost this is another site than 127.0.0.1.
	attacker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<!doctype html><title>attacker</title>
<form method="post" action="` + site + `/auth/logout"><button id="post">post</button></form>
<a id="get" href="` + site + `/auth/logout">get</a> <a id="link" href="` + site + `/me?from=elsewhere">link</a>`))
	}))
	defer attacker.Close()
	elsewhere := strings.Replace(attacker.URL, "127.0.0.1", "localhost", 1)

	b := newTab(t)
	b.open(site + "/me")
	b.login(op, "alice", site)
	b.open(elsewhere)
	if got := b.click("#post").Status; got != http.StatusForbidden {
		t.Errorf("a logout form on another site: %d, want 403", got)
	}
	b.open(elsewhere)
	if got := b.click("#get").Status; got != http.StatusOK {
		t.Errorf("a link to the logout: %d, want a page that asks", got)
	}
	b.open(elsewhere)
	if got := b.click("#link").Status; got != http.StatusOK || b.read("#asked") != "/me?from=elsewhere" {
		t.Errorf("a link from another site: %d, %s: the session is not there any more", got, b.url())
	}
}

// A bookmark or the back button leads to a callback that is over: somebody with a
// session goes on to the app, and nobody is sent around in circles.
func TestCallbackAgain(t *testing.T) {
	site := startSite(t, op)
	b := newTab(t)
	used := chromedp.Events(b.ctx, network.RequestWillBeSent)
	b.open(site + "/me")
	b.login(op, "alice", site)
	var callback string
	for e, err := range used {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Request.URL, site+"/auth/callback") {
			callback = e.Request.URL
			break
		}
	}
	b.open(callback)
	b.arrive(site, "#name")

	stranger := newTab(t)
	if got := stranger.open(callback).Status; got < 400 || got >= 500 {
		t.Errorf("a stranger with the callback of somebody else: %d, want a refusal", got)
	}
	if at := stranger.url(); !strings.HasPrefix(at, site+"/auth/callback") {
		t.Errorf("a stranger was sent to %s", at)
	}
}
