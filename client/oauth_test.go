package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
	"github.com/postern-go/postern/pkce"
)

const octocat = `{"login":"octocat","id":583231,"name":"The Octocat","email":null,"plan":{"name":"pro"},"orgs":["github"]}`

// newGitHub is a provider that has OAuth 2.0 and nothing else, and answers as GitHub does.
func newGitHub(t *testing.T) *op {
	t.Helper()
	p := newOP(t)
	p.dropOpenID()
	return p
}

// dropOpenID leaves what GitHub has.
func (p *op) dropOpenID() {
	delete(p.handlers, testIssuer+discoveryPath)
	delete(p.handlers, testIssuer+"/jwks")
	p.answer = map[string]any{"access_token": "access-token-CANARY-1", "token_type": "bearer", "scope": "read:user,user:email"}
	p.handle("/token", func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.answer), nil })
	p.reply("/user", 200, "application/json; charset=utf-8", octocat)
}

func (p *op) oauthConfig() OAuthConfig {
	return OAuthConfig{
		Issuer:                testIssuer,
		ClientID:              testClientID,
		ClientSecret:          testSecret,
		RedirectURL:           testRedirect,
		AuthorizationEndpoint: testIssuer + "/authorize",
		TokenEndpoint:         testIssuer + "/token",
		UserEndpoint:          testIssuer + "/user",
		HTTPClient:            &http.Client{Transport: p},
		Now:                   p.clock,
	}
}

// oauth returns a client of the provider; change may be nil.
func (p *op) oauth(change func(*OAuthConfig)) *Client {
	p.t.Helper()
	cfg := p.oauthConfig()
	if change != nil {
		change(&cfg)
	}
	c, err := NewOAuth(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func TestOAuthSignIn(t *testing.T) {
	ctx := context.Background()
	p := newGitHub(t)
	c := p.oauth(func(cfg *OAuthConfig) { cfg.Scopes = []string{"read:user", "user:email"} })
	login, err := c.Authorize(ctx, &AuthorizeOptions{Prompt: []string{"select_account"}, Extra: url.Values{"allow_signup": {"false"}}})
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(login.URL())
	if err != nil {
		t.Fatal(err)
	}
	wantQuery := url.Values{
		"response_type": {"code"}, "client_id": {testClientID}, "redirect_uri": {testRedirect}, "state": {login.State()},
		"code_challenge": {login.verifier.Challenge()}, "code_challenge_method": {"S256"}, "scope": {"read:user user:email"},
		"prompt": {"select_account"}, "allow_signup": {"false"},
	}
	if got := address.Query(); !maps.EqualFunc(got, wantQuery, slices.Equal) || !strings.HasPrefix(login.URL(), testIssuer+"/authorize?") {
		t.Errorf("got  %v\nwant %v", got, wantQuery)
	}
	data, err := login.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var restored Login
	if err := restored.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	callback := callbackOf(&restored)
	if state, err := c.CallbackState(ctx, callback); err != nil || state != login.State() {
		t.Errorf("state %q, %v", state, err)
	}
	tokens, err := c.Exchange(ctx, &restored, callback)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.AccessToken != "access-token-CANARY-1" || tokens.TokenType != "Bearer" || tokens.IDToken != nil || !tokens.Expiry.IsZero() ||
		tokens.RefreshToken != "" || !slices.Equal(tokens.Scope, []string{"read:user", "user:email"}) {
		t.Errorf("got type %q, ID token %v, expiry %v, scope %q", tokens.TokenType, tokens.IDToken, tokens.Expiry, tokens.Scope)
	}
	if a := tokens.Account; a == nil || a.Issuer != testIssuer || a.Subject != "583231" || !c.IsIssuer(a.Issuer) || c.Issuer() != a.Issuer {
		t.Errorf("got %v of %v", a, c)
	}
	p.wantRequests("/token", sentRequest{"POST", testIssuer + "/token", http.Header{
		"Accept":        {"application/json"},
		"Authorization": {"Basic d2ViOmNsaWVudC1zZWNyZXQtQ0FOQVJZLTAxMjM0NTY3ODk="},
		"Content-Type":  {"application/x-www-form-urlencoded"},
		"User-Agent":    {userAgent},
	}, url.Values{
		"grant_type": {"authorization_code"}, "code": {"code-CANARY-1"}, "redirect_uri": {testRedirect}, "code_verifier": {string(login.verifier)},
	}.Encode()})
	p.wantRequests("/user", sentRequest{"GET", testIssuer + "/user", http.Header{
		"Accept": {"application/json"}, "Authorization": {"Bearer access-token-CANARY-1"}, "User-Agent": {userAgent},
	}, ""})
	if len(p.requests) != 2 {
		t.Errorf("%d requests, want two", len(p.requests))
	}
}

// The answer may leave out what was asked for, and say that nothing was granted.
func TestOAuthScopes(t *testing.T) {
	for _, test := range []struct {
		answer any
		want   []string
	}{
		{nil, []string{"read:user"}},
		{"", []string{}},
		{"a b", []string{"a", "b"}},
		{"a, b,,c", []string{"a", "b", "c"}},
	} {
		p := newGitHub(t)
		p.answer["scope"] = test.answer
		c := p.oauth(nil)
		login, err := c.Authorize(context.Background(), &AuthorizeOptions{Scopes: []string{"read:user"}})
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := c.Exchange(context.Background(), login, callbackOf(login))
		if err != nil || tokens.Scope == nil || !slices.Equal(tokens.Scope, test.want) {
			t.Errorf("%v: got %q, %v, want %q", test.answer, tokens.Scope, err, test.want)
		}
	}
}

// What is known of GitHub.com by its name.
func TestOAuthGitHub(t *testing.T) {
	ctx := context.Background()
	for issuer, want := range map[string]ClientAuth{
		"https://github.com/login/oauth":         SecretPost{},
		"https://octo.ghe.com/login/oauth":       SecretPost{},
		"https://github.example.com/login/oauth": SecretBasic{},
		"https://notgithub.com/login/oauth":      SecretBasic{},
	} {
		p := newGitHub(t)
		c := p.oauth(func(cfg *OAuthConfig) { cfg.Issuer, cfg.RequireIss = issuer, true })
		login, err := c.Authorize(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		callback := callbackOf(login)
		callback.Set("iss", issuer)
		tokens, err := c.Exchange(ctx, login, callback)
		if err != nil || tokens.Account.Issuer != issuer || c.discovery.current.auth != want {
			t.Errorf("%s: %T, %v", issuer, c.discovery.current.auth, err)
		}
	}
	for issuer, hint := range map[string]string{
		"https://github.com/login/oauth":         "",
		"https://github.example.com/login/oauth": "client_secret_basic was refused; if the secret is right, try Config.Auth: client.SecretPost{}",
	} {
		p := newGitHub(t)
		c := p.oauth(func(cfg *OAuthConfig) { cfg.Issuer = issuer })
		login, err := c.Authorize(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.answer = map[string]any{"error": "incorrect_client_credentials", "error_description": "The client_id and/or client_secret passed are incorrect."}
		_, err = c.Exchange(ctx, login, callbackOf(login))
		var e *ResponseError
		if !errors.As(err, &e) || !errors.Is(err, ErrRejected) || e.Code != "incorrect_client_credentials" || e.Hint != hint {
			t.Errorf("got %v", err)
		}
	}
}

func TestOAuthConfigRejects(t *testing.T) {
	p := newGitHub(t)
	for _, test := range []struct {
		change func(*OAuthConfig)
		want   string
	}{
		{func(cfg *OAuthConfig) { cfg.Issuer = "" }, "Issuer is empty"},
		{func(cfg *OAuthConfig) { cfg.Issuer = "GitHub" }, "Issuer is not an absolute URL"},
		{func(cfg *OAuthConfig) { cfg.Issuer = "http://github.com" }, "Issuer must be https (http on a loopback host only)"},
		{func(cfg *OAuthConfig) { cfg.Issuer = template }, "Issuer has {tenantid}, and Config.Tenants is empty: name the tenants whose users may sign in"},
		{func(cfg *OAuthConfig) { cfg.ClientID = "" }, "ClientID is empty: is the environment variable set?"},
		{func(cfg *OAuthConfig) { cfg.RedirectURL = "/callback" }, "RedirectURL is not an absolute URL"},
		{func(cfg *OAuthConfig) { cfg.Scopes = []string{"a b"} }, `Scopes: "a b" is not a scope`},
		{func(cfg *OAuthConfig) { cfg.Scopes = []string{"openid"} }, "Scopes: openid is of OpenID Connect: a provider that has it is one for New"},
		{func(cfg *OAuthConfig) { cfg.Auth = NoAuth{} }, "Auth: none is for a client without Config.ClientSecret, and it is set"},
		{func(cfg *OAuthConfig) { cfg.AuthorizationEndpoint = "" }, "AuthorizationEndpoint is empty"},
		{func(cfg *OAuthConfig) { cfg.AuthorizationEndpoint += "?state=x" }, `AuthorizationEndpoint: authorization_endpoint has the parameter "state" in its own query`},
		{func(cfg *OAuthConfig) { cfg.TokenEndpoint = "" }, "TokenEndpoint is empty"},
		{func(cfg *OAuthConfig) { cfg.UserEndpoint = "" }, "UserEndpoint is empty"},
		{func(cfg *OAuthConfig) { cfg.UserEndpoint = "http://localhost/user" }, "UserEndpoint must be https, as the issuer is"},
		{func(cfg *OAuthConfig) { cfg.RevocationEndpoint = "http://op.example.com/revoke" }, "RevocationEndpoint must be https, as the issuer is"},
		{func(cfg *OAuthConfig) { cfg.SubjectPath = []string{"data", ""} }, "SubjectPath has an empty name"},
	} {
		cfg := p.oauthConfig()
		test.change(&cfg)
		c, err := NewOAuth(cfg)
		if c != nil || err == nil || err.Error() != "client: OAuthConfig."+test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}

// What the caller does with the configuration afterwards changes nothing.
func TestOAuthConfigIsCopied(t *testing.T) {
	p := newGitHub(t)
	cfg := p.oauthConfig()
	cfg.Scopes, cfg.SubjectPath, cfg.Now = []string{"a"}, []string{"login"}, nil
	c, err := NewOAuth(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Scopes[0], cfg.SubjectPath[0] = "openid", "name"
	login, err := c.Authorize(context.Background(), nil)
	if err != nil || login.scope != "a" || time.Since(login.Created()) > time.Minute {
		t.Fatalf("scope %q, created %v, %v", login.scope, login.Created(), err)
	}
	tokens, err := c.Exchange(context.Background(), login, callbackOf(login))
	if err != nil || tokens.Account.Subject != "octocat" {
		t.Errorf("got %v", err)
	}
}

// What is of OpenID Connect would not be enforced, and is refused before anything is sent.
func TestOAuthOptions(t *testing.T) {
	p := newGitHub(t)
	c := p.oauth(nil)
	const kind = ": not supported by the provider: it is of OpenID Connect, and the client is of NewOAuth"
	for want, opts := range map[string]AuthorizeOptions{
		"AuthorizeOptions.MaxAge" + kind:    {MaxAge: new(time.Duration)},
		"AuthorizeOptions.ACRValues" + kind: {ACRValues: []string{"mfa"}},
		"AuthorizeOptions.Claims" + kind:    {Claims: []byte(`{}`)},
		`not supported by the provider: response_types_supported of its metadata has no "code id_token"`: {ResponseType: "code id_token"},
		`not supported by the provider: response_types_supported of its metadata has no "id_token"`:      {ResponseType: "id_token"},
		`not supported by the provider: response_modes_supported of its metadata has no "jwt"`:           {ResponseMode: "jwt"},
		`not supported by the provider: response_modes_supported of its metadata has no "form_post.jwt"`: {ResponseMode: "form_post.jwt"},
	} {
		login, err := c.Authorize(context.Background(), &opts)
		if login != nil || !errors.Is(err, ErrUnsupported) || err.Error() != "client: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	_, err := c.Authorize(context.Background(), &AuthorizeOptions{Scopes: []string{"repo", "openid"}})
	if want := "client: AuthorizeOptions.Scopes: openid is of OpenID Connect: a provider that has it is one for New"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if login, err := c.Authorize(context.Background(), &AuthorizeOptions{ResponseMode: "form_post"}); err != nil || login.ResponseMode() != "form_post" {
		t.Errorf("form_post: %v", err)
	}
	if len(p.requests) > 0 {
		t.Errorf("%d requests", len(p.requests))
	}
}

func TestOAuthCallbackRejects(t *testing.T) {
	for _, test := range []struct {
		name, param, value string
		change             func(*OAuthConfig)
		want               string
	}{
		{"iss of another", "iss", "https://evil.example", nil, "iss is not the issuer"},
		{"iss of GitHub under another name", "iss", "https://github.com/login/oauth", func(cfg *OAuthConfig) { cfg.Issuer = "https://github.com" }, "iss is not the issuer"},
		{"no iss", "", "", func(cfg *OAuthConfig) { cfg.RequireIss = true }, "iss is missing, and the provider promises it"},
		{"id_token", "id_token", "e30.e30.e30", nil, "id_token was not asked for"},
		{"access_token", "access_token", "x", nil, "access_token was not asked for"},
		{"response", "response", "e30.e30.e30", nil, "response was not asked for"},
		{"other state", "state", "x", nil, "state is not the one of the login"},
		{"no code", "code", "", nil, "code is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newGitHub(t)
			c := p.oauth(test.change)
			login, err := c.Authorize(context.Background(), nil)
			if err != nil {
				t.Fatal(err)
			}
			callback := callbackOf(login)
			if test.param != "" {
				callback.Set(test.param, test.value)
			}
			_, err = c.Exchange(context.Background(), login, callback)
			p.wantRejected(err, test.want)
		})
	}
	p := newGitHub(t)
	_, err := p.oauth(nil).CallbackState(context.Background(), url.Values{"response": {"e30.e30.e30"}})
	if !errors.Is(err, ErrRejected) || !errors.Is(err, jwtverify.ErrInvalid) {
		t.Errorf("state of a signed answer: %v", err)
	}
}

// A login of one kind of client is never finished by the other, even under the same name.
func TestOAuthLoginOfTheOtherKind(t *testing.T) {
	const want = "login is of the other kind of client: one is of New, and one of NewOAuth"
	p := newGitHub(t)
	mine, err := p.oauth(nil).Authorize(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	full := newOP(t)
	openID := full.client(nil)
	_, err = openID.Exchange(context.Background(), mine, callbackOf(mine))
	full.wantRejected(err, want)
	theirs := full.authorize(openID, nil)
	_, err = p.oauth(nil).Exchange(context.Background(), theirs, callbackOf(theirs))
	p.wantRejected(err, want)
}

// Somebody puts the code of their own sign-in into the callback of another browser: the
// provider finds that the verifier is not theirs, and nobody is asked who it is.
func TestOAuthCodeInjection(t *testing.T) {
	ctx := context.Background()
	p := newGitHub(t)
	c := p.oauth(nil)
	attacker, err := c.Authorize(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	victim, err := c.Authorize(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	challenges := map[string]string{"code-attacker": attacker.verifier.Challenge(), "code-victim": victim.verifier.Challenge()}
	p.handle("/token", func(r *http.Request) (*http.Response, error) {
		sent := p.seen("/token")
		form, err := url.ParseQuery(sent[len(sent)-1].Body)
		if err != nil {
			return nil, err
		}
		if pkce.Verifier(form.Get("code_verifier")).Challenge() != challenges[form.Get("code")] {
			return jsonResponse(200, map[string]any{"error": "bad_verification_code", "error_description": "The code passed is incorrect or expired."}), nil
		}
		return jsonResponse(200, p.answer), nil
	})
	_, err = c.Exchange(ctx, victim, url.Values{"code": {"code-attacker"}, "state": {victim.State()}})
	if want := `client: token endpoint: grant no longer valid: status 200: "bad_verification_code" "The code passed is incorrect or expired."`; !errors.Is(err, ErrInvalidGrant) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	p.wantRequests("/user")
	_, err = c.Exchange(ctx, victim, url.Values{"code": {"code-victim"}, "state": {victim.State()}})
	var e *CallbackError
	if !errors.As(err, &e) || e.Reason != "was used already" {
		t.Errorf("the login again: %v", err)
	}
	if _, err := c.Exchange(ctx, attacker, url.Values{"code": {"code-attacker"}, "state": {attacker.State()}}); err != nil {
		t.Errorf("a code of its own login: %v", err)
	}
}

// An answer of the token endpoint that was not asked for, or is not understood: nobody is
// asked with such a token.
func TestOAuthTokenAnswerRejects(t *testing.T) {
	for _, test := range []struct {
		member string
		value  any
		want   string
	}{
		{"id_token", "e30.e30.e30", "rejected: status 200: id_token was not asked for"},
		{"token_type", "mac", "rejected: status 200: token_type is not Bearer"},
		{"token_type", "DPoP", "rejected: status 200: token_type is not Bearer"},
		{"token_type", "N_A", "rejected: status 200: token_type is not Bearer"},
		{"token_type", nil, "rejected: status 200: token_type is missing"},
		{"access_token", "", "rejected: status 200: access_token is missing"},
		{"error", "bad_verification_code", `grant no longer valid: status 200: "bad_verification_code"`},
	} {
		p := newGitHub(t)
		c := p.oauth(nil)
		login, err := c.Authorize(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		p.answer[test.member] = test.value
		tokens, err := c.Exchange(context.Background(), login, callbackOf(login))
		if tokens != nil || err == nil || err.Error() != "client: token endpoint: "+test.want {
			t.Errorf("%s %v: got %v, want %s", test.member, test.value, err, test.want)
		}
		p.wantRequests("/user")
		_, err = c.Refresh(context.Background(), &Tokens{RefreshToken: "refresh-token-CANARY-1"})
		if err == nil || err.Error() != "client: token endpoint: "+test.want {
			t.Errorf("%s %v, refresh: got %v, want %s", test.member, test.value, err, test.want)
		}
	}
	p := newGitHub(t) // null means the same as no member
	p.answer["id_token"] = nil
	p.signInOAuth(p.oauth(nil))
}

func (p *op) signInOAuth(c *Client) *Tokens {
	p.t.Helper()
	login, err := c.Authorize(context.Background(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	tokens, err := c.Exchange(context.Background(), login, callbackOf(login))
	if err != nil {
		p.t.Fatal(err)
	}
	return tokens
}

// GitHub Apps have tokens that expire, and refresh tokens that rotate.
func TestOAuthRefresh(t *testing.T) {
	ctx := context.Background()
	p := newGitHub(t)
	maps.Copy(p.answer, map[string]any{"expires_in": 28800, "refresh_token": "refresh-token-CANARY-1", "refresh_token_expires_in": 15897600})
	c := p.oauth(nil)
	tokens := p.signInOAuth(c)
	if tokens.RefreshToken != "refresh-token-CANARY-1" || !tokens.Expiry.Equal(testStart.Add(8*time.Hour)) {
		t.Errorf("expires %v", tokens.Expiry)
	}
	maps.Copy(p.answer, map[string]any{"access_token": "a2", "refresh_token": "r2", "scope": ""})
	p.advance(8 * time.Hour)
	next, err := c.Refresh(ctx, tokens)
	if err != nil || next.AccessToken != "a2" || next.RefreshToken != "r2" || next.Account != tokens.Account || next.IDToken != nil || len(next.Scope) > 0 {
		t.Errorf("got %v, %v", next, err)
	}
	s := new(saver)
	if _, err := c.TokenSource(tokens, s.save).Token(); err != nil {
		t.Error(err)
	}
	if n := len(p.seen("/user")); n != 1 {
		t.Errorf("the user endpoint was asked %d times", n)
	}
	p.answer = map[string]any{"error": "bad_refresh_token"}
	if _, err := c.Refresh(ctx, tokens); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("a used refresh token: %v", err)
	}
}

func TestOAuthRevoke(t *testing.T) {
	p := newGitHub(t)
	c := p.oauth(func(cfg *OAuthConfig) { cfg.RevocationEndpoint = testIssuer + "/revoke" })
	if err := c.Revoke(context.Background(), p.signInOAuth(c)); err != nil || len(p.seen("/revoke")) != 1 {
		t.Errorf("got %v", err)
	}
}

// Tokens stay with the provider that they are of, and the kind of client.
func TestOAuthOwnTokens(t *testing.T) {
	ctx := context.Background()
	p := newGitHub(t)
	c := p.oauth(nil)
	account := p.signInOAuth(c)
	account.RefreshToken = "r"
	full := newOP(t)
	openID := full.client(nil)
	identity := full.signIn(openID)
	stranger := *account
	stranger.Account = &Account{Issuer: "https://evil.example", Subject: "583231", claims: "{}"}
	before, fullBefore := len(p.requests), len(full.requests)
	for name, err := range map[string]error{
		"an ID token at OAuth":          refreshError(ctx, c, identity),
		"an account at OpenID Connect":  refreshError(ctx, openID, account),
		"an account of another issuer":  refreshError(ctx, c, &stranger),
		"an account to be asked about":  userInfoError(ctx, openID, account),
		"an account, to revoke":         openID.Revoke(ctx, account),
		"an account of another, revoke": c.Revoke(ctx, &stranger),
	} {
		if want := "client: rejected: the tokens are of another issuer"; !errors.Is(err, ErrRejected) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	if len(p.requests) != before || len(full.requests) != fullBefore {
		t.Error("something was sent")
	}
	if err := refreshError(ctx, c, account); err != nil {
		t.Error(err)
	}
}

func refreshError(ctx context.Context, c *Client, t *Tokens) error {
	_, err := c.Refresh(ctx, t)
	return err
}

func userInfoError(ctx context.Context, c *Client, t *Tokens) error {
	_, err := c.UserInfo(ctx, t)
	return err
}

// What there is not says so, and sends nothing.
func TestOAuthUnsupported(t *testing.T) {
	ctx := context.Background()
	p := newGitHub(t)
	c := p.oauth(nil)
	tokens := p.signInOAuth(c)
	before := len(p.requests)
	const kind = " is of OpenID Connect, and the client is of NewOAuth"
	for _, test := range []struct {
		want string
		call func() error
	}{
		{"userinfo" + kind, func() error { _, err := c.UserInfo(ctx, tokens); return err }},
		{"go-oidc" + kind, func() error { _, err := c.Provider(ctx); return err }},
		{"signing out at the provider" + kind, func() error { _, err := c.LogoutURL(ctx, LogoutOptions{}); return err }},
		{"signing out at the provider" + kind, func() error { _, err := c.LogoutKeepsState(ctx); return err }},
		{"a logout token" + kind, func() error { _, err := c.VerifyLogout(ctx, "e30.e30.e30", &jwtverify.ReplayCache{}); return err }},
		{"its metadata has no revocation_endpoint", func() error { return c.Revoke(ctx, tokens) }},
		{"its metadata has no introspection_endpoint", func() error { _, err := c.Introspect(ctx, tokens.AccessToken); return err }},
		{"grant_types_supported of its metadata has no " + grantClientCredentials, func() error { _, err := c.ClientCredentials(ctx, nil); return err }},
		{"a sign-in by another device" + kind, func() error { _, err := c.WaitDevice(ctx, nil); return err }},
		{"grant_types_supported of its metadata has no " + grantDevice, func() error { _, err := c.Device(ctx, nil); return err }},
		{"grant_types_supported of its metadata has no " + grantCIBA, func() error { _, err := c.CIBA(ctx, CIBARequest{LoginHint: "a"}, nil); return err }},
		{"grant_types_supported of its metadata has no " + grantExchange, func() error { _, err := c.ExchangeToken(ctx, TokenExchange{SubjectToken: "a"}, nil); return err }},
		{"grant_types_supported of its metadata has no " + grantJWTBearer, func() error { _, err := c.JWTBearer(ctx, "a.b.c", nil); return err }},
		{"grant_types_supported of its metadata has no " + grantPassword, func() error { _, err := c.InsecurePassword(ctx, Password{"a", "b"}, nil); return err }},
	} {
		if err := test.call(); !errors.Is(err, ErrUnsupported) || err.Error() != "client: not supported by the provider: "+test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	if found := c.Check(ctx); len(found) > 0 {
		t.Errorf("found %v", found)
	}
	m, err := c.Metadata(ctx)
	if err != nil || m.TokenEndpoint != testIssuer+"/token" || m.Issuer != testIssuer || !slices.Equal(m.ResponseTypesSupported, []string{"code"}) ||
		!slices.Equal(m.GrantTypesSupported, []string{"authorization_code", "refresh_token"}) {
		t.Errorf("metadata %v, %v", m, err)
	}
	if len(p.requests) != before {
		t.Errorf("%d requests too many", len(p.requests)-before)
	}
}

// A provider that repeats what it was sent, at the user endpoint.
func TestOAuthNoSecretInErrors(t *testing.T) {
	ctx := context.Background()
	for _, status := range []int{200, 401, 500} {
		p := newGitHub(t)
		c := p.oauth(nil)
		login, err := c.Authorize(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		p.handle("/user", func(r *http.Request) (*http.Response, error) {
			all := fmt.Sprint(r.Header)
			return jsonResponse(status, map[string]any{"id": map[string]any{all: all}, "error": all, "error_description": all}), nil
		})
		_, err = c.Exchange(ctx, login, callbackOf(login))
		if err == nil || strings.Contains(renderings(t, err), "CANARY") {
			t.Errorf("%d: got %v", status, err)
		}
	}
	if text := renderings(t, newGitHub(t).oauthConfig()); strings.Contains(text, "CANARY") || !strings.Contains(text, testIssuer) {
		t.Errorf("the configuration shows %s", text)
	}
}

// Keys of the provider would change nothing: the verifiers of this kind of client are zero.
func TestOAuthVerifiesNoToken(t *testing.T) {
	s, err := newGitHub(t).oauth(nil).provider(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	raw := sign(testKey(), map[string]any{"alg": "ES256", "kid": "k1"}, map[string]any{"iss": testIssuer, "aud": testClientID})
	if _, err := s.verifier.IDToken(context.Background(), raw, jwtverify.Expect{}); !errors.Is(err, jwtverify.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}
