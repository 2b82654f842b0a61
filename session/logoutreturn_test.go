package session

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// form is the request of a form on a page of ours.
func (b *browser) form(target, fields string) *http.Request {
	r := b.request("POST", target)
	r.Body = io.NopCloser(strings.NewReader(fields))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func returning(cfg *appConfig) {
	cfg.session.PostLogoutRedirectURL = appURL + "/auth/logout"
	cfg.session.LogoutReturns = []string{"/bye?a=b", "https://www.example.com/bye"}
}

// signOut signs out with a return address, and gives the state that was sent along.
func (b *browser) signOut(returnTo string) (state string) {
	b.t.Helper()
	resp := b.send(b.form("/auth/logout", url.Values{"return_to": {returnTo}}.Encode()))
	q := parseURL(b.t, resp.Header.Get("Location")).Query()
	if resp.StatusCode != http.StatusSeeOther || q.Get("state") == "" || q.Get("post_logout_redirect_uri") == "" {
		b.t.Fatalf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	return q.Get("state")
}

func TestReturnFromSignOut(t *testing.T) {
	for _, to := range []string{"/bye?a=b", "https://www.example.com/bye"} {
		a := newApp(t, returning)
		b := a.browser()
		b.mustSignIn("alice")
		state := b.signOut(to)
		if names := b.jar.names(); !slices.Equal(names, []string{"__Host-postern-logout"}) {
			t.Errorf("cookies on the way: %q", names)
		}
		if strings.Contains(b.cookie("-logout"), state) {
			t.Error("the state can be read")
		}
		b.begin("/auth/login") // other cookies beside it
		b.begin("/auth/login")
		back := "/auth/logout?state=" + state
		a.wantRedirect(b.get(back, fromProvider...), to)
		if slices.Contains(b.jar.names(), "__Host-postern-logout") {
			t.Error("the cookie is left")
		}
		again := b.get(back, fromProvider...) // once
		a.wantOurPage(again)
		if len(again.Cookies()) != 0 {
			t.Errorf("deletes %q", setCookies(again))
		}
	}
}

// Each differs by one thing from a return that goes on.
func TestReturnFromSignOutIsChecked(t *testing.T) {
	for name, tt := range map[string]struct {
		query  string // %s: the state
		change func(a *app, b *browser)
		why    string
	}{
		"another state": {"?state=%sx", nil, "another one"},
		"no state":      {"?x=%s", nil, "missing"},
		"empty state":   {"?state=&x=%s", nil, "another one"},
		"twice":         {"?state=%[1]s&state=%[1]s", nil, "more than once"},
		"bad escape":    {"?state=%s&x=%%zz", nil, "invalid URL escape"},
		"too late":      {"?state=%s", func(a *app, _ *browser) { a.op.Advance(logoutReturnLifetime) }, "no cookie"},
		"too late, and the browser keeps the cookie": {"?state=%s", func(a *app, b *browser) {
			b.jar.now = func() time.Time { return testTime } // before it all
			b.jar.cookies[0].expires = time.Time{}
			a.op.Advance(logoutReturnLifetime)
		}, "too long"},
		"another browser": {"?state=%s", func(a *app, b *browser) { b.jar = a.browser().jar }, "no cookie"},
		"signed in since": {"?state=%s", func(a *app, b *browser) { b.mustSignIn("bob") }, "no cookie"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, returning)
			b := a.browser()
			b.mustSignIn("alice")
			state := b.signOut("/bye?a=b")
			if tt.change != nil {
				tt.change(a, b)
			}
			a.wantOurPage(b.get("/auth/logout"+fmt.Sprintf(tt.query, state), fromProvider...))
			if !a.logs.has(ReasonLogoutState) || !strings.Contains(a.logs.String(), tt.why) {
				t.Errorf("no %q in %s", tt.why, a.logs)
			}
			if slices.Contains(b.jar.names(), "__Host-postern-logout") {
				t.Error("the cookie is left")
			}
		})
	}
}

// A cookie that is not ours, before the one that is.
func TestReturnBesideAStrangeCookie(t *testing.T) {
	for _, strange := range []string{"", "x", "1", string(formatVersion), string(formatVersion) + "x"} {
		a := newApp(t, returning)
		b := a.browser()
		state := b.signOut("/bye?a=b")
		r := b.request("GET", "/auth/logout?state="+state, fromProvider...)
		r.Header.Set("Cookie", "a="+string(formatVersion)+"; b=; c=; __Host-postern-logout="+strange+"; "+r.Header.Get("Cookie"))
		a.wantRedirect(b.lost(r), "/bye?a=b")
	}
	// The value alone is not enough: it opens under the format that it was sealed in.
	a := newApp(t, returning)
	b := a.browser()
	state := b.signOut("/bye?a=b")
	r := b.request("GET", "/auth/logout?state="+state, fromProvider...)
	name, value, _ := strings.Cut(r.Header.Get("Cookie"), "=")
	r.Header.Set("Cookie", name+"="+value[1:])
	a.wantOurPage(b.lost(r))
}

// The faults of the conformance suite, rp-init-logout-other-state and -no-state.
func TestReturnFromAProviderThatForgets(t *testing.T) {
	for fault, why := range map[clienttest.Fault]string{
		clienttest.LogoutWrongState: "another one", clienttest.LogoutMissingState: "missing", "": "",
	} {
		t.Run(string(fault), func(t *testing.T) {
			a := newApp(t, returning)
			if fault != "" {
				a.op.SetFaults(fault)
			}
			b, at := a.browser(), a.op.NewBrowser()
			callback, err := at.SignIn(b.begin("/"), "alice")
			if err != nil {
				t.Fatal(err)
			}
			b.get(callback.RequestURI(), fromProvider...)
			out, err := at.SignOut(b.send(b.form("/auth/logout", "return_to=/bye?a=b")).Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			resp := b.get(out.Return.RequestURI(), fromProvider...)
			if fault == "" {
				a.wantRedirect(resp, "/bye?a=b")
				return
			}
			a.wantOurPage(resp)
			if !a.logs.has(ReasonLogoutState) || !strings.Contains(a.logs.String(), why) {
				t.Errorf("no %q in %s", why, a.logs)
			}
		})
	}
}

func TestV34ReturnAddressOfASignOut(t *testing.T) {
	hostile := literals(t, "openredirect.txt", 500)
	hostile = append(hostile, "/bye", "/bye?a=b#", "/bye?a=b/", "https://www.example.com/bye/", "https://www.example.com", "HTTPS://www.example.com/bye", "")
	a := newApp(t, returning, func(cfg *appConfig) { cfg.session.AfterLogout = "/after" })
	for _, input := range hostile {
		b := a.browser()
		state := b.signOut(input)
		if resp := b.get("/auth/logout?state="+url.QueryEscape(state), fromProvider...); resp.Header.Get("Location") != "" || resp.StatusCode != http.StatusOK {
			t.Errorf("%q leads to %q", input, resp.Header.Get("Location"))
		}
	}
	if !a.logs.has(ReasonReturnAddress) {
		t.Error("the log does not say that they were ignored")
	}
	a.op.SetFaults(clienttest.NoEndSession)
	a.op.Advance(2 * 3600 * 1e9) // for the metadata
	for _, input := range hostile {
		b := a.browser()
		a.wantRedirect(b.send(b.form("/auth/logout", url.Values{"return_to": {input}}.Encode())), "/after")
	}
	b := a.browser()
	a.wantRedirect(b.send(b.form("/auth/logout", "return_to=/bye?a=b")), "/bye?a=b")
	for _, fields := range []string{"return_to=/bye?a=b&return_to=/bye?a=b", "return_to=/bye?a=b&x=%zz&return_to=/x", "x=" + strings.Repeat("x", maxLogoutForm) + "&return_to=/bye?a=b"} {
		a.wantRedirect(b.send(b.form("/auth/logout", fields)), "/after")
	}
	a.wantRedirect(b.post("/auth/logout?return_to=/bye%3Fa=b"), "/after")
	r := b.form("/auth/logout", "")
	r.Body = nil
	a.wantRedirect(b.send(r), "/after")
}

// No state is sent to where nobody would ask for it.
func TestSignOutToAPageOfTheApp(t *testing.T) {
	for _, page := range []string{appURL + "/bye", "https://www.example.com/auth/logout", ""} {
		a := newApp(t, returning, func(cfg *appConfig) { cfg.session.PostLogoutRedirectURL = page })
		b := a.browser()
		b.mustSignIn("alice")
		location := b.send(b.form("/auth/logout", "return_to=/bye?a=b")).Header.Get("Location")
		if q := parseURL(t, location).Query(); q.Has("state") || q.Get("post_logout_redirect_uri") != page {
			t.Errorf("%s: to %s", page, location)
		}
		if names := b.jar.names(); len(names) != 0 {
			t.Errorf("cookies left: %q", names)
		}
	}
}

// Auth0 brings no state back in its own way of signing out: the cookie must do.
func TestReturnFromAProviderWithoutState(t *testing.T) {
	rp, err := client.New(client.Config{
		Issuer: "https://tenant.auth0.com/", ClientID: "web", ClientSecret: "a secret", RedirectURL: appCallback,
		Metadata: &client.Metadata{Issuer: "https://tenant.auth0.com/", AuthorizationEndpoint: "https://tenant.auth0.com/authorize",
			TokenEndpoint: "https://tenant.auth0.com/oauth/token", JWKSURI: "https://tenant.auth0.com/jwks"},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := newApp(t, returning)
	cfg := a.m.cfg
	cfg.Secrets = []string{testSecret(1)}
	m, err := New(rp, cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.m, a.handler = m, m.LogoutHandler()
	b := a.browser()
	location := b.send(b.form("/auth/logout", "return_to=/bye?a=b")).Header.Get("Location")
	to := parseURL(t, location)
	if to.Host != "tenant.auth0.com" || to.Path != "/v2/logout" || to.Query().Has("state") || to.Query().Get("returnTo") != appURL+"/auth/logout" {
		t.Fatalf("to %s", location)
	}
	stranger := a.browser()
	a.wantOurPage(stranger.get("/auth/logout", fromProvider...))
	held := b.request("GET", "/auth/logout?state=x", fromProvider...)
	a.wantOurPage(b.lost(held)) // nobody sent one
	a.wantRedirect(b.get("/auth/logout", fromProvider...), "/bye?a=b")
	if names := b.jar.names(); len(names) != 0 {
		t.Errorf("cookies left: %q", names)
	}
}

// Whatever the cookies are called and wherever they come from.
func TestV25NoCookieIsLeftAfterSigningOut(t *testing.T) {
	for name, change := range map[string]func(*appConfig){
		"https":          func(*appConfig) {},
		"Strict":         strictly,
		"loopback":       func(cfg *appConfig) { cfg.callback = "http://localhost:8080/cb" },
		"another name":   func(cfg *appConfig) { cfg.session.Name = "shop" },
		"another prefix": func(cfg *appConfig) { cfg.session.Prefix = "/x/y" },
		"form_post":      byFormPost,
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(cfg *appConfig) {
				change(cfg)
				path := or(cfg.session.Prefix, "/auth") + "/logout"
				at := parseURL(t, cfg.callback)
				at.Path = path
				cfg.session.PostLogoutRedirectURL, cfg.session.LogoutPath = at.String(), path
			})
			b := a.browser()
			b.crossSiteOr(name, "alice")
			a.wantUser(b, "alice")
			b.begin(a.m.cfg.LoginPath)
			b.begin(a.m.cfg.LoginPath)
			location := b.post(a.m.cfg.LogoutPath).Header.Get("Location")
			state := parseURL(t, location).Query().Get("state")
			if names := b.jar.names(); len(names) != 1 || !strings.HasSuffix(names[0], "-logout") {
				t.Errorf("on the way: %q", names)
			}
			b.jar.as(jarContext{crossSite: true})
			a.wantOurPage(b.get(a.m.cfg.LogoutPath+"?state="+state, fromProvider...))
			if names := b.jar.names(); len(names) != 0 || a.logs.has(ReasonLogoutState) {
				t.Errorf("cookies left: %q", names)
			}
		})
	}
}

// crossSiteOr signs in as the mode of an app needs it.
func (b *browser) crossSiteOr(mode, user string) {
	b.t.Helper()
	if mode == "Strict" || mode == "form_post" {
		b.crossSite(user)
		return
	}
	callback, err := b.op.SignIn(b.begin(b.m.cfg.LoginPath), user)
	if err != nil {
		b.t.Fatal(err)
	}
	b.get(callback.RequestURI(), fromProvider...)
}

func TestLogoutReturnStorage(t *testing.T) {
	l := &logoutReturn{state: "s", returnTo: "/bye", expires: testTime}
	data, err := l.appendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if (new(logoutReturn)).unmarshal(data[:n]) == nil {
			t.Errorf("%d of %d bytes are enough", n, len(data))
		}
	}
	if other := append([]byte{logoutReturnVersion + 1}, data[1:]...); (new(logoutReturn)).unmarshal(other) == nil {
		t.Error("another version is taken")
	}
	if (new(logoutReturn)).unmarshal(append(slices.Clone(data), 0)) == nil {
		t.Error("a byte more is taken")
	}
	got := new(logoutReturn)
	if err := got.unmarshal(data); err != nil || got.state != l.state || got.returnTo != l.returnTo || !got.expires.Equal(l.expires) {
		t.Errorf("%v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v %d", *l, l, *l, l); strings.Contains(text, "/bye") {
		t.Errorf("prints %s", text)
	}
	if _, err := (&logoutReturn{}).appendBinary(nil); err == nil {
		t.Error("a time that cannot be stored")
	}
}

func TestLogoutReturnsAreChecked(t *testing.T) {
	for address, why := range map[string]string{
		"//evil.example":                "neither https",
		"http://www.example.com/":       "neither https",
		"javascript:alert(1)":           "not an absolute URL",
		"bye":                           "not an absolute URL",
		"":                              "missing",
		"https://a@www.example.com/":    "without user",
		"https://www.example.com/#x":    "fragment",
		"/" + strings.Repeat("x", 2000): "1024 bytes",
		"https://www.example.com/\\x ":  "not a URL",
	} {
		cfg := Config{LogoutReturns: []string{"/", address}}
		if _, err := cfg.withDefaults(nil); err == nil || !strings.Contains(err.Error(), "LogoutReturns[1]") || !strings.Contains(err.Error(), why) {
			t.Errorf("%.40q: %v, want %q", address, err, why)
		}
	}
}

// All tokens of a session are revoked: its own, and those for other APIs.
func TestLogoutRevokesTokensForOtherAPIs(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	rec := b.record()
	other := *rec.tokens
	other.AccessToken = a.op.AccessToken(nil)
	a.m.revokeTokens(t.Context(), b.request("POST", "/auth/logout"), a.m.providers[0],
		grant{tokens: rec.tokens, others: map[string]*client.Tokens{"https://api.example.com": &other}})
	var revoked []string
	for _, r := range a.op.Requests() {
		if r.Endpoint == "revocation" {
			revoked = append(revoked, r.Form.Get("token"))
		}
	}
	if want := []string{rec.tokens.RefreshToken, rec.tokens.AccessToken, other.AccessToken}; !slices.Equal(revoked, want) {
		t.Errorf("%d revoked instead of %d", len(revoked), len(want))
	}
}
