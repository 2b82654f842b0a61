package clienttest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

func fast() *clienttest.Options { return &clienttest.Options{Algorithm: "ES256"} }

// refused asserts an error of the token endpoint by its code and a part of its description.
func refused(t *testing.T, got answer, code, why string) {
	t.Helper()
	if got.Error != code || !strings.Contains(got.Description, why) || got.AccessToken != "" {
		t.Errorf("got %d %s %q, want %s %q", got.Status, got.Error, got.Description, code, why)
	}
}

func (f *flow) alive(accessToken string) bool {
	f.t.Helper()
	status, _ := f.userInfo(accessToken)
	return status == http.StatusOK
}

func TestCodeReplayKillsTheGrant(t *testing.T) {
	f := newFlow(t, fast())
	code := f.signIn().Get("code")
	first := f.exchange(code)
	if !f.alive(first.AccessToken) {
		t.Fatal("the access token is no good before the replay")
	}
	refused(t, f.exchange(code), "invalid_grant", "used before")
	if f.alive(first.AccessToken) {
		t.Error("the access token survives the replay")
	}
	refused(t, f.refresh(first.RefreshToken), "invalid_grant", "revoked")
}

func TestRefreshRotates(t *testing.T) {
	f := newFlow(t, fast())
	first := f.tokens()
	second := f.refresh(first.RefreshToken)
	if second.RefreshToken == "" || second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken {
		t.Fatal("the refresh changed nothing")
	}
	_, claims := parts(t, second.IDToken)
	if claims["nonce"] != nil || claims["sub"] != "alice" || claims["sid"] == nil {
		t.Errorf("the refreshed ID token has nonce %v, sub %v, sid %v", claims["nonce"], claims["sub"], claims["sid"])
	}
	refused(t, f.refresh(first.RefreshToken), "invalid_grant", "used before")
	refused(t, f.refresh(second.RefreshToken), "invalid_grant", "revoked")
	if f.alive(second.AccessToken) {
		t.Error("the access token survives the reuse of a refresh token")
	}
}

func TestNoRotation(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", NoRotation: true})
	token := f.tokens().RefreshToken
	for range 3 {
		if got := f.refresh(token); got.AccessToken == "" || got.RefreshToken != "" {
			t.Fatalf("got %s %q, a refresh token: %t", got.Error, got.Description, got.RefreshToken != "")
		}
	}
}

func TestRefreshTokenNeedsOfflineAccess(t *testing.T) {
	f := newFlow(t, fast())
	if got := f.tokens("scope", "openid profile"); got.RefreshToken != "" || got.Scope != "openid profile" {
		t.Errorf("scope %q, a refresh token: %t", got.Scope, got.RefreshToken != "")
	}
}

func TestRefreshScope(t *testing.T) {
	f := newFlow(t, fast())
	first := f.tokens()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}, "scope": {"openid"}}
	narrow := f.token(form)
	if narrow.Scope != "openid" {
		t.Fatalf("the scope is %q", narrow.Scope)
	}
	form.Set("refresh_token", narrow.RefreshToken)
	form.Set("scope", "openid admin")
	refused(t, f.token(form), "invalid_scope", "more than was granted")
}

// TestExchangeRefuses changes one parameter of a good request at a time.
func TestExchangeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, parameter, value string
		code, why              string
	}{
		{"no verifier", "code_verifier", "", "invalid_grant", "code_challenge"},
		{"another verifier", "code_verifier", strings.Repeat("a", 43), "invalid_grant", "code_challenge"},
		{"another redirect URL", "redirect_uri", redirectURL + "/", "invalid_grant", "redirect_uri"},
		{"no redirect URL", "redirect_uri", "", "invalid_grant", "redirect_uri"},
		{"another code", "code", "guessed", "invalid_grant", "unknown code"},
		{"another grant type", "grant_type", "password", "unsupported_grant_type", "refresh_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFlow(t, fast())
			form := f.exchangeForm(f.signIn().Get("code"))
			form.Set(c.parameter, c.value)
			refused(t, f.token(form), c.code, c.why)
		})
	}
	t.Run("a parameter twice", func(t *testing.T) {
		f := newFlow(t, fast())
		form := f.exchangeForm(f.signIn().Get("code"))
		form.Add("code", form.Get("code"))
		refused(t, f.token(form), "invalid_request", `"code" came twice`)
	})
	t.Run("a minute later", func(t *testing.T) {
		f := newFlow(t, fast())
		code := f.signIn().Get("code")
		f.op.Advance(time.Minute)
		refused(t, f.exchange(code), "invalid_grant", "expired")
	})
	t.Run("another client", func(t *testing.T) {
		f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{
			{ID: "one", Secret: "the first secret"}, {ID: "two", Secret: "the second secret"},
		}})
		tokens, code := f.tokens(), f.signIn().Get("code")
		f.id, f.secret = "two", "the second secret"
		refused(t, f.exchange(code), "invalid_grant", "another client's")
		refused(t, f.refresh(tokens.RefreshToken), "invalid_grant", "another client's")
	})
}

// TestClientAuthentication sends every kind of credentials to every kind of client.
func TestClientAuthentication(t *testing.T) {
	const secret = "s p+c%:é"
	basic := func(r *http.Request, form url.Values) {
		r.SetBasicAuth(url.QueryEscape("the client"), url.QueryEscape(secret))
	}
	rawBasic := func(r *http.Request, form url.Values) { r.SetBasicAuth("the client", secret) }
	post := func(r *http.Request, form url.Values) {
		form.Set("client_id", "the client")
		form.Set("client_secret", secret)
	}
	none := func(r *http.Request, form url.Values) { form.Set("client_id", "the client") }
	both := func(r *http.Request, form url.Values) { basic(r, form); post(r, form) }
	wrong := func(r *http.Request, form url.Values) { r.SetBasicAuth("the+client", "wrong") }
	for _, c := range []struct {
		name, method string
		credentials  func(*http.Request, url.Values)
		status       int
		why          string
	}{
		{"basic as registered", "client_secret_basic", basic, 400, "unknown code"},
		{"post as registered", "client_secret_post", post, 400, "unknown code"},
		{"none as registered", "none", none, 400, "unknown code"},
		{"basic, not form-encoded", "client_secret_basic", rawBasic, 401, "not form-encoded"},
		{"basic, wrong secret", "client_secret_basic", wrong, 401, "wrong client secret"},
		{"post, registered for basic", "client_secret_basic", post, 401, "registered for client_secret_basic"},
		{"none, registered for basic", "client_secret_basic", none, 401, "registered for client_secret_basic"},
		{"basic, registered for post", "client_secret_post", basic, 401, "registered for client_secret_post"},
		{"basic, registered for none", "none", basic, 401, "registered for none"},
		{"both", "client_secret_basic", both, 400, "more than one client authentication"},
	} {
		t.Run(c.name, func(t *testing.T) {
			registered := clienttest.Client{ID: "the client", Secret: secret, AuthMethod: c.method}
			if c.method == "none" {
				registered.Secret = ""
			}
			f := newFlow(t, &clienttest.Options{Clients: []clienttest.Client{registered}})
			form := f.exchangeForm("guessed")
			r, err := http.NewRequest("POST", f.op.Issuer()+"/token", nil)
			if err != nil {
				t.Fatal(err)
			}
			c.credentials(r, form)
			send := func() (*http.Response, error) {
				r.Body = http.NoBody
				sent, err := http.NewRequest("POST", r.URL.String(), strings.NewReader(form.Encode()))
				if err != nil {
					return nil, err
				}
				sent.Header = r.Header
				sent.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				return f.http.Do(sent)
			}
			response, err := send()
			if err != nil {
				t.Fatal(err)
			}
			challenged := response.Header.Get("WWW-Authenticate") != ""
			if text := body(t, response); response.StatusCode != c.status || !strings.Contains(text, c.why) || challenged != (c.status == 401) {
				t.Errorf("got %s %s", response.Status, text)
			}
			if methods := f.metadata()["token_endpoint_auth_methods_supported"].([]any); len(methods) != 1 || methods[0] != c.method {
				t.Errorf("the metadata names %v", methods)
			}
		})
	}
}

func TestRevocation(t *testing.T) {
	f := newFlow(t, fast())
	revoke := func(token string) int {
		t.Helper()
		response, err := f.post("/revoke", url.Values{"token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		body(t, response)
		return response.StatusCode
	}
	first, second := f.tokens(), f.tokens()
	if status := revoke(first.AccessToken); status != 200 || f.alive(first.AccessToken) {
		t.Errorf("revoking an access token: %d, still good: %t", status, f.alive(first.AccessToken))
	}
	if again := f.refresh(first.RefreshToken); again.AccessToken == "" {
		t.Errorf("the refresh token went with the access token: %s", again.Description)
	}
	if status := revoke(second.RefreshToken); status != 200 || f.alive(second.AccessToken) {
		t.Errorf("revoking a refresh token: %d, the access token still good: %t", status, f.alive(second.AccessToken))
	}
	refused(t, f.refresh(second.RefreshToken), "invalid_grant", "revoked")
	if status := revoke("never issued"); status != 200 {
		t.Errorf("revoking an unknown token: %d", status)
	}
	if status := revoke(""); status != 400 {
		t.Errorf("revoking nothing: %d", status)
	}
	third := f.tokens()
	f.secret = "wrong"
	if status := revoke(third.RefreshToken); status != 401 || !f.alive(third.AccessToken) {
		t.Errorf("revoking without the secret: %d, the access token still good: %t", status, f.alive(third.AccessToken))
	}
}

func TestRevokeGrants(t *testing.T) {
	f := newFlow(t, fast())
	tokens, code := f.tokens(), f.signIn().Get("code")
	f.op.RevokeGrants("bob")
	if !f.alive(tokens.AccessToken) {
		t.Fatal("another user's grant died")
	}
	f.op.RevokeGrants("alice")
	if f.alive(tokens.AccessToken) {
		t.Error("the access token is still good")
	}
	refused(t, f.refresh(tokens.RefreshToken), "invalid_grant", "revoked")
	refused(t, f.exchange(code), "invalid_grant", "revoked")
}

func TestLifetimes(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", AccessTokenTTL: time.Minute, IDTokenTTL: time.Hour})
	got := f.tokens()
	if got.ExpiresIn != 60.0 {
		t.Errorf("expires_in is %v", got.ExpiresIn)
	}
	f.op.Advance(59 * time.Second)
	if !f.alive(got.AccessToken) {
		t.Error("the access token died early")
	}
	f.op.Advance(time.Second)
	if f.alive(got.AccessToken) {
		t.Error("the access token outlives its minute")
	}
	if _, err := f.verify(got.IDToken); err != nil {
		t.Error(err)
	}
	f.op.Advance(time.Hour)
	if _, err := f.verify(got.IDToken); err == nil || !strings.Contains(err.Error(), "token is expired") {
		t.Errorf("the ID token after an hour: %v", err)
	}
}

func TestAccessTokenIsAnRFC9068Token(t *testing.T) {
	f := newFlow(t, fast())
	header, claims := parts(t, f.tokens("audience", "https://api.example.com").AccessToken)
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" {
		t.Errorf("the header is %v", header)
	}
	want := map[string]any{
		"iss": f.op.Issuer(), "sub": "alice", "aud": "https://api.example.com",
		"client_id": f.id, "scope": "openid profile offline_access",
	}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("%s is %v", name, claims[name])
		}
	}
	for _, name := range []string{"iat", "exp", "jti", "auth_time", "acr"} {
		if claims[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if _, claims := parts(t, f.tokens().AccessToken); claims["aud"] != f.op.Issuer() {
		t.Errorf("without an audience parameter aud is %v", claims["aud"])
	}
}

func TestRotateKeys(t *testing.T) {
	f := newFlow(t, fast())
	before := f.tokens().IDToken
	old := kids(f)
	f.op.RotateKeys()
	if signed(f, before) {
		t.Error("the old key is still in the JWKS")
	}
	for _, kid := range kids(f) {
		for _, other := range old {
			if kid == other {
				t.Errorf("the key %v outlives the rotation", kid)
			}
		}
	}
	if _, err := f.verify(f.tokens().IDToken); err != nil {
		t.Error(err)
	}
}

func TestSetUser(t *testing.T) {
	f := newFlow(t, fast())
	got := f.tokens()
	claims := map[string]any{"groups": []string{"admin"}, "sub": "mallory", "iss": "https://evil.example"}
	f.op.SetUser(clienttest.User{Subject: "alice", Claims: claims})
	claims["groups"] = nil // the provider has its own copy
	_, refreshed := parts(t, f.refresh(got.RefreshToken).IDToken)
	if groups, ok := refreshed["groups"].([]any); !ok || groups[0] != "admin" || refreshed["name"] != nil {
		t.Errorf("the claims are %v", refreshed)
	}
	if refreshed["sub"] != "alice" || refreshed["iss"] != f.op.Issuer() {
		t.Errorf("a user's claims replaced sub or iss: %v %v", refreshed["sub"], refreshed["iss"])
	}
	f.op.SetUser(clienttest.User{Subject: "carol", Claims: map[string]any{"name": "Carol"}})
	callback, err := f.op.SignIn(f.authorizationURL(), "carol")
	if err != nil {
		t.Fatal(err)
	}
	if _, claims := parts(t, f.exchange(callback.Query().Get("code")).IDToken); claims["name"] != "Carol" {
		t.Errorf("a new user has the claims %v", claims)
	}
}
