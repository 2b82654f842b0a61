package session

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// asking makes an app whose sign-ins have options.
func asking(t *testing.T, opts client.AuthorizeOptions) *app {
	t.Helper()
	return newApp(t, func(cfg *appConfig) {
		cfg.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) { return &opts, nil }
	})
}

// postForm posts a form to the callback, as a page does.
func (b *browser) postForm(form url.Values, headers ...string) *http.Response {
	b.t.Helper()
	r := b.request("POST", "/auth/callback", headers...)
	posted := httptest.NewRequest("POST", "/auth/callback", strings.NewReader(form.Encode()))
	posted.Header = r.Header
	posted.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(posted)
}

// answerTo signs a user in and gives the address that the provider sends the browser to.
func (b *browser) answerTo(authorization, user string) *url.URL {
	b.t.Helper()
	callback, err := b.op.SignIn(authorization, user)
	if err != nil {
		b.t.Fatal(err)
	}
	return callback
}

// A fragment comes to the server by way of the relay page, with a Lax cookie.
func TestFragment(t *testing.T) {
	for _, opts := range []client.AuthorizeOptions{
		{ResponseMode: "fragment"},
		{ResponseType: "code id_token", ResponseMode: "fragment"},
		{ResponseType: "id_token", ResponseMode: "fragment"},
		{ResponseMode: "fragment.jwt"},
	} {
		t.Run(opts.ResponseType+" "+opts.ResponseMode, func(t *testing.T) {
			a := asking(t, opts)
			b := a.browser()
			callback := b.answerTo(b.begin("/page"), "alice")
			if callback.Fragment == "" {
				t.Fatal("the answer is in no fragment")
			}
			b.jar.as(jarContext{crossSite: true})
			page := b.get("/auth/callback", fromProvider...)
			b.jar.as(jarContext{unsafe: true})
			text := body(page)
			if page.StatusCode != http.StatusOK || !strings.Contains(text, relayScript) || !strings.Contains(text, `name="`+relayField+`"`) {
				t.Fatalf("%d, and no relay page", page.StatusCode)
			}
			wantHeader(t, page, "Content-Security-Policy", relayPolicy)
			wantHeader(t, page, "Cache-Control", "no-store")
			wantHeader(t, page, "X-Content-Type-Options", "nosniff")
			if strings.ContainsAny(relayPolicy, "*") || strings.Contains(relayPolicy, "unsafe") {
				t.Errorf("the policy is %s", relayPolicy)
			}
			a.wantRedirect(b.postForm(url.Values{relayField: {callback.EscapedFragment()}}), "/page")
			b.jar.as(jarContext{})
			if !strings.HasPrefix(body(b.get("/")), "alice ") {
				t.Errorf("nobody is signed in; log: %s", a.logs)
			}
		})
	}
}

func wantHeader(t *testing.T, resp *http.Response, name, want string) {
	t.Helper()
	if got := resp.Header.Get(name); got != want {
		t.Errorf("%s is %q, want %q", name, got, want)
	}
}

// The one page with a script is for a browser that awaits a fragment, and no other.
func TestRelayOnlyWhereAwaited(t *testing.T) {
	query := newApp(t)
	b := query.browser()
	query.wantPage(b.get("/auth/callback"), http.StatusBadRequest, ReasonCallbackInvalid)
	b.begin("/page")
	query.wantPage(b.get("/auth/callback"), http.StatusBadRequest, ReasonCallbackInvalid)

	a := asking(t, client.AuthorizeOptions{ResponseMode: "fragment"})
	a.wantPage(a.browser().get("/auth/callback"), http.StatusBadRequest, ReasonCallbackInvalid)
	b = a.browser()
	b.begin("/page")
	for _, answer := range []string{"state=x", "code=x", "error=x", "response=x"} {
		if text := body(b.get("/auth/callback?" + answer)); strings.Contains(text, "<script>") {
			t.Errorf("%s: a page with a script", answer)
		}
	}
	if text := body(b.get("/auth/callback?tenant=one")); !strings.Contains(text, relayScript) {
		t.Error("a redirect URL with a query of its own has no relay page")
	}
	a.op.Advance(DefaultAttemptLifetime)
	a.wantPage(b.get("/auth/callback"), http.StatusBadRequest, ReasonCallbackInvalid)
}

// V-17: whatever the relay page posts is worth nothing in a browser without the attempt,
// and a form from elsewhere does not bring the attempt.
func TestRelayLoginCSRF(t *testing.T) {
	a := asking(t, client.AuthorizeOptions{ResponseMode: "fragment"})
	attacker, victim := a.browser(), a.browser()
	answer := attacker.answerTo(attacker.begin("/"), "mallory").EscapedFragment()
	victim.begin("/page")
	a.wantPage(victim.postForm(url.Values{relayField: {answer}}), http.StatusBadRequest, ReasonAttemptMissing)
	a.wantUser(victim, "nobody: "+ReasonNoSession)

	own := victim.answerTo(victim.begin("/page"), "alice").EscapedFragment()
	victim.jar.as(jarContext{crossSite: true, unsafe: true})
	a.wantPage(victim.postForm(url.Values{relayField: {own}}, "Sec-Fetch-Site", "cross-site"), http.StatusBadRequest, ReasonAttemptMissing)
}

func TestRelayedFormRejects(t *testing.T) {
	a := asking(t, client.AuthorizeOptions{ResponseMode: "fragment"})
	b := a.browser()
	answer := b.answerTo(b.begin("/page"), "alice").EscapedFragment()
	for name, form := range map[string]url.Values{
		"something beside": {relayField: {answer}, "state": {"x"}},
		"twice":            {relayField: {answer, answer}},
		"unreadable":       {relayField: {answer + "&x=%zz"}},
		"empty":            {relayField: {""}},
		"two states":       {relayField: {answer + "&state=x"}},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(a.logs.reasons())
			if resp := b.postForm(form); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("status %d", resp.StatusCode)
			}
			if got := a.logs.reasons()[before:]; len(got) == 0 || got[0] != ReasonCallbackInvalid {
				t.Errorf("reasons %q, want %s", got, ReasonCallbackInvalid)
			}
		})
	}
	a.wantRedirect(b.postForm(url.Values{relayField: {answer}}), "/page")
}

// An ID token that is posted: no client secret, no token request.
func TestImplicitByFormPost(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) {
		cfg.op.Clients = []clienttest.Client{{ID: "web"}}
		cfg.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) {
			return &client.AuthorizeOptions{ResponseType: "id_token"}, nil
		}
	})
	b := a.browser()
	answer := b.answerTo(b.begin("/page"), "alice").Query()
	b.jar.as(jarContext{crossSite: true, unsafe: true})
	a.wantRedirect(b.postForm(answer, "Sec-Fetch-Site", "cross-site"), "/page")
	b.jar.as(jarContext{})
	if got := body(b.get("/page")); got != "alice none /page" {
		t.Errorf("the app says %q", got)
	}
	for _, r := range a.op.Requests() {
		if r.Endpoint == "token" {
			t.Error("a token request")
		}
	}
}

// A signed answer has its state inside; it is verified before an attempt is looked for.
func TestSignedAnswer(t *testing.T) {
	a := asking(t, client.AuthorizeOptions{ResponseMode: "jwt"})
	b := a.browser()
	callback := b.answerTo(b.begin("/page"), "alice")
	if q := callback.Query(); len(q) != 1 || !q.Has("response") {
		t.Fatalf("the answer has %d parameters", len(q))
	}
	forged := strings.Replace(callback.RequestURI(), "response=", "response=e30.", 1)
	a.wantPage(b.get(forged, fromProvider...), http.StatusBadRequest, ReasonCallbackInvalid)
	a.op.SetFaults(clienttest.JWKS500)
	a.wantPage(b.get(callback.RequestURI(), fromProvider...), http.StatusServiceUnavailable, ReasonUnavailable)
	a.op.SetFaults()
	a.op.Advance(11 * 1e9)
	a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/page")
	a.wantUser(b, "alice")
}

// The policy of the relay page names the script by its hash: after a change of either, a
// browser would not run it.
func TestRelayScriptHash(t *testing.T) {
	sum := sha256.Sum256([]byte(relayScript))
	if want := base64.StdEncoding.EncodeToString(sum[:]); relayScriptHash != want {
		t.Errorf("the hash is %s", want)
	}
}
