package jwtverify_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// The tests of this file keep the lists of registered names complete: a name in another
// case is refused, also where nobody looks at it and where it is the only one.

// misspelled puts a name in capitals in the place of that name.
func misspelled(list []member, name, value string) (text, reason string) {
	upper := strings.ToUpper(name)
	return object(append(unset(list, name), member{upper, value})), `member "` + upper + `" is not "` + name + `"`
}

func TestNamesOfClaimsHaveCase(t *testing.T) {
	base := bases["idtoken"].payload
	v := ed25519Verifier(t)
	verify := func(payload string) error {
		_, err := v.IDToken(t.Context(), mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519"}`, payload), jwtverify.Expect{})
		return err
	}
	if err := verify(object(append(unset(base, "x"), member{"OTHER", `"x"`}))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "nonce", "auth_time", "acr", "amr", "sid",
		"at_hash", "c_hash", "s_hash", "events", "typ", "token_use", "_claim_names", "_claim_sources",
		"scope", "scp", "client_id", "cnf", "email_verified", "phone_number_verified",
	} {
		payload, reason := misspelled(base, name, `"x"`)
		checkRefusal(t, verify(payload), "invalid", "", reason)
	}
}

func TestNamesInSourcesHaveCase(t *testing.T) {
	for _, name := range []string{"endpoint", "access_token", "JWT"} {
		other := strings.ToUpper(name)
		if other == name {
			other = strings.ToLower(name)
		}
		const text = `{"_claim_names":{"a":"s"},"_claim_sources":{"s":{"NAME":"x"}}}`
		if _, err := jwtverify.ParseSources([]byte(strings.Replace(text, "NAME", name, 1))); err != nil {
			t.Fatal(err)
		}
		_, err := jwtverify.ParseSources([]byte(strings.Replace(text, "NAME", other, 1)))
		checkRefusal(t, err, "invalid", "", `member "`+other+`" is not "`+name+`"`)
	}
}

func TestNamesOfConfirmationsHaveCase(t *testing.T) {
	thumbprint := b64(strings.Repeat("x", 32))
	for _, name := range []string{"jkt", "x5t#S256"} {
		for _, spelled := range []string{name, strings.ToUpper(name)} {
			// The other name makes the confirmation one that is understood.
			other := map[string]string{"jkt": "x5t#S256", "x5t#S256": "jkt"}[name]
			cnf := object([]member{{other, `"` + thumbprint + `"`}, {spelled, `"` + thumbprint + `"`}})
			_, err := ed25519Verifier(t).AccessToken(t.Context(), accessTokenWith(t, `"cnf":`+cnf))
			if spelled != name {
				checkRefusal(t, err, "invalid", "", `cnf: member "`+spelled+`" is not "`+name+`"`)
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNamesOfAnswersHaveCase(t *testing.T) {
	base := bases["introspection"].payload
	v := ed25519Verifier(t)
	if _, err := v.Introspection([]byte(object(base))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"active", "token_type", "username", "sub", "client_id"} {
		answer, reason := misspelled(base, name, `"x"`)
		_, err := v.Introspection([]byte(answer))
		checkRefusal(t, err, "invalid", "", reason)
	}
}

func TestNamesOfHeadersHaveCase(t *testing.T) {
	base := []member{{"alg", `"EdDSA"`}, {"kid", `"ed25519"`}}
	v := ed25519Verifier(t)
	verify := func(header string) error {
		_, err := v.IDToken(t.Context(), mint(t, "ed25519", "EdDSA", header, object(bases["idtoken"].payload)), jwtverify.Expect{})
		return err
	}
	if err := verify(object(append(unset(base, "x"), member{"OTHER", `"x"`}))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"alg", "kid", "typ", "cty", "crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64", "zip", "enc",
	} {
		header, reason := misspelled(base, name, `"x"`)
		checkRefusal(t, verify(header), "invalid", "", "header: "+reason)
	}
}

func TestNamesOfEncryptionHaveCase(t *testing.T) {
	v, signed := decrypting(t, "rsa-other")
	verify := func(s sealing) error {
		_, err := v.IDToken(t.Context(), s.seal(t, signed), jwtverify.Expect{})
		return err
	}
	if err := verify(oaep.with("OTHER", `"x"`)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"alg", "enc", "zip", "kid", "typ", "cty", "crit", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c",
		"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64",
	} {
		s, reason := oaep, ""
		s.text = func(string) (text string) {
			text, reason = misspelled([]member{{"alg", `"RSA-OAEP-256"`}, {"enc", `"A256GCM"`}}, name, `"x"`)
			return text
		}
		err := verify(s)
		checkRefusal(t, err, "invalid", "", "header: "+reason)
	}
}

func TestNamesOfProofsHaveCase(t *testing.T) {
	d := &jwtverify.DPoP{Now: atTestNow}
	if err := d.Verify(t.Context(), prove(t, member{"OTHER", `"x"`}), proved(t)); err != nil {
		t.Fatal(err)
	}
	payload := []member{
		{"jti", `"0a1b2c3d4e5f"`}, {"htm", `"POST"`}, {"htu", `"https://api.example.com/orders/7"`},
		{"iat", "1767225598"}, {"ath", `"` + hashOf("access-token-1") + `"`},
	}
	header := `{"typ":"dpop+jwt","alg":"EdDSA","jwk":` + jwkInProof(t, "ed25519") + `}`
	for _, name := range []string{"jti", "htm", "htu", "iat", "ath", "nonce", "exp", "nbf"} {
		text, reason := misspelled(payload, name, `"x"`)
		err := d.Verify(t.Context(), mint(t, "ed25519", "EdDSA", header, text), proved(t))
		checkProofRefusal(t, err, "invalid", "", reason)
	}
}

// TestNamesOfKeysHaveCase: such a key is skipped, as every key that is not understood.
func TestNamesOfKeysHaveCase(t *testing.T) {
	keys := func(set string) int {
		list, err := jwtverify.ParseJWKS([]byte(set))
		if err != nil {
			t.Error(err)
		}
		return len(list)
	}
	if n := keys(jwks(jwk(t, "rsa", member{"OTHER", `"x"`}))); n != 1 {
		t.Fatalf("%d keys", n)
	}
	for _, name := range []string{
		"use", "key_ops", "alg", "kid", "x5u", "x5c", "x5t", "x5t#S256", "crv", "x", "y", "n", "e",
		"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "issuer",
	} {
		key := "rsa"
		if name == "n" || name == "e" { // which an RSA key has anyway
			key = "ed25519"
		}
		if n := keys(jwks(jwk(t, key, member{name, ""}, member{strings.ToUpper(name), `"x"`}))); n != 0 {
			t.Errorf("%s in capitals: %d keys", name, n)
		}
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if n := keys(jwks(jwk(t, "rsa", member{name, `"AQAB"`}))); n != 0 {
			t.Errorf("%s, of private keys: %d keys", name, n)
		}
	}
}

func TestNamesOfPrivateSetsHaveCase(t *testing.T) {
	set := jwks(secretJWK(t, "p256"))
	keys, err := jwtverify.ParseDecryptionKeys([]byte(strings.Replace(set, `]}`, `],"note":[]}`, 1)))
	if err != nil || len(keys) != 1 {
		t.Fatal(len(keys), err)
	}
	_, err = jwtverify.ParseDecryptionKeys([]byte(strings.Replace(set, "keys", "KEYS", 1)))
	if err == nil || !strings.Contains(err.Error(), `member "KEYS" is not "keys"`) {
		t.Error(err)
	}
	for _, op := range []string{"decrypt", "unwrapKey", "deriveKey", "deriveBits"} {
		keys, err := jwtverify.ParseDecryptionKeys([]byte(jwks(secretJWK(t, "p256", member{"key_ops", `["` + op + `"]`}))))
		if err != nil || len(keys) != 1 {
			t.Errorf("%s: %d keys, %v", op, len(keys), err)
		}
	}
}

func TestClaimsThatNoSourceMakes(t *testing.T) {
	v, raw := agency(t), agencyJWT(t, `"a":1`)
	for _, name := range []string{
		"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "azp", "tid", "nonce", "auth_time", "acr", "amr", "sid",
		"at_hash", "c_hash", "s_hash", "events", "cnf", "scope", "scp", "client_id", "typ", "token_use",
		"_claim_names", "_claim_sources",
	} {
		src := jwtverify.ClaimSource{Names: []string{"a", name}}
		refusedSource(t, v, raw, src, "_claim_names", "has a claim that cannot come from a source")
	}
}

// TestResponseEnvelope: what is about the JWT is no parameter of the response in it.
func TestResponseEnvelope(t *testing.T) {
	payload := append(unset(bases["response"].payload, "x"), member{"iat", "1767225595"}, member{"nbf", "1767225595"}, member{"jti", `"r-1"`})
	raw := mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519","typ":"JWT"}`, object(payload))
	params, err := ed25519Verifier(t).AuthorizationResponse(t.Context(), raw)
	if got, _ := json.Marshal(params); err != nil || string(got) != `{"code":["code-1"],"iss":["https://op.example.com"],"state":["state-1"]}` {
		t.Errorf("got %s, %v", got, err)
	}
}
