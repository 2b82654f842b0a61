package interop

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/pkce"
)

// callbackURL is where nobody answers: the person stops there and the test plays
// the relying party.
const callbackURL = "http://127.0.0.1:9/auth/callback"

func authorize(t *testing.T, rp *client.Client, opts *client.AuthorizeOptions) *client.Login {
	t.Helper()
	login, err := rp.Authorize(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	return login
}

func exchange(t *testing.T, rp *client.Client, login *client.Login, callback url.Values) *client.Tokens {
	t.Helper()
	tokens, err := rp.Exchange(t.Context(), login, callback)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// signIn goes the whole road as user: authorize, the provider's pages, exchange.
func (p *person) signIn(rp *client.Client, user string, opts *client.AuthorizeOptions) (tokens *client.Tokens, asked int) {
	p.t.Helper()
	login := authorize(p.t, rp, opts)
	end, asked := p.open(login.URL()).signIn(user)
	return exchange(p.t, rp, login, end.callback()), asked
}

// userInfoStatus shows an access token to the provider, past the library.
func userInfoStatus(t *testing.T, rp *client.Client, accessToken string) int {
	t.Helper()
	document, err := rp.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, document.UserInfoEndpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

func TestDiscovery(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	document, err := rp.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if document.Issuer != op.Issuer {
		t.Errorf("issuer %q, want %q", document.Issuer, op.Issuer)
	}
	for name, got := range map[string]string{
		"authorization_endpoint": document.AuthorizationEndpoint,
		"token_endpoint":         document.TokenEndpoint,
		"userinfo_endpoint":      document.UserInfoEndpoint,
		"jwks_uri":               document.JWKSURI,
		"end_session_endpoint":   document.EndSessionEndpoint,
		"revocation_endpoint":    document.RevocationEndpoint,
	} {
		if want := op.endpoint(t, name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}
	if !document.AuthorizationResponseIssParameterSupported {
		t.Error("the provider's promise to send iss is lost")
	}
	var rest struct {
		PAR string `json:"pushed_authorization_request_endpoint"`
	}
	if err := document.Claims(&rest); err != nil || rest.PAR == "" {
		t.Errorf("Claims: %+v, %v", rest, err)
	}
	provider, err := rp.Provider(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := provider.Endpoint().TokenURL; got != document.TokenEndpoint {
		t.Errorf("go-oidc sees the token endpoint %q, want %q", got, document.TokenEndpoint)
	}
}

func TestSlashAtTheEndOfTheIssuer(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), func(cfg *client.Config) { cfg.Issuer += "/" })
	_, err := rp.Metadata(t.Context())
	if err == nil || !strings.Contains(err.Error(), "slash") {
		t.Errorf("got %v, want an error that names the slash", err)
	}
}

func TestSignIn(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	before := time.Now()
	tokens, asked := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	if asked != 1 {
		t.Errorf("the provider asked %d times who it is, want once", asked)
	}
	if tokens.AccessToken == "" || tokens.RefreshToken == "" || !strings.EqualFold(tokens.TokenType, "Bearer") {
		t.Error("an access token, a refresh token or the type Bearer is missing")
	}
	if left := tokens.Expiry.Sub(before); left < 58*time.Minute || left > 62*time.Minute {
		t.Errorf("expires in %v, want about an hour", left)
	}
	if !slices.Contains(tokens.Scope, "openid") || !slices.Contains(tokens.Scope, "profile") {
		t.Errorf("scope %q, want openid and profile", tokens.Scope)
	}
	id := tokens.IDToken
	if id == nil || id.Issuer != op.Issuer || id.Subject != "alice" || !slices.Equal(id.Audience, []string{rp.ClientID()}) {
		t.Fatalf("ID token: %+v", id)
	}
	info, err := rp.UserInfo(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	if err := info.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if info.Subject != "alice" || claims.Name != "Alice Doe" || claims.Email != "alice@example.com" {
		t.Errorf("userinfo: %q %+v", info.Subject, claims)
	}
}

func TestNameInManyScripts(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "ünïcode", nil)
	info, err := rp.UserInfo(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Name string `json:"name"`
	}
	if err := info.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if info.Subject != "ünïcode" || tokens.IDToken.Subject != "ünïcode" || claims.Name != "Ünï Çode 漢字 🔐" {
		t.Errorf("got %q, %q, %q", info.Subject, tokens.IDToken.Subject, claims.Name)
	}
}

// The login of a browser survives storage between the two halves of a sign-in.
func TestLoginThroughStorage(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	login := authorize(t, rp, nil)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	stored, err := login.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var restored client.Login
	if err := restored.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	tokens := exchange(t, rp, &restored, end.callback())
	stored, err = tokens.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var again client.Tokens
	if err := again.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	if _, err := rp.Refresh(t.Context(), &again); err != nil {
		t.Errorf("tokens out of storage: %v", err)
	}
}

// Somebody else's front end started the flow; the back end finishes it.
func TestFrontEndOfItsOwn(t *testing.T) {
	reg := op.register(t, callbackURL, nil)
	rp := op.client(t, reg, nil)
	secrets := client.LoginSecrets{
		Issuer: op.Issuer, ClientID: reg.ID, RedirectURL: reg.redirectURL, Verifier: pkce.New(),
		State: "state-of-the-front-end-0123456789", Nonce: "nonce-of-the-front-end-0123456789", Created: time.Now(),
	}
	query := url.Values{
		"client_id": {reg.ID}, "redirect_uri": {reg.redirectURL}, "response_type": {"code"}, "scope": {"openid"},
		"state": {secrets.State}, "nonce": {secrets.Nonce}, "code_challenge": {secrets.Verifier.Challenge()}, "code_challenge_method": {"S256"},
	}
	start := op.endpoint(t, "authorization_endpoint") + "?" + query.Encode()
	person := newPerson(t, callbackURL)
	end, _ := person.open(start).signIn("alice")
	login, err := client.NewLogin(secrets)
	if err != nil {
		t.Fatal(err)
	}
	if got := exchange(t, rp, login, end.callback()).IDToken.Subject; got != "alice" {
		t.Errorf("signed in as %q", got)
	}

	t.Run("another verifier", func(t *testing.T) {
		end, _ := person.open(start).signIn("alice")
		other := secrets
		other.Verifier = pkce.New()
		login, err := client.NewLogin(other)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rp.Exchange(t.Context(), login, end.callback()); !errors.Is(err, client.ErrInvalidGrant) {
			t.Errorf("got %v, want ErrInvalidGrant: the provider compares the verifier", err)
		}
	})
	t.Run("another nonce", func(t *testing.T) {
		end, _ := person.open(start).signIn("alice")
		other := secrets
		other.Nonce = "another-nonce-0123456789-0123456789"
		login, err := client.NewLogin(other)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rp.Exchange(t.Context(), login, end.callback()); err == nil || !strings.Contains(err.Error(), "nonce") {
			t.Errorf("got %v, want the nonce refused", err)
		}
	})
}

func TestCodeTwice(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	login := authorize(t, rp, nil)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	stored, err := login.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	tokens := exchange(t, rp, login, end.callback())
	if _, err := rp.Exchange(t.Context(), login, end.callback()); !errors.Is(err, client.ErrRejected) {
		t.Errorf("the same login again: got %v, want ErrRejected", err)
	}
	if got := userInfoStatus(t, rp, tokens.AccessToken); got != http.StatusOK {
		t.Errorf("the access token gets %d: a refused callback must not reach the provider", got)
	}

	// Out of a store that forgot to forget it, the provider has the last word.
	var again client.Login
	if err := again.UnmarshalBinary(stored); err != nil {
		t.Fatal(err)
	}
	if _, err := rp.Exchange(t.Context(), &again, end.callback()); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("a copy of the login: got %v, want ErrInvalidGrant", err)
	}
	if got := userInfoStatus(t, rp, tokens.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("after the replay the access token gets %d, want 401: the provider suspects theft", got)
	}
}

// A callback that does not pass costs the code nothing: no token request is sent.
func TestForgedCallbacksSendNothing(t *testing.T) {
	reg := op.register(t, callbackURL, nil)
	rp := op.client(t, reg, nil)
	login := authorize(t, rp, nil)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	for name, c := range map[string]struct {
		reason string
		forge  func(url.Values)
	}{
		"state of somebody else":   {"state is not the one", func(q url.Values) { q.Set("state", q.Get("state")[1:]+"x") }},
		"no iss where promised":    {"iss is missing", func(q url.Values) { q.Del("iss") }},
		"iss of somebody else":     {"iss is not the issuer", func(q url.Values) { q.Set("iss", "https://attacker.example") }},
		"two codes":                {"code is there more than once", func(q url.Values) { q.Add("code", "another") }},
		"an error beside the code": {"error came together with a code", func(q url.Values) { q.Set("error", "access_denied") }},
	} {
		t.Run(name, func(t *testing.T) {
			callback := url.Values{}
			for name, values := range end.callback() {
				callback[name] = slices.Clone(values)
			}
			c.forge(callback)
			_, err := rp.Exchange(t.Context(), login, callback)
			if !errors.Is(err, client.ErrRejected) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v, want ErrRejected, because %s", err, c.reason)
			}
		})
	}
	if n := op.count(t, reg.ID, "grant.success", "authorization_code") + op.count(t, reg.ID, "grant.error", "authorization_code"); n != 0 {
		t.Fatalf("%d token requests, want none", n)
	}
	exchange(t, rp, login, end.callback())
}

func TestRefusals(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), nil)
	t.Run("the person cancels", func(t *testing.T) {
		login := authorize(t, rp, nil)
		person := newPerson(t, callbackURL)
		pg := person.open(login.URL())
		_, action, _ := pg.form()
		abort, err := pg.url.Parse(action + "/abort")
		if err != nil {
			t.Fatal(err)
		}
		wantAuthError(t, rp, login, person.open(abort.String()).callback(), "access_denied")
	})
	t.Run("nobody is there and none may be asked", func(t *testing.T) {
		login := authorize(t, rp, &client.AuthorizeOptions{Prompt: []string{"none"}})
		wantAuthError(t, rp, login, newPerson(t, callbackURL).open(login.URL()).callback(), "login_required")
	})
}

func wantAuthError(t *testing.T, rp *client.Client, login *client.Login, callback url.Values, code string) {
	t.Helper()
	_, err := rp.Exchange(t.Context(), login, callback)
	var refusal *client.AuthError
	if !errors.As(err, &refusal) || refusal.Code != code {
		t.Errorf("got %v, want an AuthError with the code %s", err, code)
	}
}
