package session

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// What routers take: net/http and those that stand on it by composition, and
// chi's Use (func(http.Handler) http.Handler), alice's Constructor and the like.
var (
	_ func(http.Handler) http.Handler = (&Manager{}).Require
	_ func(http.Handler) http.Handler = (&Manager{}).Load
	_ chiMiddlewares                  = chiMiddlewares{(&Manager{}).Require, (&Manager{}).Guard()}
)

// chiMiddlewares is chi.Middlewares.
type chiMiddlewares []func(http.Handler) http.Handler

// One table for what happens to a request without a session.
func TestNavigationOr401(t *testing.T) {
	none := []string{"Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "", "Sec-Fetch-Site", "", "Accept", ""}
	with := func(more ...string) []string { return append(slices.Clone(none), more...) }
	tests := map[string]struct {
		method   string
		headers  []string
		redirect bool
	}{
		"page load":                      {"GET", nil, true},
		"page load by HEAD":              {"HEAD", nil, true},
		"link on another site":           {"GET", fromProvider, true},
		"typed address":                  {"GET", []string{"Sec-Fetch-Site", "none"}, true},
		"page load that accepts all":     {"GET", []string{"Accept", "*/*"}, true},
		"form":                           {"POST", nil, false},
		"PUT":                            {"PUT", nil, false},
		"OPTIONS":                        {"OPTIONS", nil, false},
		"fetch":                          {"GET", fetchHeaders, false},
		"fetch that accepts HTML":        {"GET", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
		"image":                          {"GET", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		"script file":                    {"GET", []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, false},
		"frame":                          {"GET", []string{"Sec-Fetch-Dest", "iframe"}, false},
		"embed":                          {"GET", []string{"Sec-Fetch-Dest", "embed"}, false},
		"websocket":                      {"GET", []string{"Sec-Fetch-Mode", "websocket", "Sec-Fetch-Dest", "empty", "Upgrade", "websocket"}, false},
		"websocket of an old browser":    {"GET", with("Upgrade", "websocket", "Accept", "text/html"), false},
		"event stream":                   {"GET", []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/event-stream"}, false},
		"prefetch":                       {"GET", []string{"Sec-Purpose", "prefetch"}, false},
		"prerender":                      {"GET", []string{"Sec-Purpose", "prefetch;prerender"}, false},
		"prefetch of an old browser":     {"GET", with("Purpose", "prefetch", "Accept", "text/html"), false},
		"preview":                        {"GET", []string{"X-Purpose", "preview"}, false},
		"old browser":                    {"GET", with("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), true},
		"old browser, XHTML":             {"GET", with("Accept", "application/xhtml+xml"), true},
		"old browser, form":              {"POST", with("Accept", "text/html"), false},
		"XMLHttpRequest of old":          {"GET", with("Accept", "text/html", "X-Requested-With", "XMLHttpRequest"), false},
		"curl":                           {"GET", with("Accept", "*/*"), false},
		"program without Accept":         {"GET", none, false},
		"program that wants JSON":        {"GET", with("Accept", "application/json"), false},
		"mode without destination":       {"GET", []string{"Sec-Fetch-Dest", ""}, true},
		"destination without mode":       {"GET", []string{"Sec-Fetch-Mode", ""}, true},
		"other destination without mode": {"GET", []string{"Sec-Fetch-Mode", "", "Sec-Fetch-Dest", "image"}, false},
	}
	a := newApp(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := a.browser()
			resp := b.send(b.request(tt.method, "/page", tt.headers...))
			if tt.redirect {
				if resp.StatusCode != http.StatusSeeOther || len(b.jar.names()) != 1 {
					t.Errorf("%d, cookies %q", resp.StatusCode, b.jar.names())
				}
				return
			}
			if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d, %s", resp.StatusCode, resp.Header.Get("Content-Type"))
			}
			if h := resp.Header; h["Set-Cookie"] != nil || h.Get("Cache-Control") != "no-store" ||
				h.Get("Vary") != "Cookie" || h.Get("WWW-Authenticate") != "Session" {
				t.Errorf("header %v", h)
			}
			if text := body(resp); !strings.Contains(text, `"reason":"no-session"`) || !strings.Contains(text, `"login":"/auth/login"`) {
				t.Errorf("body %s", text)
			}
		})
	}
}

func TestNavigationOverride(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Navigation = func(r *http.Request) bool { return !strings.HasPrefix(r.URL.Path, "/api/") }
	})
	for path, want := range map[string]int{"/api/x": 401, "/page": 303} {
		if resp := a.browser().get(path, fetchHeaders...); resp.StatusCode != want {
			t.Errorf("GET %s: %d", path, resp.StatusCode)
		}
		if resp := a.browser().post(path); resp.StatusCode != 401 {
			t.Errorf("POST %s: %d", path, resp.StatusCode)
		}
	}
}

func TestFromIsNeverNil(t *testing.T) {
	s := From(t.Context())
	if s.SignedIn() || s.Subject() != "" || s.Issuer() != "" || s.IDToken() != nil || s.LoginData() != nil ||
		!s.Created().IsZero() || !s.Expires().IsZero() || s.Reason() != ReasonNoSession {
		t.Error("somebody is there")
	}
	if _, ok := s.Get("x"); ok {
		t.Error("there is a value")
	}
	_, err := s.Token(t.Context())
	_, sourceErr := s.TokenSource().Token()
	_, clientErr := s.HTTPClient().Get("https://api.example.com/")
	for name, err := range map[string]error{
		"Claims": s.Claims(new(any)), "Set": s.Set("x", nil), "Token": err, "TokenSource": sourceErr, "HTTPClient": clientErr,
	} {
		if !errors.Is(err, ErrSignIn) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSessionSaysWho(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	before := a.op.Now()
	b.mustSignIn("alice")
	a.open = func(_ *http.Request, s *Session) {
		var claims struct{ Email string }
		if err := s.Claims(&claims); err != nil || claims.Email != "alice@example.com" {
			t.Errorf("claims %+v, %v", claims, err)
		}
		if s.Issuer() != a.op.Issuer() || s.IDToken().Subject != "alice" || !s.SignedIn() || s.Reason() != "" {
			t.Errorf("%s %s", s.Issuer(), s.IDToken().Subject)
		}
		if age := s.Created().Sub(before); age < -1e6 || age > 1e10 || s.Expires().Sub(s.Created()) != DefaultLifetime {
			t.Errorf("created %v, expires %v", s.Created(), s.Expires())
		}
	}
	a.wantUser(b, "alice")
}

func TestLoad(t *testing.T) {
	a := newApp(t)
	a.mux.Handle("/public", a.m.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		if r.URL.RawQuery == "who" {
			fmt.Fprintf(w, "%q", From(r.Context()).Subject())
		}
	})))
	b := a.browser()
	for _, user := range []string{"", "alice"} {
		if user != "" {
			b.mustSignIn(user)
		}
		stored := map[string]string{"": "public, max-age=60", "alice": "no-store"}[user]
		if resp := b.get("/public"); resp.Header.Get("Cache-Control") != stored || resp.Header.Get("Vary") != "Cookie" {
			t.Errorf("a page that does not ask has %v", resp.Header)
		}
		resp := b.get("/public?who")
		if got := body(resp); got != fmt.Sprintf("%q", user) {
			t.Errorf("the page says %s", got)
		}
		if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Vary") != "Cookie" {
			t.Errorf("a page for one has %v", resp.Header)
		}
	}
}

// Load around the whole app, the routes of ours included.
func TestLoadAroundAll(t *testing.T) {
	a := newApp(t)
	a.handler = a.m.Load(a.mux)
	b := a.browser()
	a.wantRedirect(b.signIn("/page", "alice"), "/page")
	a.wantUser(b, "alice")
	a.wantRedirect(b.signIn("/auth/login", "bob"), "/")
	a.wantUser(b, "bob")
	a.expireToken()
	a.wantUser(b, "bob")
	resp := b.post("/auth/logout")
	if resp.StatusCode != http.StatusSeeOther || len(b.jar.names()) != 0 {
		t.Errorf("%d, cookies left %q", resp.StatusCode, b.jar.names())
	}
	a.wantUser(b, "nobody: "+ReasonNoSession)
	// What Load would delete is not the cookie that the callback sets.
	b.jar.SetCookies(b.base, []*http.Cookie{{Name: "__Host-postern", Value: "damaged", Path: "/", Secure: true}})
	a.handler = a.mux
	authorization := b.begin("/page")
	a.handler = a.m.Load(a.mux)
	b.jar.SetCookies(b.base, []*http.Cookie{{Name: "__Host-postern", Value: "damaged", Path: "/", Secure: true}})
	a.wantRedirect(b.get(b.callbackOf(authorization, "alice"), fromProvider...), "/page")
	a.wantUser(b, "alice")
}

func TestGuard(t *testing.T) {
	a := newApp(t)
	verified := func(_ *http.Request, s *Session) error {
		if s.Subject() != "alice" {
			return fmt.Errorf("%s is not on the list", s.Subject())
		}
		return nil
	}
	onlyGET := func(r *http.Request, _ *Session) error {
		if r.Method != http.MethodGet {
			return errors.New("read only")
		}
		return nil
	}
	a.mux.Handle("/admin", a.m.Guard(verified, onlyGET)(http.HandlerFunc(a.page)))
	alice, bob := a.browser(), a.browser()
	if resp := a.browser().fetch("/admin"); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody: %d", resp.StatusCode)
	}
	a.wantRedirect(alice.signIn("/admin", "alice"), "/admin")
	if resp := alice.get("/admin"); resp.StatusCode != http.StatusOK {
		t.Errorf("alice: %d", resp.StatusCode)
	}
	bob.mustSignIn("bob")
	text := a.wantPage(bob.get("/admin"), http.StatusForbidden, ReasonRule)
	if strings.Contains(text, "list") || !strings.Contains(a.logs.String(), "bob is not on the list") {
		t.Errorf("page %s, log %s", text, a.logs)
	}
	if resp := bob.fetch("/admin"); resp.StatusCode != http.StatusForbidden || problemReason(t, resp) != ReasonRule {
		t.Errorf("bob by script: %d", resp.StatusCode)
	}
	if resp := alice.post("/admin"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("alice by POST: %d", resp.StatusCode)
	}
	if a.wantUser(bob, "bob"); bob.cookie("") == "" {
		t.Error("a rule has ended the session")
	}
}

func TestV28NotStored(t *testing.T) {
	a := newApp(t)
	control := ""
	// At those whom they are for, they win over Cache-Control.
	orders := []string{
		"Cdn-Cache-Control", "CDN-Cache-Control", "Cloudflare-Cdn-Cache-Control", "Surrogate-Control", "Edge-Control",
		"X-Accel-Expires", "X-Litespeed-Cache-Control",
	}
	a.mux.Handle("/cached", a.m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", control)
		for _, name := range orders {
			h[name] = []string{"max-age=60"}
		}
		h.Set("Vary", "Accept-Encoding")
		if r.URL.RawQuery == "set" {
			if err := From(r.Context()).Set("x", []byte("y")); err != nil {
				t.Error(err)
			}
		}
		w.Write([]byte("page"))
	})))
	b := a.browser()
	b.mustSignIn("alice")
	tests := []struct{ handler, read, written string }{
		{"", "no-store", "no-store"},
		{"public, s-maxage=31536000", "no-store", "no-store"},
		{"max-age=60", "no-store", "no-store"},
		{"no-cache", "no-store", "no-store"},
		{`private="x-user", max-age=60`, "no-store", "no-store"},
		{"private, max-age=60", "private, max-age=60", "no-store"},
		{"max-age=0, Private", "max-age=0, Private", "no-store"},
		{"no-store, max-age=0", "no-store, max-age=0", "no-store"},
	}
	for _, tt := range tests {
		control = tt.handler
		for target, want := range map[string]string{"/cached": tt.read, "/cached?set": tt.written} {
			resp := b.get(target, fetchHeaders...)
			h := resp.Header
			if got := h.Get("Cache-Control"); got != want {
				t.Errorf("%s with %q: Cache-Control is %q, want %q", target, tt.handler, got, want)
			}
			if got := h.Values("Vary"); !slices.Equal(got, []string{"Accept-Encoding", "Cookie"}) {
				t.Errorf("Vary is %q", got)
			}
			for _, name := range orders {
				if _, left := h[name]; left {
					t.Errorf("%s with %q: %s is left", target, tt.handler, name)
				}
			}
			if (target == "/cached?set") != (len(h["Set-Cookie"]) > 0) {
				t.Errorf("%s: cookies %q", target, h["Set-Cookie"])
			}
		}
	}
}
