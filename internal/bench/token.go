package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"

	"github.com/postern-go/postern/internal/jwtsign"
	"github.com/postern-go/postern/jwtverify"
)

const (
	issuer   = "https://op.example.com/realms/main"
	clientID = "web-client-8f2e"
	nonce    = "n-0S6_WzA2Mj-kVt3cY9bQ1dR5fZ7hLpXuEoJiGaT4s"
)

// signer is one algorithm: how to make a token with it, and the bare check.
type signer struct {
	alg    string
	public crypto.PublicKey
	sign   func(header, claims any) (string, error)
	check  func(input, signature []byte) bool
}

func signing(key crypto.Signer, alg string) func(header, claims any) (string, error) {
	return func(header, claims any) (string, error) { return jwtsign.Sign(key, alg, header, claims) }
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func signers() []signer {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	ecKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	pss := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	digest := func(input []byte) []byte { d := sha256.Sum256(input); return d[:] }
	return []signer{
		{"RS256", &rsaKey.PublicKey, signing(rsaKey, "RS256"), func(in, sig []byte) bool {
			return rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA256, digest(in), sig) == nil
		}},
		{"PS256", &rsaKey.PublicKey, signing(rsaKey, "PS256"), func(in, sig []byte) bool {
			return rsa.VerifyPSS(&rsaKey.PublicKey, crypto.SHA256, digest(in), sig, pss) == nil
		}},
		{"ES256", &ecKey.PublicKey, signing(ecKey, "ES256"), func(in, sig []byte) bool {
			r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
			return ecdsa.Verify(&ecKey.PublicKey, digest(in), r, s)
		}},
		{"EdDSA", edPublic, signing(edKey, "EdDSA"), func(in, sig []byte) bool { return ed25519.Verify(edPublic, in, sig) }},
	}
}

const clientSecret = "a shared secret of forty-eight bytes, 0123456789"

func mac(in []byte) []byte {
	h := hmac.New(sha256.New, []byte(clientSecret))
	h.Write(in)
	return h.Sum(nil)
}

func (s signer) keys() jwtverify.KeySet {
	return jwtverify.StaticKeys(jwtverify.Key{ID: "key-1", Public: s.public})
}

// compact signs claims.
func (s signer) compact(typ string, claims map[string]any) string {
	return must(s.sign(map[string]string{"alg": s.alg, "typ": typ, "kid": "key-1"}, claims))
}

// idToken is the ordinary one: twelve claims, about 900 bytes when RSA signs it.
func (s signer) idToken(now time.Time) string {
	claims := map[string]any{
		"iss": issuer, "sub": "248289761001", "aud": clientID, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"auth_time": now.Unix(), "nonce": nonce, "sid": "08a5019c-17e1-4977-8f42-65a12843ea02", "acr": "urn:mace:incommon:iap:silver",
		"email": "jane.doe@example.com", "name": "Jane Doe", "preferred_username": "j.doe",
	}
	return s.compact("JWT", claims)
}

func tokenTables() []table {
	var tables []table
	for _, s := range signers() {
		tables = append(tables, s.table(), s.accessTable())
	}
	rs256 := signers()[0]
	return append(tables, secretTable(), rs256.cacheTable(), rs256.keySetTable(), rs256.refusedTable())
}

// bare is the least that any verification costs.
func (s signer) bare(raw string) row {
	end := strings.LastIndexByte(raw, '.')
	input, signature := []byte(raw[:end]), must(base64.RawURLEncoding.DecodeString(raw[end+1:]))
	return row{name: "bare signature check", run: func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !s.check(input, signature) {
				b.Fatal("refused")
			}
		}
	}}
}

func (s signer) table() table {
	raw := s.idToken(time.Now())
	ctx := context.Background()

	ours := &jwtverify.Verifier{Issuer: issuer, Audience: clientID, Keys: s.keys()}
	want := jwtverify.Expect{Nonce: nonce}

	goOIDC := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{s.public}},
		&oidc.Config{ClientID: clientID, SupportedSigningAlgs: []string{s.alg}})

	parser := jwt.NewParser(jwt.WithIssuer(issuer), jwt.WithAudience(clientID), jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{s.alg}))

	return table{"ID token, " + s.alg, []row{
		s.bare(raw),
		{name: "postern jwtverify", ratio: 1.10, allocs: 8, run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if t, err := ours.IDToken(ctx, raw, want); err != nil || t.Subject == "" {
					b.Fatal(err)
				}
			}
		}},
		{name: "go-oidc, nonce compared", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if t, err := goOIDC.Verify(ctx, raw); err != nil || t.Nonce != nonce {
					b.Fatal(err)
				}
			}
		}},
		{name: "golang-jwt, into a map", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parser.ParseWithClaims(raw, jwt.MapClaims{}, func(*jwt.Token) (any, error) { return s.public, nil }); err != nil {
					b.Fatal(err)
				}
			}
		}},
	}}
}
