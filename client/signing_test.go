package client

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/postern-go/postern/jwtverify"
)

func TestSigningAlgorithms(t *testing.T) {
	for _, test := range []struct {
		name                         string
		listed, configured, accepted []string
		registered                   string
		err                          string
	}{
		{"nothing said", nil, nil, nil, "", ""},
		{"listed", []string{"RS256", "HS256", "none", "ES256"}, nil, []string{"RS256", "ES256"}, "", ""},
		{"configured", []string{"RS256"}, []string{"ES256"}, []string{"ES256"}, "", ""},
		{"registered", []string{"RS256", "ES256"}, nil, []string{"ES256"}, "ES256", ""},
		{"registered, not listed", []string{"RS256"}, nil, []string{"ES256"}, "ES256", ""},
		{"registered with a secret", []string{"RS256"}, nil, []string{"HS256"}, "HS256", ""},
		{"none asymmetric", []string{"HS256", "none"}, nil, nil, "", "id_token_signing_alg_values_supported has no asymmetric algorithm: see Config.IDTokenSignedResponseAlg"},
		{"none asymmetric, configured", []string{"HS256"}, []string{"ES256"}, []string{"ES256"}, "", ""},
		{"none asymmetric, registered", []string{"HS256"}, nil, []string{"HS512"}, "HS512", ""},
	} {
		cfg := &Config{Algorithms: test.configured, IDTokenSignedResponseAlg: test.registered}
		got, err := cfg.signingAlgorithms(test.listed)
		if !slices.Equal(got, test.accepted) || (got == nil) != (test.accepted == nil) || err == nil && test.err != "" || err != nil && err.Error() != test.err {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}

// mac makes an ID token with the claims of the next one, as a provider does that has no key
// but the client's secret.
func (p *op) mac(alg, secret string) string {
	newHash := map[string]func() hash.Hash{"HS256": sha256.New, "HS384": sha512.New384, "HS512": sha512.New}[alg]
	now := p.clock()
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(claims, p.claims)
	segment := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			p.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := segment(map[string]any{"alg": alg}) + "." + segment(claims)
	m := hmac.New(newHash, []byte(secret))
	m.Write([]byte(input))
	return input + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// exchange signs in, with the ID token that make returns.
func (p *op) exchange(c *Client, make func() string) (*Tokens, error) {
	p.t.Helper()
	login := p.authorize(c, nil)
	p.answer["id_token"] = make()
	return c.Exchange(context.Background(), login, callbackOf(login))
}

func TestIDTokenWithTheSecret(t *testing.T) {
	for alg, size := range map[string]int{"HS256": 32, "HS384": 48, "HS512": 64} {
		p := newOP(t)
		c := p.client(func(cfg *Config) { cfg.IDTokenSignedResponseAlg, cfg.ClientSecret = alg, secretOf(size) })
		tokens, err := p.exchange(c, func() string { return p.mac(alg, secretOf(size)) })
		if err != nil || tokens.IDToken.Subject != "alice" {
			t.Errorf("%s: got %v", alg, err)
		}
		if n := len(p.seen("/jwks")); n != 0 {
			t.Errorf("%s: the public keys were fetched %d times", alg, n)
		}
	}
}

// An ID token is authenticated in the one way that the client is registered for, whatever the
// metadata offers.
func TestIDTokenInAnotherWay(t *testing.T) {
	const notAllowed = "alg is not an algorithm that may sign"
	registered := func(alg string) func(*Config) {
		return func(c *Config) { c.IDTokenSignedResponseAlg, c.ClientSecret = alg, secretOf(64) }
	}
	for _, test := range []struct {
		name   string
		change func(*Config)
		token  func(*op) string
		text   string
	}{
		{"another secret", registered("HS256"), func(p *op) string { return p.mac("HS256", secretOf(63)+"x") }, "signature does not verify"},
		{"another hash", registered("HS256"), func(p *op) string { return p.mac("HS512", secretOf(64)) }, notAllowed},
		{"a public key instead", registered("HS256"), (*op).idToken, notAllowed},
		{"a secret instead", registered("ES256"), func(p *op) string { return p.mac("HS256", secretOf(64)) }, notAllowed},
		{"another public key instead", registered("RS256"), (*op).idToken, notAllowed},
		{"a secret that nobody asked for", registered(""), func(p *op) string { return p.mac("HS256", secretOf(64)) }, notAllowed},
		{"the public key for a secret", registered(""), func(p *op) string {
			return p.mac("HS256", fmt.Sprint(p.jwks()["keys"]))
		}, notAllowed},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.metadata["id_token_signing_alg_values_supported"] = []string{"ES256", "RS256", "HS256", "HS512"}
			tokens, err := p.exchange(p.client(test.change), func() string { return test.token(p) })
			if tokens != nil || !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
	p := newOP(t)
	if _, err := p.exchange(p.client(registered("ES256")), p.idToken); err != nil {
		t.Errorf("as registered: %v", err)
	}
}

// The door to go-oidc opens, and its verifier decides on nothing that it cannot check.
func TestProviderRefusesTheSecret(t *testing.T) {
	p := newOP(t)
	p.metadata["id_token_signing_alg_values_supported"] = []string{"HS256"}
	c := p.client(func(cfg *Config) { cfg.IDTokenSignedResponseAlg, cfg.ClientSecret = "HS256", secretOf(32) })
	if _, err := p.exchange(c, func() string { return p.mac("HS256", secretOf(32)) }); err != nil {
		t.Fatal(err)
	}
	provider, err := c.Provider(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	token := p.mac("HS256", secretOf(32))
	for name, verifier := range map[string]*oidc.IDTokenVerifier{
		"its own":         provider.Verifier(&oidc.Config{ClientID: testClientID, Now: p.clock}),
		"made for HS256":  provider.Verifier(&oidc.Config{ClientID: testClientID, Now: p.clock, SupportedSigningAlgs: []string{"HS256"}}),
		"with our secret": oidc.NewVerifier(testIssuer, KeySet(jwtverify.SharedSecret(secretOf(32))), &oidc.Config{ClientID: testClientID, Now: p.clock, SupportedSigningAlgs: []string{"HS256"}}),
	} {
		if _, err := verifier.Verify(context.Background(), token); err == nil {
			t.Errorf("%s: a token with the secret was accepted", name)
		}
	}
}

func TestConfigHidesDecryptionKeys(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cfg := changed(func(c *Config) { c.Decrypt = []jwtverify.DecryptionKey{{ID: "k", Private: key}} })
	text := renderings(t, cfg) + renderings(t, &cfg) + renderings(t, cfg.Decrypt)
	for _, shown := range []string{fmt.Sprintf("%x", d), fmt.Sprint(d), new(big.Int).SetBytes(d).String()} {
		if strings.Contains(text, shown) || bytes.Contains([]byte(text), d) {
			t.Errorf("it shows %s", shown)
		}
	}
}
