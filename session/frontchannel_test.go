package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

const frontChannelPath = "/auth/frontchannel-logout"

// frameHeaders are the headers of a frame on a page of the provider.
var frameHeaders = []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "iframe"}

func frame(iss, sid string) string {
	return frontChannelPath + "?" + url.Values{"iss": {iss}, "sid": {sid}}.Encode()
}

// wantFrame checks an answer that browsers show in the frame.
func (a *app) wantFrame(resp *http.Response) {
	a.t.Helper()
	h := resp.Header
	policy := "default-src 'none'; base-uri 'none'; frame-ancestors " + a.op.Issuer()
	if resp.StatusCode != http.StatusOK || h.Get("Content-Security-Policy") != policy || h.Get("X-Frame-Options") != "" || h.Get("Cache-Control") != "no-store" {
		a.t.Errorf("%d with %v", resp.StatusCode, h)
	}
	for _, c := range resp.Cookies() {
		if c.Value != "" || c.MaxAge >= 0 {
			a.t.Errorf("the cookie %s is set", c.Name)
		}
	}
}

// The first case is the one that ends the session, and each other differs by one thing.
func TestFrontChannelLogout(t *testing.T) {
	type target func(iss, sid string) string
	good := func(iss, sid string) string { return frame(iss, sid) }
	bare := func(string, string) string { return frontChannelPath }
	for name, tt := range map[string]struct {
		target  target
		lax     bool     // Config.FrontChannelWithoutSession
		headers []string // nil: frameHeaders
		reason  string   // empty: the session ends
	}{
		"its session":        {good, false, nil, ""},
		"by a page load":     {good, false, fromProvider, ""},
		"another sid":        {func(iss, sid string) string { return frame(iss, sid+"x") }, false, nil, ReasonOtherSession},
		"another issuer":     {func(iss, sid string) string { return frame(iss+"/", sid) }, false, nil, ReasonOtherSession},
		"nothing":            {bare, false, nil, ReasonLogoutInvalid},
		"nothing, allowed":   {bare, true, nil, ""},
		"nothing, old frame": {bare, true, []string{"Sec-Fetch-Dest", "frame"}, ""},
		"nothing, image":     {bare, true, []string{"Sec-Fetch-Dest", "image"}, ReasonLogoutInvalid},
		"nothing, page load": {bare, true, fromProvider, ReasonLogoutInvalid},
		"another, allowed":   {func(iss, sid string) string { return frame(iss, sid+"x") }, true, nil, ReasonOtherSession},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, func(cfg *appConfig) { cfg.session.FrontChannelWithoutSession = tt.lax })
			b := a.browser()
			b.mustSignIn("alice")
			old, rec := allCookies(b), b.record()
			headers := tt.headers
			if headers == nil {
				headers = frameHeaders
			}
			resp := b.get(tt.target(rec.identity.issuer, rec.identity.sid), headers...)
			a.wantFrame(resp)
			if n := a.op.Count("revocation") + a.op.Count("end_session"); n != 0 {
				t.Errorf("%d requests to the provider", n)
			}
			if tt.reason != "" {
				if !a.logs.has(tt.reason) || len(resp.Cookies()) != 0 {
					t.Errorf("cookies %q, log %s", setCookies(resp), a.logs)
				}
				a.wantUser(b, "alice")
				return
			}
			if names := b.jar.names(); len(names) != 0 {
				t.Errorf("cookies left: %q", names)
			}
			if strings.Contains(a.logs.String(), "without effect") {
				t.Errorf("log %s", a.logs)
			}
			replayed := b.request("GET", "/", fetchHeaders...)
			replayed.Header.Set("Cookie", old)
			if resp := b.lost(replayed); problemReason(t, resp) != ReasonSignedOut {
				t.Errorf("the old cookie: %d", resp.StatusCode)
			}
		})
	}
}

func TestFrontChannelRefuses(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	q := url.Values{"iss": {a.op.Issuer()}, "sid": {b.sid()}}.Encode()
	for name, query := range map[string]string{
		"iss twice":      q + "&iss=" + url.QueryEscape(a.op.Issuer()),
		"sid twice":      q + "&sid=" + b.sid(),
		"empty iss":      "iss=&sid=" + b.sid(),
		"no sid":         "iss=" + url.QueryEscape(a.op.Issuer()),
		"empty sid":      "sid=&iss=" + url.QueryEscape(a.op.Issuer()),
		"no iss":         "sid=" + b.sid(),
		"both are empty": "sid=&iss=",
		"bad escape":     q + "&x=%zz",
	} {
		t.Run(name, func(t *testing.T) {
			a.wantPage(b.get(frontChannelPath+"?"+query, frameHeaders...), http.StatusBadRequest, ReasonLogoutInvalid)
		})
	}
	for _, method := range []string{"HEAD", "POST"} {
		r := b.request(method, frontChannelPath+"?"+q, frameHeaders...)
		if resp := answerOf(a.m.FrontChannelLogoutHandler(), r); resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, resp.StatusCode)
		}
	}
	a.wantUser(b, "alice")
}

// A session of which the provider has not said a sid is not that of an empty one.
func TestSameSessionNeedsASID(t *testing.T) {
	if (identity{issuer: "i"}).sameSession(identity{issuer: "i"}) {
		t.Error("without sid")
	}
	if !(identity{issuer: "i", sid: "s"}).sameSession(identity{issuer: "i", sid: "s", subject: "alice"}) {
		t.Error("with it")
	}
}

// In a frame on the page of another site, browsers send none of our cookies, and keep none.
func TestFrontChannelWithoutCookies(t *testing.T) {
	store := newCountingStore()
	a := newApp(t, func(cfg *appConfig) { cfg.session.Store = store })
	b := a.browser()
	b.mustSignIn("alice")
	target := frame(a.op.Issuer(), b.sid())
	saves := store.saves.Load()
	b.jar.as(jarContext{crossSite: true, embedded: true})
	a.wantFrame(b.get(target, frameHeaders...))
	b.jar.as(jarContext{})
	if !a.logs.has(ReasonNoCookie) {
		t.Errorf("log %s", a.logs)
	}
	a.wantUser(b, "alice")
	if store.saves.Load() != saves {
		t.Error("something was saved")
	}
}

func TestFrontChannelBySID(t *testing.T) {
	store := newCountingStore()
	var revoked []string
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Store = store
		cfg.session.FrontChannelWithoutCookie = true
		cfg.session.OnEvent = func(_ context.Context, e Event) {
			if e.Type == EventRevoked && e.Session == "" { // not of the requests that find out
				revoked = append(revoked, e.Issuer)
			}
		}
	})
	store.now = a.op.Now
	b, at, other := a.browser(), a.op.NewBrowser(), a.browser()
	signIn := func() {
		t.Helper()
		callback, err := at.SignIn(b.begin("/auth/login"), "alice")
		if err != nil {
			t.Fatal(err)
		}
		a.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/")
	}
	signIn()
	other.mustSignIn("alice")
	sid := b.sid()
	framed := func(iss, sid string) {
		t.Helper()
		b.jar.as(jarContext{crossSite: true, embedded: true})
		defer b.jar.as(jarContext{})
		a.wantFrame(b.get(frame(iss, sid), frameHeaders...))
	}
	a.later()

	// What somebody makes up costs no entry, and a strange issuer not even a look.
	saves, loads := store.saves.Load(), store.loads.Load()
	framed("https://evil.example", sid)
	if store.loads.Load() != loads {
		t.Error("a look for another issuer")
	}
	for range 100 {
		framed(a.op.Issuer(), sid+"x")
	}
	if store.saves.Load() != saves || !a.m.revoked.empty() {
		t.Errorf("%d entries for a sid nobody has", store.saves.Load()-saves)
	}
	a.wantUser(b, "alice")

	framed(a.op.Issuer(), sid)
	a.wantUser(b, "nobody: "+ReasonRevoked)
	a.wantUser(other, "alice")

	// A later sign-in with the same sid is not hit, also where it is at the same second.
	a.op.Advance(1e6) // a millisecond
	signIn()
	if b.sid() != sid {
		t.Fatal("the provider gave another sid")
	}
	a.wantUser(b, "alice")
	a.later()
	framed(a.op.Issuer(), sid)
	a.wantUser(b, "nobody: "+ReasonRevoked)
	if n := a.op.Count("revocation"); n != 0 {
		t.Errorf("%d revocations", n)
	}

	const failed, blind = "front-channel logout failed", "will not find this session"
	if text := a.logs.String(); strings.Contains(text, failed) || strings.Contains(text, blind) {
		t.Errorf("log %s", text)
	}
	saves = store.saves.Load()
	a.m.announce(t.Context(), b.request("GET", "/"), &record{identity: identity{issuer: a.op.Issuer()}})
	if store.saves.Load() != saves {
		t.Error("an entry for a session without sid")
	}
	if !slices.Equal(revoked, []string{a.op.Issuer(), a.op.Issuer()}) {
		t.Errorf("events %q", revoked)
	}
	a.later()
	b.begin("/")
	signIn()
	store.down.Store(true)
	framed(a.op.Issuer(), sid)
	a.wantUser(b, "alice")
	if len(revoked) != 2 {
		t.Error("an event about nothing")
	}
	signIn()
	if text := a.logs.String(); !strings.Contains(text, failed) || !strings.Contains(text, blind) {
		t.Errorf("log %s", text)
	}
}

// Two apps at one provider have the same sid, and may share a Store: that one of them is told
// of a logout does not keep the other from hearing it.
func TestFrontChannelBySIDOfTwoApps(t *testing.T) {
	store := new(mapStore)
	a := newApp(t, func(cfg *appConfig) { cfg.session.Store, cfg.session.FrontChannelWithoutCookie = store, true })
	store.now = a.op.Now
	other, err := New(a.rp, Config{Name: "other", Secrets: []string{testSecret(2)}, Logger: a.m.cfg.Logger, Store: store, FrontChannelWithoutCookie: true, Now: a.op.Now})
	if err != nil {
		t.Fatal(err)
	}
	who := identity{issuer: a.op.Issuer(), sid: "s1"}
	r := httptest.NewRequest("GET", "/", nil)
	for _, m := range []*Manager{a.m, other} {
		m.announce(t.Context(), r, &record{identity: who, created: a.op.Now(), expires: a.op.Now().Add(time.Hour)})
	}
	for _, m := range []*Manager{a.m, other} {
		if known, err := m.revokeAnnounced(t.Context(), who); !known || err != nil {
			t.Errorf("%s: %v %v", m.cfg.Name, known, err)
		}
	}
}

// A sign-in with the same sid while a logout is at work is over by it, or by the next one.
func TestFrontChannelForgetsNoSignInMeanwhile(t *testing.T) {
	store := new(mapStore)
	a := newApp(t, func(cfg *appConfig) { cfg.session.Store, cfg.session.FrontChannelWithoutCookie = store, true })
	store.now = a.op.Now
	at := a.op.NewBrowser()
	signIn := func(b *browser) {
		callback, err := at.SignIn(b.begin("/"), "alice")
		if err != nil {
			t.Fatal(err)
		}
		b.wantRedirect(b.get(callback.RequestURI(), fromProvider...), "/")
	}
	first, second := a.browser(), a.browser()
	signIn(first)
	target := frame(a.op.Issuer(), first.sid())
	once := true
	store.broken(func(operation, key string) error {
		if operation == "delete" && strings.HasPrefix(key, kindAnnounced+".") && once {
			once = false
			a.op.Advance(time.Second)
			signIn(second)
		}
		return nil
	})
	for range 2 {
		a.wantFrame(a.browser().get(target, frameHeaders...))
		a.op.Advance(time.Second)
	}
	if second.sid() != first.sid() || once {
		t.Fatal("the second sign-in has another sid")
	}
	a.wantUser(first, "nobody: "+ReasonRevoked)
	a.wantUser(second, "nobody: "+ReasonRevoked)
}

// What could not be saved of a logout is found by the next one.
func TestFrontChannelTriesAgain(t *testing.T) {
	store := new(mapStore)
	revoked := 0
	nodes := cluster(t, 2, store, func(cfg *appConfig) {
		cfg.session.FrontChannelWithoutCookie = true
		cfg.session.OnEvent = func(_ context.Context, e Event) {
			if e.Type == EventRevoked && e.Session == "" { // not of the requests that find out
				revoked++
			}
		}
	})
	a, other := nodes[0], nodes[1]
	b := a.browser()
	b.mustSignIn("alice")
	target, announced := frame(a.op.Issuer(), b.sid()), a.m.announced(a.op.Issuer(), b.sid())
	wantNoted := func(want bool, told int) {
		t.Helper()
		if _, noted := store.get(announced); noted != want || revoked != told {
			t.Errorf("noted: %v, want %v; told %d times, want %d", noted, want, revoked, told)
		}
	}
	store.broken(func(operation, key string) error {
		if operation == "save" && strings.HasPrefix(key, kindRevoked+".") {
			return errTestStore
		}
		return nil
	})
	a.wantFrame(a.browser().get(target, frameHeaders...))
	other.wantUser(b.at(other), "alice")
	wantNoted(true, 0)
	store.broken(nil)
	a.wantFrame(a.browser().get(target, frameHeaders...))
	wantNoted(false, 1)
	other.wantUser(b.at(other), "nobody: "+ReasonRevoked)
}

// A Store that panics at a sign-in costs what it would have kept, and not the sign-in.
func TestAnnounceToAStoreThatPanics(t *testing.T) {
	store := new(mapStore)
	a := newApp(t, func(cfg *appConfig) { cfg.session.Store, cfg.session.FrontChannelWithoutCookie = store, true })
	store.now, store.failing = a.op.Now, func(operation, _ string) error {
		if operation == "save" {
			panic("boom")
		}
		return nil
	}
	b := a.browser()
	b.mustSignIn("alice")
	a.op.Advance(2 * storePause)
	a.wantUser(b, "alice")
	if text := a.logs.String(); !strings.Contains(text, "will not find this session") {
		t.Errorf("log %s", text)
	}
}

// The road of RP-initiated logout with a page of frames on the way.
func TestFrontChannelDuringSignOut(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) {
		cfg.op.Clients = []clienttest.Client{{ID: "web", Secret: "a secret",
			FrontChannelLogoutURI: appURL + frontChannelPath, FrontChannelLogoutSessionRequired: true}}
		cfg.session.PostLogoutRedirectURL = appURL + "/auth/logout"
		cfg.session.LogoutReturns = []string{"/bye"}
	})
	b, at := a.browser(), a.op.NewBrowser()
	callback, err := at.SignIn(b.begin("/"), "alice")
	if err != nil {
		t.Fatal(err)
	}
	b.get(callback.RequestURI(), fromProvider...)
	rec := b.record()
	out, err := at.SignOut(b.send(b.form("/auth/logout", "return_to=/bye")).Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if want := appURL + frame(rec.identity.issuer, rec.identity.sid); !slices.Equal(out.Frames, []string{want}) {
		t.Fatalf("frames %q, want %q", out.Frames, want)
	}
	// The frame leaves the way back alone, even where it sees the cookies.
	a.wantFrame(b.get(strings.TrimPrefix(out.Frames[0], appURL), frameHeaders...))
	a.wantRedirect(b.get(out.Return.RequestURI(), fromProvider...), "/bye")
	if names := b.jar.names(); len(names) != 0 {
		t.Errorf("cookies left: %q", names)
	}
}

func TestFrameAncestorsOfSeveralProviders(t *testing.T) {
	h := newHouse(t)
	h.m.providers = append(h.m.providers, h.m.providers[0])
	if got := h.m.frameAncestors(); got != "https://red.example.net https://blue.example.net" {
		t.Errorf("got %q", got)
	}
}

func TestFrontChannelWithoutCookieNeedsAStore(t *testing.T) {
	cfg := Config{FrontChannelWithoutCookie: true}
	if _, err := cfg.withDefaults(nil); err == nil || !strings.Contains(err.Error(), "FrontChannelWithoutCookie without a Store") {
		t.Errorf("got %v", err)
	}
}

// The cookie of a session in the Store says which one it is, and nothing else.
func TestFrontChannelOfASessionInTheStore(t *testing.T) {
	store := newCountingStore()
	a := newApp(t, func(cfg *appConfig) { cfg.session.Store, cfg.session.SessionsInStore = store, true })
	store.now = a.op.Now
	b := a.browser()
	b.mustSignIn("alice")
	who := b.record().identity
	a.wantFrame(b.get(frame(who.issuer, who.sid+"x"), frameHeaders...))
	a.wantUser(b, "alice")
	old := allCookies(b)
	a.wantFrame(b.get(frame(who.issuer, who.sid), frameHeaders...))
	if names := b.jar.names(); len(names) > 0 {
		t.Errorf("left are %q", names)
	}
	r := b.request("GET", "/", fetchHeaders...)
	r.Header.Set("Cookie", old)
	if resp := b.lost(r); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the old cookie: %d", resp.StatusCode)
	}
}
