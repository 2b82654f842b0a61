package jwtverify_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func TestClaimErrorText(t *testing.T) {
	for want, err := range map[string]*jwtverify.ClaimError{
		`token invalid: azp is missing`:                                     {Claim: "azp", Reason: "is missing", Err: jwtverify.ErrInvalid},
		`token invalid: iss is another issuer: got "a\nb", want "c"`:        {Claim: "iss", Reason: "is another issuer", Got: "a\nb", Want: "c", Err: jwtverify.ErrInvalid},
		`token expired: exp is over: got 2026-01-01T00:00:00Z`:              {Claim: "exp", Reason: "is over", Got: time.Unix(testNow, 0), Err: jwtverify.ErrExpired},
		`token invalid: aud is wrong: got ["a" "b"]`:                        {Claim: "aud", Reason: "is wrong", Got: []string{"a", "b"}, Err: jwtverify.ErrInvalid},
		`token invalid: sub is x: got "` + strings.Repeat("s", 64) + `..."`: {Claim: "sub", Reason: "is x", Got: strings.Repeat("s", 1000), Err: jwtverify.ErrInvalid},
	} {
		if err.Error() != want {
			t.Errorf("%s\nwant %s", err, want)
		}
	}
	long := (&jwtverify.ClaimError{Claim: "aud", Reason: "is wrong", Got: []string{strings.Repeat("s", 1000)}, Err: jwtverify.ErrInvalid}).Error()
	if len(long) > 200 {
		t.Errorf("%d bytes: %s", len(long), long)
	}
}

// No vector of the whole collection brings a secret into an error.
func TestErrorsHoldNoSecrets(t *testing.T) {
	for _, file := range loadVectors(t, "idtoken") {
		for _, v := range file.Vectors {
			_, err := v.verifier(file.JWKS).IDToken(t.Context(), v.Token, v.Want.expect())
			if err == nil {
				continue
			}
			var refused *jwtverify.ClaimError
			if errors.As(err, &refused) {
				switch refused.Claim {
				case "nonce", "at_hash", "c_hash", "s_hash":
					if refused.Got != nil || refused.Want != nil {
						t.Errorf("%s: %v", v.Name, err)
					}
				}
			}
			for _, secret := range []string{v.Want.Nonce, v.Want.AccessToken, v.Want.Code, v.Want.State, "n-1", "n-2", v.Token} {
				if len(secret) > 2 && strings.Contains(err.Error(), secret) {
					t.Errorf("%s: %q is in %v", v.Name, secret, err)
				}
			}
		}
	}
}
