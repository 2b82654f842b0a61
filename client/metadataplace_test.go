package client

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestOAuthMetadataURL(t *testing.T) {
	const place = "/.well-known/oauth-authorization-server"
	for issuer, want := range map[string]string{
		"https://op.example.com":             "https://op.example.com" + place,
		"https://op.example.com/":            "https://op.example.com" + place,
		"https://op.example.com/tenant":      "https://op.example.com" + place + "/tenant",
		"https://op.example.com:8443/a/b/":   "https://op.example.com:8443" + place + "/a/b",
		"http://localhost:8080/realms/app-1": "http://localhost:8080" + place + "/realms/app-1",
	} {
		if got := OAuthMetadataURL(issuer); got != want {
			t.Errorf("%s: got %s, want %s", issuer, got, want)
		}
	}
}

// The document is asked for in the one place that the configuration names.
func TestMetadataURL(t *testing.T) {
	for _, place := range []string{
		OAuthMetadataURL(testIssuer + "/tenant"),
		testIssuer + "/.well-known/openid-configuration/tenant",
		testIssuer + "/somewhere/else",
	} {
		p := newOP(t)
		p.metadata["issuer"] = testIssuer + "/tenant"
		path := strings.TrimPrefix(place, testIssuer)
		p.handle(path, p.handlers[testIssuer+discoveryPath])
		c := p.client(func(cfg *Config) { cfg.Issuer, cfg.MetadataURL = testIssuer+"/tenant", place })
		if _, err := c.Metadata(context.Background()); err != nil {
			t.Error(err)
		}
		if len(p.requests) != 1 || len(p.seen(path)) != 1 {
			t.Errorf("%s: got %v", place, p.requests)
		}
		if _, err := c.Provider(context.Background()); err != nil {
			t.Errorf("go-oidc: %v", err)
		}
	}
}

func TestMetadataURLIsTheOnlyPlace(t *testing.T) {
	p := newOP(t)
	p.reply("/elsewhere", 404, "", "")
	_, err := p.client(func(cfg *Config) { cfg.MetadataURL = testIssuer + "/elsewhere" }).Metadata(context.Background())
	if want := "client: discovery endpoint: rejected: status 404: no metadata at " + testIssuer + "/elsewhere"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if len(p.requests) != 1 {
		t.Errorf("%d requests", len(p.requests))
	}
}

// Wherever the document is, its issuer is the configured one, byte for byte.
func TestMetadataURLLoosensNothing(t *testing.T) {
	for _, issuer := range []string{testIssuer + "/", "https://OP.example.com", "https://op.example.com:443", "https://evil.example", ""} {
		p := newOP(t)
		p.metadata["issuer"] = issuer
		p.handle("/elsewhere", p.handlers[testIssuer+discoveryPath])
		_, err := p.client(func(cfg *Config) { cfg.MetadataURL = testIssuer + "/elsewhere" }).Metadata(context.Background())
		if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), `configured is "https://op.example.com"`) {
			t.Errorf("%s: got %v", issuer, err)
		}
	}
}

func TestMetadataOverride(t *testing.T) {
	p := newOP(t)
	delete(p.metadata, "token_endpoint")
	p.metadata["userinfo_endpoint"] = "http://op.example.com/plain" // what would be refused
	p.metadata["custom"] = []any{"kept", 1.5}
	p.metadata["mtls_endpoint_aliases"] = map[string]string{"token_endpoint": testIssuer + "/mtls"}
	override := &Metadata{
		TokenEndpoint:                              testIssuer + "/token",
		UserInfoEndpoint:                           testIssuer + "/userinfo",
		TokenEndpointAuthMethodsSupported:          []string{"client_secret_post"},
		AuthorizationResponseIssParameterSupported: true,
	}
	c := p.client(func(cfg *Config) { cfg.MetadataOverride = override })
	override.TokenEndpoint, override.TokenEndpointAuthMethodsSupported[0] = "x", "none" // a copy was made
	m, err := c.Metadata(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if m.Issuer != testIssuer || m.TokenEndpoint != testIssuer+"/token" || m.UserInfoEndpoint != testIssuer+"/userinfo" ||
		m.JWKSURI != testIssuer+"/jwks" || m.TokenEndpointAuthMethodsSupported[0] != "client_secret_post" ||
		!m.AuthorizationResponseIssParameterSupported || m.MTLSEndpointAliases["token_endpoint"] != testIssuer+"/mtls" {
		t.Errorf("got %+v", m)
	}
	var claims struct {
		Custom        []any
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := m.Claims(&claims); err != nil || len(claims.Custom) != 2 || claims.TokenEndpoint != m.TokenEndpoint {
		t.Errorf("got %+v, %v", claims, err)
	}
	provider, err := c.Provider(context.Background())
	if err != nil || provider.Endpoint().TokenURL != m.TokenEndpoint {
		t.Errorf("go-oidc has another token endpoint: %v", err)
	}
}

// An override takes no check away: the rest of the document is read as ever.
func TestMetadataOverrideLoosensNothing(t *testing.T) {
	const issuer, rest = `"issuer":"https://op.example.com",`, `"authorization_endpoint":"https://op.example.com/a"`
	const jwks = `"jwks_uri":"https://op.example.com/jwks",`
	for name, test := range map[string]struct{ document, want string }{
		"another issuer":        {`"issuer":"https://evil.example",` + jwks, `issuer is "https://evil.example", configured is "https://op.example.com"`},
		"plain JWKS":            {issuer + `"jwks_uri":"http://op.example.com/jwks",`, "jwks_uri must be https, as the issuer is"},
		"overridden and twice":  {issuer + jwks + `"token_endpoint":"https://a.example","token_endpoint":"https://b.example",`, `duplicate member "token_endpoint"`},
		"overridden and folded": {issuer + jwks + `"Token_Endpoint":"https://a.example",`, `member "Token_Endpoint"`},
	} {
		p := newOP(t)
		p.reply(discoveryPath, 200, "application/json", "{"+test.document+rest+"}")
		c := p.client(func(cfg *Config) { cfg.MetadataOverride = &Metadata{TokenEndpoint: testIssuer + "/token"} })
		if _, err := c.Metadata(context.Background()); !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

func TestPlacesRejected(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"metadata over http":     {func(c *Config) { c.MetadataURL = "http://op.example.com/m" }, "Config.MetadataURL must be https, as the issuer is"},
		"metadata on loopback":   {func(c *Config) { c.MetadataURL = "http://localhost/m" }, "Config.MetadataURL must be https, as the issuer is"},
		"metadata relative":      {func(c *Config) { c.MetadataURL = "/m" }, "Config.MetadataURL is not an absolute URL"},
		"metadata given and not": {func(c *Config) { c.MetadataURL, c.Metadata = testIssuer+"/m", handConfig().Metadata }, "Config.MetadataURL and Config.Metadata are both set: there is nothing to discover"},
		"override of nothing":    {func(c *Config) { c.MetadataOverride, c.Metadata = &Metadata{}, handConfig().Metadata }, "Config.MetadataOverride and Config.Metadata are both set: change Metadata itself"},
		"override of the issuer": {func(c *Config) { c.MetadataOverride = &Metadata{Issuer: testIssuer} }, "Config.MetadataOverride.Issuer is set: the issuer is Config.Issuer and nothing else"},
		"override by http":       {func(c *Config) { c.MetadataOverride = &Metadata{TokenEndpoint: "http://op.example.com/t"} }, "Config.MetadataOverride: token_endpoint must be https, as the issuer is"},
		"back channel by http":   {func(c *Config) { c.BackChannelURL = "http://keycloak:8080" }, "Config.BackChannelURL must be https (http on a loopback host only)"},
		"back channel by file": {func(c *Config) { c.Issuer, c.BackChannelURL = "http://localhost:8080", "file://keycloak" },
			"Config.BackChannelURL must be https (http on a loopback host only)"},
		"back channel no host":          {func(c *Config) { c.Issuer, c.BackChannelURL = "http://localhost:8080", "http:keycloak" }, "Config.BackChannelURL has no host"},
		"back channel with a path":      {func(c *Config) { c.BackChannelURL = "https://keycloak/auth" }, "Config.BackChannelURL must be a scheme and a host, and nothing behind them: paths stay as they are"},
		"back channel with a query":     {func(c *Config) { c.BackChannelURL = "https://keycloak?" }, "Config.BackChannelURL must be a scheme and a host, and nothing behind them: paths stay as they are"},
		"back channel with a parameter": {func(c *Config) { c.BackChannelURL = "https://keycloak?a=b" }, "Config.BackChannelURL must be a scheme and a host, and nothing behind them: paths stay as they are"},
		"back channel with a user":      {func(c *Config) { c.BackChannelURL = "https://a@keycloak" }, "Config.BackChannelURL must not have a user name or password"},
		"back channel and a certificate": {func(c *Config) {
			c.HTTPClient, c.BackChannelURL, c.Certificate = nil, "http://localhost:1", clientCertificate(t, testKey())
		}, "Config.Certificate cannot be shown to a Config.BackChannelURL that is not https"},
	} {
		c, err := New(changed(test.change))
		if c != nil || err == nil || err.Error() != "client: "+test.want {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}
