package session

import (
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

func TestLifetimes(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) { cfg.session.Lifetime, cfg.session.Idle = 3*time.Hour, time.Hour })
	b := a.browser()
	b.mustSignIn("alice")
	for range 8 { // page loads keep it, 20 minutes apart
		a.op.Advance(20 * time.Minute)
		if resp := b.get("/"); resp.StatusCode != http.StatusOK {
			t.Fatalf("%d; log %s", resp.StatusCode, a.logs)
		}
	}
	a.op.Advance(20*time.Minute - 5*time.Second)
	a.wantUser(b, "alice")
	r := b.request("GET", "/", fetchHeaders...)
	a.op.Advance(5 * time.Second)
	if resp := b.lost(r); problemReason(t, resp) != ReasonExpired {
		t.Errorf("%d at the hard end", resp.StatusCode)
	}
}

// A lifetime of whatever a time.Duration holds is a long one, and none that browsers take for
// the end of the cookie.
func TestLongestLifetime(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) {
		cfg.session.Lifetime, cfg.session.Idle, cfg.session.AttemptLifetime = math.MaxInt64, math.MaxInt64, math.MaxInt64
	})
	b := a.browser()
	b.mustSignIn("alice")
	a.op.Advance(30 * 24 * time.Hour)
	a.wantUser(b, "alice")
	for nanoseconds, want := range map[time.Duration]string{
		-1: "0", 0: "0", 1: "1", 1e9: "1", 1e9 + 1: "2", math.MaxInt64: "9223372037",
	} {
		if got := testCookies(t, overTLS).maxAge(testTime.Add(nanoseconds)); got != "; Max-Age="+want {
			t.Errorf("%d ns: %q, want %s", nanoseconds, got, want)
		}
	}
}

func TestIdle(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	for range 11 { // a tab that polls is nobody at work
		a.op.Advance(5 * time.Minute)
		a.wantUser(b, "alice")
	}
	stale := b.request("GET", "/", fetchHeaders...)
	if resp := b.get("/"); resp.StatusCode != http.StatusOK || b.cookie("-seen") == "" {
		t.Fatalf("%d, cookies %q", resp.StatusCode, b.jar.names())
	}
	a.op.Advance(5 * time.Minute)
	if resp := b.lost(stale); problemReason(t, resp) != ReasonIdle {
		t.Errorf("without the last-seen cookie: %d", resp.StatusCode)
	}
	a.wantUser(b, "alice")
	a.op.Advance(55 * time.Minute)
	a.wantUser(b, "nobody: "+ReasonIdle)
	b.begin("/")
	if b.cookie("") != "" || b.cookie("-seen") != "" {
		t.Errorf("cookies left: %q", b.jar.names())
	}
}

// The last-seen cookie is written by page loads, one in a tenth of the idle time.
func TestSeenIsWrittenSeldom(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	written := 0
	for range 60 {
		a.op.Advance(time.Minute)
		if strings.Contains(strings.Join(setCookies(b.get("/")), " "), "-seen") {
			written++
		}
	}
	if written != 10 {
		t.Errorf("written %d times in an hour", written)
	}
	// That of another session counts for nothing.
	other := a.browser()
	other.mustSignIn("bob")
	a.op.Advance(50 * time.Minute)
	for _, c := range b.jar.cookies {
		if strings.HasSuffix(c.name, "-seen") {
			other.jar.cookies = append(other.jar.cookies, c)
		}
	}
	a.op.Advance(10 * time.Minute)
	a.wantUser(other, "nobody: "+ReasonIdle)
}

// Lifetimes of the configuration count for sessions from before it changed.
func TestShorterLifetime(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.op.Advance(30 * time.Minute)
	a.m.cfg.Lifetime = 20 * time.Minute
	a.wantUser(b, "nobody: "+ReasonExpired)
}

func TestUndecryptableIsClearedUnknownKeyIsNot(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	tests := map[string]struct {
		change  func(string) string
		reason  string
		cleared bool
	}{
		"damaged":     {func(s string) string { return s[:len(s)-4] + "AAAA" }, ReasonUndecryptable, true},
		"cut":         {func(s string) string { return s[:len(s)/2] }, ReasonUndecryptable, true},
		"nonsense":    {func(string) string { return "x" }, ReasonUndecryptable, true},
		"unknown key": {func(s string) string { return s[:2] + "zzzzzz" + s[8:] }, ReasonUnknownKey, false},
	}
	a.mux.Handle("/public", a.m.Load(http.HandlerFunc(a.page)))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := a.browser()
			c.jar.SetCookies(c.base, []*http.Cookie{{Name: "__Host-postern", Value: tt.change(b.cookie("")), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}})
			if resp := c.fetch("/"); problemReason(t, resp) != tt.reason || len(resp.Cookies()) != 0 {
				t.Errorf("%d, cookies %q", resp.StatusCode, setCookies(resp))
			}
			if !a.logs.has(tt.reason) {
				t.Errorf("log %s", a.logs)
			}
			resp := c.get("/public")
			if got := body(resp); resp.StatusCode != http.StatusOK || !strings.HasPrefix(got, " none") {
				t.Errorf("%d %q", resp.StatusCode, got)
			}
			if (c.cookie("") == "") != tt.cleared {
				t.Errorf("the cookie is left: %v", c.cookie("") != "")
			}
			a.wantRedirect(c.signIn("/", "bob"), "/")
			a.wantUser(c, "bob")
		})
	}
}

// Sessions of another provider or client, under the same secrets.
func TestOtherIssuer(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	for _, change := range []func(*client.Config){
		func(cfg *client.Config) { cfg.Issuer = "https://other.example.com" },
		func(cfg *client.Config) { cfg.ClientID = "other" },
	} {
		cfg := a.op.Config(appCallback)
		change(&cfg)
		rp, err := client.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		m, err := New(rp, Config{Secrets: []string{testSecret(1)}, Logger: a.m.cfg.Logger})
		if err != nil {
			t.Fatal(err)
		}
		a.handler = m.Require(http.HandlerFunc(a.page))
		a.wantUser(b, "nobody: "+ReasonOtherIssuer)
	}
}

func TestSecretRotationOverAWholeFlow(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	authorization := b.begin("/auth/login?return_to=/page")
	rotated := func(secrets ...string) *Manager {
		m, err := New(a.rp, Config{Secrets: secrets, Logger: a.m.cfg.Logger})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		m.Routes(mux)
		mux.Handle("/", m.Require(http.HandlerFunc(a.page)))
		a.handler, a.m = mux, m
		return m
	}
	rotated(testSecret(2), testSecret(1))
	a.wantUser(b, "alice")
	a.wantRedirect(b.get(b.callbackOf(authorization, "alice"), fromProvider...), "/page")
	a.wantUser(b, "alice")
	rotated(testSecret(2)) // the session of the last sign-in is under the new one
	a.wantUser(b, "alice")
}

func TestValues(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	check := func(do func(s *Session)) {
		t.Helper()
		a.open = func(_ *http.Request, s *Session) { do(s) }
		a.wantUser(b, "alice")
		a.open = nil
	}
	mustSet := func(s *Session, name string, value []byte) {
		if err := s.Set(name, value); err != nil {
			t.Error(err)
		}
	}
	check(func(s *Session) {
		value := []byte("one")
		mustSet(s, "a", value)
		value[0] = 'X'
		mustSet(s, "empty", []byte{})
		mustSet(s, "gone", []byte("x"))
		mustSet(s, "gone", nil)
		if got, ok := s.Get("a"); string(got) != "one" || !ok {
			t.Errorf("a is %q, %v", got, ok)
		}
	})
	check(func(s *Session) {
		got, ok := s.Get("a")
		if string(got) != "one" || !ok {
			t.Errorf("a is %q, %v", got, ok)
		}
		got[0] = 'X'
		if again, _ := s.Get("a"); string(again) != "one" {
			t.Error("Get gives out its own memory")
		}
		if got, ok := s.Get("empty"); len(got) != 0 || !ok {
			t.Errorf("empty is %q, %v", got, ok)
		}
		if _, ok := s.Get("gone"); ok {
			t.Error("gone is there")
		}
		mustSet(s, "a", nil)
	})
	check(func(s *Session) {
		if _, ok := s.Get("a"); ok {
			t.Error("a is there")
		}
		var tooLarge *TooLargeError
		if err := s.Set("big", make([]byte, 6000)); !errors.As(err, &tooLarge) || tooLarge.Parts[0].Size != 6000 {
			t.Errorf("6,000 bytes: %v", err)
		}
		if _, ok := s.Get("big"); ok {
			t.Error("big is there")
		}
		for _, name := range []string{"", strings.Repeat("n", maxValueName+1)} {
			if err := s.Set(name, nil); err == nil || !strings.Contains(err.Error(), "the name of a value") {
				t.Errorf("name of %d bytes: %v", len(name), err)
			}
		}
	})
	var late *Session
	check(func(s *Session) { late = s })
	if err := late.Set("a", nil); !errors.Is(err, ErrHeadersSent) {
		t.Errorf("after the response: %v", err)
	}
	// A response that was lost takes no value with it, in this process.
	a.open = func(_ *http.Request, s *Session) { mustSet(s, "lost", []byte("found")) }
	b.lost(b.request("GET", "/"))
	check(func(s *Session) {
		if got, _ := s.Get("lost"); string(got) != "found" {
			t.Errorf("lost is %q", got)
		}
	})
}

// Two apps with one provider and one host name: cookies ignore ports.
func TestTwoManagersOnOneHost(t *testing.T) {
	one := newApp(t, func(cfg *appConfig) { cfg.callback, cfg.session.Name = "http://localhost:8080/auth/callback", "one" })
	two := newApp(t, func(cfg *appConfig) { cfg.callback, cfg.session.Name = "http://localhost:8081/auth/callback", "two" })
	b1 := one.browser()
	b2 := &browser{two, b1.jar}
	b1.mustSignIn("alice")
	b2.mustSignIn("bob")
	one.wantUser(b1, "alice")
	two.wantUser(b2, "bob")
	b1.post("/auth/logout")
	one.wantUser(b1, "nobody: "+ReasonNoSession)
	two.wantUser(b2, "bob")
	if len(b1.jar.refused) > 0 {
		t.Errorf("refused: %q", b1.jar.refused)
	}
}

// A handler of one app within that of another on the same mux sees its own sessions only.
func TestManagerWithinAnother(t *testing.T) {
	one := newApp(t, func(cfg *appConfig) { cfg.session.Name = "one" })
	two := newApp(t, func(cfg *appConfig) { cfg.session.Name = "two" })
	var seen string
	inner := two.m.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = "two: " + From(r.Context()).Subject() }))
	one.mux.Handle("/both", one.m.Require(inner))
	one.mux.Handle("/gate", one.m.Require(two.m.Require(inner)))
	b := one.browser()
	b.mustSignIn("alice")
	if resp := b.get("/both"); resp.StatusCode != http.StatusOK || seen != "two: " {
		t.Errorf("%d, %q", resp.StatusCode, seen)
	}
	if resp := b.fetch("/gate"); resp.StatusCode != http.StatusUnauthorized || problemReason(t, resp) != ReasonNoSession {
		t.Errorf("%d for who is signed in at the other app", resp.StatusCode)
	}
	b2 := &browser{two, b.jar}
	b2.mustSignIn("bob")
	if resp := b.get("/gate"); resp.StatusCode != http.StatusOK || seen != "two: bob" {
		t.Errorf("%d, %q", resp.StatusCode, seen)
	}
}

// Of a session that is over nothing is told, though its cookie opens.
func TestNothingOfASessionThatIsOver(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.op.Advance(DefaultIdle)
	a.mux.Handle("/load", a.m.Load(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s := From(r.Context())
		if s.presented == nil || s.SignedIn() {
			t.Fatalf("the session is not over: %q", s.Reason())
		}
		var claims map[string]any
		if err := s.Claims(&claims); err != ErrSignIn || claims != nil {
			t.Errorf("claims %v, %v", claims, err)
		}
		if _, ok := s.Claim("sub"); ok {
			t.Error("a claim")
		}
		if _, ok := s.Texts("sub"); ok {
			t.Error("texts of a claim")
		}
		if s.Subject() != "" || s.Issuer() != "" || s.IDToken() != nil || s.Account() != nil || !s.Created().IsZero() || !s.Expires().IsZero() {
			t.Error("an identity")
		}
		for name, rule := range map[string]Rule{
			"acr": HasACR("gold"), "amr": HasAMR("pwd"), "scope": HasScope("openid"), "claim": HasClaim([]string{"sub"}, "alice"),
			"age": AuthenticatedWithin(24 * time.Hour),
		} {
			if rule(r, s) == nil {
				t.Errorf("the rule of %s lets nobody pass as somebody", name)
			}
		}
	})))
	if resp := b.get("/load"); resp.StatusCode != http.StatusOK {
		t.Errorf("%d", resp.StatusCode)
	}
}
