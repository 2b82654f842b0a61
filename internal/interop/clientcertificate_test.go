package interop

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"testing"

	"github.com/postern-go/postern/client"
)

// An mtlsProvider is a provider over https, with a second address for clients that show
// certificates.
type mtlsProvider struct {
	*provider
	trusts    tls.Certificate // who signed the certificates of its tls_client_auth clients
	transport *http.Transport // of a program that trusts the provider, and shows nothing
}

func startMTLS(t *testing.T, env ...string) *mtlsProvider {
	t.Helper()
	authority := newCertificate(t, "authority")
	authorityFile, _ := writePEM(t, authority)
	p := &mtlsProvider{provider: startOverTLS(t, append(env, "OP_MTLS_CA="+authorityFile)...), trusts: authority}
	p.transport = p.http.Transport.(*http.Transport)
	return p
}

// client goes over the provider's own connections.
func (p *mtlsProvider) client(t *testing.T, reg registration, change func(*client.Config)) *client.Client {
	t.Helper()
	return p.provider.client(t, reg, func(cfg *client.Config) {
		cfg.HTTPClient = p.http
		change(cfg)
	})
}

// person trusts the provider as a browser does.
func (p *mtlsProvider) person(t *testing.T) *person {
	t.Helper()
	someone := newPerson(t, callbackURL)
	someone.http.Transport = p.transport
	return someone
}

func TestCertificateAuthentication(t *testing.T) {
	p := startMTLS(t)
	mine, other := newCertificate(t, "mine"), newCertificate(t, "other")
	issued := issueCertificate(t, p.trusts, "client.example.test")
	key := client.PrivateKeyJWT{Key: ed25519Key(t)}
	for _, c := range []struct {
		name       string
		registered metadata
		auth       client.ClientAuth
		shows      tls.Certificate
		refused    bool
	}{
		{"tls_client_auth", metadata{
			"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "client.example.test",
		}, client.TLSClientAuth{}, issued, false},
		{"tls_client_auth by nobody known", metadata{
			"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "localhost",
		}, client.TLSClientAuth{}, mine, true},
		{"self_signed_tls_client_auth", metadata{
			"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": certificateJWKS(t, mine),
		}, client.SelfSignedTLSClientAuth{}, mine, false},
		{"self_signed_tls_client_auth with another", metadata{
			"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": certificateJWKS(t, mine),
		}, client.SelfSignedTLSClientAuth{}, other, true},
		{"private_key_jwt", metadata{
			"token_endpoint_auth_method": "private_key_jwt", "jwks": jwksOf(t, key),
		}, key, mine, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.registered["tls_client_certificate_bound_access_tokens"] = true
			reg := p.register(t, callbackURL, c.registered)
			rp := p.client(t, reg, func(cfg *client.Config) {
				cfg.Auth, cfg.Certificate, cfg.ClientSecret = c.auth, &c.shows, ""
			})
			login := authorize(t, rp, nil)
			end, _ := p.person(t).open(login.URL()).signIn("alice")
			tokens, err := rp.Exchange(t.Context(), login, end.callback())
			if c.refused {
				var refusal *client.ResponseError
				if !errors.As(err, &refusal) || refusal.Code != "invalid_client" || refusal.Hint == "" {
					t.Errorf("got %v, want invalid_client and what to look at", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			tokens = refresh(t, rp, tokens)
			if _, err := rp.UserInfo(t.Context(), tokens); err != nil {
				t.Errorf("userinfo: %v", err)
			}
			if got := boundTo(t, rp, tokens.AccessToken); got != thumbprintOf(c.shows) {
				t.Errorf("the access token is bound to %q", got)
			}
			if err := rp.Revoke(t.Context(), tokens); err != nil {
				t.Error(err)
			}
		})
	}
}

// With both, the certificate is for the client and DPoP for the tokens.
func TestCertificateAuthenticationWithDPoP(t *testing.T) {
	p := startMTLS(t)
	mine := newCertificate(t, "mine")
	reg := p.register(t, callbackURL, metadata{
		"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": certificateJWKS(t, mine), "x_dpop_nonce": true,
	})
	dpop := client.GenerateDPoPKey()
	rp := p.client(t, reg, func(cfg *client.Config) {
		cfg.Auth, cfg.Certificate, cfg.ClientSecret, cfg.DPoP = client.SelfSignedTLSClientAuth{}, &mine, "", dpop
	})
	tokens, _ := p.person(t).signIn(rp, "alice", nil)
	tokens = refresh(t, rp, tokens)
	if _, err := rp.UserInfo(t.Context(), tokens); err != nil {
		t.Errorf("userinfo: %v", err)
	}
	wantBound(t, rp, tokens.AccessToken, dpop.Thumbprint())
}

// boundTo asks the provider which certificate a token is bound to.
func boundTo(t *testing.T, rp *client.Client, token string) string {
	t.Helper()
	said, err := rp.Introspect(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Confirmation map[string]string `json:"cnf"`
	}
	if err := said.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims.Confirmation["x5t#S256"]
}

func thumbprintOf(c tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// certificateJWKS registers a certificate (RFC 8705 2.2.2).
func certificateJWKS(t *testing.T, c tls.Certificate) json.RawMessage {
	t.Helper()
	return jwksOf(t, client.PrivateKeyJWT{Key: c.PrivateKey.(crypto.Signer), Certificate: c.Leaf})
}

// issueCertificate is one of authority for a client.
func issueCertificate(t *testing.T, authority tls.Certificate, name string) tls.Certificate {
	t.Helper()
	key := ecdsaKey(t, elliptic.P256())
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: authority.Leaf.NotBefore, NotAfter: authority.Leaf.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, &key.PublicKey, authority.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
