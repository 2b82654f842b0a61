package interop

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

// TestKeycloakMatrix is TestMatrix for the grants that oidc-provider has from our own hand,
// at a provider that brings them. It speaks http here, so no certificate can be shown to it.
func TestKeycloakMatrix(t *testing.T) {
	k := startKeycloak(t)
	assertion := k.trust(t, "matrix")
	excuses := []excuse{
		{"none", exchangeGrant, "", "Public client is not allowed to exchange token"},
		{"none", jwtBearerGrant, "", "Public client not allowed to use authorization grant"},
		{"tls_client_auth", exchangeGrant, "", "no certificate can be shown"},
		{"tls_client_auth", jwtBearerGrant, "", "no certificate can be shown"},
		{"tls_client_auth", "password", "", "no certificate can be shown"},
		{"self_signed_tls_client_auth", exchangeGrant, "", "no certificate can be shown"},
		{"self_signed_tls_client_auth", jwtBearerGrant, "", "no certificate can be shown"},
		{"self_signed_tls_client_auth", "password", "", "no certificate can be shown"},
	}
	grants := []string{exchangeGrant, jwtBearerGrant, "password"}
	runMatrix(t, []string{"bearer", "DPoP"}, grants, matrixMethods[:], excuses, func(t *testing.T, c *cell) error {
		return k.try(t, c, assertion)
	})
}

func (k *keycloakServer) try(t *testing.T, c *cell, assertion func(sub string) string) error {
	t.Helper()
	registered, cfg := metadata{}, client.Config{}
	c.mine = newCertificate(t, "mine")
	c.issued = issueCertificate(t, c.mine, "client.example.test")
	authenticate := c.authentication(t, registered)
	c.constrain(registered, &cfg)
	reg := k.configured(t, registered)
	var bearer *client.Client // the same client with no key, for the token that is traded
	rp := k.client(t, reg, func(own *client.Config) {
		own.Auth = authenticate(own)
		own.Certificate = c.certificate
		var err error
		if bearer, err = client.New(*own); err != nil {
			t.Fatal(err)
		}
		own.DPoP = cfg.DPoP
	})
	subject := "a token"
	if c.grant == exchangeGrant && c.certificate == nil {
		c.renew()
		subject = k.password(t, bearer).AccessToken
	}
	c.renew()
	tokens, err := direct(t, c, rp, subject, assertion("42"))
	if err != nil {
		return err
	}
	want := ""
	if cfg.DPoP != nil {
		want = cfg.DPoP.Thumbprint()
	}
	if got := keyOf(t, tokens.AccessToken); got != want || (tokens.TokenType == "DPoP") != (want != "") {
		t.Errorf("a %s token bound to %q, want %q", tokens.TokenType, got, want)
	}
	return nil
}

// configured makes a client with grants that no registration can have.
func (k *keycloakServer) configured(t *testing.T, registered metadata) registration {
	t.Helper()
	reg := registration{ID: strings.ReplaceAll(t.Name(), "/", "."), redirectURL: callbackURL}
	attributes := map[string]string{
		"standard.token.exchange.enabled":        "true",
		"oauth2.jwt.authorization.grant.enabled": "true", "oauth2.jwt.authorization.grant.idp": "matrix",
	}
	method := "client-secret"
	switch registered["token_endpoint_auth_method"] {
	case "client_secret_jwt":
		method = "client-secret-jwt"
	case "private_key_jwt":
		method, attributes["use.jwks.string"], attributes["jwks.string"] = "client-jwt", "true", string(registered["jwks"].(json.RawMessage))
	}
	public := registered["token_endpoint_auth_method"] == "none"
	if !public && method != "client-jwt" {
		reg.Secret = "a-secret-that-is-long-enough-for-HS256"
	}
	k.admin(t, "POST /clients", map[string]any{
		"clientId": reg.ID, "secret": reg.Secret, "clientAuthenticatorType": method, "publicClient": public,
		"directAccessGrantsEnabled": true, "redirectUris": []string{callbackURL}, "attributes": attributes,
	}, nil)
	t.Cleanup(func() { k.explain(t, reg.ID) })
	return reg
}

// keyOf is cnf.jkt of an access token of Keycloak, which is a JWT.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal("the access token is no JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Confirmation map[string]string `json:"cnf"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Confirmation["jkt"]
}
