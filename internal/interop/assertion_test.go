package interop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

func rsaKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecdsaKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ed25519Key(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// jwksOf is the public half, as a client registers it.
func jwksOf(t *testing.T, auth client.PrivateKeyJWT) json.RawMessage {
	t.Helper()
	document, err := auth.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// everyRequest signs in, refreshes, asks and revokes: all that a client authenticates for.
func everyRequest(t *testing.T, rp *client.Client) {
	t.Helper()
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	next := refresh(t, rp, tokens)
	if info, err := rp.UserInfo(t.Context(), next); err != nil || info.Subject != "alice" {
		t.Errorf("userinfo: %v", err)
	}
	if said, err := rp.Introspect(t.Context(), next.AccessToken); err != nil || !said.Active {
		t.Errorf("introspection: %v", err)
	}
	if err := rp.Revoke(t.Context(), next); err != nil {
		t.Error(err)
	}
	if _, err := rp.Refresh(t.Context(), next); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("after the revocation: %v", err)
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	for alg, key := range map[string]crypto.Signer{
		"RS256": rsaKey(t), "PS256": rsaKey(t), "ES256": ecdsaKey(t, elliptic.P256()), "ES384": ecdsaKey(t, elliptic.P384()),
		"ES512": ecdsaKey(t, elliptic.P521()), "EdDSA": ed25519Key(t), "Ed25519": ed25519Key(t),
	} {
		t.Run(alg, func(t *testing.T) {
			auth := client.PrivateKeyJWT{Key: key, KeyID: "mine", Algorithm: alg}
			reg := op.register(t, callbackURL, metadata{
				"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": alg, "jwks": jwksOf(t, auth),
			})
			everyRequest(t, op.client(t, reg, func(cfg *client.Config) { cfg.Auth = auth }))
		})
	}
	t.Run("algorithm from the metadata", func(t *testing.T) {
		auth := client.PrivateKeyJWT{Key: ed25519Key(t)}
		reg := op.register(t, callbackURL, metadata{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwksOf(t, auth)})
		everyRequest(t, op.client(t, reg, func(cfg *client.Config) { cfg.Auth = auth }))
	})
	t.Run("another key", func(t *testing.T) {
		auth := client.PrivateKeyJWT{Key: ecdsaKey(t, elliptic.P256())}
		reg := op.register(t, callbackURL, metadata{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwksOf(t, auth)})
		auth.Key = ecdsaKey(t, elliptic.P256())
		rp := op.client(t, reg, func(cfg *client.Config) { cfg.Auth = auth })
		_, err := rp.Refresh(t.Context(), &client.Tokens{RefreshToken: "any"})
		var refusal *client.ResponseError
		if !errors.As(err, &refusal) || refusal.Code != "invalid_client" || refusal.Hint == "" {
			t.Errorf("got %v, want invalid_client and what to look at", err)
		}
	})
}

// assertionFor is made past the library, as a platform does.
func assertionFor(t *testing.T, key *ecdsa.PrivateKey, clientID, issuer string) string {
	t.Helper()
	segment := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	now := time.Now().Unix()
	input := segment(map[string]any{"alg": "ES256"}) + "." + segment(map[string]any{
		"iss": clientID, "sub": clientID, "aud": issuer, "jti": rand.Text(), "iat": now, "exp": now + 300,
	})
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// The platform's assertion is played by one that the client's key signs.
func TestWorkloadAssertion(t *testing.T) {
	key := ecdsaKey(t, elliptic.P256())
	public := jwksOf(t, client.PrivateKeyJWT{Key: key})
	reg := op.register(t, callbackURL, metadata{"token_endpoint_auth_method": "private_key_jwt", "jwks": public})
	made := func(context.Context) (string, error) { return assertionFor(t, key, reg.ID, op.Issuer), nil }
	everyRequest(t, op.client(t, reg, func(cfg *client.Config) { cfg.Auth = client.AssertionFunc(made) }))

	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(assertionFor(t, key, reg.ID, op.Issuer)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rp := op.client(t, reg, func(cfg *client.Config) { cfg.Auth = client.AssertionFile(name) })
	newPerson(t, callbackURL).signIn(rp, "alice", nil)
}

func TestSecretJWT(t *testing.T) {
	for _, alg := range []string{"", "HS256", "HS384", "HS512"} {
		t.Run("algorithm "+alg, func(t *testing.T) {
			registered := metadata{"token_endpoint_auth_method": "client_secret_jwt"}
			if alg != "" {
				registered["token_endpoint_auth_signing_alg"] = alg
			}
			reg := op.register(t, callbackURL, registered)
			everyRequest(t, op.client(t, reg, func(cfg *client.Config) { cfg.Auth = client.SecretJWT{Algorithm: alg} }))
		})
	}
}

func TestSecretFunc(t *testing.T) {
	reg := op.register(t, callbackURL, metadata{"token_endpoint_auth_method": "client_secret_post"})
	secret := reg.Secret
	reg.Secret = ""
	everyRequest(t, op.client(t, reg, func(cfg *client.Config) {
		cfg.Auth = client.SecretFunc(func(context.Context) (string, error) { return secret, nil })
	}))
}
