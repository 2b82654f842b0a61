package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

func TestSignOut(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) { cfg.session.PostLogoutRedirectURL = appURL + "/auth/logout" })
	b := a.browser()
	b.mustSignIn("alice")
	b.begin("/auth/login") // one more attempt, in another tab
	b.get("/")
	form := b.get("/auth/logout")
	text := a.wantOurPage(form)
	if !strings.Contains(text, `<form method="post" action="/auth/logout">`) {
		t.Fatalf("no form: %s", text)
	}
	a.wantUser(b, "alice")
	if form.Header.Get("Referrer-Policy") == "no-referrer" {
		t.Error("the form would be sent with Origin: null")
	}
	held := b.request("GET", "/", fetchHeaders...)
	resp := b.post("/auth/logout")
	if deleted := fmt.Sprint(setCookies(resp)); strings.Contains(deleted, "silent") {
		t.Errorf("a cookie that there is not is deleted: %s", deleted)
	}
	if names := b.jar.names(); !slices.Equal(names, []string{"__Host-postern-logout"}) {
		t.Errorf("cookies until the way back: %q", names)
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Clear-Site-Data") != "" {
		t.Errorf("header %v", resp.Header)
	}
	to := parseURL(t, resp.Header.Get("Location"))
	q := to.Query()
	if resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), a.op.Issuer()+"/") ||
		q.Get("id_token_hint") == "" || q.Get("post_logout_redirect_uri") != appURL+"/auth/logout" || q.Get("state") == "" {
		t.Errorf("%d to %s", resp.StatusCode, to)
	}
	a.wantNoTrouble()
	if n := a.op.Count("revocation"); n == 0 {
		t.Error("nothing was revoked")
	}
	if resp := b.lost(held); problemReason(t, resp) != ReasonSignedOut {
		t.Errorf("the old cookie: %d", resp.StatusCode)
	}
	text = a.wantOurPage(b.get("/auth/logout?state="+q.Get("state"), fromProvider...))
	if names := b.jar.names(); len(names) != 0 {
		t.Errorf("cookies left: %q", names)
	}
	if !strings.Contains(text, "You are signed out") || strings.Contains(text, "<form") {
		t.Errorf("afterwards: %s", text)
	}
	a.wantRedirect(b.signIn("/", "bob"), "/")
	a.wantUser(b, "bob")
}

// wantNoTrouble checks that the log has nothing for the operator about signing out.
func (a *app) wantNoTrouble() {
	a.t.Helper()
	for _, trouble := range []string{ReasonReturnAddress, "tokens not revoked", "not signed out at the provider"} {
		if strings.Contains(a.logs.String(), trouble) {
			a.t.Errorf("%q in the log: %s", trouble, a.logs)
		}
	}
}

func (a *app) wantOurPage(resp *http.Response) string {
	a.t.Helper()
	text := body(resp)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Security-Policy") != pagePolicy ||
		resp.Header.Get("Cache-Control") != "no-store" || strings.Contains(text, "<script") {
		a.t.Fatalf("%d %v %s", resp.StatusCode, resp.Header, text)
	}
	return text
}

func TestV35LogoutFromElsewhere(t *testing.T) {
	tests := map[string]struct {
		method  string
		headers []string
		ends    bool
	}{
		"form of ours":               {"POST", []string{"Origin", appURL}, true},
		"form of ours, old browser":  {"POST", []string{"Sec-Fetch-Site", "", "Origin", appURL}, true},
		"program":                    {"POST", []string{"Sec-Fetch-Site", ""}, true},
		"link elsewhere":             {"GET", fromProvider, false},
		"image elsewhere":            {"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		"form elsewhere":             {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, false},
		"form on a subdomain":        {"POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://x.example.com"}, false},
		"form of a sandbox":          {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "null"}, false},
		"form elsewhere, old":        {"POST", []string{"Sec-Fetch-Site", "", "Origin", "https://evil.example"}, false},
		"form by http, old browser":  {"POST", []string{"Sec-Fetch-Site", "", "Origin", "null"}, false},
		"our origin in another case": {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://app.example.com.evil.example"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			b.mustSignIn("alice")
			r := b.request(tt.method, "/auth/logout", tt.headers...)
			r.Host = "10.0.0.7:8080" // behind a proxy
			resp := b.send(r)
			if tt.ends {
				a.wantUser(b, "nobody: "+ReasonNoSession)
				return
			}
			if tt.method == "POST" {
				a.wantPage(resp, http.StatusForbidden, ReasonCrossOrigin)
			}
			a.wantUser(b, "alice")
			if n := a.op.Count("revocation"); n != 0 {
				t.Errorf("%d revocations", n)
			}
		})
	}
}

// Nothing of a request decides where the browser goes after signing out.
func TestV34LogoutGoesNowhereElse(t *testing.T) {
	for _, faults := range [][]clienttest.Fault{nil, {clienttest.NoEndSession}} {
		a := newApp(t, func(cfg *appConfig) {
			cfg.session.AfterLogout = "/bye"
			cfg.session.PostLogoutRedirectURL = appURL + "/bye"
		})
		a.op.SetFaults(faults...)
		for _, input := range literals(t, "openredirect.txt", 50)[:50] {
			b := a.browser()
			query := url.Values{"logout": {input}, "return_to": {input}, "post_logout_redirect_uri": {input}, "returnTo": {input}}
			location := b.post("/auth/logout?" + query.Encode()).Header.Get("Location")
			if len(faults) > 0 && location != "/bye" {
				t.Errorf("%q leads to %q", input, location)
			}
			if to := parseURL(t, location); len(faults) == 0 && to.Query().Get("post_logout_redirect_uri") != appURL+"/bye" {
				t.Errorf("%q leads to %q", input, location)
			}
		}
	}
}

// However the provider is, signing out here works, and is no 503.
func TestLogoutWithoutProvider(t *testing.T) {
	for name, faults := range map[string][]clienttest.Fault{
		"no end_session":  {clienttest.NoEndSession},
		"no revocation":   {clienttest.NoEndSession, clienttest.NoRevocation},
		"revocation down": {clienttest.NoEndSession, clienttest.Token500},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			a.op.SetFaults(faults[0])
			b := a.browser()
			b.mustSignIn("alice")
			a.op.SetFaults(faults...)
			a.wantRedirect(b.post("/auth/logout"), "/auth/logout")
			if names := b.jar.names(); len(names) != 0 {
				t.Errorf("cookies left: %q", names)
			}
			if text := a.wantOurPage(b.get("/auth/logout")); !strings.Contains(text, "You are signed out") {
				t.Errorf("%s", text)
			}
			if name == "no end_session" {
				a.wantNoTrouble()
			}
		})
	}
	t.Run("discovery down", func(t *testing.T) {
		a := newApp(t)
		a.op.SetFaults(clienttest.Discovery500)
		b := a.browser()
		a.wantRedirect(b.post("/auth/logout"), "/auth/logout")
		if !a.logs.has(ReasonUnavailable) {
			t.Errorf("log %s", a.logs)
		}
	})
	t.Run("own page", func(t *testing.T) {
		a := newApp(t, func(cfg *appConfig) {
			cfg.session.SignedOut = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "bye") })
		})
		resp := a.browser().get("/auth/logout")
		if body(resp) != "bye" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", resp.Header)
		}
	})
}

// A provider that does not answer is waited for so long and no longer.
func TestLogoutIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.mustSignIn("alice")
		time.Sleep(2 * time.Hour) // metadata is of yesterday
		a.op.SetFaults(clienttest.DiscoverySlow)
		start := time.Now()
		resp := b.post("/auth/logout")
		if waited := time.Since(start); waited > logoutTimeout || resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%d after %v", resp.StatusCode, waited)
		}
		a.op.Close()
	})
}

// An expired session still tells the provider who signs out, and its tokens go too.
func TestLogoutOfAnExpiredSession(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.op.Advance(DefaultIdle)
	resp := b.post("/auth/logout")
	if parseURL(t, resp.Header.Get("Location")).Query().Get("id_token_hint") == "" {
		t.Error("no id_token_hint")
	}
	if names := b.jar.names(); len(names) != 0 {
		t.Errorf("cookies left: %q", names)
	}
}

// A cookie that was kept longer than it is good costs the Store nothing, and no alarm.
func TestLogoutLongAfterTheEnd(t *testing.T) {
	bothModes(t, func(t *testing.T, mode func(*appConfig)) {
		store := newLockingStore()
		a := cluster(t, 1, store, mode)[0]
		b := a.browser()
		b.mustSignIn("alice")
		held := b.request("POST", "/auth/logout")
		a.op.Advance(DefaultLifetime + 2*revocationLeeway)
		if resp := b.lost(held); resp.StatusCode != http.StatusSeeOther {
			t.Errorf("status %d", resp.StatusCode)
		}
		if n := store.asked(); n > 1 { // for the ID token that tells the provider who it is
			t.Errorf("%d questions", n)
		}
		if text := a.logs.String(); strings.Contains(text, "this process only") {
			t.Errorf("the log says that it failed: %s", text)
		}
	})
}

// A frame that asks whether the user is still there does not sign in who has just signed out,
// at this process or at another.
func TestLogoutAgainstFrame(t *testing.T) {
	for _, at := range []int{0, 1} {
		bothModes(t, func(t *testing.T, mode func(*appConfig)) {
			var during func()
			nodes := cluster(t, 2, newLockingStore(), mode, func(cfg *appConfig) {
				cfg.session.Observe = func(ctx context.Context, operation string) (context.Context, func(error)) {
					return ctx, func(error) {
						if operation == "callback" && during != nil {
							during()
						}
					}
				}
			})
			w := &watched{nodes[0].browser(), nodes[0].op.NewBrowser()}
			w.signInAtBoth("alice")
			w.wantUser(w.browser, "alice")
			resp := w.get(w.data()["recheck"], inFrame...)
			back, err := w.atProvider.SignIn(resp.Header.Get("Location"), "")
			if err != nil {
				t.Fatal(err)
			}
			frame := w.request("GET", back.RequestURI(), "Sec-Fetch-Dest", "iframe")
			during = func() { during = nil; w.browser.at(nodes[at]).post("/auth/logout") }
			resp = w.send(frame)
			if text := body(resp); during != nil || !strings.Contains(text, `data-result="unknown"`) {
				t.Errorf("the frame says %s; log: %s", text, w.logs)
			}
			w.wantUser(w.browser, "nobody: "+ReasonNoSession)
		})
	}
}

// A response that was on its way when the user signed out, and arrives after it.
func TestLogoutAgainstSlowResponses(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	started, goOn := make(chan struct{}), make(chan struct{})
	a.mux.Handle("/slow", a.m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-goOn
		if err := From(r.Context()).Set("x", []byte("y")); err != nil {
			t.Error(err)
		}
		n := a.op.Count("token")
		if _, err := From(r.Context()).Token(r.Context()); !errors.Is(err, ErrSignIn) || a.op.Count("token") != n {
			t.Errorf("a token of a session that was signed out: %v", err)
		}
	})))
	var slow *http.Response
	var wg sync.WaitGroup
	r := b.request("GET", "/slow")
	wg.Go(func() { slow = b.lost(r) })
	<-started
	a.open = func(_ *http.Request, s *Session) { s.Set("z", []byte("z")) }
	late := b.lost(b.request("GET", "/")) // its header is out, with a cookie, and not there yet
	a.open = nil
	a.op.Advance(30 * time.Minute) // so that the slow one would slide too
	b.post("/auth/logout")
	goOn <- struct{}{}
	wg.Wait()
	if len(slow.Cookies()) != 0 {
		t.Errorf("the slow response has cookies: %q", setCookies(slow))
	}
	b.take(slow)
	if !slices.Contains(setCookies(late), "__Host-postern") {
		t.Fatal("the late response has no cookie to test with")
	}
	b.take(late)
	a.wantUser(b, "nobody: "+ReasonSignedOut)
	b.begin("/")
	if b.cookie("") != "" {
		t.Error("the cookie that came late is left")
	}
}

// A refresh on its way while the user signs out: what it brings is revoked, and
// never written.
func TestLogoutAgainstRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.mustSignIn("alice")
		a.expireToken()
		a.op.SetFaults(clienttest.TokenSlow)
		request, logout := b.request("GET", "/", fetchHeaders...), b.request("POST", "/auth/logout")
		var answer *http.Response
		var wg sync.WaitGroup
		wg.Go(func() { answer = b.lost(request) })
		synctest.Wait()
		wg.Go(func() { b.send(logout) })
		synctest.Wait()
		a.op.SetFaults()
		wg.Wait()
		if len(answer.Cookies()) != 0 {
			t.Errorf("the request under way sets %q", setCookies(answer))
		}
		b.take(answer)
		a.wantUser(b, "nobody: "+ReasonNoSession)
		rec, _ := a.m.cookies.readSession(request)
		fresh := a.m.refresher.newest(rec.id, rec.grant(), a.op.Now())
		if fresh.tokens == rec.tokens {
			t.Fatal("there was no refresh")
		}
		revoked := false
		for _, r := range a.op.Requests() {
			revoked = revoked || r.Endpoint == "revocation" && r.Form.Get("token") == fresh.tokens.RefreshToken
		}
		if !revoked {
			t.Error("the refresh token that came in was not revoked")
		}
		a.op.Close()
	})
}

// The middleware of the standard library and a Lax cookie keep a form on another
// site from acting in the name of who is signed in.
func TestV45CrossSiteForm(t *testing.T) {
	a := newApp(t)
	changed := 0
	a.mux.Handle("POST /transfer", a.m.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { changed++ })))
	b := a.browser()
	b.mustSignIn("alice")
	b.jar.as(jarContext{crossSite: true, unsafe: true})
	if resp := b.post("/transfer", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"); resp.StatusCode != http.StatusUnauthorized || changed != 0 {
		t.Errorf("from another site: %d", resp.StatusCode)
	}
	b.jar.as(jarContext{}) // same-site is not same-origin
	a.handler = http.NewCrossOriginProtection().Handler(a.mux)
	if resp := b.post("/transfer", "Sec-Fetch-Site", "same-site", "Origin", "https://x.example.com"); resp.StatusCode != http.StatusForbidden || changed != 0 {
		t.Errorf("from a subdomain: %d", resp.StatusCode)
	}
	if resp := b.post("/transfer"); resp.StatusCode != http.StatusOK || changed != 1 {
		t.Errorf("from here: %d", resp.StatusCode)
	}
}
