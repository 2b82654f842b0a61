package jwtverify_test

import (
	"slices"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// FuzzJWE: of all texts there are, only a token that was encrypted and signed is
// accepted; whatever else comes is refused without a panic, and leaves no result.
func FuzzJWE(f *testing.F) {
	v := &jwtverify.Verifier{
		Issuer: testIssuer, Audience: testClient,
		Keys: jwtverify.StaticKeys(jwtverify.Key{ID: "rsa", Public: publicKey(f, "rsa")}),
		Now:  func() time.Time { return time.Unix(testNow, 0) },
	}
	for _, name := range []string{"rsa-other", "p256-other", "p384", "p521"} {
		v.Decrypt = append(v.Decrypt, jwtverify.DecryptionKey{Private: testKeys(f)[name].Key})
	}
	var good []string
	for _, file := range loadVectors(f, "idtoken") {
		for _, vec := range file.Vectors {
			if vec.Verifier.Decrypt == nil {
				continue
			}
			if len(vec.Token) < 4000 {
				f.Add(vec.Token)
			}
			if vec.Expect == "accept" || vec.Expect == "invalid" { // what of it is refused by configuration is for TestVectors to say
				good = append(good, vec.Token)
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{})
		if (token == nil) != (err != nil) {
			t.Fatalf("token %v beside the error %v", token, err)
		}
		if err == nil && !slices.Contains(good, raw) {
			t.Fatalf("accepted %q", raw)
		}
	})
}

// FuzzJWEHeader: whatever the sender says in the header, under a key and a tag that
// are right, it is refused, or is the signed token that was encrypted.
func FuzzJWEHeader(f *testing.F) {
	v, signed := decrypting(f, "rsa-other", "p256-other")
	for _, header := range []string{
		`{"alg":"RSA-OAEP-256","enc":"A128GCM"}`,
		`{"alg":"RSA-OAEP-256","enc":"A128GCM","cty":"JWT","kid":"1","jwk":{"kty":"EC"}}`,
		`{"alg":"RSA-OAEP-256","enc":"A128GCM","zip":"DEF"}`,
		`{"alg":"RSA-OAEP-256","enc":"A128GCM","Zip":"DEF"}`,
		`{"alg":"RSA-OAEP-256","enc":"A128GCM","crit":["exp"],"exp":1}`,
		`{"alg":"RSA-OAEP-256","enc":"A128GCM","x5c":["AAAA"]}`,
		`{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0","y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"}}`,
		`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`,
	} {
		f.Add(header, signed)
		f.Add(header, deflate(f, signed))
	}
	f.Fuzz(func(t *testing.T, header, plain string) {
		s := sealing{key: "rsa-other", alg: "RSA-OAEP-256", enc: "A128GCM"}
		s.text = func(string) string { return header }
		raw := s.seal(t, plain)
		token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{})
		if (token == nil) != (err != nil) {
			t.Fatalf("token %v beside the error %v", token, err)
		}
		if err == nil && (plain != signed || token.Raw() != signed) {
			t.Fatalf("accepted %q with the header %q", plain, header)
		}
	})
}
