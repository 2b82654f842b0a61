package session

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// newHub is an app with a provider of OpenID Connect, "red", and one without, "hub", which is
// like GitHub.
func newHub(t testing.TB, change ...func(*Config)) (a *app, red, hub *clienttest.Provider) {
	t.Helper()
	hub = clienttest.New(&clienttest.Options{OAuthOnly: true, Issuer: "https://hub.example", Clients: []clienttest.Client{{ID: "app", Secret: "a secret", RedirectURLs: []string{appURL + "/auth/hub/callback"}}}})
	t.Cleanup(func() { hub.Close() })
	rp, err := client.NewOAuth(client.OAuthConfig{
		Issuer: hub.Issuer(), ClientID: "app", ClientSecret: "a secret", Auth: client.SecretPost{}, RedirectURL: appURL + "/auth/hub/callback",
		AuthorizationEndpoint: hub.Issuer() + "/login/oauth/authorize", TokenEndpoint: hub.Issuer() + "/login/oauth/access_token",
		UserEndpoint: hub.Issuer() + "/user", Scopes: []string{"read:user"}, HTTPClient: hub.HTTPClient(), Now: hub.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	a, red, _ = newTwo(t, append([]func(*Config){func(c *Config) { c.Providers[1] = Provider{Name: "hub", Client: rp} }}, change...)...)
	return a, red, hub
}

// Who signs in without OpenID Connect is an account, and a session like any other.
func TestOAuthSession(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"usual":         func(*Config) {},
		"identity only": func(c *Config) { c.IdentityOnly = true },
		"some claims":   func(c *Config) { c.Claims = []string{"email"} },
		"userinfo":      func(c *Config) { c.UserInfoClaims = []string{"email"} }, // for red, which has it
	} {
		t.Run(name, func(t *testing.T) {
			a, red, hub := newHub(t, change)
			a.guarded(HasScope("read:user"), HasClaim([]string{"login"}, "alice"), FromProvider("hub"))
			a.mux.Handle("/fresh", a.m.Guard(AuthenticatedWithin(0))(http.HandlerFunc(a.page)))
			a.mux.Handle("/acr", a.m.Guard(HasACR("gold"))(http.HandlerFunc(a.page)))
			a.mux.Handle("/amr", a.m.Guard(HasAMR("otp"))(http.HandlerFunc(a.page)))
			b := a.browser()
			a.wantRedirect(b.signInAt(hub, "hub", "alice"), "/from/hub")
			var subject string
			a.open = func(_ *http.Request, s *Session) {
				subject = s.Subject()
				if s.Issuer() != hub.Issuer() || s.Provider() != "hub" || s.IDToken() != nil || s.Account().Subject != subject || strings.Trim(subject, "0123456789") != "" {
					t.Errorf("%q of %q with %q", subject, s.Issuer(), s.Provider())
				}
				if login, _ := s.Texts("login"); !slices.Equal(login, []string{"alice"}) {
					t.Errorf("login %q", login)
				}
				var claims struct{ Login string }
				if err := s.Claims(&claims); err != nil || claims.Login != "alice" {
					t.Errorf("%+v, %v", claims, err)
				}
			}
			if resp := b.get("/guarded"); resp.StatusCode != http.StatusOK {
				t.Errorf("rules: %d; log: %s", resp.StatusCode, a.logs)
			}
			for _, path := range []string{"/fresh", "/acr", "/amr"} { // there is nothing that could show it
				if resp := b.get(path); resp.StatusCode != http.StatusForbidden {
					t.Errorf("%s: %d", path, resp.StatusCode)
				}
			}
			a.open = nil
			if resp := b.get("/auth/check-session", inFrame...); resp.StatusCode != http.StatusNoContent {
				t.Errorf("check-session: %d", resp.StatusCode)
			}

			if err := a.m.RevokeUser(t.Context(), red.Issuer(), subject); err != nil { // somebody else
				t.Fatal(err)
			}
			if resp := b.get("/guarded"); resp.StatusCode != http.StatusOK {
				t.Errorf("another user was signed out: %d", resp.StatusCode)
			}
			if err := a.m.RevokeUser(t.Context(), hub.Issuer(), subject); err != nil {
				t.Fatal(err)
			}
			a.wantUser(b, "nobody: "+ReasonRevoked)
			hub.Advance(1)
			a.wantRedirect(b.signInAt(hub, "hub", "alice"), "/from/hub")
			a.wantRedirect(b.post("/auth/logout"), "/auth/logout") // it has nowhere to sign out
			if names := b.jar.names(); len(names) > 0 {
				t.Errorf("left are %q", names)
			}
		})
	}
}

// Neither kind of provider can pass for the other, whatever it says of itself.
func TestOAuthIsNotMixedUp(t *testing.T) {
	a, red, hub := newHub(t)
	red.SetFaults(clienttest.NoIssParameter)
	b := a.browser()
	begin := func(name string) string { return b.get("/auth/login/" + name).Header.Get("Location") }
	for _, swap := range []struct {
		from, to  *clienttest.Provider
		name, own string
	}{{red, hub, "hub", "red"}, {hub, red, "red", "hub"}} {
		answer, err := swap.from.SignIn(begin(swap.own), "mallory")
		if err != nil {
			t.Fatal(err)
		}
		tokens := swap.to.Count("token")
		query := answer.Query()
		query.Set("state", parseURL(t, begin(swap.name)).Query().Get("state"))
		resp := b.get(answer.Path+"?"+query.Encode(), fromProvider...)
		a.wantPage(resp, http.StatusBadRequest, ReasonCallbackRejected)
		if swap.to.Count("token") != tokens {
			t.Errorf("a code of %s went to %s", swap.own, swap.name)
		}
	}
	a.wantUser(b, "nobody: "+ReasonNoSession)
}
