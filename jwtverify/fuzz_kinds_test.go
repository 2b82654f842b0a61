package jwtverify_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// FuzzHeader: whatever a header says, a token is accepted only where encoding/json
// reads the same of it: an algorithm of the key, no extension, no other kind of token.
func FuzzHeader(f *testing.F) {
	for _, file := range loadVectors(f, "idtoken") {
		for _, v := range file.Vectors {
			if v.Header != "" {
				f.Add(v.Header)
			}
		}
	}
	for _, header := range []string{
		`{"alg":"EdDSA"}`, `{"alg":"Ed25519","kid":"ed25519","typ":"application/jwt"}`, `{"alg":"EdDSA","jwk":{"kty":"OKP"},"jku":"x","x5c":[]}`,
		`{"alg":"EdDSA","crit":["exp"],"exp":1}`, `{"alg":"EdDSA","b64":false}`, `{"alg":"EdDSA","typ":"at+jwt"}`, `{"ALG":"none","alg":"EdDSA"}`,
	} {
		f.Add(header)
	}
	v := ed25519Verifier(f)
	key := testKeys(f)["ed25519"].Key
	f.Fuzz(func(t *testing.T, header string) {
		input := b64(header) + "." + b64(benchClaims)
		raw := input + "." + b64(string(sign(t, key, "EdDSA", input)))
		token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{Nonce: nonceOf(benchClaims)})
		if (token == nil) != (err != nil) {
			t.Fatalf("token %v beside the error %v", token, err)
		}
		if err != nil {
			return
		}
		var names map[string]json.RawMessage
		var read struct{ Alg, Typ, KID string }
		if json.Unmarshal([]byte(header), &names) != nil || json.Unmarshal([]byte(header), &read) != nil {
			t.Fatalf("accepted with the header %q", header)
		}
		for name := range names {
			if strings.EqualFold(name, "crit") || strings.EqualFold(name, "b64") {
				t.Fatalf("accepted with %s", name)
			}
		}
		if read.Alg != "EdDSA" && read.Alg != "Ed25519" || read.KID != "" && read.KID != "ed25519" {
			t.Fatalf("accepted with alg %q, kid %q", read.Alg, read.KID)
		}
		if typ := strings.TrimPrefix(strings.ToLower(read.Typ), "application/"); typ != "" && typ != "jwt" {
			t.Fatalf("accepted with typ %q", read.Typ)
		}
	})
}

// FuzzKinds: no token is of two kinds, even for a Verifier that takes access tokens of
// every typ.
func FuzzKinds(f *testing.F) {
	for kind := range verdicts {
		for _, file := range loadVectors(f, kind) {
			for _, v := range file.Vectors {
				if v.Payload != "" && v.Header != "" {
					f.Add(typOf(v.Header), v.Payload)
				}
			}
		}
	}
	v := ed25519Verifier(f)
	v.AccessTokenTypes = []string{"at+jwt", "JWT", ""}
	key := testKeys(f)["ed25519"].Key
	f.Fuzz(func(t *testing.T, typ, payload string) {
		header := object([]member{{"alg", `"EdDSA"`}, {"kid", `"ed25519"`}})
		if typ != "" {
			text, _ := json.Marshal(typ)
			header = object([]member{{"alg", `"EdDSA"`}, {"kid", `"ed25519"`}, {"typ", string(text)}})
		}
		input := b64(header) + "." + b64(payload)
		raw := input + "." + b64(string(sign(t, key, "EdDSA", input)))
		var kinds []string
		add := func(kind string, given bool, err error) {
			if given != (err == nil) {
				t.Fatalf("%s: given %v beside the error %v", kind, given, err)
			}
			if given {
				kinds = append(kinds, kind)
			}
		}
		id, err := v.IDToken(t.Context(), raw, jwtverify.Expect{Nonce: nonceOf(payload)})
		add("ID token", id != nil, err)
		access, err := v.AccessToken(t.Context(), raw)
		add("access token", access != nil, err)
		logout, err := v.LogoutToken(t.Context(), raw, guard{})
		add("logout token", logout != nil, err)
		response, err := v.AuthorizationResponse(t.Context(), raw)
		add("authorization response", response != nil, err)
		introspection, err := v.IntrospectionJWT(t.Context(), raw)
		add("introspection answer", introspection != nil, err)
		if len(kinds) > 1 {
			t.Fatalf("accepted as %q: %s", kinds, payload)
		}
		if access != nil && (access.Subject == "" && access.ClientID == "" || !slices.Contains(access.Audience, testClient)) {
			t.Fatalf("accepted for %q about %q", access.Audience, access.Subject)
		}
	})
}

func typOf(header string) string {
	var h struct{ Typ string }
	if json.Unmarshal([]byte(header), &h) != nil {
		return ""
	}
	return h.Typ
}
