package interop

import (
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

const (
	exchangeGrant  = "urn:ietf:params:oauth:grant-type:token-exchange"
	jwtBearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
)

// The three sides of the matrix. A cell is one of each.
var (
	matrixMethods = [...]string{
		"none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt",
		"tls_client_auth", "self_signed_tls_client_auth", "computed secret", "assertion file",
	}
	matrixGrants = [...]string{
		"authorization_code", "refresh_token", "client_credentials", deviceGrant, cibaGrant, exchangeGrant, jwtBearerGrant, "password",
	}
	matrixConstraints = [...]string{"bearer", "DPoP", "certificate"}
)

// An excuse is why cells cannot be run: what is refused when they are tried. An empty
// constraint is all of them.
type excuse struct{ method, grant, constraint, reason string }

func (e excuse) covers(c *cell) bool {
	return e.method == c.method && e.grant == c.grant && (e.constraint == "" || e.constraint == c.constraint)
}

// TestMatrix gets tokens by every method of authentication, with every grant, under every
// sender constraint, at oidc-provider, where token exchange, jwt-bearer and password are from
// our own hand (op/grants.mjs; TestKeycloakMatrix has them from another). What cannot be run
// is tried nevertheless, and refused for the reason that stands here. The provider is asked
// about each token what that is bound to.
func TestMatrix(t *testing.T) {
	m := newMatrix(t)
	excuses := []excuse{
		{"none", "client_credentials", "", "client_credentials are for a client that authenticates"}, // RFC 6749 4.4
		{"none", cibaGrant, "", "backchannel authentication is for a client that authenticates"},     // CIBA 7.1
	}
	runMatrix(t, matrixConstraints[:], matrixGrants[:], matrixMethods[:], excuses, func(t *testing.T, c *cell) error {
		return m.try(t, c)
	})
}

// runMatrix tries each cell, and wants of it what excuses say.
func runMatrix(t *testing.T, constraints, grants, methods []string, excuses []excuse, try func(*testing.T, *cell) error) {
	t.Helper()
	ran, excused := 0, make([]int, len(excuses))
	for _, constraint := range constraints {
		for _, grant := range grants {
			for _, method := range methods {
				c := &cell{method: method, grant: grant, constraint: constraint, renew: func() {}}
				reason := ""
				for i, e := range excuses {
					if e.covers(c) {
						reason = e.reason
						excused[i]++
					}
				}
				if reason == "" {
					ran++
				}
				t.Run(constraint+"/"+grant[strings.LastIndex(grant, ":")+1:]+"/"+method, func(t *testing.T) {
					t.Parallel()
					err := try(t, c)
					switch {
					case reason == "" && err != nil:
						t.Error(err)
					case reason != "" && (err == nil || !strings.Contains(err.Error(), reason)):
						t.Errorf("got %v: it is listed as impossible, because: %s", err, reason)
					}
				})
			}
		}
	}
	total := 0
	for i, n := range excused {
		if total += n; n == 0 {
			t.Errorf("%v excuses nothing", excuses[i])
		}
	}
	if cells := len(constraints) * len(grants) * len(methods); ran+total != cells {
		t.Errorf("%d run and %d excused make not %d: two excuses are for one cell", ran, total, cells)
	}
	t.Logf("%d cells are run, %d are impossible", ran, total)
}

// A cell is one of the matrix.
type cell struct {
	method, grant, constraint string

	mine, issued tls.Certificate  // of the client's own, and of an authority
	certificate  *tls.Certificate // the one of them that is shown, if any
	renew        func()           // is called before each request: a platform renews its assertion
}

// A matrix is a provider, and what the cells share.
type matrix struct {
	*mtlsProvider
	mine, issued tls.Certificate
	watcher      *client.Client // asks about tokens
	user         *client.Tokens // of somebody, for the grants that trade them
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	m := &matrix{mtlsProvider: startMTLS(t), mine: newCertificate(t, "mine")}
	m.issued = issueCertificate(t, m.trusts, "client.example.test")
	reg := m.register(t, callbackURL, nil)
	m.watcher = m.client(t, reg, func(*client.Config) {})
	m.user, _ = m.person(t).signIn(m.watcher, "alice", nil)
	return m
}

// try registers a client of the cell's own, gets tokens, and checks them.
func (m *matrix) try(t *testing.T, c *cell) error {
	t.Helper()
	registered := metadata{"grant_types": []string{c.grant}, "redirect_uris": []string{}, "response_types": []string{}, "x_interval": 1}
	switch c.grant {
	case "authorization_code", "refresh_token":
		registered = metadata{"grant_types": []string{"authorization_code", "refresh_token"}}
	case cibaGrant:
		registered["backchannel_token_delivery_mode"] = "poll"
	}
	cfg := client.Config{}
	c.mine, c.issued = m.mine, m.issued
	authenticate := c.authentication(t, registered)
	c.constrain(registered, &cfg)
	reg := m.register(t, callbackURL, registered)
	rp := m.client(t, reg, func(own *client.Config) {
		own.DPoP = cfg.DPoP
		own.Auth = authenticate(own)
		own.Certificate = c.certificate
	})
	tokens, err := m.tokens(t, c, rp)
	if err != nil {
		return err
	}
	m.wantConstraint(t, c, tokens, &cfg)
	return nil
}

// authentication puts what the method wants into the registration, and returns what makes
// the ClientAuth of the registered client.
func (c *cell) authentication(t *testing.T, registered metadata) func(*client.Config) client.ClientAuth {
	t.Helper()
	registered["token_endpoint_auth_method"] = c.method
	switch c.method {
	case "tls_client_auth":
		registered["tls_client_auth_san_dns"], c.certificate = "client.example.test", &c.issued
	case "self_signed_tls_client_auth":
		registered["jwks"], c.certificate = certificateJWKS(t, c.mine), &c.mine
	case "computed secret":
		registered["token_endpoint_auth_method"] = "client_secret_post"
	case "private_key_jwt", "assertion file":
		key := ecdsaKey(t, elliptic.P256())
		auth := client.PrivateKeyJWT{Key: key}
		registered["token_endpoint_auth_method"], registered["jwks"] = "private_key_jwt", jwksOf(t, auth)
		if c.method == "private_key_jwt" {
			return func(*client.Config) client.ClientAuth { return auth }
		}
		return func(cfg *client.Config) client.ClientAuth {
			name, id, issuer := filepath.Join(t.TempDir(), "token"), cfg.ClientID, cfg.Issuer
			c.renew = func() {
				if err := os.WriteFile(name, []byte(assertionFor(t, key, id, issuer)), 0o600); err != nil {
					t.Error(err)
				}
			}
			return client.AssertionFile(name)
		}
	}
	return c.withoutKey
}

// withoutKey is the ClientAuth of the methods that have no key of the client's own.
func (c *cell) withoutKey(cfg *client.Config) client.ClientAuth {
	switch c.method {
	case "client_secret_basic":
		return client.SecretBasic{}
	case "client_secret_post":
		return client.SecretPost{}
	case "client_secret_jwt":
		return client.SecretJWT{}
	case "computed secret":
		secret := cfg.ClientSecret
		cfg.ClientSecret = ""
		return client.SecretFunc(func(context.Context) (string, error) { return secret, nil })
	case "tls_client_auth":
		return client.TLSClientAuth{}
	case "self_signed_tls_client_auth":
		return client.SelfSignedTLSClientAuth{}
	}
	return client.NoAuth{}
}

// constrain asks for tokens that are bound.
func (c *cell) constrain(registered metadata, cfg *client.Config) {
	switch c.constraint {
	case "DPoP":
		registered["dpop_bound_access_tokens"], cfg.DPoP = true, client.GenerateDPoPKey()
	case "certificate":
		registered["tls_client_certificate_bound_access_tokens"] = true
		if c.certificate == nil {
			c.certificate = &c.mine
		}
	}
}

// tokens is the grant.
func (m *matrix) tokens(t *testing.T, c *cell, rp *client.Client) (*client.Tokens, error) {
	t.Helper()
	c.renew()
	switch c.grant {
	case "authorization_code", "refresh_token":
		tokens, _ := m.person(t).signIn(rp, "alice", nil)
		if c.grant == "authorization_code" {
			return tokens, nil
		}
		c.renew()
		return rp.Refresh(t.Context(), tokens)
	case deviceGrant:
		login, err := rp.Device(t.Context(), nil)
		if err != nil {
			return nil, err
		}
		m.person(t).open(login.VerificationURIComplete).submit().submit("confirm", "yes").signIn("alice")
		c.renew()
		return rp.WaitDevice(t.Context(), login)
	case cibaGrant:
		login, err := rp.CIBA(t.Context(), client.CIBARequest{LoginHint: "alice"}, nil)
		if err != nil {
			return nil, err
		}
		m.control(t, "ciba", map[string]any{"id": login.AuthReqID()})
		c.renew()
		return rp.WaitCIBA(t.Context(), login)
	}
	return direct(t, c, rp, m.user.AccessToken, m.user.IDToken.Raw())
}

// direct are the grants of one request.
func direct(t *testing.T, c *cell, rp *client.Client, subject, assertion string) (*client.Tokens, error) {
	t.Helper()
	switch c.grant {
	case "client_credentials":
		return rp.ClientCredentials(t.Context(), nil)
	case exchangeGrant:
		return rp.ExchangeToken(t.Context(), client.TokenExchange{SubjectToken: subject}, nil)
	case jwtBearerGrant:
		return rp.JWTBearer(t.Context(), assertion, nil)
	case "password":
		return rp.InsecurePassword(t.Context(), client.Password{Username: "alice", Password: "pw"}, nil)
	}
	t.Fatalf("nothing runs %s", c.grant)
	return nil, nil
}

// wantConstraint asks the provider what the access token is bound to: what the cell wants,
// and nothing else.
func (m *matrix) wantConstraint(t *testing.T, c *cell, tokens *client.Tokens, cfg *client.Config) {
	t.Helper()
	wantType, want := "Bearer", map[string]string{}
	switch c.constraint {
	case "DPoP":
		wantType, want["jkt"] = "DPoP", cfg.DPoP.Thumbprint()
	case "certificate":
		want["x5t#S256"] = thumbprintOf(*c.certificate)
	}
	said, err := m.watcher.Introspect(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		ClientID     string            `json:"client_id"`
		Confirmation map[string]string `json:"cnf"`
	}
	if err := said.Claims(&claims); err != nil || !said.Active {
		t.Fatalf("active: %t, %v", said.Active, err)
	}
	if tokens.TokenType != wantType || !maps.Equal(claims.Confirmation, want) {
		t.Errorf("a %s token bound to %v, want a %s token bound to %v", tokens.TokenType, claims.Confirmation, wantType, want)
	}
}
