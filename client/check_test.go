package client

import (
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// healthy is a provider that says everything, and a configuration that fits it.
func healthy(t *testing.T) (*op, Config) {
	t.Helper()
	p := newOP(t)
	for name, value := range map[string]any{
		"scopes_supported":                               []string{"openid", "email", "offline_access"},
		"grant_types_supported":                          []string{"authorization_code", "refresh_token"},
		"response_types_supported":                       []string{"code"},
		"response_modes_supported":                       []string{"query", "form_post"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_post", "client_secret_basic"},
		"code_challenge_methods_supported":               []string{"S256"},
		"userinfo_signing_alg_values_supported":          []string{"RS256"},
		"introspection_signing_alg_values_supported":     []string{"RS256"},
		"authorization_response_iss_parameter_supported": true,
	} {
		p.metadata[name] = value
	}
	cfg := p.config()
	cfg.Scopes = []string{"email", "offline_access"}
	return p, cfg
}

func (p *op) check(cfg Config) (findings []string) {
	p.t.Helper()
	c, err := New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range c.Check(p.t.Context()) {
		findings = append(findings, f.String())
	}
	return findings
}

func TestCheckHealthy(t *testing.T) {
	p, cfg := healthy(t)
	if got := p.check(cfg); got != nil {
		t.Errorf("got %q", got)
	}
	var sent []string
	for _, r := range p.requests {
		sent = append(sent, r.Method+" "+r.URL+" "+r.Header.Get("Authorization")+r.Body)
	}
	if want := []string{"GET " + testIssuer + "/.well-known/openid-configuration ", "GET " + testIssuer + "/jwks "}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
}

// Check asks anew each time, and says the same each time.
func TestCheckIsLive(t *testing.T) {
	p, cfg := healthy(t)
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Check(t.Context()); len(got) != 0 {
		t.Fatalf("got %v", got)
	}
	delete(p.metadata, "end_session_endpoint")
	delete(p.metadata, "revocation_endpoint")
	first := c.Check(t.Context())
	if len(first) != 2 || !slices.Equal(first, c.Check(t.Context())) {
		t.Errorf("got %v, and then something else", first)
	}
}

const (
	compared = " Providers compare it with the registered one byte for byte: register exactly this, or change it to what is registered."
	oneOf    = " Set one of these, as the client is registered."
	noIss    = "note: Config.RedirectURL: The provider does not promise an iss in its answers (RFC 9207). If the program signs in at several providers, give each a redirect URL of its own (RFC 9700 4.4.2)."
)

func TestCheckFindings(t *testing.T) {
	member := func(name string, value any) func(*op, *Config) {
		return func(p *op, _ *Config) { p.metadata[name] = value }
	}
	config := func(change func(*Config)) func(*op, *Config) {
		return func(_ *op, cfg *Config) { change(cfg) }
	}
	redirect := func(to string) func(*op, *Config) {
		return config(func(cfg *Config) { cfg.RedirectURL = to })
	}
	for _, test := range []struct {
		name   string
		change func(*op, *Config)
		want   string // empty: nothing
	}{
		{"redirect on loopback", redirect("http://127.0.0.1:8080/cb"), "warning: Config.RedirectURL: It is on 127.0.0.1, which a browser finds on its own machine only. Configure the https address that people open, once the program is not on your own machine."},
		{"redirect of a host in capitals", redirect("https://App.example.com/cb"), "warning: Config.RedirectURL: It has a host in capitals, which browsers write in lower case." + compared},
		{"redirect with the default port", redirect("https://app.example.com:443/cb"), "warning: Config.RedirectURL: It names the port 443, which browsers leave out." + compared},
		{"redirect with another port", redirect("https://app.example.com:8443/cb"), ""},
		{"redirect without a path", redirect("https://app.example.com"), "warning: Config.RedirectURL: It has no path, and browsers add a slash." + compared},
		{"redirect to the root", redirect("https://app.example.com/"), ""},
		{"redirect with a slash", redirect("https://app.example.com/cb/"), "note: Config.RedirectURL: It ends with a slash." + compared},
		{"redirect with a query", redirect("https://app.example.com/cb?a=b"), "note: Config.RedirectURL: It has a query, which some providers drop or do not take." + compared},
		{"secret with a line break", config(func(cfg *Config) { cfg.ClientSecret += "\n" }), "warning: Config.ClientSecret: It begins or ends with white space. Read it without the line break at the end of a file."},

		{"unknown scope", config(func(cfg *Config) { cfg.Scopes = append(cfg.Scopes, "emial") }), "warning: Config.Scopes: The provider does not list emial in scopes_supported. See whether it is misspelled. A provider need not list all that it has, such as those of its APIs."},
		{"no openid", member("scopes_supported", []string{"email", "offline_access"}), "warning: Config.Scopes: The provider does not list openid in scopes_supported. See whether it is misspelled. A provider need not list all that it has, such as those of its APIs."},
		{"no scopes listed", func(p *op, _ *Config) { delete(p.metadata, "scopes_supported") }, ""},
		{"offline_access not listed", member("scopes_supported", []string{"openid", "email"}), "warning: Config.Scopes: The provider does not list offline_access in scopes_supported, so that there may be no refresh token. See what the provider wants instead; Google wants access_type=offline in AuthorizeOptions.Extra."},
		{"offline_access not asked", config(func(cfg *Config) { cfg.Scopes = nil }), "note: Config.Scopes: offline_access is not among them, so that there may be no refresh token. Add it to have access tokens renewed."},
		{"no refresh tokens", member("grant_types_supported", []string{"authorization_code"}), "warning: Config.Scopes: offline_access asks for a refresh token, and the provider does not list refresh_token in grant_types_supported. Leave the scope out."},

		{"no authentication that fits", member("token_endpoint_auth_methods_supported", []string{"private_key_jwt", "x\n"}), `error: Config.Auth: It is nil, which means client_secret_basic, and the provider takes "private_key_jwt", "x\n".` + oneOf},
		{"post alone is chosen", member("token_endpoint_auth_methods_supported", []string{"client_secret_post"}), ""},
		{"another authentication", config(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = SecretJWT{}, secretOf(32) }), `error: Config.Auth: It is client_secret_jwt, and the provider takes "client_secret_post", "client_secret_basic".` + oneOf},
		{"public and not offered", config(func(cfg *Config) { cfg.ClientSecret = "" }), `warning: Config.ClientSecret: It is empty, and the provider does not list none, for public clients, in token_endpoint_auth_methods_supported, but "client_secret_post", "client_secret_basic". Set it, if the client is registered with one.`},
		{"authentication not listed", func(p *op, cfg *Config) {
			delete(p.metadata, "token_endpoint_auth_methods_supported")
			cfg.Auth = SecretPost{}
		}, "note: Config.Auth: The provider does not say how clients authenticate, which means client_secret_basic, and this is client_secret_post. Try without it, if the provider answers invalid_client."},
		{"assertion by no algorithm", func(p *op, cfg *Config) {
			p.signingWith(cfg, PrivateKeyJWT{Key: testKey()}, "RS256")
		}, `error: Config.Auth: The provider lists "RS256" in token_endpoint_auth_signing_alg_values_supported, and none is one to sign with here. Use a key, or name an Algorithm, that the provider takes.`},
		{"assertion by an algorithm that is not listed", func(p *op, cfg *Config) {
			p.signingWith(cfg, &PrivateKeyJWT{Key: testRSA(), Algorithm: "PS256"}, "RS256")
		}, `warning: Config.Auth: It signs with PS256, and the provider lists "RS256" in token_endpoint_auth_signing_alg_values_supported. Use a key, or name an Algorithm, that the provider takes.`},
		{"JWT under a short secret", func(p *op, cfg *Config) {
			cfg.ClientSecret = secretOf(32)
			p.signingWith(cfg, SecretJWT{}, "HS512")
		}, `error: Config.Auth: The provider lists "HS512" in token_endpoint_auth_signing_alg_values_supported, and none is one to sign with here. Use a key, or name an Algorithm, that the provider takes.`},

		{"no code", member("response_types_supported", []string{"id_token"}), `warning: Config.RedirectURL: The provider does not list code, which is asked for by default, in response_types_supported, but "id_token". Set AuthorizeOptions.ResponseType to one of these.`},
		{"no authorization code grant", member("grant_types_supported", []string{"refresh_token"}), `warning: Config.RedirectURL: The provider does not list authorization_code in grant_types_supported, but "refresh_token". See whether this is the provider for people.`},
		{"plain PKCE", member("code_challenge_methods_supported", []string{"plain"}), `error: Config.Issuer: The provider takes PKCE by "plain" only. Ask the provider for S256: no other method is sent (RFC 9700 2.1.1).`},
		{"PKCE not listed", member("code_challenge_methods_supported", nil), "note: Config.Issuer: The provider does not say in code_challenge_methods_supported that it checks PKCE. Nothing is to be done: it is sent in any case, and the nonce guards against an injected code too."},
		{"no iss", member("authorization_response_iss_parameter_supported", false), noIss},
		{"no logout", member("end_session_endpoint", nil), "warning: Config.Issuer: The provider has no end_session_endpoint: signing out ends the session here, and not the one there. Tell people so, or link the provider's own page. At some it is a switch (Auth0: RP-Initiated Logout End Session Endpoint Discovery)."},
		{"no revocation", member("revocation_endpoint", nil), "note: Config.Issuer: The provider has no revocation_endpoint: tokens are good until they expire, after signing out too. Keep the life of tokens short there."},

		{"pushing to nowhere", config(func(cfg *Config) { cfg.PushedAuthorizationRequests = true }), "error: Config.PushedAuthorizationRequests: The provider has no pushed_authorization_request_endpoint. Set it to false."},
		{"pushing required to nowhere", member("require_pushed_authorization_requests", true), "error: Config.Issuer: The provider requires pushed requests, and has no pushed_authorization_request_endpoint. Tell the provider."},
		{"signed requests not taken", config(func(cfg *Config) { cfg.RequestObject = &RequestObject{Key: testKey()} }), "error: Config.RequestObject: The provider does not say in request_parameter_supported that it takes signed requests. Set Algorithm, or another Key, or leave Config.RequestObject nil."},
		{"signed requests by another algorithm", func(p *op, cfg *Config) {
			p.metadata["request_object_signing_alg_values_supported"] = []string{"RS256"}
			cfg.RequestObject = &RequestObject{Key: testKey()}
		}, `error: Config.RequestObject: It signs with ES256, and the provider lists "RS256" in request_object_signing_alg_values_supported. Set Algorithm, or another Key, or leave Config.RequestObject nil.`},
		{"another algorithm of userinfo", func(p *op, cfg *Config) {
			p.metadata["userinfo_signing_alg_values_supported"] = []string{"none", "RS256"}
			cfg.UserInfoSignedResponseAlg = "ES256"
		}, `error: Config.UserInfoSignedResponseAlg: It is ES256, and the provider signs answers with "none", "RS256". Register the client for one of these.`},
		{"another algorithm of answers about tokens", func(p *op, cfg *Config) {
			p.metadata["introspection_signing_alg_values_supported"] = []string{"PS256"}
			cfg.IntrospectionSignedResponseAlg = "ES256"
		}, `error: Config.IntrospectionSignedResponseAlg: It is ES256, and the provider signs answers with "PS256". Register the client for one of these.`},
		{"signed answers not given", config(func(cfg *Config) { cfg.AuthorizationSignedResponseAlg = "ES256" }), `error: Config.AuthorizationSignedResponseAlg: The provider signs no answers: response_modes_supported has "query", "form_post". Leave it empty.`},
		{"signed answers by another algorithm", func(p *op, cfg *Config) {
			p.metadata["response_modes_supported"] = []string{"query.jwt"}
			p.metadata["authorization_signing_alg_values_supported"] = []string{"RS256"}
			cfg.AuthorizationSignedResponseAlg = "ES256"
		}, `error: Config.AuthorizationSignedResponseAlg: It is ES256, and the provider signs answers with "RS256". Register the client for one of these.`},
		{"DPoP not known", config(func(cfg *Config) { cfg.DPoP = GenerateDPoPKey() }), "warning: Config.DPoP: The provider does not say in dpop_signing_alg_values_supported that it knows DPoP. Leave it nil, unless the provider is known to bind tokens: one that does not is refused at sign-in."},
		{"DPoP by another algorithm", func(p *op, cfg *Config) {
			p.metadata["dpop_signing_alg_values_supported"] = []string{"RS256", "EdDSA"}
			cfg.DPoP = GenerateDPoPKey()
		}, `error: Config.DPoP: The key signs with none of "RS256", "EdDSA", which the provider lists. Use a key for one of these.`},

		{"ID tokens by nothing in common", config(func(cfg *Config) { cfg.Algorithms = []string{"PS256", "EdDSA"} }), `error: Config.Algorithms: None of PS256, EdDSA is one that the provider signs ID tokens with: "ES256", "RS256". Leave it nil, or name one of these.`},
		{"ID tokens registered for another", config(func(cfg *Config) { cfg.IDTokenSignedResponseAlg = "ES384" }), `error: Config.IDTokenSignedResponseAlg: It is ES384, and the provider signs ID tokens with "ES256", "RS256". Register the client for one of these.`},
		{"ID tokens under the secret", func(p *op, cfg *Config) {
			p.metadata["id_token_signing_alg_values_supported"] = []string{"ES256", "HS256"}
			cfg.IDTokenSignedResponseAlg, cfg.ClientSecret = "HS256", secretOf(32)
		}, "warning: Config.IDTokenSignedResponseAlg: It is HS256: whoever has the client secret can make ID tokens. Register the client for an algorithm with a public key, such as RS256, and leave this empty."},
		{"ID tokens under nothing but a secret", member("id_token_signing_alg_values_supported", []string{"HS256", "none"}), `error: Config.IDTokenSignedResponseAlg: It is empty, and the provider signs ID tokens with "HS256", "none", which no public key verifies. Name the one that the client is registered for.`},
		{"no algorithms listed", func(p *op, _ *Config) { delete(p.metadata, "id_token_signing_alg_values_supported") }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, cfg := healthy(t)
			test.change(p, &cfg)
			got := strings.Join(p.check(cfg), "\n")
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// signing configures a client that signs, at a provider which knows that and lists algs.
func (p *op) signingWith(cfg *Config, auth ClientAuth, algs ...string) {
	p.metadata["token_endpoint_auth_methods_supported"] = []string{auth.method()}
	p.metadata["token_endpoint_auth_signing_alg_values_supported"] = algs
	cfg.Auth = auth
}

// A public client on this machine is a native app.
func TestCheckNative(t *testing.T) {
	for redirect, want := range map[string]string{
		"http://127.0.0.1:1234/callback": "",
		"http://[::1]:1234/callback":     "",
		"com.example.app:/callback":      "",
		"http://localhost:1234/callback": "warning: Config.RedirectURL: It is on localhost, a name that may resolve to somebody else. Use http://127.0.0.1 or http://[::1], and register that (RFC 8252 8.3).",
	} {
		p, cfg := healthy(t)
		p.metadata["token_endpoint_auth_methods_supported"] = []string{"none"}
		cfg.ClientSecret, cfg.RedirectURL = "", redirect
		if got := strings.Join(p.check(cfg), "\n"); got != want {
			t.Errorf("%s: got  %s\nwant %s", redirect, got, want)
		}
	}
}

// A client without people is asked nothing about them.
func TestCheckMachine(t *testing.T) {
	p, cfg := healthy(t)
	for _, member := range []string{"end_session_endpoint", "authorization_response_iss_parameter_supported", "code_challenge_methods_supported", "response_types_supported"} {
		delete(p.metadata, member)
	}
	p.metadata["grant_types_supported"] = []string{"client_credentials"}
	cfg.RedirectURL, cfg.Scopes = "", []string{"api:read"}
	if got := p.check(cfg); got != nil {
		t.Errorf("got %q", got)
	}
}

func TestCheckCertificate(t *testing.T) {
	expired := &tls.Certificate{Certificate: [][]byte{certificateUntil(t, testStart.Add(-time.Hour))}, PrivateKey: testKey()}
	for _, test := range []struct {
		name   string
		change func(*op, *Config)
		want   string
	}{
		{"tokens are not bound", func(_ *op, cfg *Config) { cfg.Certificate = clientCertificate(t, testKey()) },
			"warning: Config.Certificate: The provider does not say in tls_client_certificate_bound_access_tokens that it binds tokens to it. Leave it nil, or authenticate by it with TLSClientAuth."},
		{"tokens are bound", func(p *op, cfg *Config) {
			p.metadata["tls_client_certificate_bound_access_tokens"] = true
			cfg.Certificate = clientCertificate(t, testKey())
		}, ""},
		{"authentication", func(p *op, cfg *Config) {
			p.metadata["token_endpoint_auth_methods_supported"] = []string{"self_signed_tls_client_auth"}
			cfg.Certificate, cfg.Auth = clientCertificate(t, testKey()), SelfSignedTLSClientAuth{}
		}, ""},
		{"expired", func(p *op, cfg *Config) {
			p.metadata["tls_client_certificate_bound_access_tokens"] = true
			cfg.Certificate = expired
		}, "error: Config.Certificate: It is good from 2026-02-28 to 2026-03-01 only. Renew it, and set Config.GetClientCertificate to have it renewed while the program runs."},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, cfg := healthy(t)
			cfg.HTTPClient = nil
			test.change(p, &cfg)
			if got := findingsOf(t, p.over(cfg)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func certificateUntil(t *testing.T, end time.Time) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, testKey().Public(), testKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func findingsOf(t *testing.T, c *Client) string {
	t.Helper()
	var lines []string
	for _, f := range c.Check(t.Context()) {
		lines = append(lines, f.String())
	}
	return strings.Join(lines, "\n")
}

// Everything that a profile cannot have is said at once.
func TestCheckProfile(t *testing.T) {
	p, cfg := financial(t, FAPI2Security)
	p.metadata["scopes_supported"] = []string{"openid"}
	if got := findingsOf(t, p.over(cfg)); got != "" {
		t.Errorf("got %s", got)
	}
	delete(p.metadata, "pushed_authorization_request_endpoint")
	delete(p.metadata, "authorization_response_iss_parameter_supported")
	const fix = " Ask the provider for it, or sign in without this profile."
	want := "error: Config.Profile: The provider's metadata has no pushed_authorization_request_endpoint (FAPI 2.0 Security Profile, 5.3.3.2-2)." + fix + "\n" +
		"error: Config.Profile: The provider's metadata does not promise an iss in authorization_response_iss_parameter_supported (FAPI 2.0 Security Profile, 5.3.2.2-7)." + fix
	if got := findingsOf(t, p.over(cfg)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// The document is where the configuration says, and what is judged of it is what a sign-in
// would go by.
func TestCheckMetadataElsewhere(t *testing.T) {
	const place = testIssuer + "/of/op"
	p, cfg := healthy(t)
	delete(p.metadata, "token_endpoint")
	p.handle("/of/op", func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.metadata), nil })
	cfg.MetadataURL = place
	cfg.MetadataOverride = &Metadata{TokenEndpoint: testIssuer + "/token"}
	if got := p.check(cfg); got != nil {
		t.Errorf("got %q", got)
	}
	cfg.MetadataOverride.CodeChallengeMethodsSupported = []string{"plain"}
	if got := strings.Join(p.check(cfg), "\n"); !strings.Contains(got, `The provider takes PKCE by "plain" only.`) {
		t.Errorf("got %q", got)
	}
	cfg.MetadataOverride = nil
	if got := strings.Join(p.check(cfg), "\n"); !strings.Contains(got, "The metadata at "+place+" is refused: token_endpoint is empty.") {
		t.Errorf("got %q", got)
	}
	p.reply("/of/op", 404, "", "")
	if got := strings.Join(p.check(cfg), "\n"); !strings.Contains(got, "The metadata at "+place+" cannot be had: ") {
		t.Errorf("got %q", got)
	}
}

func TestCheckUnreachable(t *testing.T) {
	const document = testIssuer + "/.well-known/openid-configuration"
	const open = " Open the address in a browser: it must answer with JSON, from this machine too."
	const written = " The issuer must be written as the provider writes it, byte for byte, and all its endpoints must be its own https addresses."
	const keys = " Without its keys no ID token can be verified. Open the address in a browser, and look at what the provider signs with."
	down := func(*http.Request) (*http.Response, error) { return nil, errors.New("CANARY") }
	for _, test := range []struct {
		name   string
		change func(*op)
		want   string
	}{
		{"no connection", func(p *op) { p.handle("/.well-known/openid-configuration", down) }, "The metadata at " + document + " cannot be had: discovery endpoint: provider unavailable: no complete HTTP answer." + open},
		{"not found", func(p *op) { p.reply("/.well-known/openid-configuration", 404, "text/html", "CANARY") }, "The metadata at " + document + " cannot be had: discovery endpoint: rejected: status 404: no metadata at " + document + "." + open},
		{"HTML", func(p *op) { p.reply("/.well-known/openid-configuration", 200, "text/html", "<html>CANARY") }, "The metadata at " + document + " is refused: not a JSON object." + written},
		{"huge", func(p *op) {
			p.reply("/.well-known/openid-configuration", 200, "application/json", strings.Repeat(" ", maxBody+1))
		}, "The metadata at " + document + " cannot be had: discovery endpoint: rejected: status 200: the answer has more than 1048576 bytes." + open},
		{"slash", func(p *op) { p.metadata["issuer"] = testIssuer + "/" }, "The metadata at " + document + ` is refused: issuer is "https://op.example.com/", configured is "https://op.example.com": only the slash at the end differs; configure the issuer as the provider writes it.` + written},
		{"another issuer", func(p *op) { p.metadata["issuer"] = "https://evil.example" }, "The metadata at " + document + ` is refused: issuer is "https://evil.example", configured is "https://op.example.com".` + written},
		{"http endpoint", func(p *op) { p.metadata["token_endpoint"] = "http://op.example.com/token" }, "The metadata at " + document + " is refused: token_endpoint must be https, as the issuer is." + written},
		{"no keys", func(p *op) { p.handle("/jwks", down) }, "The keys at " + testIssuer + "/jwks cannot be had: jwks endpoint: provider unavailable: no complete HTTP answer." + keys},
		{"keys refused", func(p *op) { p.reply("/jwks", 500, "", "CANARY") }, "The keys at " + testIssuer + "/jwks cannot be had: status 500." + keys},
		{"keys elsewhere", func(p *op) { p.handle("/jwks", redirectTo(302, "https://evil.example/jwks")) }, "The keys at " + testIssuer + "/jwks cannot be had: status 302." + keys},
		{"keys that are none", func(p *op) { p.reply("/jwks", 200, "application/json", "[CANARY]") }, "What is at " + testIssuer + "/jwks is no set of keys." + keys},
		{"no key", func(p *op) { p.reply("/jwks", 200, "application/json", `{"keys":[]}`) }, "Of the keys at " + testIssuer + "/jwks none verifies ES256 or RS256." + keys},
		{"keys for other algorithms", func(p *op) {
			set := p.jwks()
			set["keys"].([]any)[0].(map[string]any)["alg"] = "ECDH-ES"
			p.handle("/jwks", func(*http.Request) (*http.Response, error) { return jsonResponse(200, set), nil })
		}, "Of the keys at " + testIssuer + "/jwks none verifies ES256 or RS256." + keys},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, cfg := healthy(t)
			test.change(p)
			if got := strings.Join(p.check(cfg), "\n"); got != "error: Config.Issuer: "+test.want {
				t.Errorf("got  %s\nwant error: Config.Issuer: %s", got, test.want)
			}
		})
	}
}

func TestCheckClock(t *testing.T) {
	const fix = " Set it, and keep it set by NTP: tokens are refused as expired, or as from the future."
	for _, test := range []struct {
		name, path, date, age string
		leeway                time.Duration
		want                  string
	}{
		{"right", "/.well-known/openid-configuration", "Sun, 01 Mar 2026 12:00:00 GMT", "", 0, ""},
		{"within the leeway", "/.well-known/openid-configuration", "Sun, 01 Mar 2026 11:58:59 GMT", "", 0, ""},
		{"ahead", "/.well-known/openid-configuration", "Sun, 01 Mar 2026 11:58:58 GMT", "", 0, "The clock is 1m2s ahead of the provider's."},
		{"behind", "/.well-known/openid-configuration", "Sun, 01 Mar 2026 13:00:00 GMT", "", 0, "The clock is 1h0m0s behind the provider's."},
		{"more leeway", "/.well-known/openid-configuration", "Sun, 01 Mar 2026 12:05:00 GMT", "", 5 * time.Minute, ""},
		{"kept by a cache", "/.well-known/openid-configuration", "Sun, 01 Mar 2026 11:30:00 GMT", "1800", 0, ""},
		{"a wrong age", "/.well-known/openid-configuration", "Sun, 01 Mar 2026 12:00:00 GMT", "-1800", 0, ""},
		{"no date", "/.well-known/openid-configuration", "yesterday", "", 0, ""},
		{"date of the keys", "/jwks", "Sun, 01 Mar 2026 13:00:00 GMT", "", 0, "The clock is 1h0m0s behind the provider's."},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, cfg := healthy(t)
			cfg.Leeway = test.leeway
			next := p.handlers[testIssuer+test.path]
			p.handle(test.path, func(r *http.Request) (*http.Response, error) {
				resp, err := next(r)
				resp.Header.Set("Date", test.date)
				if test.age != "" {
					resp.Header.Set("Age", test.age)
				}
				return resp, err
			})
			want := ""
			if test.want != "" {
				want = "error: Config.Now: " + test.want + fix
			}
			if got := strings.Join(p.check(cfg), "\n"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// Metadata that is configured is not asked for, and its keys are.
func TestCheckGivenMetadata(t *testing.T) {
	p := newOP(t)
	cfg := handConfig()
	cfg.HTTPClient, cfg.Now = &http.Client{Transport: p}, p.clock
	got := strings.Join(p.check(cfg), "\n")
	if !strings.Contains(got, "end_session_endpoint") || len(p.seen("/.well-known/openid-configuration")) != 0 || len(p.seen("/jwks")) != 1 {
		t.Errorf("got %s after %d requests", got, len(p.requests))
	}
}

func TestCheckHasNoSecrets(t *testing.T) {
	p, cfg := healthy(t)
	p.metadata["token_endpoint_auth_methods_supported"] = []string{strings.Repeat("x", 1000)}
	cfg.ClientSecret += " "
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	findings := c.Check(t.Context())
	text, err := json.Marshal(findings)
	if err != nil || len(findings) != 2 {
		t.Fatalf("got %v, %v", findings, err)
	}
	for _, all := range []string{string(text), fmt.Sprintf("%+v", findings)} {
		if strings.Contains(all, "CANARY") || strings.Contains(all, strings.Repeat("x", 100)) {
			t.Errorf("a finding shows what it should not: %s", all)
		}
	}
}

func TestVerifies(t *testing.T) {
	for _, test := range []struct {
		key  jwtverify.Key
		algs string
	}{
		{jwtverify.Key{Public: testRSA().Public()}, "RS256 RS384 RS512 PS256 PS384 PS512"},
		{jwtverify.Key{Public: testRSA().Public(), Algorithm: "PS256"}, "PS256"},
		{jwtverify.Key{Public: testKey().Public()}, "ES256"},
		{jwtverify.Key{Public: ecKey(t, elliptic.P384()).Public()}, "ES384"},
		{jwtverify.Key{Public: ecKey(t, elliptic.P521()).Public()}, "ES512"},
		{jwtverify.Key{Public: ed25519.PublicKey(make([]byte, ed25519.PublicKeySize))}, "EdDSA Ed25519"},
		{jwtverify.Key{Public: ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)), Algorithm: "EdDSA"}, "EdDSA Ed25519"},
		{jwtverify.Key{}, ""},
	} {
		var got []string
		for _, alg := range algorithms {
			if verifies(test.key, alg) {
				got = append(got, alg)
			}
		}
		if strings.Join(got, " ") != test.algs {
			t.Errorf("%T %s: got %q, want %s", test.key.Public, test.key.Algorithm, got, test.algs)
		}
	}
}
