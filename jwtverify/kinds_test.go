package jwtverify_test

import (
	"context"
	"crypto"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// TestWhatSaysIDToken: each of these makes an ID token of one that has a scope as well.
func TestWhatSaysIDToken(t *testing.T) {
	const code = "code-1"
	verify := func(more ...member) error {
		payload := append(unset(bases["idtoken"].payload, "name"), member{"scope", `"openid"`})
		raw := mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519"}`, object(append(payload, more...)))
		_, err := ed25519Verifier(t).IDToken(t.Context(), raw, jwtverify.Expect{Code: code, AccessToken: code})
		return err
	}
	checkRefusal(t, verify(), "invalid", "", "claims are those of an access token")
	hash := `"` + half(crypto.SHA512, code) + `"`
	for _, says := range []member{
		{"nonce", `"n"`}, {"at_hash", hash}, {"c_hash", hash}, {"token_use", `"id"`}, {"typ", `"ID"`},
	} {
		if err := verify(says); says.name != "nonce" && err != nil {
			t.Errorf("with %s: %v", says.name, err)
		} else if says.name == "nonce" { // which nobody sent
			checkRefusal(t, err, "invalid", "nonce", "is there and was not asked for")
		}
	}
}

// TestWhatSaysAccessToken: each of these makes an access token of one that has a nonce.
func TestWhatSaysAccessToken(t *testing.T) {
	verify := func(more ...member) error {
		v := ed25519Verifier(t)
		v.AccessTokenTypes = []string{"at+jwt", "JWT", ""}
		payload := append(unset(bases["accesstoken"].payload, "name"), more...)
		_, err := v.AccessToken(t.Context(), mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519"}`, object(payload)))
		return err
	}
	nonce := member{"nonce", `"n"`}
	checkRefusal(t, verify(nonce), "invalid", "nonce", "is that of an ID token")
	for _, says := range []member{{"token_use", `"access"`}, {"typ", `"Bearer"`}, {"typ", `"DPoP"`}} {
		if err := verify(nonce, says); err != nil {
			t.Errorf("with %s %s: %v", says.name, says.value, err)
		}
	}
	for _, kind := range []string{`"Bearer"`, `"DPoP"`, `"JWT"`, `"at+jwt"`} {
		if err := verify(member{"typ", kind}); err != nil {
			t.Errorf("typ %s: %v", kind, err)
		}
	}
	checkRefusal(t, verify(member{"typ", `"ID"`}), "invalid", "typ", "is that of another kind of token")
}

// TestWhoWasGranted: what says how a client proved itself is in no ID token.
func TestWhoWasGranted(t *testing.T) {
	verify := func(more ...member) error {
		v := ed25519Verifier(t)
		v.AccessTokenTypes = []string{"JWT"}
		payload := append(unset(unset(bases["accesstoken"].payload, "client_id"), "scope"), more...)
		_, err := v.AccessToken(t.Context(), mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519","typ":"JWT"}`, object(payload)))
		return err
	}
	checkRefusal(t, verify(), "invalid", "", "nothing tells it from an ID token")
	for _, name := range []string{"azpacr", "appidacr", "gty"} {
		if err := verify(member{name, `"1"`}); err != nil {
			t.Errorf("with %s: %v", name, err)
		}
	}
}

// noted is a ReplayGuard that lets everything through.
type noted struct{ until time.Time }

func (n *noted) Use(_ context.Context, _ string, until time.Time) (bool, error) {
	n.until = until
	return true, nil
}

func TestLogoutTokenKinds(t *testing.T) {
	verify := func(guard jwtverify.ReplayGuard, more ...member) error {
		payload := unset(bases["logouttoken"].payload, "x")
		for _, m := range more {
			payload = set(payload, m.name, m.value)
		}
		raw := mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519","typ":"logout+jwt"}`, object(payload))
		_, err := ed25519Verifier(t).LogoutToken(t.Context(), raw, guard)
		return err
	}
	for _, kind := range []string{`"Logout"`, `"JWT"`, `"logout+jwt"`} {
		if err := verify(&noted{}, member{"typ", kind}); err != nil {
			t.Errorf("typ %s: %v", kind, err)
		}
	}
	checkRefusal(t, verify(&noted{}, member{"typ", `"Refresh"`}), "invalid", "typ", "is that of another kind of token")

	// A guard has to remember no longer than the token could come again.
	for exp, want := range map[string]int64{"1767225720": 1767225720, "1767229200": 1767225600 + 300} {
		guard := &noted{}
		if err := verify(guard, member{"exp", exp}); err != nil {
			t.Fatal(err)
		}
		if got := guard.until.Unix() - int64(jwtverify.DefaultLeeway.Seconds()); got != want {
			t.Errorf("exp %s is remembered until %d, want %d", exp, got, want)
		}
	}
}

// TestEveryMethodNeedsAVerifier: one that lacks something refuses what it accepts
// when it is complete.
func TestEveryMethodNeedsAVerifier(t *testing.T) {
	const header = `{"alg":"EdDSA","kid":"ed25519"}`
	token := func(kind string) string { return mint(t, "ed25519", "EdDSA", header, object(bases[kind].payload)) }
	for name, call := range map[string]func(v *jwtverify.Verifier) error{
		"LogoutToken": func(v *jwtverify.Verifier) error {
			_, err := v.LogoutToken(t.Context(), token("logouttoken"), &noted{})
			return err
		},
		"AuthorizationResponse": func(v *jwtverify.Verifier) error {
			_, err := v.AuthorizationResponse(t.Context(), token("response"))
			return err
		},
		"UserInfo": func(v *jwtverify.Verifier) error {
			_, err := v.UserInfo(t.Context(), token("userinfo"), "user-1")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := ed25519Verifier(t)
			if err := call(v); err != nil {
				t.Fatal(err)
			}
			v.Leeway = -1
			checkRefusal(t, call(v), "invalid", "", "Verifier.Leeway is -1ns")
		})
	}
}

// TestMACUnderTheNameOfASignature: a shared secret makes no RS256.
func TestMACUnderTheNameOfASignature(t *testing.T) {
	secret := []byte("a-secret-of-client-1-that-is-long-enough")
	input := b64(`{"alg":"RS256"}`) + "." + b64(object(bases["idtoken"].payload))
	v := ed25519Verifier(t)
	v.Keys, v.Algorithms = jwtverify.SharedSecret(string(secret)), []string{"RS256"}
	refuses(t, v, input+"."+b64(string(sign(t, secret, "RS256", input))), "kid", "names no key for RS256")
}

func TestTenantsAreGUIDs(t *testing.T) {
	v := ed25519Verifier(t)
	v.Issuer = entraTemplate
	for _, last := range []string{".", "/", ":", "`", "g", "A"} {
		v.Tenants = []string{tenantA[:len(tenantA)-1] + last}
		_, err := v.IDToken(t.Context(), "a.b.c", jwtverify.Expect{})
		checkRefusal(t, err, "invalid", "", "which is no tenant ID")
	}
}
