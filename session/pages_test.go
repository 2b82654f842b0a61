package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// Browsers run a script of ours only if its hash is the one in the policy.
func TestScriptHashes(t *testing.T) {
	for name, script := range map[string][2]string{
		"popup":         {popupScript, popupScriptHash},
		"check-session": {checkSessionScript, checkSessionScriptHash},
		"frame":         {frameScript, frameScriptHash},
	} {
		sum := sha256.Sum256([]byte(script[0]))
		if want := base64.StdEncoding.EncodeToString(sum[:]); script[1] != want {
			t.Errorf("%s: the hash is %s", name, want)
		}
	}
}

// silently adds a page for everybody, which greets who is known at the provider.
func (a *app) silently() {
	a.mux.Handle("/public", a.m.Silently(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("hello " + From(r.Context()).Subject()))
	})))
}

func TestSilently(t *testing.T) {
	a := newApp(t)
	a.silently()
	atProvider := a.op.NewBrowser()
	b := a.browser()
	visit := func() *http.Response { return b.get("/public?x=%41") }

	resp := visit()
	if asked := authRequest(t, resp); asked.Get("prompt") != "none" {
		t.Fatalf("asked for %v", asked)
	}
	if text := body(resp); strings.Contains(text, "hello") {
		t.Errorf("the page is in the redirect: %q", text)
	}
	back, err := atProvider.SignIn(resp.Header.Get("Location"), "")
	if err != nil {
		t.Fatal(err)
	}
	if back.Query().Get("error") != "login_required" {
		t.Fatalf("the provider answers %s", back)
	}
	a.wantRedirect(b.get(back.RequestURI(), fromProvider...), "/public?x=%41")
	if text := body(visit()); text != "hello " {
		t.Errorf("not signed in anywhere: %q", text)
	}
	if names := b.jar.names(); !slices.Equal(names, []string{"__Host-postern-silent"}) {
		t.Errorf("cookies %q", names)
	}

	a.op.Advance(silentPause + time.Second)
	if _, err := atProvider.SignIn(a.browser().begin("/"), "alice"); err != nil {
		t.Fatal(err)
	}
	back, err = atProvider.SignIn(visit().Header.Get("Location"), "")
	if err != nil {
		t.Fatal(err)
	}
	a.wantRedirect(b.get(back.RequestURI(), fromProvider...), "/public?x=%41")
	if text := body(visit()); text != "hello alice" {
		t.Errorf("signed in at the provider: %q", text)
	}
	b.post("/auth/logout")
	if names := b.jar.names(); len(names) > 0 {
		t.Errorf("after logout there is %q", names)
	}
}

// Neither scripts nor a provider in trouble are kept from the page.
func TestSilentlyLetsPass(t *testing.T) {
	page := func(a *app, headers ...string) string {
		a.silently()
		return body(a.browser().get("/public", headers...))
	}
	tests := map[string]string{
		"a script":                page(newApp(t), fetchHeaders...),
		"a prefetch":              page(newApp(t), "Sec-Purpose", "prefetch"),
		"a provider that is down": page(func() *app { a := newApp(t); a.op.SetFaults(clienttest.Discovery500); return a }()),
		"no way to sign out":      page(func() *app { a := newApp(t); a.op.SetFaults(clienttest.NoEndSession); return a }()),
	}
	two, _, _ := newTwo(t)
	tests["no choice of a provider"] = page(two)
	two, _, _ = newTwo(t, func(c *Config) { c.ChooseProvider = func(*http.Request) string { return "green" } })
	tests["an unknown provider"] = page(two)
	a := newApp(t)
	a.silently()
	if resp := a.browser().send(a.browser().request("HEAD", "/public")); resp.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", resp.StatusCode)
	}
	for name, text := range tests {
		if text != "hello " {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// Nor does a provider that does not answer: it is waited for so long and no longer.
func TestSilentlyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t)
		a.silently()
		a.op.SetFaults(clienttest.DiscoverySlow)
		start := time.Now()
		text := body(a.browser().get("/public"))
		if waited := time.Since(start); waited != silentPatience || text != "hello " {
			t.Errorf("%q after %v", text, waited)
		}
		a.op.Close()
	})
}

// A failed silent sign-in is not an error page, whatever failed.
func TestSilentlyFails(t *testing.T) {
	a := newApp(t)
	a.silently()
	b := a.browser()
	atProvider := a.op.NewBrowser()
	if _, err := atProvider.SignIn(a.browser().begin("/"), "alice"); err != nil {
		t.Fatal(err)
	}
	callback, err := atProvider.SignIn(b.get("/public").Header.Get("Location"), "")
	if err != nil {
		t.Fatal(err)
	}
	a.op.SetFaults(clienttest.Token500)
	a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/public")
	if !a.logs.has(ReasonUnavailable) {
		t.Errorf("the log does not say why: %s", a.logs)
	}
}

// A session that does not fit keeps nobody from a page for everybody.
func TestSilentlyTooLarge(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"roles": strings.Repeat("long ", 2000)}}}
	})
	a.silently()
	b := a.browser()
	atProvider := a.op.NewBrowser()
	if _, err := atProvider.SignIn(a.browser().begin("/"), "alice"); err != nil {
		t.Fatal(err)
	}
	callback, err := atProvider.SignIn(b.get("/public").Header.Get("Location"), "")
	if err != nil {
		t.Fatal(err)
	}
	a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/public")
	if text := body(b.get("/public")); text != "hello " || !a.logs.has(ReasonTooLarge) {
		t.Errorf("%q; log: %s", text, a.logs)
	}
}

// With Strict there is a page on the way back, which says that somebody is signed in if they are.
func TestSilentlyStrict(t *testing.T) {
	for user, title := range map[string]string{"": "One moment, please", "alice": "Signed in"} {
		a := newApp(t, strictly)
		a.silently()
		atProvider := a.op.NewBrowser()
		if user != "" {
			if _, err := atProvider.SignIn(a.browser().begin("/"), user); err != nil {
				t.Fatal(err)
			}
		}
		b := a.browser()
		back, err := atProvider.SignIn(b.get("/public?a=b").Header.Get("Location"), "")
		if err != nil {
			t.Fatal(err)
		}
		text := body(b.get(back.RequestURI(), fromProvider...))
		if !strings.Contains(text, "<h1>"+title+"</h1>") || !strings.Contains(text, `content="0;url=/public?a=b"`) {
			t.Errorf("%q: %s", user, text)
		}
		if got, want := body(b.get("/public?a=b")), "hello "+user; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPopup(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	resp := b.get("/auth/popup")
	authRequest(t, resp)
	resp = b.get(b.callbackOf(resp.Header.Get("Location"), "alice"), fromProvider...)
	text := body(resp)
	policy := resp.Header.Get("Content-Security-Policy")
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, `data-channel="postern"`) || !strings.Contains(text, popupScript) ||
		!strings.Contains(policy, popupScriptHash) || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("%d %s: %s", resp.StatusCode, policy, text)
	}
	if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("header %v", resp.Header)
	}
	a.wantUser(b, "alice")
	a.wantPage(b.get("/auth/popup", "Sec-Fetch-Dest", "iframe"), http.StatusForbidden, ReasonNotNavigation)
	refused := b.get("/auth/popup").Header.Get("Location")
	state := parseURL(t, refused).Query().Get("state")
	resp = b.get("/auth/callback?error=access_denied&state="+state+"&iss="+a.op.Issuer(), fromProvider...)
	if text := a.wantPage(resp, http.StatusForbidden, ReasonProviderRefused); strings.Contains(text, "<script") {
		t.Error("a window with an error closes by itself")
	}
}

// With several providers people choose in the window, and it ends all the same; and so it does
// when somebody starts again after an error.
func TestPopupComesBack(t *testing.T) {
	a, red, blue := newTwo(t)
	b := a.browser()
	next := func(resp *http.Response, link string) *http.Response {
		t.Helper()
		found := regexp.MustCompile(`href="(` + link + `[^"]*)"`).FindStringSubmatch(body(resp))
		if found == nil {
			t.Fatalf("%d without a link to %s", resp.StatusCode, link)
		}
		return b.get(html.UnescapeString(found[1]))
	}
	answer := func(resp *http.Response, op *clienttest.Provider, user string) *http.Response {
		t.Helper()
		callback, err := op.SignIn(resp.Header.Get("Location"), user)
		if err != nil {
			t.Fatal(err)
		}
		return b.get(callback.RequestURI(), fromProvider...)
	}

	chooser := b.get(b.get("/auth/popup").Header.Get("Location"))
	refused := answer(next(chooser, "/auth/login/red"), red, "") // the user cancels, for this is the wrong one
	resp := answer(next(next(refused, "/auth/login"), "/auth/login/blue"), blue, "alice")
	a.wantRedirect(resp, "/auth/popup?done=1")
	resp = b.get("/auth/popup?done=1")
	if text := body(resp); resp.StatusCode != http.StatusOK || !strings.Contains(text, popupScript) {
		t.Errorf("%d: %s", resp.StatusCode, text)
	}
	nobody := a.browser()
	a.wantRedirect(nobody.get("/auth/popup?done=1"), "/auth/login?return_to=%2Fauth%2Fpopup%3Fdone%3D1")
}

// A watched page is one with the frame that asks the provider.
type watched struct {
	*browser
	atProvider *clienttest.Browser
}

var inFrame = []string{"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin"}

func newWatched(t *testing.T) *watched {
	a := newApp(t)
	w := &watched{a.browser(), a.op.NewBrowser()}
	w.signInAtBoth("alice")
	return w
}

func (w *watched) signInAtBoth(user string) {
	w.t.Helper()
	back, err := w.atProvider.SignIn(w.get("/auth/login").Header.Get("Location"), user)
	if err != nil {
		w.t.Fatal(err)
	}
	w.wantRedirect(w.get(back.RequestURI(), fromProvider...), "/")
}

// What the app asks of every sign-in is asked in the frame too.
func TestRecheckAsksAsTheAppDoes(t *testing.T) {
	own := url.Values{"audience": {"https://api.example.com"}}
	a := newApp(t, func(c *appConfig) {
		c.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) {
			return &client.AuthorizeOptions{Extra: own}, nil
		}
	})
	w := &watched{a.browser(), a.op.NewBrowser()}
	w.signInAtBoth("alice")
	asked := authRequest(t, w.get(w.data()["recheck"], inFrame...))
	if asked.Get("audience") != own.Get("audience") || asked.Get("prompt") != "none" || asked.Get("id_token_hint") == "" {
		t.Errorf("asked for %v", asked)
	}
	if len(own) != 1 {
		t.Errorf("what the app gave has become %v", own)
	}
}

// data are the data attributes of the page.
func (w *watched) data() map[string]string {
	w.t.Helper()
	resp := w.get("/auth/check-session", inFrame...)
	text := body(resp)
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, checkSessionScript) {
		w.t.Fatalf("%d: %s", resp.StatusCode, text)
	}
	data := map[string]string{"policy": resp.Header.Get("Content-Security-Policy")}
	for _, match := range regexp.MustCompile(`(?:data-(\w+)| (src))="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		data[match[1]+match[2]] = match[3]
	}
	return data
}

// recheck is what the frame that asks the provider says.
func (w *watched) recheck(address string) string {
	w.t.Helper()
	resp := w.get(address, inFrame...)
	if resp.StatusCode == http.StatusSeeOther {
		asked := authRequest(w.t, resp)
		if asked.Get("prompt") != "none" || asked.Get("id_token_hint") == "" {
			w.t.Errorf("asked for %v", asked)
		}
		back, err := w.atProvider.SignIn(resp.Header.Get("Location"), "")
		if err != nil {
			w.t.Fatal(err)
		}
		resp = w.get(back.RequestURI(), "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site")
	}
	text := body(resp)
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, frameScript) ||
		!strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'self'") {
		w.t.Fatalf("%d: %s", resp.StatusCode, text)
	}
	return regexp.MustCompile(`data-result="(\w*)"`).FindStringSubmatch(text)[1]
}

func TestCheckSession(t *testing.T) {
	w := newWatched(t)
	w.open = func(_ *http.Request, s *Session) {
		if _, ok := s.Get("cart"); !ok {
			if err := s.Set("cart", []byte("tea")); err != nil {
				t.Error(err)
			}
		}
	}
	w.wantUser(w.browser, "alice")
	data := w.data()
	if data["origin"] != w.op.Issuer() || !strings.HasPrefix(data["src"], w.op.Issuer()+"/") || data["again"] != "" {
		t.Errorf("%v", data)
	}
	if want := "frame-src 'self' " + w.op.Issuer() + "; connect-src 'self'; frame-ancestors 'self'"; !strings.HasSuffix(data["policy"], want) {
		t.Errorf("policy %s", data["policy"])
	}
	if got := w.atProvider.CheckSession(appURL, data["message"]); got != "unchanged" {
		t.Fatalf("the provider's frame says %s", got)
	}

	// Something has changed there, and the user is still the same.
	ends := w.ends()
	w.op.Advance(time.Minute)
	if got := w.recheck(data["recheck"]); got != frameSame {
		t.Fatalf("the same user: %s; log: %s", got, w.logs)
	}
	w.open = func(_ *http.Request, s *Session) {
		if cart, _ := s.Get("cart"); string(cart) != "tea" {
			t.Errorf("the cart has %q", cart)
		}
	}
	w.wantUser(w.browser, "alice")
	if !w.ends().Equal(ends) {
		t.Error("asking has made the session longer")
	}

	// The user has left, and the page says so.
	w.op.EndSessions("alice")
	data = w.data()
	if got := w.recheck(data["recheck"]); got != frameGone {
		t.Fatalf("nobody is there: %s", got)
	}
	w.wantUser(w.browser, "alice") // until the page, which knows more, says so
	before := w.op.Count("revocation")
	if resp := w.post(data["page"], fetchHeaders...); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("%d", resp.StatusCode)
	}
	if names := w.jar.names(); len(names) > 0 || w.op.Count("revocation") != before {
		t.Errorf("left are %q", names)
	}
	if resp := w.get("/auth/check-session", inFrame...); resp.StatusCode != http.StatusNoContent {
		t.Errorf("nobody is signed in: %d", resp.StatusCode)
	}
}

// A page that watches is nobody at work: whatever changes at the provider, the session
// becomes idle when it would have, and no earlier.
func TestCheckSessionKeepsNobodyAwake(t *testing.T) {
	w := newWatched(t)
	w.op.Advance(40 * time.Minute)
	w.get("/") // a page load
	for range 2 {
		w.op.Advance(25 * time.Minute)
		w.wantUser(w.browser, "alice")
		if got := w.recheck(w.data()["recheck"]); got != frameSame {
			t.Fatalf("%s; log: %s", got, w.logs)
		}
	}
	w.op.Advance(10*time.Minute - time.Second)
	w.wantUser(w.browser, "alice")
	w.op.Advance(time.Second)
	w.wantUser(w.browser, "nobody: "+ReasonIdle)
}

// Asking whether the user is still there takes nothing back of a session that has been stepped
// up: neither the acr, which the provider shows again, nor a scope, nor what has been tried.
func TestCheckSessionKeepsWhatASessionHas(t *testing.T) {
	w := newWatched(t)
	demand := &Demand{ACR: []string{"gold"}, Scopes: []string{"orders"}}
	w.mux.Handle("/paid", w.m.Require(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.m.StepUp(rw, r, demand)
	})))
	back, err := w.atProvider.SignIn(w.get("/paid").Header.Get("Location"), "alice")
	if err != nil {
		t.Fatal(err)
	}
	w.wantRedirect(w.get(back.RequestURI(), fromProvider...), "/paid")
	var before, after record
	keep := func(rec *record) func(*http.Request, *Session) {
		return func(_ *http.Request, s *Session) { *rec = *s.presented }
	}
	w.open = keep(&before)
	w.wantUser(w.browser, "alice")
	if got := w.recheck(w.data()["recheck"]); got != frameSame {
		t.Fatalf("%s; log: %s", got, w.logs)
	}
	w.open = keep(&after)
	w.wantUser(w.browser, "alice")
	if before.tokens.IDToken.ACR != "gold" || after.tokens.IDToken.ACR != "gold" {
		t.Errorf("acr %q, before %q", after.tokens.IDToken.ACR, before.tokens.IDToken.ACR)
	}
	if !slices.Contains(before.tokens.Scope, "orders") || !slices.Contains(after.tokens.Scope, "orders") {
		t.Errorf("scopes %q, before %q", after.tokens.Scope, before.tokens.Scope)
	}
	if before.tried == (demandKey{}) || after.tried != before.tried {
		t.Errorf("tried %v, before %v", after.tried, before.tried)
	}
	if after.identity.user() != before.identity.user() || !after.created.Equal(before.created) {
		t.Errorf("another identity")
	}
}

// Whoever comes back from the frame without an ID token has left (Session Management 3.1): it
// may be another user, who was never asked for consent.
func TestCheckSessionWithoutIDToken(t *testing.T) {
	for _, code := range []string{"login_required", "consent_required", "interaction_required", "account_selection_required"} {
		w := newWatched(t)
		asked := authRequest(t, w.get(w.data()["recheck"], inFrame...))
		answer := url.Values{"error": {code}, "state": {asked.Get("state")}, "iss": {w.op.Issuer()}}
		resp := w.get("/auth/callback?"+answer.Encode(), "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site")
		if text := body(resp); !strings.Contains(text, `data-result="`+frameGone+`"`) {
			t.Errorf("%s: %s, want %s; log: %s", code, text, frameGone, w.logs)
		}
	}
}

// With Config.IdentityOnly a frame brings no tokens into the session.
func TestCheckSessionIdentityOnly(t *testing.T) {
	a := newApp(t, func(c *appConfig) { c.session.IdentityOnly = true })
	w := &watched{a.browser(), a.op.NewBrowser()}
	w.signInAtBoth("alice")
	resp := w.get(w.data()["recheck"], inFrame...)
	back, err := w.atProvider.SignIn(resp.Header.Get("Location"), "")
	if err != nil {
		t.Fatal(err)
	}
	if text := body(w.get(back.RequestURI(), "Sec-Fetch-Dest", "iframe")); !strings.Contains(text, `data-result="same"`) {
		t.Fatalf("%s; log: %s", text, w.logs)
	}
	a.open = func(_ *http.Request, s *Session) {
		if tokens := s.presented.tokens; tokens.AccessToken != "" || tokens.RefreshToken != "" || tokens.IDToken.Raw() != "" {
			t.Error("tokens are kept")
		}
	}
	a.wantUser(w.browser, "alice")
}

// Who signs out while a frame is on its way stays signed out when its answer comes.
func TestLogoutWhileAFrameIsOnItsWay(t *testing.T) {
	w := newWatched(t)
	resp := w.get(w.data()["recheck"], inFrame...)
	back, err := w.atProvider.SignIn(resp.Header.Get("Location"), "")
	if err != nil {
		t.Fatal(err)
	}
	late := w.lost(w.request("GET", back.RequestURI(), "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site"))
	if text := body(late); !strings.Contains(text, `data-result="same"`) {
		t.Fatalf("%s; log: %s", text, w.logs)
	}
	w.post("/auth/logout")
	w.take(late)
	w.wantUser(w.browser, "nobody: "+ReasonSignedOut)
}

// ends is when the session of the browser ends.
func (b *browser) ends() (at time.Time) {
	r := b.request("GET", "/")
	b.m.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { at = From(r.Context()).Expires() })).ServeHTTP(httptest.NewRecorder(), r)
	return at
}

// The frame is answered in the query, whatever sign-ins are answered by; where that cannot be
// it asks nothing, and nothing is known.
func TestCheckSessionResponseModes(t *testing.T) {
	var authorize client.AuthorizeOptions
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) { return &authorize, nil }
	})
	w := &watched{a.browser(), a.op.NewBrowser()}
	w.signInAtBoth("alice")
	recheck := w.data()["recheck"]
	for mode, want := range map[string]string{
		"": "", "form_post": "", "fragment": "", "query": "", "jwt": "jwt", "form_post.jwt": "jwt", "query.jwt": "jwt",
	} {
		authorize.ResponseMode = mode
		if got := authRequest(t, w.get(recheck, inFrame...)).Get("response_mode"); got != want {
			t.Errorf("%q: asked for %q, want %q", mode, got, want)
		}
		if authorize.ResponseMode != mode {
			t.Errorf("%q: the options of the app have become %q", mode, authorize.ResponseMode)
		}
	}
	for _, responseType := range []string{"id_token", "code id_token"} {
		authorize = client.AuthorizeOptions{ResponseType: responseType}
		before := len(w.jar.names())
		resp := w.get(recheck, inFrame...)
		if text := body(resp); resp.StatusCode != http.StatusOK || !strings.Contains(text, `data-result="unknown"`) {
			t.Errorf("%s: %d %s", responseType, resp.StatusCode, text)
		}
		if len(w.jar.names()) != before {
			t.Errorf("%s: cookies %q", responseType, w.jar.names())
		}
	}
	w.wantUser(w.browser, "alice")
}

// The provider may be asked at another origin than that of its frame.
func TestCheckSessionAtOtherOrigin(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	document, err := a.rp.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	changed := *document
	changed.CheckSessionIframe = "https://frames.example/check"
	cfg := a.op.Config(appCallback)
	cfg.Metadata = &changed
	rp, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(rp, Config{Secrets: []string{testSecret(1)}, Logger: a.logs.logger()})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	m.CheckSessionHandler().ServeHTTP(w, b.request("GET", "/auth/check-session", inFrame...))
	if got, want := w.Header().Get("Content-Security-Policy"), "frame-src 'self' https://frames.example "+a.op.Issuer()+";"; !strings.Contains(got, want) {
		t.Errorf("policy %q, want %q in it; %d %s", got, want, w.Code, w.Body)
	}
}

// Somebody else at the provider is nobody here.
func TestCheckSessionOtherUser(t *testing.T) {
	w := newWatched(t)
	if _, err := w.atProvider.SignIn(w.app.browser().begin("/")+"&prompt=login", "bob"); err != nil {
		t.Fatal(err)
	}
	recheck := w.get(w.data()["recheck"], inFrame...).Header.Get("Location")
	withoutHint := regexp.MustCompile(`&id_token_hint=[^&]*`).ReplaceAllString(recheck, "") // as a provider that ignores it
	back, err := w.atProvider.SignIn(withoutHint, "")
	if err != nil {
		t.Fatal(err)
	}
	if text := body(w.get(back.RequestURI(), "Sec-Fetch-Dest", "iframe")); !strings.Contains(text, `data-result="gone"`) {
		t.Errorf("%s; log: %s", text, w.logs)
	}
	w.wantUser(w.browser, "alice")
}

func TestCheckSessionGuards(t *testing.T) {
	w := newWatched(t)
	recheck := w.data()["recheck"]
	for name, headers := range map[string][]string{
		"a frame of another site": {"Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "cross-site"},
		"a page load":             {"Sec-Fetch-Site", "same-origin"},
		"no metadata":             {"Sec-Fetch-Dest", "", "Sec-Fetch-Site", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.wantPage(w.get(recheck, headers...), http.StatusForbidden, ReasonCrossOrigin)
		})
	}
	w.wantPage(w.post("/auth/check-session", "Sec-Fetch-Site", "cross-site"), http.StatusForbidden, ReasonCrossOrigin)
	w.wantUser(w.browser, "alice")

	w.op.SetFaults(clienttest.Token500)
	if got := w.recheck(recheck); got != frameUnknown {
		t.Errorf("the provider is in trouble: %s", got)
	}
	w.wantUser(w.browser, "alice")

	for name, fault := range map[string]clienttest.Fault{"no frame": clienttest.NoCheckSession, "no state": clienttest.MissingSessionState} {
		a := newApp(t)
		a.op.SetFaults(fault)
		b := a.browser()
		b.mustSignIn("alice")
		if resp := b.get("/auth/check-session", inFrame...); resp.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
}

// A step-up takes along what the app has set, for it is the same user's session.
func TestStepUpKeepsValues(t *testing.T) {
	for user, want := range map[string]string{"alice": "tea", "bob": ""} {
		a := newApp(t)
		a.guarded(HasACR("gold"))
		b := a.browser()
		b.mustSignIn("alice")
		a.open = func(_ *http.Request, s *Session) {
			if err := s.Set("cart", []byte("tea")); err != nil {
				t.Error(err)
			}
		}
		a.wantUser(b, "alice")
		a.open = nil
		a.wantRedirect(b.signInAgain(b.get("/guarded"), user), "/guarded")
		a.open = func(_ *http.Request, s *Session) {
			if cart, _ := s.Get("cart"); string(cart) != want {
				t.Errorf("the cart of %s has %q", user, cart)
			}
		}
		a.wantUser(b, user)
	}
}

// Nobody signs in while a frame asks who is there: what the app does then is not done again.
func TestCheckSessionGreetsNobody(t *testing.T) {
	greeted := 0
	a := newApp(t, func(c *appConfig) {
		c.session.OnLogin = func(context.Context, *Session) error { greeted++; return nil }
	})
	w := &watched{a.browser(), a.op.NewBrowser()}
	w.signInAtBoth("alice")
	if got := w.recheck(w.data()["recheck"]); got != frameSame || greeted != 1 {
		t.Errorf("%s, greeted %d times", got, greeted)
	}
}
