package client

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// financial is a configuration that a profile takes, and a provider that can keep it.
func financial(t *testing.T, profile Profile) (*op, Config) {
	t.Helper()
	p := newOP(t)
	for name, value := range map[string]any{
		"pushed_authorization_request_endpoint":            testIssuer + "/par",
		"authorization_response_iss_parameter_supported":   true,
		"tls_client_certificate_bound_access_tokens":       true,
		"code_challenge_methods_supported":                 []string{"plain", "S256"},
		"token_endpoint_auth_methods_supported":            []string{"client_secret_basic", "private_key_jwt", "tls_client_auth"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS256", "PS256", "ES256"},
		"dpop_signing_alg_values_supported":                []string{"RS256", "ES256"},
		"request_object_signing_alg_values_supported":      []string{"none", "RS256", "ES256", "PS256"},
		"authorization_signing_alg_values_supported":       []string{"RS256", "ES256"},
		"response_types_supported":                         []string{"code", "id_token code"},
		"response_modes_supported":                         []string{"query", "form_post", "jwt"},
	} {
		p.metadata[name] = value
	}
	p.reply("/par", 201, "application/json", `{"request_uri":"urn:ietf:params:oauth:request_uri:1","expires_in":60}`)
	cfg := p.config()
	cfg.Profile, cfg.ClientSecret, cfg.Auth = profile, "", PrivateKeyJWT{Key: testKey()}
	cfg.RequestObject = &RequestObject{Key: testKey()}
	if profile == FAPI1Advanced {
		cfg.Certificate, cfg.HTTPClient = clientCertificate(t, testKey()), nil
		return p, cfg
	}
	key, err := NewDPoPKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	cfg.DPoP, p.answer["token_type"] = key, "DPoP"
	return p, cfg
}

// over makes a client that reaches the provider without a socket, with a certificate too.
func (p *op) over(cfg Config) *Client {
	p.t.Helper()
	c, err := New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	c.call.Transport, c.fetch.Transport = p, p
	return c
}

var financialProfiles = []Profile{FAPI1Advanced, FAPI2Security, FAPI2MessageSigning}

func TestProfileConfig(t *testing.T) {
	ofFAPI1, ofFAPI2, signing := financialProfiles[:1], financialProfiles[1:], []Profile{FAPI1Advanced, FAPI2MessageSigning}
	for _, test := range []struct {
		name     string
		profiles []Profile
		change   func(*testing.T, *Config)
		want     string // %s: the section
		sections [2]string
	}{
		{"issuer over http", financialProfiles, func(_ *testing.T, c *Config) { c.Issuer = "http://localhost:1" },
			"Config.Issuer must be https, on a loopback host too", [2]string{"Part 2, 8.5", "5.2.1"}},
		{"a proxy without TLS", financialProfiles, func(_ *testing.T, c *Config) {
			c.BackChannelURL, c.Certificate, c.DPoP = "http://127.0.0.1:8080", nil, GenerateDPoPKey()
		},
			"Config.BackChannelURL must be https, on a loopback host too", [2]string{"Part 2, 8.5", "5.2.1"}},
		{"redirect over http", financialProfiles, func(_ *testing.T, c *Config) { c.RedirectURL = "http://127.0.0.1:1/cb" },
			"Config.RedirectURL must be https, on a loopback host too", [2]string{"Part 1, 5.2.2-20", "5.3.2.2-8"}},
		{"public client", financialProfiles, func(_ *testing.T, c *Config) { c.Auth = nil },
			"Config.Auth is client.NoAuth: set PrivateKeyJWT, TLSClientAuth or SelfSignedTLSClientAuth", [2]string{"Part 2, 5.2.2-14", "5.3.3.1-2"}},
		{"secret", financialProfiles, func(_ *testing.T, c *Config) { c.Auth, c.ClientSecret = nil, testSecret },
			"Config.Auth is client.SecretBasic: set PrivateKeyJWT, TLSClientAuth or SelfSignedTLSClientAuth", [2]string{"Part 2, 5.2.2-14", "5.3.3.1-2"}},
		{"JWT under a secret", financialProfiles, func(_ *testing.T, c *Config) { c.Auth, c.ClientSecret = SecretJWT{}, secretOf(32) },
			"Config.Auth is client.SecretJWT: set PrivateKeyJWT, TLSClientAuth or SelfSignedTLSClientAuth", [2]string{"Part 2, 5.2.2-14", "5.3.3.1-2"}},
		{"assertion of somebody else", financialProfiles, func(_ *testing.T, c *Config) { c.Auth = AssertionFile("token") },
			"Config.Auth is client.AssertionFile: set PrivateKeyJWT, TLSClientAuth or SelfSignedTLSClientAuth", [2]string{"Part 2, 5.2.2-14", "5.3.3.1-2"}},
		{"another audience", ofFAPI2, func(_ *testing.T, c *Config) {
			c.Auth = &PrivateKeyJWT{Key: testKey(), Audience: testIssuer + "/token"}
		},
			"Config.Auth: PrivateKeyJWT.Audience must be the issuer: leave it empty", [2]string{"", "5.3.3.1-5"}},
		{"no certificate", ofFAPI1, func(_ *testing.T, c *Config) { c.Certificate = nil },
			"Config.Certificate is nil: access tokens must be bound to one", [2]string{"Part 2, 5.2.3-1", ""}},
		{"DPoP", ofFAPI1, func(_ *testing.T, c *Config) { c.DPoP = GenerateDPoPKey() },
			"Config.DPoP is set: leave it nil, access tokens must be bound to Config.Certificate", [2]string{"Part 2, 5.2.3-1", ""}},
		{"bearer tokens", ofFAPI2, func(_ *testing.T, c *Config) { c.DPoP = nil },
			"Config.DPoP and Config.Certificate are both nil: access tokens must be bound to one of them", [2]string{"", "5.3.3.1-1"}},
		{"unsigned requests", signing, func(_ *testing.T, c *Config) { c.RequestObject = nil },
			"Config.RequestObject is nil: authorization requests must be signed", [2]string{"Part 2, 5.2.3-8", "5.3.2-1"}},
		{"RS256 for ID tokens", financialProfiles, func(_ *testing.T, c *Config) { c.Algorithms = []string{"ES256", "RS256"} },
			`Config.Algorithms: "RS256" must be one of PS256, ES256`, [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"RS256 for registered ID tokens", financialProfiles, func(_ *testing.T, c *Config) { c.IDTokenSignedResponseAlg = "RS256" },
			`Config.IDTokenSignedResponseAlg: "RS256" must be one of PS256, ES256`, [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"HS256 for ID tokens", financialProfiles, func(_ *testing.T, c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "HS256", secretOf(32) },
			`Config.IDTokenSignedResponseAlg: "HS256" must be one of PS256, ES256`, [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"ES384 for answers", financialProfiles, func(_ *testing.T, c *Config) { c.AuthorizationSignedResponseAlg = "ES384" },
			`Config.AuthorizationSignedResponseAlg: "ES384" must be one of PS256, ES256`, [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"RS256 for userinfo", financialProfiles, func(_ *testing.T, c *Config) { c.UserInfoSignedResponseAlg = "RS256" },
			`Config.UserInfoSignedResponseAlg: "RS256" must be one of PS256, ES256`, [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"RS512 for introspection", financialProfiles, func(_ *testing.T, c *Config) { c.IntrospectionSignedResponseAlg = "RS512" },
			`Config.IntrospectionSignedResponseAlg: "RS512" must be one of PS256, ES256`, [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"RS256 for assertions", financialProfiles, func(_ *testing.T, c *Config) { c.Auth = PrivateKeyJWT{Key: testRSA(), Algorithm: "RS256"} },
			`Config.Auth: PrivateKeyJWT.Algorithm: "RS256" must be one of PS256, ES256`, [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"P-384 for assertions", financialProfiles, func(t *testing.T, c *Config) { c.Auth = PrivateKeyJWT{Key: ecKey(t, elliptic.P384())} },
			"Config.Auth: PrivateKeyJWT.Key must be one that signs with one of PS256, ES256", [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"RS256 for requests", financialProfiles, func(_ *testing.T, c *Config) { c.RequestObject = &RequestObject{Key: testRSA(), Algorithm: "RS256"} },
			`Config.RequestObject.Algorithm: "RS256" must be one of PS256, ES256`, [2]string{"Part 2, 8.6-1", "5.4.1-1"}},
		{"P-384 for proofs", ofFAPI2, func(t *testing.T, c *Config) { c.DPoP = keyOnCurve(t, elliptic.P384()) },
			"Config.DPoP.Key must be one that signs with one of PS256, ES256", [2]string{"", "5.4.1-1"}},
		{"wide clock", ofFAPI2, func(_ *testing.T, c *Config) { c.Leeway = time.Minute + 1 },
			"Config.Leeway must be at most 1m0s", [2]string{"", "5.3.2.1-14"}},
	} {
		for _, profile := range test.profiles {
			t.Run(fmt.Sprintf("%v/%s", profile, test.name), func(t *testing.T) {
				_, cfg := financial(t, profile)
				test.change(t, &cfg)
				_, err := New(cfg)
				want, section := test.want, test.sections[1]
				if profile == FAPI1Advanced {
					section = test.sections[0]
				} else {
					want = strings.Replace(want, "PS256, ES256", "PS256, ES256, EdDSA, Ed25519", 1)
				}
				if want := fmt.Sprintf("client: %s (%v, %s)", want, profile, section); err == nil || err.Error() != want {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			})
		}
	}
}

func keyOnCurve(t *testing.T, curve elliptic.Curve) *DPoPKey {
	t.Helper()
	key, err := NewDPoPKey(ecKey(t, curve))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestProfileUnknown(t *testing.T) {
	cfg := changed(func(cfg *Config) { cfg.Profile = 4 })
	if _, err := New(cfg); err == nil || err.Error() != "client: Config.Profile is Profile(4): there is none of that number" {
		t.Errorf("got %v", err)
	}
}

// What a profile takes: other keys, other authentication, a client without people.
func TestProfileConfigAccepts(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"as it is": func(*Config) {},
		"RSA": func(c *Config) {
			c.Auth, c.RequestObject = PrivateKeyJWT{Key: testRSA()}, &RequestObject{Key: testRSA()}
		},
		"pointer":       func(c *Config) { c.Auth = &PrivateKeyJWT{Key: testKey(), Audience: testIssuer} },
		"algorithm":     func(c *Config) { c.Algorithms = []string{"PS256"} },
		"registered":    func(c *Config) { c.IDTokenSignedResponseAlg, c.AuthorizationSignedResponseAlg = "ES256", "PS256" },
		"nobody":        func(c *Config) { c.RedirectURL, c.RequestObject = "", nil },
		"a minute more": func(c *Config) { c.Leeway = time.Minute },
	} {
		for _, profile := range financialProfiles {
			_, cfg := financial(t, profile)
			change(&cfg)
			if _, err := New(cfg); err != nil {
				t.Errorf("%v, %s: %v", profile, name, err)
			}
		}
	}
	for _, auth := range []ClientAuth{TLSClientAuth{}, &SelfSignedTLSClientAuth{}} {
		_, cfg := financial(t, FAPI1Advanced)
		for _, profile := range financialProfiles { // bound by the certificate
			cfg.Profile, cfg.Auth = profile, auth
			if _, err := New(cfg); err != nil {
				t.Errorf("%v, %T: %v", profile, auth, err)
			}
		}
	}
}

func TestProfileMetadata(t *testing.T) {
	const none = "\x00"
	for _, test := range []struct {
		profile Profile
		member  string
		value   any // none: the member is not there
		want    string
	}{
		{FAPI2Security, "pushed_authorization_request_endpoint", none, "has no pushed_authorization_request_endpoint (FAPI 2.0 Security Profile, 5.3.3.2-2)"},
		{FAPI2MessageSigning, "pushed_authorization_request_endpoint", "", "has no pushed_authorization_request_endpoint (FAPI 2.0 Message Signing, 5.3.3.2-2)"},
		{FAPI2Security, "code_challenge_methods_supported", []string{"plain"}, "has no S256 in code_challenge_methods_supported (FAPI 2.0 Security Profile, 5.3.3.2-3)"},
		{FAPI2Security, "authorization_response_iss_parameter_supported", none, "does not promise an iss in authorization_response_iss_parameter_supported (FAPI 2.0 Security Profile, 5.3.2.2-7)"},
		{FAPI1Advanced, "response_modes_supported", []string{"query"}, ""}, // code id_token is there
		{FAPI1Advanced, "response_types_supported", []string{"code"}, ""},  // jwt is there
		{FAPI2MessageSigning, "response_modes_supported", []string{"query"}, "has no jwt in response_modes_supported (FAPI 2.0 Message Signing, 5.4.1-1)"},
		{FAPI1Advanced, "token_endpoint_auth_methods_supported", []string{"client_secret_basic"}, "has no private_key_jwt in token_endpoint_auth_methods_supported (FAPI 1.0 Advanced, Part 2, 5.2.2-14)"},
		{FAPI2Security, "token_endpoint_auth_methods_supported", []string{"client_secret_basic"}, "has no private_key_jwt in token_endpoint_auth_methods_supported (FAPI 2.0 Security Profile, 5.3.2.1-6)"},
		{FAPI1Advanced, "tls_client_certificate_bound_access_tokens", none, "does not promise bound tokens in tls_client_certificate_bound_access_tokens (FAPI 1.0 Advanced, Part 2, 5.2.2-6)"},
		{FAPI2Security, "tls_client_certificate_bound_access_tokens", none, ""}, // they are bound by DPoP
		{FAPI2Security, "token_endpoint_auth_signing_alg_values_supported", []string{"RS256"}, "has no algorithm that Config.Auth may sign with in token_endpoint_auth_signing_alg_values_supported (FAPI 2.0 Security Profile, 5.4.1-1)"},
		{FAPI2Security, "token_endpoint_auth_signing_alg_values_supported", []string{"PS256"}, "has no algorithm that Config.Auth may sign with in token_endpoint_auth_signing_alg_values_supported (FAPI 2.0 Security Profile, 5.4.1-1)"},
		{FAPI2Security, "dpop_signing_alg_values_supported", []string{"RS256"}, "has no algorithm that Config.DPoP may sign with in dpop_signing_alg_values_supported (FAPI 2.0 Security Profile, 5.4.1-1)"},
		{FAPI1Advanced, "request_object_signing_alg_values_supported", []string{"RS256"}, "has no algorithm that Config.RequestObject may sign with in request_object_signing_alg_values_supported (FAPI 1.0 Advanced, Part 2, 8.6-1)"},
		{FAPI1Advanced, "id_token_signing_alg_values_supported", []string{"RS256", "EdDSA"}, "has no algorithm that may sign ID tokens in id_token_signing_alg_values_supported (FAPI 1.0 Advanced, Part 2, 8.6-1)"},
		{FAPI2Security, "id_token_signing_alg_values_supported", []string{"RS256", "EdDSA"}, ""},
		{FAPI2MessageSigning, "authorization_signing_alg_values_supported", []string{"RS256"}, "has no algorithm that may sign answers in authorization_signing_alg_values_supported (FAPI 2.0 Message Signing, 5.4.1-1)"},
		{FAPI2Security, "authorization_signing_alg_values_supported", []string{"RS256"}, ""},
		{0, "pushed_authorization_request_endpoint", none, ""},
	} {
		t.Run(fmt.Sprintf("%v/%s", test.profile, test.member), func(t *testing.T) {
			p, cfg := financial(t, test.profile)
			p.metadata[test.member] = test.value
			if test.value == none {
				delete(p.metadata, test.member)
			}
			c := p.over(cfg)
			_, err := c.Metadata(t.Context())
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if want := "client: not supported by the provider: its metadata " + test.want; !errors.Is(err, ErrUnsupported) || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if _, err := c.Authorize(t.Context(), nil); !errors.Is(err, ErrUnsupported) || len(p.seen("/par")) != 0 {
				t.Errorf("Authorize: got %v, and %d requests", err, len(p.seen("/par")))
			}
		})
	}
}

// Under FAPI 1.0 an answer is signed in one of two ways, and a provider needs one of them.
func TestProfileMetadataSignature(t *testing.T) {
	p, cfg := financial(t, FAPI1Advanced)
	p.metadata["response_modes_supported"] = []string{"query", "query.jwt"}
	p.metadata["response_types_supported"] = []string{"code", "id_token"}
	_, err := p.over(cfg).Metadata(t.Context())
	const want = "client: not supported by the provider: its metadata has neither jwt in response_modes_supported " +
		"nor code id_token in response_types_supported (FAPI 1.0 Advanced, Part 2, 5.2.2-2)"
	if !errors.Is(err, ErrUnsupported) || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// The algorithm that is named is the one that has to be listed, whatever else the key can.
func TestProfileMetadataNamedAlgorithm(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, listed := range []string{"EdDSA", "Ed25519"} {
		p, cfg := financial(t, FAPI2Security)
		cfg.Auth = PrivateKeyJWT{Key: key, Algorithm: "EdDSA"}
		p.metadata["token_endpoint_auth_signing_alg_values_supported"] = []string{listed}
		_, err := p.over(cfg).Metadata(t.Context())
		if refused := errors.Is(err, ErrUnsupported); refused != (listed != "EdDSA") || !refused && err != nil {
			t.Errorf("%s: got %v", listed, err)
		}
	}
}

func TestProfileMetadataByHand(t *testing.T) {
	_, cfg := financial(t, FAPI2Security)
	cfg.Metadata = handConfig().Metadata
	_, err := New(cfg)
	want := "client: Config.Metadata: not supported by the provider: its metadata has no pushed_authorization_request_endpoint (FAPI 2.0 Security Profile, 5.3.3.2-2)"
	if !errors.Is(err, ErrUnsupported) || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// A provider that gives up what the profile needs is used for a day more at most, as one
// whose document is refused for any other reason.
func TestProfileMetadataChanges(t *testing.T) {
	p, cfg := financial(t, FAPI2Security)
	c := p.over(cfg)
	if _, err := c.Metadata(t.Context()); err != nil {
		t.Fatal(err)
	}
	delete(p.metadata, "authorization_response_iss_parameter_supported")
	p.advance(metadataMaxAge + time.Second)
	if _, err := c.Metadata(t.Context()); err != nil {
		t.Errorf("an hour later: %v", err)
	}
	p.advance(maxRefused)
	if _, err := c.Metadata(t.Context()); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a day later: %v, want ErrUnsupported", err)
	}
}

// signedAnswer is the callback of a login under a profile with signed answers.
func (p *op) profiledAnswer(login *Login, changes map[string]any) url.Values {
	now := p.clock()
	claims := map[string]any{
		"iss": testIssuer, "aud": testClientID, "exp": now.Add(time.Minute).Unix(), "state": login.state, "code": "code-CANARY-1",
	}
	return url.Values{"response": {p.signChanged(claims, changes)}}
}

// TestProfileSignIn goes all the way, and looks at what was sent.
func TestProfileSignIn(t *testing.T) {
	plain := url.Values{"response_type": {"code"}, "scope": {"openid"}, "client_id": {testClientID}}
	pushed := url.Values{"client_id": {testClientID}, "request_uri": {"urn:ietf:params:oauth:request_uri:1"}}
	for _, test := range []struct {
		profile Profile
		address url.Values // beside the request object
		signed  bool
		mode    string
	}{
		{FAPI1Advanced, plain, true, "jwt"},
		{FAPI2Security, pushed, false, ""},
		{FAPI2MessageSigning, pushed, true, "jwt"},
	} {
		t.Run(test.profile.String(), func(t *testing.T) {
			p, cfg := financial(t, test.profile)
			if !test.signed {
				cfg.RequestObject = nil
			}
			c := p.over(cfg)
			login := p.authorize(c, nil)
			sent := p.sentRequest(login, test.address)
			if _, signed := sent["iss"]; signed != test.signed {
				t.Errorf("the request is signed: %t", signed)
			}
			for name, want := range map[string]string{
				"response_type": "code", "response_mode": test.mode, "code_challenge_method": "S256", "redirect_uri": testRedirect,
			} {
				if got, _ := sent[name].(string); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			tokens, err := c.Exchange(t.Context(), login, p.profileAnswer(login))
			if err != nil {
				t.Fatal(err)
			}
			if tokens.TokenType != cfg.tokenType() || tokens.IDToken.Subject != "alice" {
				t.Errorf("got a token of type %s of %q", tokens.TokenType, tokens.IDToken.Subject)
			}
		})
	}
}

// sentRequest is the authorization request, wherever it went: into an object, to the
// provider, or both. The address must have nothing else but what address says.
func (p *op) sentRequest(login *Login, address url.Values) map[string]any {
	p.t.Helper()
	u, err := url.Parse(login.URL())
	if err != nil {
		p.t.Fatal(err)
	}
	query := u.Query()
	object := query.Get("request")
	query.Del("request")
	if query.Encode() != address.Encode() {
		p.t.Errorf("the address has %s, want %s", query.Encode(), address.Encode())
	}
	sent := map[string]any{}
	if len(p.seen("/par")) > 0 {
		form := p.lastForm("/par")
		object = form.Get("request")
		for name := range form {
			sent[name] = form.Get(name)
		}
		if object != "" && form.Has("state") {
			p.t.Error("the state is beside the request object")
		}
	}
	if object != "" {
		return readJWT(p.t, object).claims
	}
	return sent
}

// profileAnswer is a good callback of the mode that the login has.
func (p *op) profileAnswer(login *Login) url.Values {
	if login.signed() {
		return p.profiledAnswer(login, nil)
	}
	return url.Values{"code": {"code-CANARY-1"}, "state": {login.state}, "iss": {testIssuer}}
}

// The ID token beside the code signs for the answer of FAPI 1.0: all three hashes.
func TestProfileDetachedSignature(t *testing.T) {
	for _, test := range []struct {
		name   string
		change map[string]any
		want   string
	}{
		{"right", nil, ""},
		{"no s_hash", map[string]any{"s_hash": nil}, "client: rejected: ID token of the callback: s_hash is missing (FAPI 1.0 Advanced, Part 2, 5.2.3.1-4)"},
		{"empty s_hash", map[string]any{"s_hash": ""}, "client: rejected: ID token of the callback: jwtverify: token invalid: s_hash is empty"},
		{"null s_hash", map[string]any{"s_hash": json.RawMessage("null")}, "client: rejected: ID token of the callback: jwtverify: token invalid: s_hash is not a string"},
		{"wrong s_hash", map[string]any{"s_hash": halfHash("another")}, "client: rejected: ID token of the callback: jwtverify: token invalid: s_hash is not of the state"},
		{"s_hash in a list", map[string]any{"s_hash": []string{halfHash("another")}}, "client: rejected: ID token of the callback: jwtverify: token invalid: s_hash is not a string"},
		{"no c_hash", map[string]any{"c_hash": nil}, "client: rejected: ID token of the callback: jwtverify: token invalid: c_hash is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, cfg := financial(t, FAPI1Advanced)
			c := p.over(cfg)
			login := p.authorize(c, &AuthorizeOptions{ResponseType: "code id_token"})
			now := p.clock()
			front := p.signChanged(map[string]any{
				"iss": testIssuer, "aud": testClientID, "sub": "alice", "nonce": login.nonce, "iat": now.Unix(), "exp": now.Unix() + 60,
				"c_hash": halfHash("code-CANARY-1"), "s_hash": halfHash(login.state),
			}, test.change)
			_, err := c.Exchange(t.Context(), login, url.Values{"code": {"code-CANARY-1"}, "state": {login.state}, "id_token": {front}})
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrRejected) || err.Error() != test.want || len(p.seen("/token")) != 0 {
				t.Errorf("got  %v and %d token requests\nwant %s", err, len(p.seen("/token")), test.want)
			}
		})
	}
}

func TestProfileAuthorizeOptions(t *testing.T) {
	for _, test := range []struct {
		profile Profile
		opts    AuthorizeOptions
		want    string // empty: accepted
	}{
		{FAPI1Advanced, AuthorizeOptions{ResponseType: "code id_token"}, ""},
		{FAPI1Advanced, AuthorizeOptions{ResponseMode: "jwt"}, ""},
		{FAPI1Advanced, AuthorizeOptions{ResponseMode: "query"}, "ResponseType must be code id_token, or code with the ResponseMode jwt (FAPI 1.0 Advanced, Part 2, 5.2.2-2)"},
		{FAPI1Advanced, AuthorizeOptions{ResponseType: "id_token"}, "ResponseType must be code id_token, or code with the ResponseMode jwt (FAPI 1.0 Advanced, Part 2, 5.2.2-2)"},
		{FAPI1Advanced, AuthorizeOptions{ResponseType: "code id_token token"}, "ResponseType must be code id_token, or code with the ResponseMode jwt (FAPI 1.0 Advanced, Part 2, 5.2.2-2)"},
		{FAPI2Security, AuthorizeOptions{ResponseMode: "form_post"}, ""},
		{FAPI2Security, AuthorizeOptions{ResponseMode: "jwt"}, ""},
		{FAPI2Security, AuthorizeOptions{ResponseType: "code id_token"}, "ResponseType must be code (FAPI 2.0 Security Profile, 5.3.3.2-1)"},
		{FAPI2MessageSigning, AuthorizeOptions{ResponseMode: "jwt"}, ""},
		{FAPI2MessageSigning, AuthorizeOptions{ResponseMode: "form_post"}, "ResponseMode must be jwt: leave it empty (FAPI 2.0 Message Signing, 5.4.2-1)"},
		{FAPI2MessageSigning, AuthorizeOptions{ResponseType: "id_token"}, "ResponseType must be code (FAPI 2.0 Message Signing, 5.3.3.2-1)"},
	} {
		p, cfg := financial(t, test.profile)
		_, err := p.over(cfg).Authorize(t.Context(), &test.opts)
		if test.want == "" && err != nil || test.want != "" && (err == nil || err.Error() != "client: AuthorizeOptions."+test.want) {
			t.Errorf("%v, %s %s: got %v", test.profile, test.opts.ResponseType, test.opts.ResponseMode, err)
		}
	}
}

// A login that was begun in another way, or is from storage, is not finished under a
// profile that it does not fit; and an answer of the profile needs all that is in it.
func TestProfileAnswers(t *testing.T) {
	hybrid := func(s *LoginSecrets) { s.ResponseType = "code id_token" }
	for _, test := range []struct {
		name    string
		profile Profile
		began   func(*LoginSecrets)
		change  func(p *op, login *Login, callback url.Values)
		want    string
	}{
		{"good", FAPI2Security, nil, nil, ""},
		{"no iss", FAPI2Security, nil, func(_ *op, _ *Login, callback url.Values) { callback.Del("iss") }, "iss is missing, and Config.Profile demands it"},
		{"wrong iss", FAPI2Security, nil, func(_ *op, _ *Login, callback url.Values) { callback.Set("iss", "https://evil.example") }, "iss is not the issuer"},
		{"hybrid", FAPI2Security, hybrid, nil, "login is of another profile: ResponseType must be code (FAPI 2.0 Security Profile, 5.3.3.2-1)"},
		{"unsigned", FAPI2MessageSigning, nil, nil, "login is of another profile: ResponseMode must be jwt: leave it empty (FAPI 2.0 Message Signing, 5.4.2-1)"},
		{"unsigned code", FAPI1Advanced, nil, nil, "login is of another profile: ResponseType must be code id_token, or code with the ResponseMode jwt (FAPI 1.0 Advanced, Part 2, 5.2.2-2)"},
		{"signed", FAPI2MessageSigning, func(s *LoginSecrets) { s.ResponseMode = "jwt" }, nil, ""},
		{"none of the answer", FAPI2MessageSigning, func(s *LoginSecrets) { s.ResponseMode = "jwt" },
			func(p *op, login *Login, callback url.Values) {
				clear(callback)
				callback.Set("code", "code-CANARY-1")
				callback.Set("state", login.state)
			}, "response is missing, and a signed answer was asked for"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, cfg := financial(t, test.profile)
			cfg.RedirectURL = "" // so that no rule for the metadata is in the way
			c := p.over(cfg)
			delete(p.metadata, "authorization_response_iss_parameter_supported")
			secrets := goodSecrets()
			if test.began != nil {
				test.began(&secrets)
			}
			login, err := NewLogin(secrets)
			if err != nil {
				t.Fatal(err)
			}
			p.claims["nonce"] = secrets.Nonce
			callback := p.profileAnswer(login)
			if test.change != nil {
				test.change(p, login, callback)
			}
			_, err = c.Exchange(t.Context(), login, callback)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrRejected) || err.Error() != "client: callback rejected: "+test.want || len(p.seen("/token")) != 0 {
				t.Errorf("got  %v and %d token requests\nwant %s", err, len(p.seen("/token")), test.want)
			}
		})
	}
}

// An RSA key signs with PS256 under a profile, whatever else the provider lists, or where
// it lists nothing; and what the provider signs with RS256 is refused.
func TestProfileAlgorithms(t *testing.T) {
	for _, lists := range []bool{true, false} {
		p, cfg := financial(t, FAPI2MessageSigning)
		p.metadata["request_parameter_supported"] = true
		for _, name := range []string{"token_endpoint_auth", "dpop", "request_object", "authorization", "id_token"} {
			member := name + "_signing_alg_values_supported"
			p.metadata[member] = []string{"RS256", "RS512", "PS256", "ES256"}
			if !lists {
				delete(p.metadata, member)
			}
		}
		key, err := NewDPoPKey(testRSA())
		if err != nil {
			t.Fatal(err)
		}
		cfg.Auth, cfg.RequestObject, cfg.DPoP = PrivateKeyJWT{Key: testRSA()}, &RequestObject{Key: testRSA()}, key
		c := p.over(cfg)
		p.authorize(c, nil)
		form := p.lastForm("/par")
		for what, token := range map[string]string{
			"assertion": form.Get("client_assertion"), "request": form.Get("request"), "proof": p.seen("/par")[0].Header.Get("DPoP"),
		} {
			if alg := readJWT(t, token).header["alg"]; alg != "PS256" {
				t.Errorf("lists %t: the %s is signed with %v", lists, what, alg)
			}
		}
		s, err := c.provider(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for what, algs := range map[string][]string{"ID tokens": s.verifier.Algorithms, "answers": s.answers.Algorithms} {
			if len(algs) == 0 || slices.Contains(algs, "RS256") || slices.Contains(algs, "RS512") {
				t.Errorf("lists %t: %s may be signed with %q", lists, what, algs)
			}
		}
	}
}

func TestProfileAmong(t *testing.T) {
	for _, test := range []struct {
		profile      Profile
		listed, want string
	}{
		{0, "", ""}, {0, "RS256 none", "RS256 none"},
		{FAPI1Advanced, "", "PS256 ES256"}, {FAPI1Advanced, "RS256 ES256 EdDSA", "ES256"}, {FAPI1Advanced, "RS256 none", "PS256 ES256"},
		{FAPI2Security, "", "PS256 ES256 EdDSA Ed25519"}, {FAPI2MessageSigning, "Ed25519 RS256", "Ed25519"},
	} {
		if got := strings.Join(test.profile.among(strings.Fields(test.listed)), " "); got != test.want {
			t.Errorf("%v of %q: got %q, want %q", test.profile, test.listed, got, test.want)
		}
	}
}

func TestProfilePassword(t *testing.T) {
	p, cfg := financial(t, FAPI2Security)
	_, err := p.over(cfg).InsecurePassword(t.Context(), Password{Username: "alice", Password: "CANARY"}, nil)
	if err == nil || err.Error() != "client: FAPI 2.0 Security Profile has no passwords (5.3.2.1-2): see Authorize and Device" || len(p.requests) != 0 {
		t.Errorf("got %v after %d requests", err, len(p.requests))
	}
}
