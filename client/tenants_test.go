package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

const (
	entra        = "https://login.microsoftonline.com"
	template     = entra + "/{tenantid}/v2.0"
	entraPlace   = entra + "/organizations/v2.0/.well-known/openid-configuration"
	tenant       = "11111111-2222-3333-4444-555555555555"
	secondTenant = "66666666-7777-8888-9999-000000000000"
	otherTenant  = "99999999-9999-9999-9999-999999999999"
)

func issuerOf(tenant string) string { return entra + "/" + tenant + "/v2.0" }

// newEntra is a provider with the metadata and keys that Entra has for many tenants, and
// users of one of them.
func newEntra(t *testing.T) (*op, *Client) {
	t.Helper()
	p := newOP(t)
	p.metadata["issuer"] = template
	p.handlers[entraPlace] = p.handlers[testIssuer+discoveryPath]
	p.become(tenant)
	return p, p.client(func(cfg *Config) {
		cfg.Issuer, cfg.MetadataURL, cfg.Tenants = template, entraPlace, []string{tenant, secondTenant}
	})
}

// become makes the next ID token one of a tenant.
func (p *op) become(tenant string) { p.claims["iss"], p.claims["tid"] = issuerOf(tenant), tenant }

func TestTenants(t *testing.T) {
	ctx := context.Background()
	p, c := newEntra(t)
	for _, id := range []string{tenant, secondTenant} {
		p.become(id)
		tokens := p.signIn(c)
		if tokens.IDToken.Issuer != issuerOf(id) || !c.IsIssuer(tokens.IDToken.Issuer) {
			t.Errorf("the issuer is %s", tokens.IDToken.Issuer)
		}
		delete(p.claims, "nonce")
		next, err := c.Refresh(ctx, tokens)
		if err != nil || next.IDToken.Issuer != issuerOf(id) {
			t.Errorf("refresh: %v", err)
		}
		if _, err := c.UserInfo(ctx, tokens); err != nil {
			t.Errorf("userinfo: %v", err)
		}
		if err := c.Revoke(ctx, tokens); err != nil {
			t.Errorf("revocation: %v", err)
		}
		if _, err := c.LogoutURL(ctx, LogoutOptions{IDToken: tokens.IDToken}); err != nil {
			t.Errorf("logout: %v", err)
		}
		if _, _, err := c.InitiateLogin(url.Values{"iss": {issuerOf(id)}}); err != nil {
			t.Errorf("initiation: %v", err)
		}
	}
	if c.Issuer() != template {
		t.Errorf("got %s", c.Issuer())
	}
	if _, err := c.Provider(ctx); err != nil {
		t.Errorf("go-oidc: %v", err)
	}
	p.wantRequests("/.well-known/openid-configuration") // not at the template
}

func TestIsIssuer(t *testing.T) {
	_, c := newEntra(t)
	one := newOP(t).client(nil)
	for iss, want := range map[string][2]bool{
		testIssuer: {true, false}, testIssuer + "/": {}, "": {}, template: {},
		issuerOf(tenant): {false, true}, issuerOf(secondTenant): {false, true}, issuerOf(otherTenant): {},
		issuerOf("common"): {}, issuerOf(tenant) + "/": {}, strings.ToUpper(issuerOf(tenant)): {},
	} {
		if got := [2]bool{one.IsIssuer(iss), c.IsIssuer(iss)}; got != want {
			t.Errorf("%s: got %v, want %v", iss, got, want)
		}
	}
}

func TestTenantsReject(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*op, url.Values)
		want  string
	}{
		"a stranger":          {func(p *op, _ url.Values) { p.become(otherTenant) }, "tid is not a tenant on the list"},
		"iss of another":      {func(p *op, _ url.Values) { p.claims["iss"] = issuerOf(secondTenant) }, "iss is another issuer"},
		"tid of another":      {func(p *op, _ url.Values) { p.claims["tid"] = secondTenant }, "iss is another issuer"},
		"no tid":              {func(p *op, _ url.Values) { delete(p.claims, "tid") }, "tid is missing"},
		"iss the template":    {func(p *op, _ url.Values) { p.claims["iss"] = template }, "iss is another issuer"},
		"callback of another": {func(_ *op, v url.Values) { v.Set("iss", issuerOf(secondTenant)) }, "iss is not the issuer of the ID token"},
		"callback of a stranger": {func(_ *op, v url.Values) { v.Set("iss", issuerOf(otherTenant)) },
			"callback rejected: iss is not the issuer"},
		"callback of the template": {func(_ *op, v url.Values) { v.Set("iss", template) }, "callback rejected: iss is not the issuer"},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := newEntra(t)
			login := p.authorize(c, nil)
			callback := callbackOf(login)
			test.spoil(p, callback)
			tokens, err := c.Exchange(context.Background(), login, callback)
			if tokens != nil || !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestTenantsCallbackIss(t *testing.T) {
	p, c := newEntra(t)
	login := p.authorize(c, nil)
	callback := callbackOf(login)
	callback.Set("iss", issuerOf(tenant))
	if _, err := c.Exchange(context.Background(), login, callback); err != nil {
		t.Error(err)
	}
	// With an ID token in the callback, before the code is sent.
	login = p.authorize(c, &AuthorizeOptions{ResponseType: "code id_token"})
	callback = callbackOf(login)
	p.claims["c_hash"] = halfHash(callback.Get("code"))
	callback.Set("id_token", p.idToken())
	callback.Set("iss", issuerOf(secondTenant))
	before := len(p.seen("/token"))
	_, err := c.Exchange(context.Background(), login, callback)
	if err == nil || err.Error() != "client: callback rejected: iss is not the issuer of the ID token" || len(p.seen("/token")) != before {
		t.Errorf("got %v", err)
	}
}

// A refreshed ID token is of the tenant of the old one (Core 12.2), also where both are on
// the list.
func TestTenantsRefresh(t *testing.T) {
	p, c := newEntra(t)
	tokens := p.signIn(c)
	delete(p.claims, "nonce")
	p.become(secondTenant)
	next, err := c.Refresh(context.Background(), tokens)
	if next != nil || !errors.Is(err, ErrInvalidGrant) || !strings.Contains(err.Error(), "iss is not that of the token before") {
		t.Errorf("got %v", err)
	}
}

// Tokens that were kept are sent to nobody when their tenant has left the list.
func TestTenantsOwnTokens(t *testing.T) {
	p, c := newEntra(t)
	tokens := p.signIn(c)
	id := *tokens.IDToken
	tokens.IDToken = &id
	for _, iss := range []string{issuerOf(otherTenant), template} {
		id.Issuer = iss
		before := len(p.requests)
		_, err := c.Refresh(context.Background(), tokens)
		if err == nil || err.Error() != "client: rejected: the tokens are of another issuer" || len(p.requests) != before {
			t.Errorf("%s: got %v", iss, err)
		}
	}
}

// Metadata of one tenant is not that of a template, nor the other way round.
func TestTenantsMetadata(t *testing.T) {
	p, c := newEntra(t)
	p.metadata["issuer"] = issuerOf(tenant)
	if _, err := c.Metadata(context.Background()); !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "configured is ") {
		t.Errorf("got %v", err)
	}
	p = newOP(t)
	p.metadata["issuer"] = template
	p.handlers[issuerOf(tenant)+discoveryPath] = p.handlers[testIssuer+discoveryPath]
	_, err := p.client(func(cfg *Config) { cfg.Issuer = issuerOf(tenant) }).Metadata(context.Background())
	if !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "configured is ") {
		t.Errorf("got %v", err)
	}
}

func TestTenantsConfig(t *testing.T) {
	with := func(change func(*Config)) Config {
		return changed(func(c *Config) {
			c.Issuer, c.MetadataURL, c.Tenants = template, entraPlace, []string{tenant}
			change(c)
		})
	}
	for name, change := range map[string]func(*Config){
		"tenants":      func(*Config) {},
		"v1":           func(c *Config) { c.Issuer = "https://sts.windows.net/{tenantid}/" },
		"no template":  func(c *Config) { c.Issuer, c.Tenants = testIssuer, []string{} },
		"an assertion": func(c *Config) { c.Auth, c.ClientSecret = PrivateKeyJWT{Key: testKey(), Audience: entra}, "" },
	} {
		if _, err := New(with(change)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	const notSigned = "Config.UserInfoSignedResponseAlg and IntrospectionSignedResponseAlg are not for a Config.Issuer with {tenantid}"
	_, err := New(with(func(c *Config) { c.IntrospectionSignedResponseAlg = "RS256" }))
	if err == nil || err.Error() != "client: "+notSigned {
		t.Errorf("got %v", err)
	}
	const noAudience = "needs an Audience where Config.Issuer has {tenantid}"
	for want, change := range map[string]func(*Config){
		"Config.Tenants is set, and Config.Issuer has no {tenantid}":                                          func(c *Config) { c.Issuer = testIssuer },
		"Config.Issuer has {tenantid}, and Config.Tenants is empty: name the tenants whose users may sign in": func(c *Config) { c.Tenants = []string{} },
		"Config.MetadataURL is needed where Config.Issuer has {tenantid}: a template is no address":           func(c *Config) { c.MetadataURL = "" },
		"Config.RequestObject names its issuer as aud, and Config.Issuer has {tenantid}":                      func(c *Config) { c.RequestObject = &RequestObject{Key: testKey()} },
		notSigned: func(c *Config) { c.UserInfoSignedResponseAlg = "RS256" },
		"Config.BackChannelURL is not for a Config.Issuer with {tenantid}":                               func(c *Config) { c.BackChannelURL = "https://inside" },
		"Config.Auth: private_key_jwt " + noAudience:                                                     func(c *Config) { c.Auth, c.ClientSecret = PrivateKeyJWT{Key: testKey()}, "" },
		"Config.Auth: client_secret_jwt " + noAudience:                                                   func(c *Config) { c.Auth, c.ClientSecret = SecretJWT{}, secretOf(32) },
		`Config.Tenants: jwtverify: token invalid: Verifier.Tenants has "common", which is no tenant ID`: func(c *Config) { c.Tenants = []string{"common"} },
		`Config.Tenants: jwtverify: token invalid: Verifier.Tenants has "*", which is no tenant ID`:      func(c *Config) { c.Tenants = []string{tenant, "*"} },
		"Config.Issuer must be https (http on a loopback host only)":                                     func(c *Config) { c.Issuer = "http://login.example.com/{tenantid}/" },
		"Config.Issuer has characters that a URL does not have":                                          func(c *Config) { c.Issuer = entra + "/{tenant}/v2.0" },
	} {
		if _, err := New(with(change)); err == nil || err.Error() != "client: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestTenantsAreCopied(t *testing.T) {
	cfg := changed(func(c *Config) { c.Issuer, c.MetadataURL, c.Tenants = template, entraPlace, []string{tenant} })
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Tenants[0] = otherTenant
	if c.IsIssuer(issuerOf(otherTenant)) || !c.IsIssuer(issuerOf(tenant)) {
		t.Error("the client changed with the configuration")
	}
}

// A key that Entra publishes for one tenant signs for no other.
func TestTenantsKeys(t *testing.T) {
	p, c := newEntra(t)
	set := p.jwks()
	set["keys"].([]any)[0].(map[string]any)["issuer"] = issuerOf(secondTenant)
	p.reply("/jwks", 200, "application/json", jsonText(t, set))
	login := p.authorize(c, nil)
	_, err := c.Exchange(context.Background(), login, callbackOf(login))
	var claim *jwtverify.ClaimError
	if !errors.As(err, &claim) || claim.Reason != "names a key for another issuer" {
		t.Errorf("got %v", err)
	}
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
