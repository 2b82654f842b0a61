package clienttest_test

import (
	"context"
	"crypto"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/pkce"
)

const redirectURL = "https://app.example.com/callback"

// A flow is a client by hand: what it sends, a test can read and change.
type flow struct {
	t      *testing.T
	op     *clienttest.Provider
	http   *http.Client
	id     string
	secret string

	verifier     pkce.Verifier
	state, nonce string
}

func newFlow(t *testing.T, opts *clienttest.Options) *flow {
	t.Helper()
	op := clienttest.New(opts)
	t.Cleanup(func() { op.Close() })
	cfg := op.Config(redirectURL)
	return &flow{
		t: t, op: op, http: op.HTTPClient(), id: cfg.ClientID, secret: cfg.ClientSecret,
		verifier: pkce.New(), state: "the-state", nonce: "the-nonce",
	}
}

func (f *flow) metadata() map[string]any {
	f.t.Helper()
	var m map[string]any
	decode(f.t, f.get(strings.TrimSuffix(f.op.Issuer(), "/")+"/.well-known/openid-configuration"), &m)
	return m
}

func (f *flow) endpoint(name string) string {
	f.t.Helper()
	address, ok := f.metadata()[name].(string)
	if !ok {
		f.t.Fatalf("the metadata has no %s", name)
	}
	return address
}

// authorizationURL is a good request, with the given parameters set; an empty value leaves one out.
func (f *flow) authorizationURL(set ...string) string {
	f.t.Helper()
	q := url.Values{
		"response_type":         {"code"},
		"client_id":             {f.id},
		"redirect_uri":          {redirectURL},
		"scope":                 {"openid profile offline_access"},
		"state":                 {f.state},
		"nonce":                 {f.nonce},
		"code_challenge":        {f.verifier.Challenge()},
		"code_challenge_method": {"S256"},
	}
	for i := 0; i < len(set); i += 2 {
		q.Set(set[i], set[i+1])
		if set[i+1] == "" {
			q.Del(set[i])
		}
	}
	return f.op.Issuer() + "/authorize?" + q.Encode()
}

// signIn is the callback of a good request with the given parameters.
func (f *flow) signIn(set ...string) url.Values {
	f.t.Helper()
	callback, err := f.op.SignIn(f.authorizationURL(set...), "alice")
	if err != nil {
		f.t.Fatal(err)
	}
	return callback.Query()
}

func (f *flow) get(address string) *http.Response {
	f.t.Helper()
	response, err := f.http.Get(address)
	if err != nil {
		f.t.Fatal(err)
	}
	return response
}

// post sends a form, with client_secret_basic.
func (f *flow) post(path string, form url.Values) (*http.Response, error) {
	f.t.Helper()
	r, err := http.NewRequest("POST", f.op.Issuer()+path, strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if f.secret != "" {
		r.SetBasicAuth(url.QueryEscape(f.id), url.QueryEscape(f.secret))
	}
	return f.http.Do(r)
}

// An answer is that of the token endpoint.
type answer struct {
	Status       int    `json:"-"`
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
	Scope        string `json:"scope"`
	ExpiresIn    any    `json:"expires_in"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

func (f *flow) token(form url.Values) answer {
	f.t.Helper()
	response, err := f.post("/token", form)
	if err != nil {
		f.t.Fatal(err)
	}
	a := answer{Status: response.StatusCode}
	decode(f.t, response, &a)
	return a
}

func (f *flow) exchangeForm(code string) url.Values {
	return url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {redirectURL},
		"code_verifier": {string(f.verifier)},
	}
}

func (f *flow) exchange(code string) answer {
	f.t.Helper()
	return f.token(f.exchangeForm(code))
}

func (f *flow) refresh(token string) answer {
	f.t.Helper()
	return f.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// userInfo asks for the claims, and returns the status and the body.
func (f *flow) userInfo(accessToken string) (int, string) {
	f.t.Helper()
	r, err := http.NewRequest("GET", f.op.Issuer()+"/userinfo", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+accessToken)
	response, err := f.http.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	return response.StatusCode, body(f.t, response)
}

// tokens signs alice in.
func (f *flow) tokens(set ...string) answer {
	f.t.Helper()
	a := f.exchange(f.signIn(set...).Get("code"))
	if a.AccessToken == "" {
		f.t.Fatalf("no tokens: %d %s %s", a.Status, a.Error, a.Description)
	}
	return a
}

// verify gives an ID token to go-oidc, on the provider's clock.
func (f *flow) verify(raw string) (*oidc.IDToken, error) {
	f.t.Helper()
	ctx := oidc.ClientContext(context.Background(), f.http)
	provider, err := oidc.NewProvider(ctx, f.op.Issuer())
	if err != nil {
		return nil, err
	}
	cfg := &oidc.Config{ClientID: f.id, Now: f.op.Now}
	provider.Claims(&struct {
		Algorithms *[]string `json:"id_token_signing_alg_values_supported"`
	}{&cfg.SupportedSigningAlgs})
	return oidc.NewVerifier(f.op.Issuer(), &oidc.StaticKeySet{PublicKeys: f.keys()}, cfg).Verify(ctx, raw)
}

// keys reads the JWKS one key after the other: go-oidc's own reader gives up on the whole set
// at the first curve it does not know.
func (f *flow) keys() []crypto.PublicKey {
	f.t.Helper()
	var set struct{ Keys []json.RawMessage }
	decode(f.t, f.get(f.endpoint("jwks_uri")), &set)
	var usable []crypto.PublicKey
	for _, text := range set.Keys {
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(text); err == nil && key.Use == "sig" {
			usable = append(usable, key.Key)
		}
	}
	return usable
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func decode(t *testing.T, response *http.Response, v any) {
	t.Helper()
	text := body(t, response)
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("%s answered %d, not JSON: %v", response.Request.URL.Path, response.StatusCode, err)
	}
}

func TestSignIn(t *testing.T) {
	f := newFlow(t, nil)
	callback := f.signIn()
	if callback.Get("state") != f.state || callback.Get("iss") != f.op.Issuer() {
		t.Fatalf("the callback has state %q and iss %q", callback.Get("state"), callback.Get("iss"))
	}
	got := f.exchange(callback.Get("code"))
	if got.TokenType != "Bearer" || got.ExpiresIn != 300.0 || got.Scope != "openid profile offline_access" || got.RefreshToken == "" {
		t.Fatalf("got type %q, expires_in %v, scope %q, refresh token %t", got.TokenType, got.ExpiresIn, got.Scope, got.RefreshToken != "")
	}
	token, err := f.verify(got.IDToken)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.VerifyAccessToken(got.AccessToken); err != nil {
		t.Error(err)
	}
	var claims struct {
		Name, SID, ACR string
		AuthTime       int64 `json:"auth_time"`
	}
	if err := token.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if token.Subject != "alice" || token.Nonce != f.nonce || claims.Name != "Alice Ashby" ||
		claims.SID == "" || claims.ACR != "1" || claims.AuthTime == 0 {
		t.Errorf("got sub %q, nonce %q, claims %+v", token.Subject, token.Nonce, claims)
	}
	status, info := f.userInfo(got.AccessToken)
	if status != http.StatusOK || !strings.Contains(info, `"sub":"alice"`) || !strings.Contains(info, `"email":"alice@example.com"`) {
		t.Errorf("userinfo answered %d %s", status, info)
	}
}

func TestAlgorithms(t *testing.T) {
	for _, algorithm := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run(algorithm, func(t *testing.T) {
			f := newFlow(t, &clienttest.Options{Algorithm: algorithm})
			got := f.tokens()
			token, err := f.verify(got.IDToken)
			if err != nil {
				t.Fatal(err)
			}
			if algorithm == "EdDSA" {
				return // go-oidc knows no at_hash for it
			}
			if err := token.VerifyAccessToken(got.AccessToken); err != nil {
				t.Error(err)
			}
		})
	}
}
