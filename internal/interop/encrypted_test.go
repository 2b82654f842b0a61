package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

var contentEncryption = []string{"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}

// An encryptionKey is one that tokens are encrypted for.
type encryptionKey struct {
	id      string
	private crypto.PrivateKey
	public  map[string]any // as a JWK
}

func newRSAKey(t *testing.T, id string) encryptionKey {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return encryptionKey{id, private, map[string]any{
		"kty": "RSA", "use": "enc", "kid": id,
		"n": base64url(private.N.Bytes()), "e": base64url(big.NewInt(int64(private.E)).Bytes()),
	}}
}

func newECKey(t *testing.T, id string, curve elliptic.Curve) encryptionKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	half := len(point) / 2
	return encryptionKey{id, private, map[string]any{
		"kty": "EC", "use": "enc", "kid": id, "crv": curve.Params().Name,
		"x": base64url(point[1 : 1+half]), "y": base64url(point[1+half:]),
	}}
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// decryption is what the relying party or the API has.
func (k encryptionKey) decryption(algorithm string) jwtverify.DecryptionKey {
	return jwtverify.DecryptionKey{ID: k.id, Algorithm: algorithm, Private: k.private}
}

// encrypted registers a client whose ID tokens are encrypted for key.
func (p *provider) encrypted(t *testing.T, algorithm, encryption string, key encryptionKey, change metadata) registration {
	t.Helper()
	all := metadata{
		"id_token_encrypted_response_alg": algorithm, "id_token_encrypted_response_enc": encryption,
		"jwks": map[string]any{"keys": []any{key.public}},
	}
	for name, value := range change {
		all[name] = value
	}
	return p.register(t, callbackURL, all)
}

// refused signs in at the provider and wants the relying party to refuse the ID token
// for a reason.
func refused(t *testing.T, rp *client.Client, reason string) {
	t.Helper()
	login := authorize(t, rp, nil)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	tokens, err := rp.Exchange(t.Context(), login, end.callback())
	if !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), reason) {
		t.Errorf("got %v, want ErrInvalid because of %s", err, reason)
	}
	if tokens != nil {
		t.Error("tokens, though the ID token was refused")
	}
}

func TestEncryptedIDTokens(t *testing.T) {
	forRSA, forP256, forP384, forP521 := newRSAKey(t, "rsa"), newECKey(t, "p256", elliptic.P256()), newECKey(t, "p384", elliptic.P384()), newECKey(t, "p521", elliptic.P521())
	for _, c := range []struct {
		algorithm string
		key       encryptionKey
	}{
		{"RSA-OAEP", forRSA},
		{"RSA-OAEP-256", forRSA},
		{"ECDH-ES", forP256},
		{"ECDH-ES", forP384},
		{"ECDH-ES", forP521},
		{"ECDH-ES+A128KW", forP256},
		{"ECDH-ES+A192KW", forP256},
		{"ECDH-ES+A256KW", forP256},
	} {
		for _, encryption := range contentEncryption {
			t.Run(c.algorithm+" "+c.key.id+" "+encryption, func(t *testing.T) {
				reg := op.encrypted(t, c.algorithm, encryption, c.key, nil)
				rp := op.client(t, reg, func(cfg *client.Config) {
					cfg.Decrypt = []jwtverify.DecryptionKey{c.key.decryption(c.algorithm)}
				})
				tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
				if id := tokens.IDToken; id.Subject != "alice" || id.Issuer != op.Issuer {
					t.Errorf("subject %q of %q", id.Subject, id.Issuer)
				}
				if next := refresh(t, rp, tokens); next.IDToken == nil || next.IDToken.Subject != "alice" {
					t.Error("no ID token after the refresh")
				}
			})
		}
	}
}

// What is signed inside is what the client says, whatever is around it.
func TestEncryptedAndSigned(t *testing.T) {
	key := newECKey(t, "enc", elliptic.P256())
	decrypt := func(cfg *client.Config) {
		cfg.Decrypt = []jwtverify.DecryptionKey{key.decryption("ECDH-ES+A256KW")}
	}
	for _, algorithm := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		t.Run(algorithm, func(t *testing.T) {
			reg := op.encrypted(t, "ECDH-ES+A256KW", "A256GCM", key, metadata{"id_token_signed_response_alg": algorithm})
			newPerson(t, callbackURL).signIn(op.client(t, reg, decrypt), "alice", nil)
		})
	}
	t.Run("signature of another kind", func(t *testing.T) {
		reg := op.encrypted(t, "ECDH-ES+A256KW", "A256GCM", key, metadata{"id_token_signed_response_alg": "ES256"})
		refused(t, op.client(t, reg, func(cfg *client.Config) {
			decrypt(cfg)
			cfg.Algorithms = []string{"RS256"}
		}), "alg")
	})
	t.Run("signature by the client secret", func(t *testing.T) {
		reg := op.encrypted(t, "ECDH-ES+A256KW", "A256GCM", key, metadata{"id_token_signed_response_alg": "HS256"})
		refused(t, op.client(t, reg, decrypt), "alg")
	})
}

func TestDecryptionKeysInRotation(t *testing.T) {
	old, next := newRSAKey(t, "old"), newRSAKey(t, "new")
	both := func(cfg *client.Config) {
		cfg.Decrypt = []jwtverify.DecryptionKey{next.decryption("RSA-OAEP-256"), old.decryption("RSA-OAEP-256")}
	}
	for _, key := range []encryptionKey{old, next} {
		t.Run(key.id, func(t *testing.T) {
			reg := op.encrypted(t, "RSA-OAEP-256", "A256GCM", key, nil)
			newPerson(t, callbackURL).signIn(op.client(t, reg, both), "alice", nil)
		})
	}
	t.Run("neither", func(t *testing.T) {
		reg := op.encrypted(t, "RSA-OAEP-256", "A256GCM", newRSAKey(t, "third"), nil)
		refused(t, op.client(t, reg, both), "no decryption key")
	})
	t.Run("another with the same name", func(t *testing.T) {
		reg := op.encrypted(t, "RSA-OAEP-256", "A256GCM", newRSAKey(t, "old"), nil)
		refused(t, op.client(t, reg, both), "cannot be decrypted")
	})
}

// Whoever asked for encryption takes nothing that is not encrypted, and nothing that is
// encrypted in another way than was agreed.
func TestEncryptedOtherwise(t *testing.T) {
	forRSA, forEC := newRSAKey(t, "rsa"), newECKey(t, "ec", elliptic.P256())
	decrypt := func(cfg *client.Config) {
		cfg.Decrypt = []jwtverify.DecryptionKey{forRSA.decryption("RSA-OAEP-256"), forEC.decryption("ECDH-ES+A256KW")}
	}
	t.Run("not at all", func(t *testing.T) {
		refused(t, op.client(t, op.register(t, callbackURL, nil), decrypt), "not encrypted")
	})
	t.Run("though nobody asked", func(t *testing.T) {
		refused(t, op.client(t, op.encrypted(t, "RSA-OAEP-256", "A256GCM", forRSA, nil), nil), "encrypted")
	})
	for _, c := range []struct {
		algorithm string
		key       encryptionKey
		reason    string
	}{
		{"RSA-OAEP", forRSA, "no decryption key"}, // the same key, with SHA-1
		{"ECDH-ES", forEC, "no decryption key"},
		{"ECDH-ES+A128KW", forEC, "no decryption key"},
		{"dir", forEC, "alg"}, // with a key made of the client secret
		{"A256KW", forEC, "alg"},
		{"A256GCMKW", forEC, "alg"},
	} {
		t.Run(c.algorithm, func(t *testing.T) {
			refused(t, op.client(t, op.encrypted(t, c.algorithm, "A256GCM", c.key, nil), decrypt), c.reason)
		})
	}
}

func TestEncryptedAccessTokens(t *testing.T) {
	forRSA, forEC := newRSAKey(t, "api-rsa"), newECKey(t, "api-ec", elliptic.P256())
	reg := op.machine(t, nil)
	for _, c := range []struct {
		algorithm, encryption string
		key                   encryptionKey
	}{
		{"RSA-OAEP-256", "A256GCM", forRSA},
		{"ECDH-ES+A256KW", "A256CBC-HS512", forEC},
	} {
		t.Run(c.algorithm, func(t *testing.T) {
			resource := "https://api.example.test/encrypted/" + c.algorithm
			op.control(t, "resource", api{URI: resource, Alg: "ES256", Encrypt: map[string]any{"alg": c.algorithm, "enc": c.encryption, "jwk": c.key.public}})
			raw := op.accessToken(t, reg, resource)
			if got := algorithmOf(t, raw); got != c.algorithm {
				t.Errorf("the provider encrypted with %s", got)
			}
			verifier := jwtverify.Verifier{
				Issuer: op.Issuer, Audience: resource, Keys: op.keys(t),
				Decrypt: []jwtverify.DecryptionKey{c.key.decryption(c.algorithm)},
			}
			token, err := verifier.AccessToken(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if token.ClientID != reg.ID {
				t.Errorf("client %q, want %q", token.ClientID, reg.ID)
			}
			_, err = verifier.IDToken(t.Context(), raw, jwtverify.Expect{})
			if !errors.Is(err, jwtverify.ErrInvalid) {
				t.Errorf("as an ID token: got %v, want ErrInvalid", err)
			}
		})
	}
}

// A hint is the signed token that was inside (Core 3.1.2.1): the provider cannot read
// what it encrypted for somebody else.
func TestLogoutWithEncryptedIDToken(t *testing.T) {
	key := newRSAKey(t, "enc")
	reg := op.encrypted(t, "RSA-OAEP-256", "A256GCM", key, metadata{"post_logout_redirect_uris": []string{goodbyeURL}})
	rp := op.client(t, reg, func(cfg *client.Config) {
		cfg.Decrypt = []jwtverify.DecryptionKey{key.decryption("RSA-OAEP-256")}
	})
	person := newPerson(t, "http://127.0.0.1:9/")
	tokens, _ := person.signIn(rp, "alice", nil)
	address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: goodbyeURL})
	if err != nil {
		t.Fatal(err)
	}
	if got := person.open(address).submit("logout", "yes").url.String(); got != goodbyeURL {
		t.Errorf("came back to %s, want %s", got, goodbyeURL)
	}
}
