package jwtverify_test

import (
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

func algorithmVectors(w *vectorWriter) {
	w.file("algorithm", "The signature and what may make it: RFC 7515 5.2, RFC 7518 3, RFC 8037 3.1, RFC 9864 2.2.")
	for _, c := range []struct{ key, alg, size string }{
		{"rsa", "RS256", "256"}, {"rsa", "RS384", "256"}, {"rsa", "RS512", "256"},
		{"rsa", "PS256", "256"}, {"rsa", "PS384", "256"}, {"rsa", "PS512", "256"},
		{"p256", "ES256", "64"}, {"p384", "ES384", "96"}, {"p521", "ES512", "132"},
		{"ed25519", "EdDSA", "64"}, {"ed25519", "Ed25519", "64"},
	} {
		w.accept("signed by "+c.alg, "RFC 7518 3.1 or RFC 8037 3.1: the algorithm is allowed", signedBy(c.key, c.alg))
		w.refuse("signature of "+c.alg+" over another payload", "RFC 7515 5.2 step 8", "", "signature does not verify",
			segments(func(s []string) { s[1] = strings.Replace(s[1], s[1][20:22], "AA", 1) }))
		w.refuse("signature of "+c.alg+" one byte short", "RFC 7518 3: a signature of "+c.alg+" has "+c.size+" bytes", "", "signature does not verify",
			segments(func(s []string) { s[2] = b64(unb64(s[2])[1:]) }))
	}
	w.accept("only RS256 is allowed", "Core 3.1.3.7 step 7", verifier(func(v *verifierConfig) { v.Algorithms = []string{"RS256"} }))
	w.refuse("PS256 where only RS256 is allowed", "Core 3.1.3.7 step 7", "alg", "is not an algorithm that may sign", signedBy("rsa", "PS256"))
	w.accept("a signature to tamper with", "RFC 7515 5.2 step 8")
	for _, alg := range []string{"none", "None", "nOnE", "NONE"} {
		w.refuse("alg "+alg+" with the old signature", "Core 2: none is no signature", "alg", "is not an algorithm that may sign", headerWith("alg", `"`+alg+`"`))
	}
	for _, alg := range []string{"HS256", "HS384", "HS512", "ES256K", "RSA1_5", "rs256", "RS256 "} {
		w.refuse("alg "+alg, "RFC 8725 3.1: an algorithm the caller allows", "alg", "is not an algorithm that may sign", headerWith("alg", `"`+alg+`"`))
	}
	w.refuse("alg of another type than the key", "RFC 8725 3.1: a key is for one algorithm", "kid", "names no key for ES256", headerWith("alg", `"ES256"`))
	w.refuse("alg ES384 with a kid of a P-256 key", "RFC 7518 3.4: ES384 has P-384", "kid", "names no key for ES384", func(d *draft) {
		signedBy("p384", "ES384")(d)
		d.header = set(d.header, "kid", `"p256"`)
	})
	w.refuse("signed by another key", "RFC 7515 5.2 step 8", "", "signature does not verify", forgedBy("rsa-other"))
	w.refuse("signature with a byte more", "RFC 7518 3.3", "", "signature does not verify", segments(func(s []string) { s[2] = b64(unb64(s[2]) + "\x00") }))
	w.accept("an ECDSA signature to tamper with", "RFC 7518 3.4", signedBy("p256", "ES256"))
	w.refuse("ECDSA signature of zeros", "RFC 7518 3.4", "", "signature does not verify", segments(func(s []string) { s[2] = b64(strings.Repeat("\x00", 64)) }))
	w.refuse("ECDSA signature with a zero before s", "RFC 7518 3.4: r and s, 32 bytes each", "", "signature does not verify", segments(func(s []string) { sig := unb64(s[2]); s[2] = b64(sig[:32] + "\x00" + sig[32:]) }))
	w.refuse("ECDSA signature in DER", "RFC 7518 3.4: r and s, 32 bytes each", "", "signature does not verify", segments(func(s []string) { s[2] = b64(asDER(unb64(s[2]))) }))
	w.refuse("ECDSA signature with r and s swapped", "RFC 7518 3.4", "", "signature does not verify", segments(func(s []string) { sig := unb64(s[2]); s[2] = b64(sig[32:] + sig[:32]) }))
}

func formVectors(w *vectorWriter) {
	w.file("form", "The compact form and its bounds: RFC 7515 3.1, 5.2 and 7.1.")
	w.accept("compact form", "RFC 7515 7.1")
	w.refuse("empty token", "RFC 7515 7.1", "", "not a JWT in compact form", tokenText(func(string) string { return "" }))
	w.refuse("one part", "RFC 7515 7.1: three parts", "", "not a JWT in compact form", tokenText(func(s string) string { return strings.ReplaceAll(s, ".", "") }))
	w.refuse("two parts", "RFC 7515 7.1: three parts", "", "not a JWT in compact form", tokenText(func(s string) string { return s[:strings.LastIndex(s, ".")] }))
	w.refuse("four parts", "RFC 7515 7.1: three parts", "", "not a JWT in compact form", tokenText(func(s string) string { return s + "." }))
	w.refuse("six parts", "RFC 7515 7.1: three parts", "", "not a JWT in compact form", tokenText(func(s string) string { return s + "..." }))
	w.refuse("five parts", "RFC 7516 7.1: a JWE, and no key was agreed on", "", "encrypted, and Verifier.Decrypt is nil", tokenText(func(s string) string { return s + "..AA" }))
	w.refuse("dots only", "RFC 7515 7.1", "", "not a JWT in compact form", tokenText(func(string) string { return strings.Repeat(".", 1000) }))
	w.refuse("flattened JSON serialization", "RFC 7515 7.2.2: not for a JWT (RFC 7519 1)", "", "not a JWT in compact form", tokenText(func(s string) string {
		p := strings.Split(s, ".")
		return `{"protected":"` + p[0] + `","payload":"` + p[1] + `","signature":"` + p[2] + `"}`
	}))
	w.refuse("empty signature", "RFC 7515 5.2: there must be one", "", "not signed", segments(func(s []string) { s[2] = "" }))
	w.refuse("empty header", "RFC 7515 5.2 step 3", "", "header: not a JSON object", segments(func(s []string) { s[0] = "" }))
	w.refuse("empty payload", "RFC 7519 7.2 step 10", "", "payload: not a JSON object", payloadText(func(string) string { return "" }))
	w.refuse("signature with padding", "RFC 7515 2: base64url without padding", "", "signature is not base64url", tokenText(func(s string) string { return s + "==" }))
	w.refuse("header with padding", "RFC 7515 2: base64url without padding", "", "header is not base64url", segments(func(s []string) { s[0] += "=" }))
	w.refuse("signature in standard base64", "RFC 7515 2: base64url", "", "signature is not base64url", segments(func(s []string) { s[2] = "+/" + s[2][2:] }))
	w.refuse("signature with trailing bits", "RFC 4648 3.5: canonical encoding", "", "signature is not base64url", segments(func(s []string) { s[2] = s[2][:len(s[2])-1] + "x" }))
	w.refuse("line break at the end", "RFC 7515 2: no line breaks", "", "line break inside", tokenText(func(s string) string { return s + "\n" }))
	w.refuse("carriage return inside the signature", "RFC 7515 2: no line breaks", "", "line break inside", segments(func(s []string) { s[2] = s[2][:8] + "\r" + s[2][8:] }))
	w.refuse("space in front", "RFC 7515 2: no white space", "", "header is not base64url", tokenText(func(s string) string { return " " + s }))
	w.refuse("header not JSON", "RFC 7515 5.2 step 3", "", "header: not a JSON object", segments(func(s []string) { s[0] = b64("RS256") }))
	w.refuse("payload a nested JWT", "RFC 7519 7.2: not an ID token", "", "payload: not a JSON object", payloadText(func(string) string { return "eyJhbGciOiJSUzI1NiJ9.e30.AAAA" }))
	w.refuse("payload not base64url, and signed so", "RFC 7515 5.2 step 5", "", "payload is not base64url", func(d *draft) { d.body = b64(object(d.payload)) + "=" })
	w.refuse("payload with trailing bits, and signed so", "RFC 4648 3.5: canonical encoding", "", "payload is not base64url", func(d *draft) { d.body = "e31" })
	w.accept("16384 bytes", "16 KiB are enough for every token", with("pad", `"`+strings.Repeat("x", 11874)+`"`))
	w.refuse("16385 bytes and more", "16 KiB are enough for every token", "", "larger than 16384 bytes", with("pad", `"`+strings.Repeat("x", 11875)+`"`))
}

func headerVectors(w *vectorWriter) {
	w.file("header", "The JOSE header: RFC 7515 4.1, RFC 8725 3.11.")
	w.accept("typ JWT", "RFC 7519 5.1", headerWith("typ", `"JWT"`))
	for _, typ := range []string{"at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "JOSE", "text/jwt", "application/", "JWT "} {
		w.refuse("typ "+typ, "RFC 8725 3.11: one kind of token is not taken for another", "typ", "is that of another kind of token", headerWith("typ", `"`+typ+`"`))
	}
	w.refuse("typ a number", "RFC 7515 4.1.9: a string", "typ", "is not a string", headerWith("typ", "1"))
	w.refuse("typ empty", "RFC 7515 4.1.9: a media type", "typ", "is empty", headerWith("typ", `""`))
	w.accept("typ jwt in lower case", "RFC 7515 4.1.9: media types have no case", headerWith("typ", `"jwt"`))
	w.accept("typ as a whole media type", "RFC 7515 4.1.9: application/ may be written out", headerWith("typ", `"application/JWT"`))
	w.accept("unknown header parameter", "RFC 7515 4: ignored", headerWith("x-provider", `{"a":[1]}`))
	w.accept("key material in the header", "RFC 8725 3.10: not looked at", headerWith("jwk", jwk(w.t, "rsa-other")), headerWith("jku", `"https://evil.example.com/jwks"`), headerWith("x5c", `["AAAA"]`))
	w.refuse("signed by the key in the header", "RFC 8725 3.10: not looked at", "", "signature does not verify", forgedBy("rsa-other"))
	w.accept("alg and kid", "RFC 7515 4.1")
	w.refuse("alg missing", "RFC 7515 4.1.1: required", "alg", "is missing", headerWithout("alg"))
	w.refuse("alg a number", "RFC 7515 4.1.1: a string", "alg", "is not a string", headerWith("alg", "256"))
	w.refuse("alg null", "RFC 7515 4.1.1: a string", "alg", "is not a string", headerWith("alg", "null"))
	w.refuse("kid a number", "RFC 7515 4.1.4: a string", "kid", "is not a string", headerWith("kid", "7"))
	w.refuse("kid empty", "RFC 7515 4.1.4: says nothing", "kid", "is empty", headerWith("kid", `""`))
	w.refuse("crit with b64", "RFC 7515 4.1.11: nothing is understood", "crit", "names extensions", headerWith("crit", `["b64"]`))
	w.refuse("crit empty", "RFC 7515 4.1.11: must not be empty", "crit", "names extensions", headerWith("crit", "[]"))
	w.refuse("b64 without crit", "RFC 7797 7: not in a JWT", "b64", "is not for a JWT", headerWith("b64", "false"))
	w.refuse("duplicate alg", "RFC 7515 4: names are unique", "", `header: duplicate member "alg"`, headerAgain("alg", `"RS256"`))
	w.refuse("duplicate member of no meaning", "RFC 7515 4: names are unique", "", `header: duplicate member "x"`, headerText(func(s string) string { return s[:len(s)-1] + `,"x":1,"x":1}` }))
	w.refuse("duplicate in an object of the header", "RFC 8259 4: names are unique", "", `header: duplicate member "a"`, headerWith("x", `{"a":1,"a":2}`))
	w.refuse("Kid beside kid", "RFC 7515 4: names have case", "", `header: member "Kid" is not "kid"`, headerAgain("Kid", `"rsa"`))
	w.refuse("kid with a Kelvin sign", "RFC 7515 4: names have case, and K folds to k", "", "is not \"kid\"", headerAgain("\u212aid", `"rsa"`))
	w.refuse("CRIT in capitals", "RFC 7515 4: names have case", "", `header: member "CRIT" is not "crit"`, headerAgain("CRIT", `["b64"]`))
	w.refuse("text after the header", "RFC 7515 5.2 step 3: one JSON object", "", "header: not valid JSON", headerText(func(s string) string { return s + "{}" }))
	w.refuse("header an array", "RFC 7515 5.2 step 3: one JSON object", "", "header: not a JSON object", headerText(func(s string) string { return "[" + s + "]" }))
	w.accept("kid of 512 bytes", "512 bytes are enough for every kid", headerWith("kid", `"`+strings.Repeat("k", 512)+`"`), published(jwk(w.t, "rsa", member{"kid", `"` + strings.Repeat("k", 512) + `"`})))
	w.refuse("kid of 513 bytes", "512 bytes are enough for every kid", "kid", "is longer than 512 bytes", headerWith("kid", `"`+strings.Repeat("k", 513)+`"`))
}

func keyVectors(w *vectorWriter) {
	w.file("key", "Which key of the set: RFC 7515 6, RFC 7517 4, Core 10.1.")
	k := func(name string, members ...member) string { return jwk(w.t, name, members...) }
	w.accept("one key without alg", "RFC 7517 4.4: optional", published(k("rsa")))
	w.refuse("unknown kid", "RFC 7515 4.1.4", "kid", "names no key for RS256", headerWith("kid", `"nobody"`))
	w.refuse("kid as a path", "RFC 8725 3.10: kid is a name and nothing else", "kid", "names no key for RS256", headerWith("kid", `"../../dev/null"`))
	w.refuse("kid in another case", "RFC 7515 4.1.4: kid has case", "kid", "names no key for RS256", headerWith("kid", `"RSA"`))
	w.refuse("key without kid for a token with one", "RFC 7515 4.1.4", "kid", "names no key for RS256", published(k("rsa", member{"kid", ""})))
	w.refuse("key for encryption", "RFC 7517 4.2", "kid", "names no key for RS256", published(k("rsa", member{"use", `"enc"`})))
	w.refuse("key for other operations", "RFC 7517 4.3", "kid", "names no key for RS256", published(k("rsa", member{"key_ops", `["encrypt","wrapKey"]`})))
	w.refuse("key for another algorithm", "RFC 7517 4.4", "kid", "names no key for RS256", published(k("rsa", member{"alg", `"PS256"`})))
	w.refuse("key for an algorithm of encryption", "RFC 7517 4.4", "kid", "names no key for RS256", published(k("rsa", member{"alg", `"RSA-OAEP"`})))
	w.refuse("key for an algorithm of other keys", "RFC 7517 4.4", "kid", "names no key for RS256", published(k("rsa", member{"alg", `"EdDSA"`})))
	w.refuse("key that tells a part of its secret", "RFC 7517 9.2: whoever reads it can sign", "kid", "names no key for RS256", published(k("rsa", member{"dp", `"AQAB"`})))
	w.refuse("private key in the set", "RFC 7517 9.2: whoever reads it can sign", "kid", "names no key for RS256", published(privateJWK(w, "rsa")))
	w.differ("keys", "key with a member twice", "RFC 7517 4: names are unique", "", "duplicate member", published(strings.Replace(k("rsa"), `{`, `{"use":"sig","use":"sig",`, 1)))
	w.refuse("key with KTY in capitals", "RFC 7517 4: names have case", "kid", "names no key for RS256", published(strings.Replace(k("rsa"), `{`, `{"KTY":"RSA",`, 1)))
	w.refuse("empty set", "RFC 7517 5", "kid", "names no key for RS256", published())
	w.differ("keys", "jwks_uri is down", "RFC 7517 5: nobody can tell", "", "status 500", func(d *draft) { d.JWKSDown = true })
	w.differ("keys", "the set is not JSON", "RFC 7517 5", "", "not a JSON object", func(d *draft) { d.JWKS = json.RawMessage(`"<html>"`) })
	w.differ("keys", "the set has no keys member", "RFC 7517 5.1: required", "", "has no array of keys", func(d *draft) { d.JWKS = json.RawMessage(`{"values":[]}`) })
	w.accept("key with use, key_ops and alg", "RFC 7517 4.2 to 4.4", published(k("rsa", member{"use", `"sig"`}, member{"key_ops", `["verify"]`}, member{"alg", `"RS256"`})))
	w.accept("foreign and broken keys beside", "RFC 7517 5: what is not understood is ignored", published(foreignKeys(w)...))
	w.accept("two keys of one kid", "RFC 7517 4.5: kty tells them apart, or the signature", published(k("rsa-other", member{"kid", `"rsa"`}), k("p256", member{"kid", `"rsa"`}), k("rsa")))
	w.refuse("two keys of one kid and neither signed", "RFC 7515 5.2 step 8", "", "signature does not verify", forgedBy("rsa-1024"))
	w.accept("no kid, one key", "Core 10.1: kid is for sets of several", headerWithout("kid"), published(k("rsa", member{"kid", ""})))
	w.accept("no kid, several keys", "RFC 7515 6: all that fit are tried", headerWithout("kid"), published(k("rsa-other"), k("p256"), k("ed25519"), k("rsa")))
	w.refuse("no kid, and none of the keys signed", "RFC 7515 6", "", "signature does not verify", forgedBy("rsa-1024"))
	w.refuse("no kid, and no key fits", "RFC 7515 6", "kid", "names no key for RS256", published(k("p256"), k("ed25519")))
	w.accept("no kid, the eighth key signed", "at most 8 keys are tried", headerWithout("kid"), published(append(decoys(w, 7), k("rsa"))...))
	w.refuse("no kid, the ninth key signed", "at most 8 keys are tried", "", "signature does not verify", published(append(decoys(w, 8), k("rsa"))...))
	w.accept("alg Ed25519 with a key for EdDSA", "RFC 9864 2.2: two names of one algorithm", signedBy("ed25519", "Ed25519"), published(k("ed25519", member{"alg", `"EdDSA"`})))
	w.refuse("key for an algorithm of another type", "RFC 7517 4.4", "kid", "names no key for Ed25519", published(k("ed25519", member{"alg", `"RS256"`})))
	w.accept("ES256 with its key", "RFC 7518 6.2.1", signedBy("p256", "ES256"), published(k("p256")))
	w.refuse("point not on its curve", "RFC 7518 6.2.1.2, RFC 8725 3.4", "kid", "names no key for ES256", published(k("p256", member{"y", jwkMember(k("p256"), "x")})))
	w.refuse("point of another curve", "RFC 7518 6.2.1.1", "kid", "names no key for ES256", published(k("p384", member{"kid", `"p256"`})))
	w.accept("RSA key of 2048 bits", "RFC 7518 3.3", published(k("rsa")))
	w.refuse("RSA key of 1024 bits", "RFC 7518 3.3: at least 2048", "kid", "names no key for RS256", func(d *draft) {
		signedBy("rsa-1024", "RS256")(d)
		d.JWKS = json.RawMessage(jwks(k("rsa-1024")))
	})
}

func jsonVectors(w *vectorWriter) {
	w.file("json", "One reading of the payload: RFC 7519 4, RFC 8259 4, RFC 7493 2.")
	w.accept("claims of any kind", "RFC 7519 4: unknown claims are ignored", with("roles", `{"a":[1,2.5e3,null,true,{"b":"\u00e4\ud83d\ude00"}]}`))
	w.refuse("duplicate iss", "RFC 7519 4: names are unique", "", `payload: duplicate member "iss"`, again("iss", `"https://op.example.com"`))
	w.refuse("duplicate claim of no meaning", "RFC 7519 4: names are unique", "", `payload: duplicate member "roles"`, again("roles", `{}`))
	w.refuse("duplicate in a nested object", "RFC 8259 4: names are unique", "", `payload: duplicate member "admin"`, with("roles", `{"admin":false,"admin":true}`))
	w.refuse("duplicate by escape", "RFC 8259 8.3: escapes are no other name", "", `payload: duplicate member "sub"`, payloadText(func(s string) string { return s[:len(s)-1] + `,"\u0073ub":"mallory"}` }))
	w.refuse("SUB beside sub", "RFC 7519 4: names have case", "", `payload: member "SUB" is not "sub"`, again("SUB", `"mallory"`))
	w.refuse("sub with a long s beside sub", "RFC 7519 4: names have case, and \u017f folds to s", "", `is not "sub"`, again("\u017fub", `"mallory"`))
	w.refuse("Email_verified beside email_verified", "two names that a decoder may take for one", "", `member "Email_verified" is not "email_verified"`, payloadText(func(s string) string { return s[:len(s)-1] + `,"email_verified":false,"Email_verified":true}` }))
	w.refuse("text after the payload", "RFC 7519 7.2 step 10: one JSON object", "", "payload: not valid JSON", payloadText(func(s string) string { return s + "x" }))
	w.refuse("payload an array", "RFC 7519 7.2 step 10: one JSON object", "", "payload: not a JSON object", payloadText(func(s string) string { return "[" + s + "]" }))
	w.refuse("byte order mark", "RFC 8259 8.1: none", "", "payload: not a JSON object", payloadText(func(s string) string { return "\ufeff" + s }))
	w.refuse("not UTF-8", "RFC 8259 8.1", "", "payload: not valid UTF-8", payloadText(func(s string) string { return strings.Replace(s, "Ada", "Ad\xff", 1) }))
	w.refuse("half a surrogate pair", "RFC 7493 2.1", "", "payload: not valid UTF-8", with("roles", `"\ud800"`))
	w.refuse("nested 40 deep", "a bound on nesting", "", "payload: JSON nested too deep", with("roles", strings.Repeat("[", 40)+strings.Repeat("]", 40)))
	w.refuse("single quotes", "RFC 8259", "", "payload: not valid JSON", payloadText(func(s string) string { return strings.ReplaceAll(s, `"`, `'`) }))
	w.refuse("trailing comma", "RFC 8259", "", "payload: not valid JSON", payloadText(func(s string) string { return s[:len(s)-1] + ",}" }))
	w.accept("white space around", "RFC 8259 2", payloadText(func(s string) string { return "\n " + strings.ReplaceAll(s, ",", " ,\r\n\t") + "\t\n" }))
	w.accept("escapes", "RFC 8259 7: the same text", with("iss", `"https:\/\/op.ex\u0061mple.com"`))
}

func unb64(s string) string {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// asDER writes r and s as ASN.1, the form that RFC 7518 does not use.
func asDER(sig string) string {
	var rs struct{ R, S *big.Int }
	rs.R = new(big.Int).SetBytes([]byte(sig[:len(sig)/2]))
	rs.S = new(big.Int).SetBytes([]byte(sig[len(sig)/2:]))
	der, err := asn1.Marshal(rs)
	if err != nil {
		panic(err)
	}
	return string(der)
}

// jwkMember returns one member of a JWK, as JSON.
func jwkMember(key, name string) string {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(key), &raw); err != nil {
		panic(err)
	}
	return string(raw[name])
}

func privateJWK(w *vectorWriter, name string) string {
	key := testKeys(w.t)[name]
	text, err := key.MarshalJSON()
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// foreignKeys is a set as hostile as providers make them, with the one good key last.
func foreignKeys(w *vectorWriter) []string {
	k := func(name string, members ...member) string {
		return jwk(w.t, name, append(members, member{"kid", `"rsa"`})...)
	}
	return []string{
		`null`, `"rsa"`, `{}`, `{"kty":7}`, `{"kty":"RSA","kid":"rsa"}`,
		`{"kty":"oct","kid":"rsa","k":"c2VjcmV0"}`,
		`{"kty":"DSA","kid":"rsa","y":"AAAA","p":"AAAA"}`,
		`{"kty":"AKP","kid":"rsa","alg":"ML-DSA-44","pub":"AAAA"}`,
		`{"kty":"EC","kid":"rsa","crv":"secp256k1","x":"eb5mfvncu6xVoGKVzocLBwKb_NstzijZWfKBWxb4F5g","y":"SDradyajxGVdpPv8DhEIqP0XtEimhVQZnEfQj_sQ1Lg"}`,
		`{"kty":"OKP","kid":"rsa","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		`{"kty":"OKP","kid":"rsa","crv":"Ed448","x":"X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA"}`,
		k("rsa-other", member{"use", `"enc"`}), k("rsa-other", member{"key_ops", `["sign"]`}),
		k("rsa-other", member{"alg", `"RSA-OAEP-256"`}),
		k("rsa-other", member{"e", `"AA"`}), k("rsa-1024"), jwk(w.t, "rsa-other", member{"kid", "7"}),
		jwk(w.t, "rsa"),
	}
}

// decoys are n other keys without a kid.
func decoys(w *vectorWriter, n int) []string {
	return slices.Repeat([]string{jwk(w.t, "rsa-other", member{"kid", ""})}, n)
}
