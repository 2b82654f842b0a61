package client

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func TestNewAccepts(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"confidential":             func(*Config) {},
		"no redirect URL":          func(c *Config) { c.RedirectURL = "" },
		"issuer with a path":       func(c *Config) { c.Issuer = "https://op.example.com/realms/a/" },
		"issuer on localhost":      func(c *Config) { c.Issuer = "http://localhost:8080" },
		"issuer on 127.0.0.1":      func(c *Config) { c.Issuer = "http://127.0.0.1:8080" },
		"issuer on ::1":            func(c *Config) { c.Issuer = "http://[::1]:8080" },
		"redirect to localhost":    func(c *Config) { c.RedirectURL = "http://localhost:8080/callback" },
		"redirect with a query":    func(c *Config) { c.RedirectURL = "https://app.example.com/cb?x=y" },
		"private-use scheme":       func(c *Config) { c.RedirectURL, c.ClientSecret = "com.example.app:/cb", "" },
		"secret of any characters": func(c *Config) { c.ClientSecret = "ä \n" },
		"client ID with a space":   func(c *Config) { c.ClientID = "a b:c" },
		"algorithms":               func(c *Config) { c.Algorithms = []string{"EdDSA", "PS256"} },
		"pointer to none":          func(c *Config) { c.ClientSecret, c.Auth = "", &NoAuth{} },
		"registered algorithm":     func(c *Config) { c.IDTokenSignedResponseAlg = "PS256" },
		"HS256":                    func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "HS256", secretOf(32) },
		"HS384":                    func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "HS384", secretOf(48) },
		"HS512":                    func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "HS512", secretOf(64) },
		"no algorithms beside it":  func(c *Config) { c.IDTokenSignedResponseAlg, c.Algorithms = "RS256", []string{} },
		"public with an algorithm": func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "ES256", "" },
		"decryption keys": func(c *Config) {
			c.Decrypt = []jwtverify.DecryptionKey{{Private: testKey()}, {ID: "a", Algorithm: "ECDH-ES", Private: testKey()}}
		},
		"largest leeway": func(c *Config) { c.Leeway = jwtverify.MaxLeeway },
	} {
		if _, err := New(changed(change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func changed(change func(*Config)) Config {
	cfg := Config{Issuer: testIssuer, ClientID: testClientID, ClientSecret: testSecret, RedirectURL: testRedirect}
	change(&cfg)
	return cfg
}

// secretOf is a client secret of so many bytes.
func secretOf(size int) string { return strings.Repeat("s", size) }

func TestNewRejects(t *testing.T) {
	const notHTTPS = "must be https (http on a loopback host only)"
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no issuer", func(c *Config) { c.Issuer = "" }, "Config.Issuer is empty"},
		{"issuer without a scheme", func(c *Config) { c.Issuer = "op.example.com" }, "Config.Issuer is not an absolute URL"},
		{"issuer without a host", func(c *Config) { c.Issuer = "https:///a" }, "Config.Issuer has no host"},
		{"issuer opaque", func(c *Config) { c.Issuer = "https:op.example.com" }, "Config.Issuer has no host"},
		{"issuer over http", func(c *Config) { c.Issuer = "http://op.example.com" }, "Config.Issuer " + notHTTPS},
		{"issuer localhost as a label", func(c *Config) { c.Issuer = "http://localhost.example.com" }, "Config.Issuer " + notHTTPS},
		{"issuer on a private address", func(c *Config) { c.Issuer = "http://10.0.0.1" }, "Config.Issuer " + notHTTPS},
		{"issuer file", func(c *Config) { c.Issuer = "file://localhost/etc/passwd" }, "Config.Issuer " + notHTTPS},
		{"issuer with a query", func(c *Config) { c.Issuer += "?a=b" }, "Config.Issuer must not have a query"},
		{"issuer with an empty query", func(c *Config) { c.Issuer += "?" }, "Config.Issuer must not have a query"},
		{"issuer with a fragment", func(c *Config) { c.Issuer += "#a" }, "Config.Issuer must not have a fragment"},
		{"issuer with an empty fragment", func(c *Config) { c.Issuer += "#" }, "Config.Issuer must not have a fragment"},
		{"issuer with a user", func(c *Config) { c.Issuer = "https://a@op.example.com" }, "Config.Issuer must not have a user name or password"},
		{"issuer with a space", func(c *Config) { c.Issuer += "/a b" }, "Config.Issuer has characters that a URL does not have"},
		{"issuer with a backslash", func(c *Config) { c.Issuer += `\a` }, "Config.Issuer has characters that a URL does not have"},
		{"issuer not ASCII", func(c *Config) { c.Issuer += "/ä" }, "Config.Issuer has characters that a URL does not have"},
		{"issuer with its scheme in capitals", func(c *Config) { c.Issuer = "HTTPS://op.example.com" }, "Config.Issuer must have its scheme in lower case"},
		{"no client ID", func(c *Config) { c.ClientID = "" }, "Config.ClientID is empty: is the environment variable set?"},
		{"client ID with a line break", func(c *Config) { c.ClientID = "a\n" }, "Config.ClientID must be printable ASCII"},
		{"issuer is its metadata", func(c *Config) { c.Issuer += "/.well-known/openid-configuration" }, "Config.Issuer is where the metadata is: the issuer is what stands there, most often what is before /.well-known"},
		{"redirect relative", func(c *Config) { c.RedirectURL = "/callback" }, "Config.RedirectURL is not an absolute URL"},
		{"redirect over http", func(c *Config) { c.RedirectURL = "http://app.example.com/cb" }, "Config.RedirectURL " + notHTTPS},
		{"redirect with a fragment", func(c *Config) { c.RedirectURL += "#a" }, "Config.RedirectURL must not have a fragment"},
		{"redirect to a script", func(c *Config) { c.RedirectURL, c.ClientSecret = "javascript:alert(1)", "" }, "Config.RedirectURL must be https, http on a loopback host, or a private-use scheme with a dot in it"},
		{"private-use scheme with a secret", func(c *Config) { c.RedirectURL = "com.example.app:/cb" }, "Config.RedirectURL has a private-use scheme, which any app on a device can claim: only a public client may have one"},
		{"scope with a space", func(c *Config) { c.Scopes = []string{"openid email"} }, `Config.Scopes: "openid email" is not a scope`},
		{"scope with a quote", func(c *Config) { c.Scopes = []string{`"`} }, `Config.Scopes: "\"" is not a scope`},
		{"basic without a secret", func(c *Config) { c.Auth, c.ClientSecret = SecretBasic{}, "" }, "Config.Auth: client_secret_basic needs Config.ClientSecret, and it is empty"},
		{"post without a secret", func(c *Config) { c.Auth, c.ClientSecret = SecretPost{}, "" }, "Config.Auth: client_secret_post needs Config.ClientSecret, and it is empty"},
		{"none with a secret", func(c *Config) { c.Auth = NoAuth{} }, "Config.Auth: none is for a client without Config.ClientSecret, and it is set"},
		{"pointer to none with a secret", func(c *Config) { c.Auth = &NoAuth{} }, "Config.Auth: none is for a client without Config.ClientSecret, and it is set"},
		{"algorithm none", func(c *Config) { c.Algorithms = []string{"none"} }, `Config.Algorithms: "none" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519`},
		{"algorithm HS256", func(c *Config) { c.Algorithms = []string{"RS256", "HS256"} }, `Config.Algorithms: "HS256" stands beside no other: name it in Config.IDTokenSignedResponseAlg`},
		{"registered algorithm none", func(c *Config) { c.IDTokenSignedResponseAlg = "none" }, `Config.IDTokenSignedResponseAlg: "none" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, HS256, HS384, HS512`},
		{"registered algorithm in lower case", func(c *Config) { c.IDTokenSignedResponseAlg = "hs256" }, `Config.IDTokenSignedResponseAlg: "hs256" is not one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, HS256, HS384, HS512`},
		{"registered algorithm and others", func(c *Config) { c.IDTokenSignedResponseAlg, c.Algorithms = "RS256", []string{"RS256"} }, "Config.IDTokenSignedResponseAlg and Config.Algorithms are both set: one of them says what signs"},
		{"HS256 without a secret", func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "HS256", "" }, "Config.IDTokenSignedResponseAlg is HS256, and Config.ClientSecret is empty: set it, or register the client for an algorithm with a public key, such as RS256"},
		{"HS256 with a short secret", func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "HS256", secretOf(31) }, "Config.IDTokenSignedResponseAlg is HS256, and Config.ClientSecret has fewer than 32 bytes: get a longer one, or register the client for an algorithm with a public key, such as RS256"},
		{"HS384 with a short secret", func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "HS384", secretOf(47) }, "Config.IDTokenSignedResponseAlg is HS384, and Config.ClientSecret has fewer than 48 bytes: get a longer one, or register the client for an algorithm with a public key, such as RS256"},
		{"HS512 with a short secret", func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = "HS512", secretOf(63) }, "Config.IDTokenSignedResponseAlg is HS512, and Config.ClientSecret has fewer than 64 bytes: get a longer one, or register the client for an algorithm with a public key, such as RS256"},
		{"no decryption key among none", func(c *Config) { c.Decrypt = []jwtverify.DecryptionKey{} }, "Config.Decrypt has no keys: leave it nil if ID tokens are not encrypted"},
		{"a decryption key without one", func(c *Config) { c.Decrypt = []jwtverify.DecryptionKey{{Private: testKey()}, {}} }, "Config.Decrypt[1]: jwtverify: <nil> is no private key of a supported type"},
		{"a decryption key by RSA1_5", func(c *Config) { c.Decrypt = []jwtverify.DecryptionKey{{Algorithm: "RSA1_5", Private: testKey()}} }, `Config.Decrypt[0]: jwtverify: no algorithm "RSA1_5" that may encrypt a key`},
		{"empty trusted audience", func(c *Config) { c.TrustedAudiences = []string{""} }, "Config.TrustedAudiences has an empty one"},
		{"negative leeway", func(c *Config) { c.Leeway = -1 }, "Config.Leeway must be between 0 and 5m0s"},
		{"large leeway", func(c *Config) { c.Leeway = jwtverify.MaxLeeway + 1 }, "Config.Leeway must be between 0 and 5m0s"},
		{"metadata of another issuer", func(c *Config) { c.Metadata = &Metadata{Issuer: "https://evil.example"} }, `Config.Metadata: issuer is "https://evil.example", configured is "https://op.example.com"`},
		{"metadata without a token endpoint", func(c *Config) {
			c.Metadata = handConfig().Metadata
			c.Metadata.TokenEndpoint = ""
		}, "Config.Metadata: token_endpoint is empty"},
		{"metadata over http", func(c *Config) {
			c.Metadata = handConfig().Metadata
			c.Metadata.JWKSURI = "http://op.example.com/jwks"
		}, "Config.Metadata: jwks_uri must be https, as the issuer is"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := New(changed(test.change))
			if c != nil || err == nil || err.Error() != "client: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestNewCopies(t *testing.T) {
	cfg := handConfig()
	cfg.Algorithms, cfg.TrustedAudiences = []string{"RS256"}, []string{"a"}
	cfg.Decrypt = []jwtverify.DecryptionKey{{ID: "k", Private: testKey()}}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Scopes[0], cfg.Algorithms[0], cfg.TrustedAudiences[0], cfg.Metadata.TokenEndpoint = "x", "none", "x", "x"
	cfg.Decrypt[0].ID = "x"
	m, err := c.Metadata(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if c.cfg.Scopes[0] != "email" || c.cfg.Algorithms[0] != "RS256" || c.cfg.TrustedAudiences[0] != "a" || c.cfg.Decrypt[0].ID != "k" || m.TokenEndpoint != testIssuer+"/token" {
		t.Error("the client changed with the configuration")
	}
	m.TokenEndpoint = "x"
	if m, _ := c.Metadata(context.Background()); m.TokenEndpoint != testIssuer+"/token" {
		t.Error("the client changed with the metadata it gave out")
	}
}

func TestAccessors(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	if c.Issuer() != testIssuer || c.ClientID() != testClientID || c.RedirectURL() != testRedirect || !c.Now().Equal(testStart) {
		t.Error("an accessor does not return what was configured")
	}
	c, err := New(changed(func(*Config) {}))
	if err != nil || time.Since(c.Now()) > time.Minute {
		t.Errorf("the clock is not time.Now: %v", err)
	}
}

func TestHandWrittenMetadata(t *testing.T) {
	c, err := New(handConfig())
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Metadata(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	for _, m := range []*Metadata{m, handConfig().Metadata} {
		if err := m.Claims(&claims); err != nil || claims.TokenEndpoint != testIssuer+"/token" {
			t.Errorf("got %+v, %v", claims, err)
		}
	}
	if err := m.Claims(&struct {
		Issuer int `json:"issuer"`
	}{}); err == nil || !strings.HasPrefix(err.Error(), "client: metadata: ") {
		t.Errorf("got %v, want an error", err)
	}
	p, err := c.Provider(context.Background())
	if err != nil || p.Endpoint().TokenURL != testIssuer+"/token" {
		t.Errorf("go-oidc has another token endpoint: %v", err)
	}
}

func TestLeeway(t *testing.T) {
	for configured, want := range map[time.Duration]time.Duration{0: jwtverify.DefaultLeeway, time.Second: time.Second} {
		c, err := New(changed(func(cfg *Config) { cfg.Leeway = configured }))
		if err != nil || c.leeway() != want {
			t.Errorf("configured %v: %v", configured, err)
		}
	}
}

func TestAuthMethods(t *testing.T) {
	for want, auth := range map[string]ClientAuth{"none": NoAuth{}, "client_secret_basic": SecretBasic{}, "client_secret_post": SecretPost{}} {
		if got := auth.method(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Without an HTTPClient the default transport is used, by go-oidc's provider too.
func TestDefaultTransport(t *testing.T) {
	c, err := New(handConfig())
	if err != nil {
		t.Fatal(err)
	}
	if c.call.Transport != nil || c.fetch.Transport != nil {
		t.Error("the transport is not the default one")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://op.example.com/other", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&canned{}).RoundTrip(req); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the error of the default transport", err)
	}
}

func TestHTTPTimeout(t *testing.T) {
	for _, test := range []struct{ configured, want time.Duration }{
		{0, httpTimeout}, {time.Second, time.Second}, {time.Hour, httpTimeout},
	} {
		p := newOP(t)
		c := p.client(func(cfg *Config) { cfg.HTTPClient.Timeout = test.configured })
		if c.call.Timeout != test.want || c.fetch.Timeout != test.want || c.call.Jar != nil {
			t.Errorf("configured %v: got %v", test.configured, c.call.Timeout)
		}
	}
}

// An empty list is none, as it comes out of an empty setting.
func TestEmptyAlgorithms(t *testing.T) {
	p := newOP(t)
	p.signIn(p.client(func(c *Config) { c.Algorithms = []string{} }))
}

func TestAuthHintOfAPointer(t *testing.T) {
	if got := authHint(&SecretBasic{}, nil); got == "" || got != authHint(SecretBasic{}, nil) {
		t.Errorf("got %q", got)
	}
}
