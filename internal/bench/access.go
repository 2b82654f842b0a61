package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/postern-go/postern/internal/jwtsign"
	"github.com/postern-go/postern/jwtverify"
)

const api = "https://api.example.com"

// accessToken is one of RFC 9068: twelve claims, about 900 bytes when RSA signs it.
func (s signer) accessToken(now time.Time) string {
	return s.compact("at+jwt", map[string]any{
		"iss": issuer, "sub": "248289761001", "aud": []string{api}, "client_id": clientID, "exp": now.Add(time.Hour).Unix(),
		"iat": now.Unix(), "auth_time": now.Unix(), "jti": "9f0b6f6e-6d0c-4d4e-8d4a-2d1f0c7b5a33", "scope": "openid profile tasks:read tasks:write",
		"acr": "urn:mace:incommon:iap:silver", "sid": "08a5019c-17e1-4977-8f42-65a12843ea02", "groups": []string{"staff", "editors"},
	})
}

func (s signer) verifier(keys jwtverify.KeySet) *jwtverify.Verifier {
	return &jwtverify.Verifier{Issuer: issuer, Audience: api, Keys: keys}
}

func accept(v jwtverify.AccessTokenVerifier, raw string) func(*testing.B) {
	ctx := context.Background()
	return func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if t, err := v.AccessToken(ctx, raw); err != nil || t.Subject == "" {
				b.Fatal(err)
			}
		}
	}
}

func (s signer) accessTable() table {
	raw := s.accessToken(time.Now())
	return table{"access token, " + s.alg, []row{
		s.bare(raw),
		{name: "postern jwtverify", ratio: 1.10, allocs: 8, run: accept(s.verifier(s.keys()), raw)},
	}}
}

// secretTable has the bare HMAC as its floor: it costs so little that everything else
// is the larger part.
func secretTable() table {
	sign := func(header, claims any) (string, error) {
		return jwtsign.MAC([]byte(clientSecret), "HS256", header, claims)
	}
	s := signer{alg: "HS256", sign: sign, check: func(in, sig []byte) bool { return hmac.Equal(mac(in), sig) }}
	raw := s.idToken(time.Now())
	ours := &jwtverify.Verifier{Issuer: issuer, Audience: clientID, Algorithms: []string{"HS256"}, Keys: jwtverify.SharedSecret(clientSecret)}
	parser := jwt.NewParser(jwt.WithIssuer(issuer), jwt.WithAudience(clientID), jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{"HS256"}))
	return table{"ID token, HS256", []row{
		s.bare(raw),
		{name: "postern jwtverify", ratio: 8, allocs: 8, run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ours.IDToken(context.Background(), raw, jwtverify.Expect{Nonce: nonce}); err != nil {
					b.Fatal(err)
				}
			}
		}},
		{name: "golang-jwt, into a map", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parser.ParseWithClaims(raw, jwt.MapClaims{}, func(*jwt.Token) (any, error) { return []byte(clientSecret), nil }); err != nil {
					b.Fatal(err)
				}
			}
		}},
	}}
}

// cacheTable measures a token that was here before.
func (s signer) cacheTable() table {
	raw := s.accessToken(time.Now())
	cache := &jwtverify.Cache{Verifier: s.verifier(s.keys())}
	return table{"access token that was verified before", []row{
		{name: "SHA-256 of the token", run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if sha256.Sum256([]byte(raw)) == [sha256.Size]byte{} {
					b.Fatal("no hash")
				}
			}
		}},
		{name: "postern jwtverify.Cache", ratio: 2, allocs: 8, run: accept(cache, raw)},
	}}
}

func (s signer) keySetTable() table {
	raw := s.accessToken(time.Now())
	var keys []jwtverify.Key
	for i := range 99 {
		keys = append(keys, jwtverify.Key{ID: fmt.Sprint("other-", i), Public: s.public})
	}
	many := jwtverify.StaticKeys(append(keys, jwtverify.Key{ID: "key-1", Public: s.public})...)
	return table{"access token, the key set", []row{
		{name: "a set of one", run: accept(s.verifier(s.keys()), raw)},
		{name: "a set of 100", ratio: 1.05, run: accept(s.verifier(many), raw)},
	}}
}

func (s signer) refusedTable() table {
	raw := s.accessToken(time.Now())
	forged := raw[:len(raw)-8] + "AAAAAAAA"
	v := s.verifier(s.keys())
	return table{"access token, the signature", []row{
		{name: "a good one", run: accept(v, raw)},
		{name: "a bad one", ratio: 1.05, allocs: 8, run: func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.AccessToken(context.Background(), forged); err == nil {
					b.Fatal("accepted")
				}
			}
		}},
	}}
}
