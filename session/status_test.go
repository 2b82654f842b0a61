package session

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

// state asks for the session and gives the answer, and its members.
func (b *browser) state(headers ...string) (*http.Response, map[string]any, string) {
	b.t.Helper()
	resp := b.call("GET", "/auth/session", headers...)
	text := body(resp)
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		b.t.Fatalf("%d: %v in %s", resp.StatusCode, err, text)
	}
	return resp, members, text
}

func TestStatus(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.client.Scopes = []string{"offline_access", "profile", "email"}
		c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{
			"name": `</script>"Alice"`, "email": "alice@example.com", "groups": []string{"staff"},
		}}}
	})
	b := a.browser()
	resp, got, _ := b.state()
	want := map[string]any{"signed_in": false, "reason": ReasonNoSession, "login": "/auth/login"}
	if resp.StatusCode != http.StatusOK || !maps.Equal(got, want) {
		t.Errorf("nobody: %d, %v", resp.StatusCode, got)
	}
	b.mustSignIn("alice")
	var access string
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		token, err := s.Token(r.Context())
		if err != nil || s.Set("note", []byte("the-apps-own")) != nil {
			t.Fatal(err)
		}
		access = token.AccessToken
	})
	resp, got, text := b.state()
	if h := resp.Header; resp.StatusCode != http.StatusOK || h.Get("Content-Type") != "application/json" ||
		h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h["Set-Cookie"] != nil {
		t.Errorf("%d, %v", resp.StatusCode, h)
	}
	if got["signed_in"] != true || got["login"] != "/auth/login" || got["logout"] != "/auth/logout" || got["reason"] != nil {
		t.Errorf("%v", got)
	}
	if claims := got["claims"].(map[string]any); len(claims) != 2 || claims["sub"] != "alice" || claims["name"] != `</script>"Alice"` {
		t.Errorf("claims %v", claims)
	}
	for _, secret := range []string{access, "the-apps-own", "email", "staff", "</script>", "nonce"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s has %q", text, secret)
		}
	}
	if members := slices.Sorted(maps.Keys(got)); !slices.Equal(members, []string{"claims", "expires_in", "idle_in", "login", "logout", "signed_in"}) {
		t.Errorf("members %q", members)
	}
	if head := b.call("HEAD", "/auth/session"); head.StatusCode != http.StatusOK {
		t.Errorf("HEAD: %d", head.StatusCode)
	}
}

func TestPublicClaims(t *testing.T) {
	a := newApp(t, func(c *appConfig) {
		c.session.PublicClaims = []string{"groups", "missing"}
		c.op.Users = []clienttest.User{{Subject: "alice", Claims: map[string]any{"groups": []string{"staff"}}}}
	})
	b := a.browser()
	b.mustSignIn("alice")
	if _, got, text := b.state(); len(got["claims"].(map[string]any)) != 1 || !strings.Contains(text, `"claims":{"groups":["staff"]}`) {
		t.Error(text)
	}
	none := newApp(t, func(c *appConfig) { c.session.PublicClaims = []string{} })
	b = none.browser()
	b.mustSignIn("alice")
	if _, got, _ := b.state(); got["claims"] != nil {
		t.Errorf("%v", got)
	}
}

// The seconds are those after which the session really ends, and asking changes nothing.
func TestStatusCounts(t *testing.T) {
	a := newApp(t, func(c *appConfig) { c.session.Idle, c.session.Lifetime = 10*time.Minute, 25*time.Minute })
	b := a.browser()
	b.mustSignIn("alice")
	before := a.op.Count("token")
	near := func(what string, got any, want float64) {
		t.Helper()
		if n, ok := got.(float64); !ok || n > want || n < want-2 {
			t.Errorf("%s is %v, want %v or just below", what, got, want)
		}
	}
	for _, passed := range []float64{0, 240, 480} {
		_, got, _ := b.state()
		near("idle_in", got["idle_in"], 600-passed)
		near("expires_in", got["expires_in"], 1500-passed)
		a.op.Advance(4 * time.Minute)
	}
	resp, got, _ := b.state()
	if got["signed_in"] != false || got["reason"] != ReasonIdle || resp.Header["Set-Cookie"] != nil {
		t.Errorf("asked every four minutes: %v", got)
	}
	if a.op.Count("token") != before {
		t.Error("asking sends token requests")
	}

	b = a.browser()
	b.mustSignIn("alice")
	for range 2 {
		a.op.Advance(9 * time.Minute)
		b.get("/") // somebody is at work
	}
	_, got, _ = b.state()
	near("idle_in, near the hard end", got["idle_in"], 420)
	near("expires_in", got["expires_in"], 420)
	a.op.Advance(7 * time.Minute)
	if _, got, _ := b.state(); got["signed_in"] != false {
		t.Errorf("after that: %v", got)
	}
}

func TestStatusRefuses(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	for name, tt := range map[string]struct {
		method  string
		headers []string
		status  int
		reason  string
	}{
		"script tag on another site": {"GET", []string{"Sec-Fetch-Site", "cross-site", "X-Csrf", ""}, 403, ReasonCrossOrigin},
		"fetch by another site":      {"GET", []string{"Sec-Fetch-Site", "cross-site"}, 403, ReasonCrossOrigin},
		"HEAD by another site":       {"HEAD", []string{"Sec-Fetch-Site", "cross-site"}, 403, ReasonCrossOrigin},
		"another host of this site":  {"GET", []string{"Sec-Fetch-Site", "same-site"}, 403, ReasonCrossOrigin},
		"without the header":         {"GET", []string{"X-Csrf", ""}, 403, ReasonHeaderMissing},
		"POST":                       {"POST", nil, 405, ReasonMethod},
		"OPTIONS":                    {"OPTIONS", nil, 405, ReasonMethod},
	} {
		a.handler = a.m.StatusHandler()
		resp := b.call(tt.method, "/auth/session", tt.headers...)
		text := body(resp)
		if resp.StatusCode != tt.status || !strings.Contains(text, tt.reason) || strings.Contains(text, "alice") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
}

// Within Load it is the session that Load opened.
func TestStatusWithinLoad(t *testing.T) {
	a := newApp(t)
	a.handler = a.m.Load(a.mux)
	b := a.browser()
	b.mustSignIn("alice")
	if _, got, _ := b.state(); got["signed_in"] != true {
		t.Errorf("%v", got)
	}
	a.op.RevokeGrants("alice")
	a.expireToken()
	if _, got, _ := b.state(); got["signed_in"] != false || got["reason"] != ReasonRefreshFailed {
		t.Errorf("Load has found that the grant is over: %v", got)
	}
}

// While the Store is down, nobody knows who is signed in: a proxy for anybody is no way
// around that.
func TestStoreDownIsNotAnonymous(t *testing.T) {
	a, u := newUpstream(t, Proxy{Token: UserOrClientToken})
	inner := a.handler
	a.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &Session{m: a.m, r: r, reason: ReasonStoreDown}
		inner.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)))
	})
	b := a.browser()
	for _, path := range []string{"/api/x", "/auth/session"} {
		b.wantProblem(b.call("GET", path), http.StatusServiceUnavailable, ReasonStoreDown)
	}
	if u.calls() != 0 {
		t.Error("the API was called")
	}
}

func TestStatusOfSeveralProviders(t *testing.T) {
	a, _, blue := newTwo(t)
	b := a.browser()
	b.signInAt(blue, "blue", "bob")
	if _, got, _ := b.state(); got["provider"] != "blue" {
		t.Errorf("%v", got)
	}
}
