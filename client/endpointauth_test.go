package client

import (
	"context"
	"errors"
	"net/url"
	"testing"
)

// The endpoints other than the token endpoint may want another way of authentication, and
// say so in their own members.
func TestAuthenticationByEndpoint(t *testing.T) {
	for name, test := range map[string]struct {
		metadata map[string]any
		want     map[string]bool // by path: whether the secret is in the body
	}{
		"nothing said":             {nil, map[string]bool{"/token": false, "/introspect": false, "/revoke": false}},
		"the token endpoint's":     {map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}, map[string]bool{"/token": true, "/introspect": true, "/revoke": true}},
		"introspection its own":    {map[string]any{"introspection_endpoint_auth_methods_supported": []string{"client_secret_post"}}, map[string]bool{"/token": false, "/introspect": true, "/revoke": false}},
		"revocation its own":       {map[string]any{"revocation_endpoint_auth_methods_supported": []string{"client_secret_post", "none"}}, map[string]bool{"/token": false, "/introspect": false, "/revoke": true}},
		"the others the other way": {map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}, "introspection_endpoint_auth_methods_supported": []string{"client_secret_basic"}, "revocation_endpoint_auth_methods_supported": []string{"client_secret_basic"}}, map[string]bool{"/token": true, "/introspect": false, "/revoke": false}},
		"both ways":                {map[string]any{"introspection_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"}}, map[string]bool{"/introspect": false}},
	} {
		p := newOP(t)
		for member, value := range test.metadata {
			p.metadata[member] = value
		}
		p.reply("/introspect", 200, "application/json", `{"active":true}`)
		c := p.client(nil)
		tokens := p.signIn(c)
		if _, err := c.Introspect(context.Background(), "token"); err != nil {
			t.Error(err)
		}
		if err := c.Revoke(context.Background(), tokens); err != nil {
			t.Error(err)
		}
		for path, inBody := range test.want {
			for _, r := range p.seen(path) {
				secret := p.formOf(r).Get("client_secret")
				if (secret == testSecret) != inBody || (r.Header.Get("Authorization") == "") != inBody {
					t.Errorf("%s: %s: %s %q", name, path, r.Body, r.Header)
				}
			}
		}
	}
}

func TestAuthenticationByEndpointConfigured(t *testing.T) {
	p := newOP(t)
	p.metadata["revocation_endpoint_auth_methods_supported"] = []string{"client_secret_post"}
	c := p.client(func(cfg *Config) { cfg.Auth = SecretBasic{} })
	tokens := p.signIn(c)
	if err := c.Revoke(context.Background(), tokens); err != nil {
		t.Error(err)
	}
	for _, r := range p.seen("/revoke") {
		if r.Header.Get("Authorization") == "" || p.formOf(r).Has("client_secret") {
			t.Errorf("Config.Auth was not what was used: %s", r.Body)
		}
	}
	p.reply("/revoke", 401, "application/json", `{"error":"invalid_client"}`)
	var e *ResponseError
	if err := c.Revoke(context.Background(), tokens); !errors.As(err, &e) || e.Hint != "client_secret_basic was refused; if the secret is right, try Config.Auth: client.SecretPost{}" {
		t.Errorf("got %v", err)
	}
}

func TestAssertionAlgorithmByEndpoint(t *testing.T) {
	for name, test := range map[string]struct {
		member string
		want   map[string]string
	}{
		"introspection": {"introspection_endpoint_auth_signing_alg_values_supported", map[string]string{"/token": "HS256", "/introspect": "HS384", "/revoke": "HS256"}},
		"revocation":    {"revocation_endpoint_auth_signing_alg_values_supported", map[string]string{"/token": "HS256", "/introspect": "HS256", "/revoke": "HS384"}},
	} {
		p := newOP(t)
		p.metadata["token_endpoint_auth_signing_alg_values_supported"] = []string{"HS256"}
		p.metadata[test.member] = []string{"HS384"}
		p.reply("/introspect", 200, "application/json", `{"active":true}`)
		c := p.client(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = SecretJWT{}, secretOf(64) })
		tokens := p.signIn(c)
		if _, err := c.Introspect(context.Background(), "token"); err != nil {
			t.Error(err)
		}
		if err := c.Revoke(context.Background(), tokens); err != nil {
			t.Error(err)
		}
		for path, alg := range test.want {
			for _, r := range p.seen(path) {
				if got := readJWT(t, p.formOf(r).Get("client_assertion")).header["alg"]; got != alg {
					t.Errorf("%s: %s: got %v, want %s", name, path, got, alg)
				}
			}
		}
	}
}

func (p *op) formOf(r sentRequest) url.Values {
	p.t.Helper()
	form, err := url.ParseQuery(r.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return form
}
