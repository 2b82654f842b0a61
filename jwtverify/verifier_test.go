package jwtverify_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

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

// keysAtHand is a key set of an app's own, which makes its keys anew at every call.
type keysAtHand struct{ set jwtverify.KeySet }

func (k keysAtHand) Keys(ctx context.Context, kid string) ([]jwtverify.Key, error) {
	keys, err := k.set.Keys(ctx, kid)
	return slices.Clone(keys), err
}

// Tokens around the size up to which they are verified without a copy on the heap, by several
// goroutines at once: each has its own verdict.
func TestVerifyConcurrently(t *testing.T) {
	secret := strings.Repeat("s", 31) + "-of-client-1-and-more-than-64-bytes-long"
	now := time.Now()
	for alg, key := range map[string]string{"RS256": "rsa", "PS256": "rsa", "ES256": "p256", "EdDSA": "ed25519", "HS256": "", "HS512": ""} {
		v := &jwtverify.Verifier{Issuer: "https://op.example.com", Audience: "client-1", Algorithms: []string{alg}}
		signer := any([]byte(secret))
		v.Keys = jwtverify.SharedSecret(secret)
		if key != "" {
			signer = testKeys(t)[key].Key
			v.Keys = keysAtHand{jwtverify.StaticKeys(jwtverify.Key{Public: publicKey(t, key)})}
		}
		var wg sync.WaitGroup
		for _, size := range []int{400, 2047, 2048, 2049, 2050, 9000} {
			payload := fmt.Sprintf(`{"iss":"https://op.example.com","aud":"client-1","sub":"user-%d","iat":%d,"exp":%d}`, size, now.Unix(), now.Unix()+600)
			head := b64(`{"alg":"` + alg + `"}`)
			room := size - len(head) - len(".")
			payload += strings.Repeat(" ", room*3/4-len(payload))
			input := head + "." + b64(payload)
			sig := b64(string(sign(t, signer, alg, input)))
			forged := head + "." + b64(strings.Replace(payload, "user-", "evil-", 1)) + "." + sig
			for range 2 {
				wg.Go(func() {
					for range 20 {
						id, err := v.IDToken(t.Context(), input+"."+sig, jwtverify.Expect{})
						if err != nil || id.Subject != fmt.Sprintf("user-%d", size) {
							t.Errorf("%s, %d bytes: %v", alg, len(input), err)
						}
						if id, err := v.IDToken(t.Context(), forged, jwtverify.Expect{}); id != nil || !errors.Is(err, jwtverify.ErrInvalid) {
							t.Errorf("%s, %d bytes, forged: %v", alg, len(input), err)
						}
					}
				})
			}
		}
		wg.Wait()
	}
}
