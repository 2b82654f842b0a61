package session

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// Callbacks that must not sign anybody in, each with what is told to browser and log.
func TestCallbackErrors(t *testing.T) {
	tests := map[string]struct {
		faults []clienttest.Fault
		change func(url.Values)
		status int
		reason string
		says   string
		tokens int // token requests
	}{
		"denied":          {faults: []clienttest.Fault{clienttest.ErrorCallback}, status: 403, reason: ReasonProviderRefused, says: "<h1>Sign-in cancelled</h1>\n<p>You were not signed in.</p>"},
		"login required":  {faults: []clienttest.Fault{clienttest.LoginRequired}, status: 400, reason: ReasonProviderRefused, says: "refused the sign-in"},
		"no state":        {change: func(q url.Values) { q.Del("state") }, status: 400, reason: ReasonCallbackInvalid, says: "could not be accepted"},
		"two states":      {change: func(q url.Values) { q.Add("state", q.Get("state")) }, status: 400, reason: ReasonCallbackInvalid, says: "could not be accepted"},
		"empty state":     {change: func(q url.Values) { q.Set("state", "") }, status: 400, reason: ReasonCallbackInvalid, says: "could not be accepted"},
		"other state":     {change: func(q url.Values) { q.Set("state", "other") }, status: 400, reason: ReasonAttemptMissing, says: "begun in another browser"},
		"endless":         {change: func(q url.Values) { q.Set("x", strings.Repeat("x", maxCallback)) }, status: 400, reason: ReasonCallbackInvalid, says: "could not be accepted"},
		"two codes":       {change: func(q url.Values) { q.Add("code", "x") }, status: 400, reason: ReasonCallbackRejected, says: "could not be accepted"},
		"no code":         {change: func(q url.Values) { q.Del("code") }, status: 400, reason: ReasonCallbackRejected, says: "could not be accepted"},
		"wrong iss":       {change: func(q url.Values) { q.Set("iss", "https://evil.example") }, status: 400, reason: ReasonCallbackRejected, says: "could not be accepted"},
		"wrong code":      {change: func(q url.Values) { q.Set("code", "x") }, status: 400, reason: ReasonCodeRefused, says: "could not be accepted", tokens: 1},
		"wrong nonce":     {faults: []clienttest.Fault{clienttest.WrongNonce}, status: 400, reason: ReasonCallbackRejected, says: "could not be accepted", tokens: 1},
		"no ID token":     {faults: []clienttest.Fault{clienttest.NoIDToken}, status: 400, reason: ReasonCallbackRejected, says: "could not be accepted", tokens: 1},
		"wrong secret":    {faults: []clienttest.Fault{clienttest.InvalidClient}, status: 502, reason: ReasonTokenRefused, says: "did not accept", tokens: 1},
		"provider down":   {faults: []clienttest.Fault{clienttest.Token500}, status: 503, reason: ReasonUnavailable, says: "cannot be reached", tokens: 1},
		"keys not there":  {faults: []clienttest.Fault{clienttest.JWKS500}, status: 503, reason: ReasonUnavailable, says: "cannot be reached", tokens: 1},
		"accepted as is":  {status: 303, tokens: 1},
		"with parameters": {change: func(q url.Values) { q.Set("session_state", "x") }, status: 303, tokens: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newApp(t)
			b := a.browser()
			authorization := b.begin("/page?x=1")
			a.op.SetFaults(tt.faults...)
			u := parseURL(t, b.callbackOf(authorization, "alice"))
			if tt.change != nil {
				q := u.Query()
				tt.change(q)
				u.RawQuery = q.Encode()
			}
			resp := b.get(u.String(), fromProvider...)
			if n := a.op.Count("token"); n != tt.tokens {
				t.Errorf("%d token requests, want %d", n, tt.tokens)
			}
			if tt.status == 303 {
				a.wantRedirect(resp, "/page?x=1")
				return
			}
			text := a.wantPage(resp, tt.status, tt.reason)
			if !strings.Contains(text, tt.says) || strings.Contains(text, "<script") {
				t.Errorf("the page says %s", text)
			}
			if !strings.Contains(text, `href="/auth/login`) || resp.Header.Get("Location") != "" {
				t.Errorf("no link to start again, or a redirect: %s", text)
			}
			if b.cookie("") != "" {
				t.Error("there is a session")
			}
		})
	}
}

func TestV17CallbackOfAnotherBrowser(t *testing.T) {
	a := newApp(t)
	attacker, victim, user := a.browser(), a.browser(), a.browser()
	callback := attacker.callbackOf(attacker.begin("/"), "mallory")
	a.wantPage(victim.get(callback, fromProvider...), http.StatusBadRequest, ReasonAttemptMissing)
	if victim.cookie("") != "" {
		t.Error("the victim has a session")
	}
	// Who is signed in stays it, as who they are.
	user.mustSignIn("alice")
	n := a.op.Count("token")
	a.wantRedirect(user.get(callback, fromProvider...), "/")
	a.wantUser(user, "alice")
	if a.op.Count("token") != n {
		t.Error("the code of the attacker was traded")
	}
	// The attempt of one sign-in does not take the code of another.
	own := parseURL(t, victim.begin("/")).Query().Get("state")
	forged := parseURL(t, callback)
	q := forged.Query()
	q.Set("state", own)
	forged.RawQuery = q.Encode()
	a.wantPage(victim.get(forged.String(), fromProvider...), http.StatusBadRequest, ReasonCodeRefused)
}

func TestV19ParallelCallbacks(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	callback := b.callbackOf(b.begin("/page"), "alice")
	a.op.SetFaults(clienttest.TokenSlow)
	answers := make([]*http.Response, 50)
	var wg sync.WaitGroup
	for i := range answers {
		r := b.request("GET", callback, fromProvider...)
		wg.Go(func() { answers[i] = b.lost(r) })
	}
	stranger := a.browser().get(callback, fromProvider...)
	a.op.SetFaults()
	wg.Wait()
	if n := a.op.Count("token"); n != 1 {
		t.Errorf("%d token requests", n)
	}
	ids := map[sessionID]bool{}
	for _, resp := range answers {
		a.wantRedirect(resp, "/page")
		each := a.browser()
		each.take(resp)
		rec, err := a.m.cookies.readSession(each.request("GET", "/"))
		if err != nil || rec == nil {
			t.Fatalf("no session in an answer: %v", err)
		}
		ids[rec.id] = true
		a.wantUser(each, "alice")
	}
	if len(ids) != 1 {
		t.Errorf("%d sessions", len(ids))
	}
	a.wantPage(stranger, http.StatusBadRequest, ReasonAttemptMissing)
}

// The first answer never arrived, and the user presses reload.
func TestV19LostCallback(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	callback := b.callbackOf(b.begin("/page"), "alice")
	b.lost(b.request("GET", callback, fromProvider...))
	a.wantRedirect(b.get(callback, fromProvider...), "/page")
	a.wantUser(b, "alice")
	// And the back button, later.
	a.wantRedirect(b.get(callback, fromProvider...), "/page")
	if n := a.op.Count("token"); n != 1 {
		t.Errorf("%d token requests", n)
	}
	// But once the session is of another sign-in, to the app and not to that page.
	a.wantRedirect(b.signIn("/auth/login?return_to=/other", "alice"), "/other")
	a.wantRedirect(b.get(callback, fromProvider...), "/")
	// After signing out the answer of then is no way in.
	held := b.request("GET", "/")
	b.post("/auth/logout")
	a.wantPage(b.get(callback, fromProvider...), http.StatusBadRequest, ReasonAttemptMissing)
	if a.wantUser(b, "nobody: no-session"); b.lost(held).StatusCode != http.StatusSeeOther {
		t.Error("the old cookie is good")
	}
}

func TestV19ReplayAfterLogoutWithTheAttempt(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	callback := b.callbackOf(b.begin("/page"), "alice")
	held := b.request("GET", callback, fromProvider...) // has the attempt
	b.get(callback, fromProvider...)
	b.post("/auth/logout")
	resp := b.lost(held)
	a.wantPage(resp, http.StatusBadRequest, ReasonAttemptMissing)
	if a.op.Count("token") != 1 {
		t.Errorf("%d token requests", a.op.Count("token"))
	}
}

func TestAttemptExpires(t *testing.T) {
	for _, late := range []bool{false, true} {
		a := newApp(t)
		b := a.browser()
		authorization := b.begin("/page")
		a.op.Advance(DefaultAttemptLifetime - time.Second)
		if late {
			a.op.Advance(time.Second)
		}
		r := b.request("GET", b.callbackOf(authorization, "alice"), fromProvider...)
		if late {
			// A browser drops the cookie; who keeps it has no more time for that.
			r.Header.Set("Cookie", allCookies(b))
			a.wantPage(b.lost(r), http.StatusBadRequest, ReasonAttemptExpired)
			continue
		}
		a.wantRedirect(b.lost(r), "/page")
	}
}

// allCookies are the cookies of the jar whatever their time.
func allCookies(b *browser) string {
	var pairs []string
	for _, c := range b.jar.cookies {
		pairs = append(pairs, c.name+"="+c.value)
	}
	return strings.Join(pairs, "; ")
}

func TestV21FixationAndUserSwitch(t *testing.T) {
	a := newApp(t)
	a.open = func(r *http.Request, s *Session) {
		if value := r.URL.Query().Get("set"); value != "" {
			if err := s.Set("cart", []byte(value)); err != nil {
				t.Error(err)
			}
		}
	}
	attacker, victim := a.browser(), a.browser()
	attacker.mustSignIn("mallory")
	attacker.get("/?set=poison")
	victim.jar.cookies = append(victim.jar.cookies, attacker.jar.cookies...) // planted
	a.wantUser(victim, "mallory")
	a.wantRedirect(victim.signIn("/auth/login", "alice"), "/")
	a.wantUser(victim, "alice")
	rec, _ := a.m.cookies.readSession(victim.request("GET", "/"))
	if len(rec.values) != 0 {
		t.Errorf("values of the former session: %q", rec.values)
	}
	if victim.cookie("") == attacker.cookie("") {
		t.Error("the planted cookie is the session")
	}
	a.wantUser(attacker, "nobody: "+ReasonReplaced)
}

// The same user signs in once more, in another tab: requests on their way may
// still read, and write nothing.
func TestV21SameUserAgain(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.open = func(_ *http.Request, s *Session) {
		if err := s.Set("cart", []byte("tea")); err != nil {
			t.Error(err)
		}
	}
	a.wantUser(b, "alice")
	a.open = nil
	old := b.request("GET", "/", fetchHeaders...)
	b.signIn("/auth/login", "alice")
	a.open = func(_ *http.Request, s *Session) {
		if cart, ok := s.Get("cart"); ok {
			t.Errorf("the cart of the session before: %q", cart)
		}
	}
	a.wantUser(b, "alice")
	a.open = nil
	resp := b.lost(old)
	if got := body(resp); !strings.HasPrefix(got, "alice ") || len(resp.Cookies()) > 0 {
		t.Errorf("%q, cookies %v", got, resp.Cookies())
	}
	a.op.Advance(replacedGrace)
	if resp := b.lost(old); resp.StatusCode != http.StatusUnauthorized || problemReason(t, resp) != ReasonReplaced {
		t.Errorf("a minute later: %d", resp.StatusCode)
	}
	a.wantUser(b, "alice")
}

func TestV33NoForeignText(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	state := parseURL(t, b.begin("/")).Query().Get("state")
	const evil = `<script>alert(1)</script>`
	query := func(state string) string {
		return "/auth/callback?" + url.Values{
			"error": {evil}, "error_description": {evil + ` "quoted' & more`}, "error_uri": {"javascript:alert(1)"},
			"state": {state}, "iss": {a.op.Issuer()},
		}.Encode()
	}
	for name, state := range map[string]string{"no attempt": "unknown", "evil state": evil, "attempt": state} {
		resp := b.get(query(state), fromProvider...)
		text := body(resp)
		if strings.Contains(text, "<script") || strings.Contains(text, "javascript:") {
			t.Errorf("%s: %s", name, text)
		}
		if shown := strings.Contains(text, "alert(1)"); shown != (name == "attempt") {
			t.Errorf("%s: description shown is %v: %s", name, shown, text)
		}
		for header, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff",
			"Content-Security-Policy": pagePolicy, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
		} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: status %d", name, resp.StatusCode)
		}
		resp = b.get(query(state), "Sec-Fetch-Mode", "cors")
		if text := body(resp); strings.Contains(text, "alert") {
			t.Errorf("%s: the JSON problem has %s", name, text)
		}
	}
}

func TestForeignCallbackPath(t *testing.T) {
	for _, path := range []string{"/oidc/return", "/api/v1/auth/cb/", "/signin-oidc", "/cb%20x", "/%7Bid%7D", "/cb?tenant=one"} {
		t.Run(path, func(t *testing.T) {
			a := newApp(t, func(cfg *appConfig) { cfg.callback = appURL + path })
			b := a.browser()
			resp := b.signIn("/page", "alice")
			a.wantRedirect(resp, "/page")
			a.wantUser(b, "alice")
			if got := body(b.get("/auth/callback")); !strings.HasPrefix(got, "alice ") {
				t.Errorf("the default path is not the app's: %s", got)
			}
		})
	}
}

// An answer by form_post is a cross-site POST, which brings the attempt only if
// its cookie is SameSite=None.
func TestFormPost(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, callback := range []string{appCallback, "http://127.0.0.1:8080/auth/callback"} {
		a := newApp(t, func(cfg *appConfig) { cfg.callback = callback })
		b := a.browser()
		authorization := b.begin("/page") + "&response_mode=form_post"
		r := b.request("GET", "/")
		attempt, err := a.m.cookies.readAttempt(r, parseURL(t, authorization).Query().Get("state"))
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		a.m.cookies.clearAttempts(h, r)
		if err := a.m.cookies.writeAttempt(h, r, attempt, true); err != nil {
			t.Fatal(err)
		}
		b.take(&http.Response{Header: h})

		answer := parseURL(t, b.callbackOf(authorization, "alice")).RawQuery
		b.jar.as(jarContext{crossSite: true, unsafe: true})
		post := func(body, contentType string) *http.Response {
			r := b.request("POST", "/auth/callback", "Sec-Fetch-Site", "cross-site", "Origin", a.op.Issuer())
			fresh := httptest.NewRequest("POST", "/auth/callback", strings.NewReader(body))
			fresh.Header = r.Header
			fresh.Header.Set("Content-Type", contentType)
			return b.send(fresh)
		}
		a.wantPage(post(answer, "text/plain"), http.StatusBadRequest, ReasonCallbackInvalid)
		a.wantPage(post(answer+"&x="+strings.Repeat("x", maxCallback), form), http.StatusBadRequest, ReasonCallbackInvalid)
		a.wantRedirect(post(answer, form), "/page")
		b.jar.as(jarContext{})
		a.wantUser(b, "alice")
		if names := b.jar.names(); len(names) != 1 {
			t.Errorf("cookies: %q", names)
		}
	}
}

func TestStrictSameSite(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) { cfg.session.SameSite = http.SameSiteStrictMode })
	b := a.browser()
	resp := b.signIn(`/page?x="'<>&y=%22`, "alice")
	text := body(resp)
	if resp.StatusCode != 200 || !strings.Contains(text, `<meta http-equiv="refresh" content="0;url=/page?x=&#34;&#39;&lt;&gt;&amp;y=%22">`) {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	a.wantUser(b, "alice")
	b.jar.as(jarContext{crossSite: true})
	a.wantUser(b, "nobody: "+ReasonNoSession)
}

func TestOnLogin(t *testing.T) {
	var calls int
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.OnLogin = func(ctx context.Context, s *Session) error {
			calls++
			if !s.SignedIn() || ctx.Err() != nil {
				t.Errorf("signed in is %v, ctx is %v", s.SignedIn(), ctx.Err())
			}
			switch s.Subject() {
			case "bob":
				return errors.New("bob is barred")
			case "carol":
				panic(http.ErrAbortHandler)
			}
			return s.Set("greeting", append([]byte("hello "), s.LoginData()...))
		}
	})
	a.open = func(_ *http.Request, s *Session) {
		if value, ok := s.Get("greeting"); !ok || string(value) != "hello data" {
			t.Errorf("greeting is %q, %v", value, ok)
		}
		if s.LoginData() != nil {
			t.Error("LoginData outside of OnLogin")
		}
	}
	a.mux.HandleFunc("/go", func(w http.ResponseWriter, r *http.Request) {
		a.m.Login(w, r, &LoginOptions{ReturnTo: "/", Data: []byte("data")})
	})
	b := a.browser()
	a.wantRedirect(b.signIn("/go", "alice"), "/")
	a.wantUser(b, "alice")
	// Refused: no session, and not the former one either.
	text := a.wantPage(b.signIn("/go", "bob"), http.StatusForbidden, ReasonLoginRefused)
	if strings.Contains(text, "barred") || !strings.Contains(a.logs.String(), "bob is barred") {
		t.Errorf("page %s, log %s", text, a.logs)
	}
	a.wantUser(b, "nobody: "+ReasonNoSession)
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
	// A panic is the request's, and who else asks is not left waiting.
	callback := b.callbackOf(b.begin("/go"), "carol")
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		b.lost(b.request("GET", callback))
	}()
	a.wantPage(b.get(callback), http.StatusInternalServerError, ReasonInternal)
}

func TestTooLargeSession(t *testing.T) {
	groups := make([]string, 400)
	for i := range groups {
		groups[i] = strings.Repeat(string(rune('a'+i%26)), 10) + strings.Repeat("x", i%17)
	}
	var w witness
	a := newApp(t, w.listen, func(cfg *appConfig) {
		cfg.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"groups": groups}}}
	})
	b := a.browser()
	text := a.wantPage(b.signIn("/", "alice"), http.StatusInternalServerError, ReasonTooLarge)
	if !strings.Contains(text, "Your sign-in data is too large for this application.") {
		t.Errorf("the page says %s", text)
	}
	if !strings.Contains(a.logs.String(), "groups") {
		t.Errorf("the log does not name the claim: %s", a.logs)
	}
	if b.cookie("") != "" || slices.Contains(b.jar.names(), "__Host-postern.1") {
		t.Errorf("cookies: %q", b.jar.names())
	}
	if len(w.events) > 0 || strings.Contains(a.logs.String(), "session: signed in") {
		t.Errorf("nobody has signed in: events %v, log %s", w.events, a.logs)
	}
}

func TestOnError(t *testing.T) {
	var got *Error
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.OnError = func(w http.ResponseWriter, _ *http.Request, e *Error) {
			got = e
			w.WriteHeader(e.Status)
		}
	})
	b := a.browser()
	a.wantPage(b.get("/auth/callback?state=x"), http.StatusBadRequest, ReasonAttemptMissing)
	if got.Reason != ReasonAttemptMissing || got.StartAgain != "/auth/login" || got.Unwrap() == nil {
		t.Errorf("%+v", got)
	}
	if !strings.HasPrefix(got.Error(), "session: attempt-missing: ") {
		t.Errorf("%v", got)
	}
	b.fetch("/")
	if got.Status != http.StatusUnauthorized || got.Error() != "session: no-session" {
		t.Errorf("%v", got)
	}
	a.op.SetFaults(clienttest.ErrorCallback)
	b.signIn("/page", "alice")
	var refused *client.AuthError
	if !errors.As(got, &refused) || refused.Code != "access_denied" || got.StartAgain != "/auth/login?return_to=%2Fpage" {
		t.Errorf("%v, start again at %q", got, got.StartAgain)
	}
}

// The policy of our pages names the style by its hash: after a change of either, a
// browser would show them bare.
func TestPageStyleHash(t *testing.T) {
	sum := sha256.Sum256([]byte(pageStyle))
	if want := base64.StdEncoding.EncodeToString(sum[:]); pageStyleHash != want {
		t.Errorf("the hash is %s", want)
	}
}

// An answer that comes again, with the cookie of the session it has brought, does not end it.
func TestAnswerTwiceKeepsItsSession(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	callback := b.callbackOf(b.begin("/x"), "alice")
	before := slices.Clone(b.jar.cookies)
	a.wantRedirect(b.get(callback, fromProvider...), "/x")
	b.jar.cookies = append(b.jar.cookies, before...) // the attempt, which the browser had sent already
	a.wantRedirect(b.get(callback, fromProvider...), "/x")
	a.op.Advance(2 * replacedGrace)
	a.wantUser(b, "alice")
}
