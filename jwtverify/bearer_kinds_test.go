package jwtverify_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// TestBearerTakesAccessTokensOnly: an ID token of the same issuer, of the same key and
// for the same audience is none, and no cookie beside it makes up for it.
func TestBearerTakesAccessTokensOnly(t *testing.T) {
	v := ed25519Verifier(t)
	v.Now = nil
	claims := func(more ...member) string {
		return object(append([]member{
			{"iss", `"` + testIssuer + `"`}, {"sub", `"alice"`}, {"aud", `"` + testClient + `"`},
			{"iat", strconv.FormatInt(time.Now().Unix(), 10)}, {"exp", strconv.FormatInt(time.Now().Unix()+300, 10)},
		}, more...))
	}
	access := claims(member{"client_id", `"app"`}, member{"scope", `"read"`}, member{"jti", `"1"`})
	identity := claims(member{"nonce", `"n"`}, member{"at_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`})
	for name, tc := range map[string]struct {
		typ, payload string
		in           bool
	}{
		"an access token":                     {`,"typ":"at+jwt"`, access, true},
		"an ID token":                         {`,"typ":"JWT"`, identity, false},
		"an ID token without a type":          {``, identity, false},
		"an access token of the type JWT":     {`,"typ":"JWT"`, access, false},
		"a logout token, by its type":         {`,"typ":"logout+jwt"`, access, false},
		"an access token without a signature": {`,"typ":"at+jwt","alg":"none"`, access, false},
	} {
		t.Run(name, func(t *testing.T) {
			raw := mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519"`+tc.typ+`}`, tc.payload)
			a := newAPI(t, &jwtverify.Bearer{Tokens: v})
			r := get("Bearer " + raw)
			r.Header.Set("Cookie", "__Host-postern=good; access_token=good")
			resp := a.send(a.Require("read"), r)
			if tc.in {
				if a.token == nil || a.token.Subject != "alice" {
					t.Errorf("got %v, %v", a.token, a.refused)
				}
				return
			}
			a.wantRefused(resp, 401, "invalid_token", "token invalid", withError(`Bearer scope="read"`, "invalid_token", "the access token is not acceptable"))
		})
	}
}
