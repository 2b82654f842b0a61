package interop

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// keycloakRoles is how Keycloak says what somebody may do: one level deeper than others.
type keycloakRoles struct {
	Name  string `json:"preferred_username"`
	Realm struct {
		Roles []string `json:"roles"`
	} `json:"realm_access"`
	Clients map[string]struct {
		Roles []string `json:"roles"`
	} `json:"resource_access"`
}

func TestKeycloakSignIn(t *testing.T) {
	k := startKeycloak(t)
	rp := k.client(t, k.known(t, "web"), nil)
	tokens, asked := k.person(t, callbackURL).signIn(rp, "alice", nil)
	if asked != 1 {
		t.Errorf("Keycloak asked %d times who it is, want once", asked)
	}
	id := tokens.IDToken
	if id == nil || id.Issuer != k.Issuer || !slices.Equal(id.Audience, []string{"web"}) || id.AuthTime.IsZero() || id.SessionID == "" {
		t.Fatalf("ID token: issuer %q, audience %q", id.Issuer, id.Audience)
	}
	info, err := rp.UserInfo(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	for from, decode := range map[string]func(any) error{"ID token": id.Claims, "userinfo": info.Claims} {
		var claims keycloakRoles
		if err := decode(&claims); err != nil {
			t.Fatal(err)
		}
		if claims.Name != "alice" || !slices.Equal(claims.Realm.Roles, []string{"editor"}) {
			t.Errorf("%s: %q, realm roles %q", from, claims.Name, claims.Realm.Roles)
		}
		roles := slices.Sorted(slices.Values(claims.Clients["api"].Roles))
		if !slices.Equal(roles, []string{"reports.read", "reports.write"}) {
			t.Errorf("%s: roles at the API %q", from, roles)
		}
	}
}

func TestKeycloakNameInManyScripts(t *testing.T) {
	k := startKeycloak(t)
	tokens, _ := k.person(t, callbackURL).signIn(k.client(t, k.known(t, "web"), nil), "bob", nil)
	var claims struct{ Name string }
	if err := tokens.IDToken.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if claims.Name != "Bob 漢字 🔐 Çelik" {
		t.Errorf("name %q", claims.Name)
	}
}

func TestKeycloakClientAuthentication(t *testing.T) {
	k := startKeycloak(t)
	for _, c := range []struct {
		name string
		reg  registration
		auth client.ClientAuth
	}{
		{"basic by default", k.known(t, "web"), nil},
		{"basic", k.known(t, "web"), client.SecretBasic{}},
		{"post", k.known(t, "web"), client.SecretPost{}},
		{"none", registration{ID: "public", redirectURL: callbackURL}, nil},
		{"registered", k.register(t, callbackURL, nil), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			rp := k.client(t, c.reg, func(cfg *client.Config) { cfg.Auth = c.auth })
			tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
			if err := rp.Revoke(t.Context(), refresh(t, rp, tokens)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestKeycloakSigningAlgorithms(t *testing.T) {
	k := startKeycloak(t)
	for _, algorithm := range []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run(algorithm, func(t *testing.T) {
			rp := k.client(t, k.register(t, callbackURL, metadata{"id_token_signed_response_alg": algorithm}), nil)
			tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
			if got := algorithmOf(t, tokens.IDToken.Raw()); got != algorithm {
				t.Errorf("Keycloak signed with %s", got)
			}
			refresh(t, rp, tokens)
		})
	}
}

// With "Revoke refresh token" on, and a reuse of none.
func TestKeycloakRefreshRotates(t *testing.T) {
	k := startKeycloak(t)
	rp := k.client(t, k.register(t, callbackURL, nil), nil)
	first, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
	second := refresh(t, rp, first)
	if second.RefreshToken == "" || second.RefreshToken == first.RefreshToken || second.IDToken.Subject != first.IDToken.Subject {
		t.Fatal("the refresh token stayed the same, or the person did not")
	}
	third := refresh(t, rp, second)
	if got := userInfoStatus(t, rp, third.AccessToken); got != http.StatusOK {
		t.Fatalf("the third access token gets %d", got)
	}
	if _, err := rp.Refresh(t.Context(), second); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("a used refresh token: got %v, want ErrInvalidGrant", err)
	}
	if _, err := rp.Refresh(t.Context(), third); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("the newest refresh token after that: got %v, want ErrInvalidGrant: the grant is dead", err)
	}
	if got := userInfoStatus(t, rp, third.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("after that the access token gets %d, want 401", got)
	}
}

// Fifty requests at once, all with an access token that has run out and a refresh token
// that Keycloak takes once, and then kills the grant.
func TestKeycloakFiftyRequestsOneRefresh(t *testing.T) {
	k := startKeycloak(t)
	a := startApp(t, k.provider, nil, nil)
	k.change(t, a.reg.ID, map[string]string{"access.token.lifespan": "3"})
	person := k.person(t, "")
	end, _ := person.open(a.url + "/who").signIn("alice")
	issued := time.Now()
	if end.status != http.StatusOK {
		t.Fatalf("signing in ended on %s (status %d):\n%s", end.url, end.status, end.body)
	}
	cookies := a.jarCookies(t, person)
	eventually(t, "expired", func() (bool, error) { return time.Since(issued) > 3*time.Second, nil })
	k.change(t, a.reg.ID, map[string]string{"access.token.lifespan": "300"})

	const n = 50
	got := make([]seen, n)
	answers := make([]*http.Response, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { answers[i], got[i], errs[i] = a.callAPI(cookies) })
	}
	wg.Wait()
	var fresh *http.Response
	for i := range n {
		switch {
		case errs[i] != nil || got[i].Status != http.StatusOK:
			t.Errorf("request %d: userinfo %d, %v", i, got[i].Status, errs[i])
		case got[i].AccessToken != got[0].AccessToken:
			t.Errorf("request %d has a token of its own", i)
		case len(answers[i].Cookies()) > 0:
			fresh = answers[i]
		}
	}
	if n := k.happened(t, a.reg.ID, "REFRESH_TOKEN"); n != 1 {
		t.Errorf("%d refreshes at Keycloak, want 1", n)
	}
	if n := k.happened(t, a.reg.ID, "REFRESH_TOKEN_ERROR"); n != 0 {
		t.Errorf("%d refreshes were refused, want none", n)
	}
	if fresh == nil {
		t.Fatal("none of the answers brought the new tokens")
	}
	if _, got, err := a.callAPI(newest(cookies, fresh.Cookies())); err != nil || got.Status != http.StatusOK {
		t.Errorf("the new cookie: %d, %v", got.Status, err)
	}
}

// An administrator signs alice out at Keycloak, which then refuses her access token: the
// session tries one refresh, and ends.
func TestKeycloakDeadGrantEndsTheSession(t *testing.T) {
	k := startKeycloak(t)
	a := startApp(t, k.provider, nil, nil)
	person := k.person(t, "")
	person.open(a.url + "/who").signIn("alice")
	cookies := a.jarCookies(t, person)
	if _, got, err := a.callAPI(cookies); err != nil || got.Status != http.StatusOK {
		t.Fatalf("before: userinfo %d, %v", got.Status, err)
	}
	var users []struct{ ID string }
	k.admin(t, "GET /users?exact=true&username=alice", nil, &users)
	k.admin(t, "POST /users/"+users[0].ID+"/logout", nil, nil)
	last, got, err := a.callAPI(cookies)
	if err == nil && got.Status != http.StatusUnauthorized {
		t.Errorf("Keycloak answers %d to the access token, want 401", got.Status)
	}
	resp, body, err := a.get("/api", newest(cookies, last.Cookies()))
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("a script gets %s, want 401:\n%s", resp.Status, body)
	}
	if n := k.happened(t, a.reg.ID, "REFRESH_TOKEN_ERROR"); n != 1 {
		t.Errorf("%d refused refreshes, want 1", n)
	}
}

func TestKeycloakLogout(t *testing.T) {
	k := startKeycloak(t)
	rp := k.client(t, k.known(t, "web"), nil)
	person := k.person(t, "http://127.0.0.1:9/")
	tokens, _ := person.signIn(rp, "alice", nil)
	if _, asked := person.signIn(rp, "alice", nil); asked != 0 {
		t.Fatal("Keycloak keeps no session; there is nothing to end")
	}
	address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: goodbyeURL, State: "back & forth"})
	if err != nil {
		t.Fatal(err)
	}
	end := person.open(address).url
	if state := end.Query().Get("state"); !strings.HasPrefix(end.String(), goodbyeURL+"?") || state != "back & forth" {
		t.Errorf("came back to %s", end)
	}
	if _, asked := person.signIn(rp, "alice", nil); asked != 1 {
		t.Error("Keycloak's session outlives the logout")
	}
	if _, err := rp.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("a refresh token of that session: got %v, want ErrInvalidGrant", err)
	}
}

func TestKeycloakRefuses(t *testing.T) {
	k := startKeycloak(t)
	t.Run("nobody is there and none may be asked", func(t *testing.T) {
		rp := k.client(t, k.known(t, "web"), nil)
		login := authorize(t, rp, &client.AuthorizeOptions{Prompt: []string{"none"}})
		wantAuthError(t, rp, login, k.person(t, callbackURL).open(login.URL()).callback(), "login_required")
	})
	t.Run("a wrong secret", func(t *testing.T) {
		reg := k.known(t, "web")
		reg.Secret = "another secret"
		rp := k.client(t, reg, nil)
		login := authorize(t, rp, nil)
		end, _ := k.person(t, callbackURL).open(login.URL()).signIn("alice")
		_, err := rp.Exchange(t.Context(), login, end.callback())
		var refusal *client.ResponseError
		if !errors.As(err, &refusal) || refusal.Code != "unauthorized_client" && refusal.Code != "invalid_client" {
			t.Errorf("got %v, want the client refused", err)
		}
	})
	t.Run("a code twice", func(t *testing.T) {
		rp := k.client(t, k.known(t, "web"), nil)
		login := authorize(t, rp, nil)
		end, _ := k.person(t, callbackURL).open(login.URL()).signIn("alice")
		stored, err := login.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		exchange(t, rp, login, end.callback())
		var again client.Login
		if err := again.UnmarshalBinary(stored); err != nil {
			t.Fatal(err)
		}
		if _, err := rp.Exchange(t.Context(), &again, end.callback()); !errors.Is(err, client.ErrInvalidGrant) {
			t.Errorf("a copy of the login: got %v, want ErrInvalidGrant", err)
		}
	})
}

// Keycloak's access tokens and ID tokens have the same typ in the header (JWT), the same
// keys and, in this realm, an audience in common. Each passes for what it is alone.
func TestKeycloakAccessTokens(t *testing.T) {
	k := startKeycloak(t)
	rp := k.client(t, k.known(t, "web"), nil)
	tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
	ctx, keys := t.Context(), &jwtverify.RemoteKeys{URL: k.endpoint(t, "jwks_uri")}
	api := jwtverify.Verifier{Issuer: k.Issuer, Audience: "https://api.example.com", Keys: keys, AccessTokenTypes: []string{"JWT"}}
	token, err := api.AccessToken(ctx, tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != tokens.IDToken.Subject || token.ClientID != "web" || !slices.Contains(token.Scope, "profile") {
		t.Errorf("subject %q, client %q, scope %q", token.Subject, token.ClientID, token.Scope)
	}
	var claims keycloakRoles
	if err := token.Claims(&claims); err != nil || !slices.Equal(claims.Realm.Roles, []string{"editor"}) {
		t.Errorf("realm roles %q, %v", claims.Realm.Roles, err)
	}

	both := api
	both.Audience = "web"
	if _, err := both.AccessToken(ctx, tokens.AccessToken); err != nil {
		t.Errorf("an access token, for the client: %v", err)
	}
	if _, err := both.IDToken(ctx, tokens.IDToken.Raw(), jwtverify.Expect{Nonce: tokens.IDToken.Nonce}); err != nil {
		t.Errorf("an ID token, for the client: %v", err)
	}
	_, err = both.AccessToken(ctx, tokens.IDToken.Raw())
	wantOtherKind(t, "an ID token as an access token", err)

	// No nonce was expected of a refresh's ID token, and every audience is trusted.
	refreshed := refresh(t, rp, tokens)
	both.TrustedAudiences = []string{"https://api.example.com", "exchange", "api"}
	_, err = both.IDToken(ctx, refreshed.AccessToken, jwtverify.Expect{Previous: tokens.IDToken})
	wantOtherKind(t, "an access token as an ID token", err)
	if _, err := both.IDToken(ctx, refreshed.IDToken.Raw(), jwtverify.Expect{Previous: tokens.IDToken}); err != nil {
		t.Errorf("the refreshed ID token: %v", err)
	}
}

// wantOtherKind fails unless Keycloak's claim typ gave the token away.
func wantOtherKind(t *testing.T, what string, err error) {
	t.Helper()
	var refusal *jwtverify.ClaimError
	if !errors.Is(err, jwtverify.ErrInvalid) || !errors.As(err, &refusal) || refusal.Claim != "typ" {
		t.Errorf("%s: got %v, want ErrInvalid because of typ", what, err)
	}
}

// Keycloak can be told to follow RFC 9068 in the header.
func TestKeycloakAccessTokenType(t *testing.T) {
	k := startKeycloak(t)
	reg := k.register(t, callbackURL, nil)
	k.change(t, reg.ID, map[string]string{"access.token.header.type.rfc9068": "true"})
	tokens, _ := k.person(t, callbackURL).signIn(k.client(t, reg, nil), "alice", nil)
	verifier := jwtverify.Verifier{Issuer: k.Issuer, Audience: "api", Keys: &jwtverify.RemoteKeys{URL: k.endpoint(t, "jwks_uri")}}
	if _, err := verifier.AccessToken(t.Context(), tokens.AccessToken); err != nil {
		t.Error(err)
	}
}
