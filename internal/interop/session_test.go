package interop

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// Fifty requests at once, all with an access token that has run out and the same
// refresh token, which the provider takes once.
func TestFiftyRequestsOneRefresh(t *testing.T) {
	a := startApp(t, op, shortLived, nil)
	_, old := a.signedIn(t, "alice")
	a.expire(t, op)

	refreshes := op.count(t, a.reg.ID, "grant.success", "refresh_token")
	arrivals, tokenRequests := a.entered.Load(), op.requests(t, "/token")
	op.control(t, "hold", map[string]string{"path": "/token"})
	released := false
	release := func() {
		if !released {
			released = true
			op.control(t, "release", struct{}{})
		}
	}
	defer release()

	const n = 50
	answers := make([]*http.Response, n)
	got := make([]seen, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i], got[i], errs[i] = a.callAPI(old) })
	}
	eventually(t, "all fifty inside, and the refresh at the provider", func() (bool, error) {
		return a.entered.Load()-arrivals == n && op.requests(t, "/token") > tokenRequests, nil
	})
	release()
	wg.Wait()

	var fresh *http.Response
	for i := range n {
		switch {
		case errs[i] != nil:
			t.Errorf("request %d: %v", i, errs[i])
		case got[i].Status != http.StatusOK || got[i].Subject != "alice":
			t.Errorf("request %d: userinfo answered %d about %q", i, got[i].Status, got[i].Subject)
		case got[i].AccessToken != got[0].AccessToken:
			t.Errorf("request %d has a token of its own", i)
		case len(answers[i].Cookies()) > 0:
			fresh = answers[i]
		}
	}
	wantOneRefresh := func(when string) {
		t.Helper()
		if n := op.count(t, a.reg.ID, "grant.success", "refresh_token") - refreshes; n != 1 {
			t.Errorf("%s: %d refreshes at the provider, want 1", when, n)
		}
		if n := op.count(t, a.reg.ID, "grant.error", "refresh_token"); n != 0 {
			t.Errorf("%s: %d refreshes were refused, want none", when, n)
		}
		if n := op.requests(t, "/token") - tokenRequests; n != 1 {
			t.Errorf("%s: %d token requests, want 1", when, n)
		}
	}
	wantOneRefresh("fifty at once")
	if t.Failed() {
		return
	}

	// All fifty answers are lost on the way: the old cookie is still good.
	if _, got, err := a.callAPI(old); err != nil || got.Status != http.StatusOK {
		t.Errorf("the old cookie afterwards: %d, %v", got.Status, err)
	}
	if fresh == nil {
		t.Fatal("none of the fifty answers brought the new tokens")
	}
	if _, got, err := a.callAPI(newest(old, fresh.Cookies())); err != nil || got.Status != http.StatusOK {
		t.Errorf("the new cookie: %d, %v", got.Status, err)
	}
	wantOneRefresh("with both cookies")
}

// A browser may send one callback several times at once (a double click, a proxy that
// retries). The code is sent once, or the provider would take the answer back.
func TestParallelCallbacks(t *testing.T) {
	a := startApp(t, op, nil, nil)
	person := newPerson(t, a.url+"/auth/callback")
	end, _ := person.open(a.url + "/who?deep=link").signIn("alice")
	callback := strings.TrimPrefix(end.url.String(), a.url)
	attempt := a.jarCookies(t, person)

	const n = 20
	answers := make([]*http.Response, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i], _, errs[i] = a.get(callback, attempt) })
	}
	wg.Wait()
	for i := range n {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if got := answers[i].Header.Get("Location"); answers[i].StatusCode != http.StatusSeeOther || got != "/who?deep=link" {
			t.Errorf("callback %d: %s to %q", i, answers[i].Status, got)
			continue
		}
		if _, got, err := a.callAPI(newest(nil, answers[i].Cookies())); err != nil || got.Status != http.StatusOK {
			t.Errorf("the session of callback %d: userinfo %d, %v", i, got.Status, err)
		}
	}
	if n := op.count(t, a.reg.ID, "grant.success", "authorization_code"); n != 1 {
		t.Errorf("the code was traded %d times, want once", n)
	}
	if n := op.count(t, a.reg.ID, "grant.error", "authorization_code"); n != 0 {
		t.Errorf("the code was refused %d times, want never", n)
	}
}

// The API refuses an access token that should still be good: the session's client
// refreshes once and sends the request again.
func TestRefreshAfterRefusal(t *testing.T) {
	a := startApp(t, op, nil, nil)
	_, cookies := a.signedIn(t, "alice")
	op.control(t, "forget-access-tokens", map[string]string{"client": a.reg.ID})
	_, got, err := a.callAPI(cookies)
	if err != nil || got.Status != http.StatusOK || got.Subject != "alice" {
		t.Errorf("userinfo %d about %q, %v", got.Status, got.Subject, err)
	}
	if n := op.count(t, a.reg.ID, "grant.success", "refresh_token"); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}

// The provider ends the grant; at the next refresh the session ends too.
func TestDeadGrantEndsTheSession(t *testing.T) {
	a := startApp(t, op, shortLived, nil)
	person, cookies := a.signedIn(t, "alice")
	a.expire(t, op)

	// Signing out at the provider by another road kills the refresh token.
	question := person.open(op.endpoint(t, "end_session_endpoint") + "?client_id=" + a.reg.ID)
	question.submit("logout", "yes")

	resp, body, err := a.get("/api", cookies)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a script gets %s, want 401:\n%s", resp.Status, body)
	}
	if n := op.count(t, a.reg.ID, "grant.error", "refresh_token"); n != 1 {
		t.Errorf("%d refused refreshes, want 1", n)
	}
	end, asked := person.open(a.url + "/who").signIn("bob")
	if asked != 1 || !strings.Contains(end.body, ">bob<") {
		t.Errorf("asked %d times, ended on %s:\n%s", asked, end.url, end.body)
	}
}

// A provider that is down signs nobody out.
func TestProviderDown(t *testing.T) {
	mortal := startProvider(t)
	a := startApp(t, mortal, shortLived, nil)
	_, cookies := a.signedIn(t, "alice")
	a.expire(t, mortal)
	mortal.cmd.Process.Kill()
	for range 3 {
		resp, body, err := a.get("/who", cookies)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), ">alice<") {
			t.Errorf("with the provider down: %s:\n%s", resp.Status, body)
		}
		for _, c := range resp.Cookies() {
			if c.MaxAge < 0 {
				t.Errorf("with the provider down cookie %s is cleared", c.Name)
			}
		}
	}
}

// The answer comes as a form that the provider's page posts from another site: no
// Lax cookie is sent with it. The attempt's cookie says None, so it arrives.
func TestFormPostInChromium(t *testing.T) {
	a := startApp(t, op, nil, func(cfg *session.Config) {
		cfg.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) { return formPost, nil }
	})
	b := newTab(t)
	posts := chromedp.Events(b.ctx, network.RequestWillBeSent)
	b.open(a.url + "/who?way=form_post")
	b.arrive(origin(t, op.Issuer)+"/interaction/", "input[name=password]")
	for _, c := range b.cookies("127.0.0.1") {
		if c.SameSite != network.CookieSameSiteNone || !c.Secure || !c.HTTPOnly {
			t.Errorf("attempt cookie %s: SameSite %q, Secure %v, HttpOnly %v; without SameSite it would be sent for two minutes only", c.Name, c.SameSite, c.Secure, c.HTTPOnly)
		}
	}
	b.login(op, "alice", a.url)
	b.arrive(a.url+"/who", "#who")
	if got := b.read("#who"); got != "alice" || b.url() != a.url+"/who?way=form_post" {
		t.Errorf("%q at %s", got, b.url())
	}
	for e, err := range posts {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.Request.URL, a.url+"/auth/callback") {
			if e.Request.Method != http.MethodPost {
				t.Errorf("the callback came by %s, want POST", e.Request.Method)
			}
			break
		}
	}
	for _, c := range b.cookies("127.0.0.1") {
		if c.SameSite == network.CookieSameSiteNone {
			t.Errorf("cookie %s with SameSite=None outlives the sign-in", c.Name)
		}
	}
}

// A Strict session cookie is not sent on the redirect that ends a sign-in at
// another site, so the callback answers with a page that goes on by itself.
func TestStrictSessionInChromium(t *testing.T) {
	a := startApp(t, op, nil, func(cfg *session.Config) { cfg.SameSite = http.SameSiteStrictMode })
	b := newTab(t)
	b.open(a.url + "/who?a=%2F&b=1+2")
	b.login(op, "alice", a.url)
	b.arrive(a.url+"/who", "#who")
	if got := b.url(); got != a.url+"/who?a=%2F&b=1+2" {
		t.Errorf("the sign-in ended at %s", got)
	}
	if n := op.count(t, a.reg.ID, "grant.success", "authorization_code"); n != 1 {
		t.Errorf("%d sign-ins, want 1", n)
	}
	for _, c := range b.cookies("127.0.0.1") {
		if c.SameSite != network.CookieSameSiteStrict {
			t.Errorf("cookie %s: SameSite %q", c.Name, c.SameSite)
		}
	}
	if got := b.reload().Status; got != http.StatusOK || b.read("#who") != "alice" {
		t.Errorf("after a reload: %d", got)
	}
}
