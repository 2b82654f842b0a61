package jwtverify_test

import (
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// misconfigured are Verifiers that reject every token for their own sake.
func misconfigured(t *testing.T) map[string]jwtverify.AccessTokenVerifier {
	with := func(f func(*jwtverify.Verifier)) *jwtverify.Verifier {
		v := ed25519Verifier(t)
		f(v)
		return v
	}
	return map[string]jwtverify.AccessTokenVerifier{
		"Verifier.Issuer is empty":                  with(func(v *jwtverify.Verifier) { v.Issuer = "" }),
		"Verifier.Audience is empty":                with(func(v *jwtverify.Verifier) { v.Audience = "" }),
		"Verifier.Keys is nil":                      with(func(v *jwtverify.Verifier) { v.Keys = nil }),
		"Verifier.Leeway is -1ns":                   with(func(v *jwtverify.Verifier) { v.Leeway = -1 }),
		`Verifier.Algorithms has "none"`:            with(func(v *jwtverify.Verifier) { v.Algorithms = []string{"none"} }),
		"those of public keys":                      with(func(v *jwtverify.Verifier) { v.Algorithms = []string{"HS256", "RS256"} }),
		`Verifier.AccessTokenTypes has "jwt"`:       with(func(v *jwtverify.Verifier) { v.AccessTokenTypes = []string{"jwt"} }),
		"Verifier.Decrypt has no keys":              with(func(v *jwtverify.Verifier) { v.Decrypt = []jwtverify.DecryptionKey{} }),
		"Verifier.Tenants is set":                   with(func(v *jwtverify.Verifier) { v.Tenants = []string{"x"} }),
		"Issuers is empty":                          jwtverify.Issuers{},
		"Cache.Verifier is nil":                     &jwtverify.Cache{},
		"Issuers[0] and Issuers[1] are both for":    jwtverify.Issuers{ed25519Verifier(t), ed25519Verifier(t)},
		"Verifier.Audience is empty, in a Cache":    &jwtverify.Cache{Verifier: with(func(v *jwtverify.Verifier) { v.Audience = "" })},
		"Verifier.Issuer is empty, in a list alone": jwtverify.Issuers{with(func(v *jwtverify.Verifier) { v.Issuer = "" })},
	}
}

// TestCheck: what would reject every token can be known when a program starts.
func TestCheck(t *testing.T) {
	if err := ed25519Verifier(t).Check(); err != nil {
		t.Error(err)
	}
	for reason, verifier := range misconfigured(t) {
		if v, ok := verifier.(*jwtverify.Verifier); ok {
			checkRefusal(t, v.Check(), "invalid", "", reason)
		}
	}
}

// TestMisconfiguredVerifierIsNoClientsFault: a client that is told invalid_token throws
// a good token away, and its user in front of a sign-in page.
func TestMisconfiguredVerifierIsNoClientsFault(t *testing.T) {
	raw := accessTokenWith(t, `"client_id":"app"`)
	for reason, verifier := range misconfigured(t) {
		if strings.Contains(reason, "in a list alone") {
			continue // no token names the empty issuer
		}
		t.Run(reason, func(t *testing.T) {
			a := newAPI(t, &jwtverify.Bearer{Tokens: verifier})
			reason, _, _ := strings.Cut(reason, ", in a")
			a.wantRefused(a.send(a.Require(), get("Bearer "+raw)), 500, "", reason)
		})
	}
}

// TestTypeErrorSaysWhatWouldDo: it is the first error that most programs get.
func TestTypeErrorSaysWhatWouldDo(t *testing.T) {
	v := ed25519Verifier(t)
	raw := mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","typ":"JWT"}`, benchAccessClaims)
	_, err := v.AccessToken(t.Context(), raw)
	checkRefusal(t, err, "invalid", "typ", `got "JWT", want ["at+jwt"]`)
}

func TestHasOneOfSeveralClaims(t *testing.T) {
	token := jwtverify.WithPayload(*aliceToken, `{"roles":["editor"]}`)
	a := newAPI(t, &jwtverify.Bearer{Tokens: verdict{token: token}})
	if resp := a.send(a.Guard(jwtverify.HasClaim([]string{"roles"}, "admin", "editor")), get("Bearer good")); resp.StatusCode != 200 {
		t.Errorf("got %d", resp.StatusCode)
	}
	a.wantRefused(a.send(a.Guard(jwtverify.HasClaim([]string{"roles"}, "admin", "owner")), get("Bearer good")), 403, "", `has none of ["admin" "owner"]`)
	a.wantRefused(a.send(a.Guard(jwtverify.HasClaim([]string{"roles"})), get("Bearer good")), 500, "", "no path or no value")
	a.wantRefused(a.send(a.Guard(jwtverify.HasClaim([]string{"roles"}, "admin", "")), get("Bearer good")), 500, "", "no path or no value")
}
