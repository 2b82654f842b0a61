package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// registered is the least that a provider answers.
const registered = `{"client_id":"s6BhdRkqt3"}`

// registrar adds a registration endpoint to the provider, with one answer.
func registrar(t *testing.T, status int, contentType, body string) *op {
	t.Helper()
	p := newOP(t)
	p.metadata["registration_endpoint"] = testIssuer + "/register"
	p.reply("/register", status, contentType, body)
	return p
}

func (p *op) register(change func(*RegistrationRequest)) (*Registration, error) {
	req := RegistrationRequest{
		Metadata:   ClientMetadata{RedirectURIs: []string{testRedirect}},
		HTTPClient: &http.Client{Transport: p},
		Now:        p.clock,
	}
	if change != nil {
		change(&req)
	}
	return Register(context.Background(), testIssuer, req)
}

// The header of every registration request.
func registrationHeader(token string) http.Header {
	h := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}, "User-Agent": {userAgent}}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return h
}

func TestRegisterRequest(t *testing.T) {
	aMinute := time.Minute
	for _, test := range []struct {
		name   string
		change func(*RegistrationRequest)
		token  string
		body   string
	}{
		{"least", nil, "", `{"redirect_uris":["` + testRedirect + `"]}`},
		{"nothing", func(r *RegistrationRequest) { r.Metadata = ClientMetadata{} }, "", `{}`},
		{"initial access token", func(r *RegistrationRequest) { r.InitialAccessToken = "iat-CANARY~+/=" }, "iat-CANARY~+/=", `{"redirect_uris":["` + testRedirect + `"]}`},
		{"software statement", func(r *RegistrationRequest) { r.SoftwareStatement = "e30.e30.c2ln" }, "", `{"redirect_uris":["` + testRedirect + `"],"software_statement":"e30.e30.c2ln"}`},
		{"a machine", func(r *RegistrationRequest) {
			r.Metadata = ClientMetadata{RedirectURIs: []string{}, GrantTypes: []string{"client_credentials"}, ResponseTypes: []string{}, Scope: []string{"a", "b"}}
		}, "", `{"grant_types":["client_credentials"],"redirect_uris":[],"response_types":[],"scope":"a b"}`},
		{"of every type", func(r *RegistrationRequest) {
			r.Metadata = ClientMetadata{
				ClientName: "Caf\u00e9", DefaultMaxAge: &aMinute, RequireAuthTime: true, JWKS: json.RawMessage(`{"keys": []}`),
				Extra: map[string]json.RawMessage{"client_name#ja-Hani-JP": json.RawMessage(`"\u5ba2"`), "x_limits": json.RawMessage(`{"a":[1]}`)},
			}
		}, "", `{"client_name":"Café","client_name#ja-Hani-JP":"\u5ba2","default_max_age":60,"jwks":{"keys":[]},"require_auth_time":true,"x_limits":{"a":[1]}}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := registrar(t, 201, "application/json", registered)
			if _, err := p.register(test.change); err != nil {
				t.Fatal(err)
			}
			p.wantRequests("/register", sentRequest{"POST", testIssuer + "/register", registrationHeader(test.token), test.body})
			if n := len(p.requests); n != 2 {
				t.Errorf("%d requests, want the discovery and this one", n)
			}
		})
	}
}

// The exchange of https://auth0.com/docs/get-started/applications/dynamic-client-registration,
// with the secret that is cut short there written out. The answer has no
// token_endpoint_auth_method, and the documentation says that it is client_secret_post then.
func TestRegisterAtAuth0(t *testing.T) {
	const issuer = "https://tenant.us.auth0.com/"
	const secret = "Q5Ocj5yVFEcDUJ9UBt8iCY9RqGbWq3lDUyq0iOZm6aFP7yD2sS9XKQy8cVZp133P"
	p := newOP(t)
	p.metadata = map[string]any{
		"issuer": issuer, "authorization_endpoint": issuer + "authorize", "token_endpoint": issuer + "oauth/token",
		"jwks_uri": issuer + ".well-known/jwks.json", "registration_endpoint": issuer + "oidc/register",
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post", "private_key_jwt"},
		"id_token_signing_alg_values_supported": []string{"HS256", "RS256", "PS256"},
	}
	p.handlers[issuer+".well-known/openid-configuration"] = func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.metadata), nil }
	p.handlers[issuer+"oidc/register"] = func(*http.Request) (*http.Response, error) {
		return textResponse(201, "application/json", `{
  "client_name": "My Dynamic Application",
  "client_id": "8SXWY6j3afl2CP5ntwEOpMdPxxy49Gt2",
  "client_secret": "`+secret+`",
  "redirect_uris": [
    "https://application.example.com/callback",
    "https://application.example.com/callback2"
  ],
  "client_secret_expires_at": 0
}`), nil
	}
	reg, err := Register(context.Background(), issuer, RegistrationRequest{
		Metadata: ClientMetadata{
			ClientName:   "My Dynamic Application",
			RedirectURIs: []string{"https://application.example.com/callback", "https://application.example.com/callback2"},
		},
		HTTPClient: &http.Client{Transport: p},
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := p.requests[len(p.requests)-1]
	const body = `{"client_name":"My Dynamic Application","redirect_uris":["https://application.example.com/callback","https://application.example.com/callback2"]}`
	if sent.Method != "POST" || sent.URL != issuer+"oidc/register" || sent.Body != body || !reflect.DeepEqual(sent.Header, registrationHeader("")) {
		t.Errorf("sent %s %s %v\n%s", sent.Method, sent.URL, sent.Header, sent.Body)
	}
	if reg.ClientID != "8SXWY6j3afl2CP5ntwEOpMdPxxy49Gt2" || reg.ClientSecret != secret || !reg.ClientSecretExpiresAt.IsZero() {
		t.Errorf("got %s, %s, %s", reg.ClientID, reg.ClientSecret, reg.ClientSecretExpiresAt)
	}

	cfg, err := reg.Config(Config{RedirectURL: "https://application.example.com/callback2"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Auth != (SecretPost{}) || cfg.ClientSecret != secret || cfg.IDTokenSignedResponseAlg != "" {
		t.Errorf("got %T and %v", cfg.Auth, cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.handlers[issuer+"oauth/token"] = func(*http.Request) (*http.Response, error) {
		return jsonResponse(403, map[string]any{"error": "invalid_grant"}), nil
	}
	if _, err := c.Refresh(context.Background(), &Tokens{RefreshToken: "refresh-1"}); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("got %v", err)
	}
	const form = "client_id=8SXWY6j3afl2CP5ntwEOpMdPxxy49Gt2&client_secret=" + secret + "&grant_type=refresh_token&refresh_token=refresh-1"
	if sent := p.requests[len(p.requests)-1]; sent.Body != form || sent.Header.Get("Authorization") != "" {
		t.Errorf("the secret went as %v %s", sent.Header, sent.Body)
	}
}

// The newer form of the same page: the answer names the method, and has a secret that a
// public client does not send.
func TestRegisterPublicClientAtAuth0(t *testing.T) {
	p := registrar(t, 201, "application/json", `{"client_name":"My Dynamic Application","client_id":"tpc_8SXWY6j3afl2CP5ntwEOpMdPxxy49Gt2",
		"client_secret":"Q5O...33P","redirect_uris":["https://application.example.com/callback"],"client_secret_expires_at":0,
		"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none"}`)
	reg, err := p.register(nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := reg.Config(Config{})
	if err != nil || cfg.Auth != (NoAuth{}) || cfg.ClientSecret != "" {
		t.Errorf("got %T, %v, %v", cfg.Auth, cfg, err)
	}
	if _, err := New(cfg); err != nil {
		t.Error(err)
	}
}

// A domain of the customer's own is known by the metadata.
func TestQuirks(t *testing.T) {
	for _, test := range []struct{ issuer, document, want string }{
		{"https://tenant.auth0.com/", "", "Auth0"},
		{"https://tenant.eu.AUTH0.com/", "", "Auth0"},
		{"https://login.example.com/", `{"mfa_challenge_endpoint":"https://login.example.com/mfa/challenge"}`, "Auth0"},
		{"https://login.example.com/", `{"issuer":"https://login.example.com/"}`, ""},
		{"https://notauth0.com/", "", ""},
		{"https://tenant.auth0.com.example.com/", "", ""},
		{"https://example.com/.auth0.com", "", ""},
		{"https://login.example.com/", `{"":"x"}`, ""},
		{"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Pool", "", "Cognito"},
		{"https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Pool", "", "Cognito"},
		{"https://s3.eu-west-1.amazonaws.com/pool", "", ""},
		{"https://cognito-idp.eu-west-1.amazonaws.com.example.com/pool", "", ""},
		{"https://github.com/login/oauth", "", "GitHub"},
		{"https://octo.ghe.com/login/oauth", "", "GitHub"},
		{"https://notgithub.com", "", ""},
		{"://", "", ""},
	} {
		if got := quirkOf(test.issuer, test.document).provider; got != test.want {
			t.Errorf("%s %s: got %q, want %q", test.issuer, test.document, got, test.want)
		}
	}
	for _, q := range quirks {
		if !strings.HasPrefix(q.source, "https://") || q.logout != nil && !strings.HasPrefix(q.logout.source, "https://") {
			t.Errorf("%s has no source", q.provider)
		}
	}
}

func TestRegisterAnswer(t *testing.T) {
	const management = `"registration_access_token":"rat-CANARY","registration_client_uri":"https://elsewhere.example.com/register/c1"`
	full := registrar(t, 200, "Application/JSON; charset=utf-8", `{"client_id":"c1","client_secret":"s1","client_id_issued_at":1767225600,
		"client_secret_expires_at":1767225600.9,`+management+`,"redirect_uris":["https://a.example.com/cb"],"scope":"a b","default_max_age":60,
		"require_auth_time":false,"jwks":{"keys":[]},"client_name":null,"client_name#fr":"Caf\u00e9","software_statement":"e30.e30.c2ln","x_any":{"a":[1]}}`)
	reg, err := full.register(nil)
	if err != nil {
		t.Fatal(err)
	}
	year, aMinute := time.Unix(1767225600, 0), time.Minute
	want := Registration{
		Issuer: testIssuer, ClientID: "c1", ClientSecret: "s1", ClientIDIssuedAt: year, ClientSecretExpiresAt: year,
		RegistrationAccessToken: "rat-CANARY", RegistrationClientURI: "https://elsewhere.example.com/register/c1",
		Metadata: ClientMetadata{
			RedirectURIs: []string{"https://a.example.com/cb"}, Scope: []string{"a", "b"}, DefaultMaxAge: &aMinute, JWKS: json.RawMessage(`{"keys":[]}`),
			Extra: map[string]json.RawMessage{"client_name#fr": json.RawMessage(`"Caf\u00e9"`), "x_any": json.RawMessage(`{"a":[1]}`)},
		},
		HTTPClient: reg.HTTPClient, asked: ClientMetadata{RedirectURIs: []string{testRedirect}},
	}
	got := *reg
	got.Now = nil
	if !reflect.DeepEqual(plain(got), plain(want)) {
		t.Errorf("got  %+v\nwant %+v", plain(got), plain(want))
	}
	for _, test := range []struct{ name, body string }{
		{"least", registered},
		{"no word about the end of the secret: Doorkeeper", `{"client_id":"s6BhdRkqt3","client_secret":"s"}`},
		{"null for the end of the secret: WSO2", `{"client_id":"s6BhdRkqt3","client_secret":"s","client_secret_expires_at":null}`},
		{"a text for a list of one: IBM", `{"client_id":"s6BhdRkqt3","redirect_uris":"https://app.com"}`},
		{"scope as a list", `{"client_id":"s6BhdRkqt3","scope":["a","b"]}`},
		{"a token and no URI", `{"client_id":"s6BhdRkqt3","registration_access_token":"t"}`},
		{"a method that nobody has", `{"client_id":"s6BhdRkqt3","token_endpoint_auth_method":"x"}`},
		{"a client ID with a space", `{"client_id":"s6 BhdRkqt3"}`},
		{"a secret of any characters", `{"client_id":"a","client_secret":"\u00e4 \"\\~:%+&="}`},
	} {
		if reg, err := registrar(t, 201, "application/json", test.body).register(nil); err != nil || !reg.ClientSecretExpiresAt.IsZero() {
			t.Errorf("%s: got %v, %v", test.name, reg, err)
		}
	}
}

// plain is a registration that prints.
func plain(r Registration) any {
	type shown Registration
	return shown(r)
}

func TestRegisterRejected(t *testing.T) {
	const json = "application/json"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    error
		text                    string // after "client: registration endpoint: "
	}{
		{"no client_id", json, `{"client_secret":"s"}`, 201, ErrRejected, "rejected: status 201: client_id is missing"},
		{"client_id empty", json, `{"client_id":""}`, 201, ErrRejected, "rejected: status 201: client_id is missing"},
		{"client_id null", json, `{"client_id":null}`, 201, ErrRejected, "rejected: status 201: client_id is missing"},
		{"client_id a number", json, `{"client_id":1}`, 201, ErrRejected, "rejected: status 201: client_id has the wrong type"},
		{"client_id not ASCII", json, `{"client_id":"ä"}`, 201, ErrRejected, "rejected: status 201: client_id has characters that none has"},
		{"client_id twice", json, `{"client_id":"a","client_id":"b"}`, 201, ErrRejected, "rejected: status 201: " + notMembers},
		{"client_id folded", json, `{"client_id":"a","Client_Id":"b"}`, 201, ErrRejected, "rejected: status 201: " + notMembers},
		{"metadata folded", json, `{"client_id":"a","Redirect_URIs":[]}`, 201, ErrRejected, "rejected: status 201: " + notMembers},
		{"client_secret a list", json, `{"client_id":"a","client_secret":["s"]}`, 201, ErrRejected, "rejected: status 201: client_secret has the wrong type"},
		{"the end of the secret a text", json, `{"client_id":"a","client_secret_expires_at":"0"}`, 201, ErrRejected, "rejected: status 201: client_secret_expires_at has the wrong type"},
		{"the end of the secret before 1970", json, `{"client_id":"a","client_secret_expires_at":-1}`, 201, ErrRejected, "rejected: status 201: client_secret_expires_at has the wrong type"},
		{"a token with a line break", json, `{"client_id":"a","registration_access_token":"t\r\nX: y"}`, 201, ErrRejected, "rejected: status 201: registration_access_token has characters that none has"},
		{"a URI without TLS", json, `{"client_id":"a","registration_client_uri":"http://op.example.com/c"}`, 201, ErrRejected, "rejected: status 201: registration_client_uri must be https, as the issuer is"},
		{"a URI on this machine", json, `{"client_id":"a","registration_client_uri":"http://127.0.0.1/c"}`, 201, ErrRejected, "rejected: status 201: registration_client_uri must be https, as the issuer is"},
		{"a URI that is a path", json, `{"client_id":"a","registration_client_uri":"/c"}`, 201, ErrRejected, "rejected: status 201: registration_client_uri is not an absolute URL"},
		{"a URI with a password", json, `{"client_id":"a","registration_client_uri":"https://u:p@op.example.com/c"}`, 201, ErrRejected, "rejected: status 201: registration_client_uri must not have a user name or password"},
		{"redirect_uris a number", json, `{"client_id":"a","redirect_uris":1}`, 201, ErrRejected, "rejected: status 201: redirect_uris has the wrong type"},
		{"a flag as a text", json, `{"client_id":"a","dpop_bound_access_tokens":"true"}`, 201, ErrRejected, "rejected: status 201: dpop_bound_access_tokens has the wrong type"},
		{"a method as a list", json, `{"client_id":"a","token_endpoint_auth_method":["none"]}`, 201, ErrRejected, "rejected: status 201: token_endpoint_auth_method has the wrong type"},
		{"default_max_age negative", json, `{"client_id":"a","default_max_age":-1}`, 201, ErrRejected, "rejected: status 201: default_max_age has the wrong type"},
		{"array", json, `[` + registered + `]`, 201, ErrRejected, "rejected: status 201: " + notMembers},
		{"truncated", json, `{"client_id":"a"`, 201, ErrRejected, "rejected: status 201: " + notMembers},
		{"two objects", json, registered + registered, 201, ErrRejected, "rejected: status 201: " + notMembers},
		{"empty", json, ``, 201, ErrRejected, "rejected: status 201: " + notMembers},
		{"too large", json, `{"client_id":"` + strings.Repeat("a", maxBody) + `"}`, 201, ErrRejected, "rejected: status 201: the answer has more than 1048576 bytes"},
		{"HTML", "text/html", `<html>`, 201, ErrRejected, `rejected: status 201: the content type is "text/html", not application/json`},
		{"no content type", "", registered, 201, ErrRejected, `rejected: status 201: the content type is "", not application/json`},
		{"another status", json, registered, 202, ErrRejected, "rejected: status 202: no error code"},
		{"redirect", "", "", 307, ErrRejected, "rejected: status 307: no error code"},
		{"an error in 200", json, `{"error":"invalid_redirect_uri","client_id":"a"}`, 200, ErrRejected, `rejected: status 200: "invalid_redirect_uri"`},
		{"invalid_redirect_uri", json, `{"error":"invalid_redirect_uri","error_description":"http is not"}`, 400, ErrRejected, `rejected: status 400: "invalid_redirect_uri" "http is not"`},
		{"invalid_client_metadata", json, `{"error":"invalid_client_metadata"}`, 400, ErrRejected, `rejected: status 400: "invalid_client_metadata"`},
		{"invalid_software_statement", json, `{"error":"invalid_software_statement","error_description":"iat-CANARY sta-CANARY"}`, 400, ErrRejected,
			`rejected: status 400: "invalid_software_statement" "[redacted] [redacted]"`},
		{"unapproved_software_statement", json, `{"error":"unapproved_software_statement"}`, 400, ErrRejected, `rejected: status 400: "unapproved_software_statement"`},
		{"not allowed", json, `{"error":"invalid_token"}`, 401, ErrRejected, `rejected: status 401: "invalid_token"`},
		{"switched off", "text/html", `<html>`, 404, ErrRejected, "rejected: status 404: no error code"},
		{"busy", "", ``, 429, ErrUnavailable, "provider unavailable: status 429: no error code"},
		{"down", "text/html", `<html>`, 503, ErrUnavailable, "provider unavailable: status 503: no error code"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := registrar(t, test.status, test.contentType, test.body)
			reg, err := p.register(func(r *RegistrationRequest) {
				r.InitialAccessToken, r.SoftwareStatement = "iat-CANARY", "sta-CANARY"
			})
			var e *ResponseError
			if reg != nil || !errors.Is(err, test.want) || !errors.As(err, &e) || err.Error() != "client: registration endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
			if n := len(p.seen("/register")); n != 1 {
				t.Errorf("%d requests: it is sent once", n)
			}
		})
	}
}

func TestRegisterRedirectIsNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		p := registrar(t, 0, "", "")
		p.handle("/register", redirectTo(status, "https://evil.example.com/register")) // a request there fails the test
		if _, err := p.register(func(r *RegistrationRequest) { r.InitialAccessToken = "t" }); !errors.Is(err, ErrRejected) {
			t.Errorf("%d: got %v", status, err)
		}
	}
}

// The body never ends, and the time is that of the bubble.
func TestRegisterSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := registrar(t, 0, "", "")
		p.handle("/register", func(req *http.Request) (*http.Response, error) {
			resp := textResponse(201, "application/json", "")
			resp.Body, resp.ContentLength = hanging{req.Context()}, -1
			return resp, nil
		})
		start := time.Now()
		_, err := p.register(nil)
		if !errors.Is(err, ErrUnavailable) || err.Error() != "client: registration endpoint: provider unavailable: timed out" || time.Since(start) != httpTimeout {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
	})
}

// A hanging body gives nothing until its request is over.
type hanging struct{ ctx context.Context }

func (e hanging) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

func (e hanging) Close() error { return nil }

func TestRegisterRefusesToSend(t *testing.T) {
	const tooMuch = "ClientMetadata.JWKS has a private key (%s): register the public half alone"
	keys := func(members string) json.RawMessage {
		return json.RawMessage(`{"keys":[{"kty":"EC",` + members + `}]}`)
	}
	half := time.Second / 2
	for _, test := range []struct {
		name   string
		change func(*RegistrationRequest)
		text   string
	}{
		{"endpoint without TLS", func(r *RegistrationRequest) { r.Endpoint = "http://op.example.com/register" }, "RegistrationRequest.Endpoint must be https, as the issuer is"},
		{"endpoint on this machine", func(r *RegistrationRequest) { r.Endpoint = "http://localhost/register" }, "RegistrationRequest.Endpoint must be https, as the issuer is"},
		{"token with a line break", func(r *RegistrationRequest) { r.InitialAccessToken = "a\nb" }, "RegistrationRequest.InitialAccessToken has characters that no token has"},
		{"token with a space", func(r *RegistrationRequest) { r.InitialAccessToken = "a b" }, "RegistrationRequest.InitialAccessToken has characters that no token has"},
		{"statement with a space", func(r *RegistrationRequest) { r.SoftwareStatement = "a b" }, "RegistrationRequest.SoftwareStatement has characters that no JWT has"},
		{"scope of two words", func(r *RegistrationRequest) { r.Metadata.Scope = []string{"a b"} }, `ClientMetadata.Scope: "a b" is not a scope`},
		{"half a second", func(r *RegistrationRequest) { r.Metadata.DefaultMaxAge = &half }, "ClientMetadata.DefaultMaxAge must be whole seconds, and not less than 0"},
		{"keys twice", func(r *RegistrationRequest) { r.Metadata.JWKSURI, r.Metadata.JWKS = "https://a", keys(`"x":"a"`) }, "ClientMetadata.JWKS and ClientMetadata.JWKSURI are both set: one of them says where the keys are"},
		{"keys not JSON", func(r *RegistrationRequest) { r.Metadata.JWKS = json.RawMessage(`{`) }, "ClientMetadata.JWKS is not one JSON value"},
		{"keys without keys", func(r *RegistrationRequest) { r.Metadata.JWKS = json.RawMessage(`{"kty":"EC"}`) }, "ClientMetadata.JWKS is not a set of keys"},
		{"keys of texts", func(r *RegistrationRequest) { r.Metadata.JWKS = json.RawMessage(`{"keys":["a"]}`) }, "ClientMetadata.JWKS has something that is no key"},
		{"a private EC key", func(r *RegistrationRequest) { r.Metadata.JWKS = keys(`"x":"a","d":"CANARY"`) }, fmt.Sprintf(tooMuch, "d")},
		{"a private RSA key", func(r *RegistrationRequest) { r.Metadata.JWKS = keys(`"n":"a","q":"CANARY"`) }, fmt.Sprintf(tooMuch, "q")},
		{"a secret key", func(r *RegistrationRequest) { r.Metadata.JWKS = keys(`"k":"CANARY"`) }, fmt.Sprintf(tooMuch, "k")},
		{"extra with a field", func(r *RegistrationRequest) { r.Metadata.Extra = extra("client_name", `"a"`) }, `ClientMetadata.Extra has "client_name", which has a field of its own`},
		{"extra client_secret", func(r *RegistrationRequest) { r.Metadata.Extra = extra("client_secret", `"a"`) }, `ClientMetadata.Extra has "client_secret", which is no metadata`},
		{"extra software_statement", func(r *RegistrationRequest) { r.Metadata.Extra = extra("software_statement", `"a"`) }, `ClientMetadata.Extra has "software_statement", which is no metadata`},
		{"extra without a name", func(r *RegistrationRequest) { r.Metadata.Extra = extra("", `"a"`) }, `ClientMetadata.Extra has "", which is no metadata`},
		{"extra not JSON", func(r *RegistrationRequest) { r.Metadata.Extra = extra("x", `a`) }, `ClientMetadata.Extra: "x" is not one JSON value`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			reg, err := p.register(test.change)
			if reg != nil || err == nil || err.Error() != "client: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
			if len(p.requests) != 0 {
				t.Error("something was sent")
			}
		})
	}
	for issuer, text := range map[string]string{
		"":                           "client: the issuer is empty",
		"http://op.example.com":      "client: the issuer must be https (http on a loopback host only)",
		"https://op.example.com?a=b": "client: the issuer must not have a query",
	} {
		if _, err := Register(context.Background(), issuer, RegistrationRequest{}); err == nil || err.Error() != text {
			t.Errorf("%q: got %v, want %s", issuer, err, text)
		}
	}
}

func extra(name, value string) map[string]json.RawMessage {
	return map[string]json.RawMessage{name: json.RawMessage(value)}
}

// The discovery is that of a Client: as strict, and as bounded.
func TestRegisterDiscovers(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*op)
		want   error
		text   string
	}{
		{"no endpoint", func(p *op) { delete(p.metadata, "registration_endpoint") }, ErrUnsupported, "not supported by the provider: its metadata has no registration_endpoint"},
		{"another issuer", func(p *op) { p.metadata["issuer"] = "https://evil.example.com" }, ErrRejected,
			`discovery endpoint: rejected: status 200: issuer is "https://evil.example.com", configured is "https://op.example.com"`},
		{"endpoint without TLS", func(p *op) { p.metadata["registration_endpoint"] = "http://op.example.com/register" }, ErrRejected,
			"discovery endpoint: rejected: status 200: registration_endpoint must be https, as the issuer is"},
		{"down", func(p *op) { p.reply("/.well-known/openid-configuration", 503, "", "") }, ErrUnavailable,
			"discovery endpoint: provider unavailable: status 503: no metadata at https://op.example.com/.well-known/openid-configuration"},
		{"too large", func(p *op) {
			p.reply("/.well-known/openid-configuration", 200, "application/json", strings.Repeat(" ", maxBody+1))
		}, ErrRejected, "discovery endpoint: rejected: status 200: the answer has more than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := registrar(t, 201, "application/json", registered)
			test.change(p)
			reg, err := p.register(nil)
			if reg != nil || !errors.Is(err, test.want) || err.Error() != "client: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
			p.wantRequests("/register")
		})
	}
	p := registrar(t, 201, "application/json", registered)
	p.metadata["id_token_signing_alg_values_supported"] = []string{"HS256"} // which a client can be registered for
	if _, err := p.register(nil); err != nil {
		t.Error(err)
	}
}

func TestRegisterAtAnEndpoint(t *testing.T) {
	p := registrar(t, 201, "application/json", registered)
	reg, err := p.register(func(r *RegistrationRequest) { r.Endpoint = testIssuer + "/register" })
	if err != nil || len(p.requests) != 1 {
		t.Errorf("%v, %d requests", err, len(p.requests))
	}
	if reg != nil && reg.Issuer != testIssuer {
		t.Errorf("got the issuer %s", reg.Issuer)
	}
}

func TestRegisterEndsWithItsContext(t *testing.T) {
	p := registrar(t, 201, "application/json", registered)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Register(ctx, testIssuer, RegistrationRequest{Endpoint: testIssuer + "/register", HTTPClient: &http.Client{Transport: p}})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
