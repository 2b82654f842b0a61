package jwtverify

import (
	"encoding/json"

	"github.com/postern-go/postern/internal/strictjson"
)

// Claim returns the JSON value of a claim, or of a member of one where path has more
// than one element. Each element is the exact name of a member and is never split:
// "https://app.example.com/roles" is one, and "realm_access", "roles" are two. Without
// a path it returns all claims, as the issuer wrote them.
//
// ok tells whether there is such a value; null is one. Elements of arrays cannot be
// reached.
func (t *IDToken) Claim(path ...string) (value json.RawMessage, ok bool) {
	return claimAt(t.payload, path)
}

// Texts returns the claim at path, which is read as [IDToken.Claim] reads it, where it
// is one string or an array of nothing but strings: what providers send for groups and
// roles. A string is not split, whatever stands in it. ok tells whether there is such a
// claim; anything else, null and an array with one number in it among them, is none.
//
//	roles, _ := token.Texts("resource_access", "my-client-id", "roles") // Keycloak
//	roles, _ := token.Texts("https://app.example.com/roles")            // Auth0
//	if slices.Contains(roles, "admin") ...
func (t *IDToken) Texts(path ...string) (list []string, ok bool) { return textsAt(t.payload, path) }

// Claim returns the JSON value of a claim; see [IDToken.Claim].
func (t *AccessToken) Claim(path ...string) (value json.RawMessage, ok bool) {
	return claimAt(t.payload, path)
}

// Texts returns the strings of a claim; see [IDToken.Texts].
func (t *AccessToken) Texts(path ...string) (list []string, ok bool) {
	return textsAt(t.payload, path)
}

func claimAt(payload string, path []string) (json.RawMessage, bool) {
	v, ok := strictjson.At(payload, path)
	if !ok {
		return nil, false
	}
	return json.RawMessage(v.Raw()), true
}

func textsAt(payload string, path []string) ([]string, bool) {
	v, _ := strictjson.At(payload, path)
	return v.Texts()
}
