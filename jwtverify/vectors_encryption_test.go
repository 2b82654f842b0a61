package jwtverify_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/jwtverify"
)

// decryptConfig is a key of Verifier.Decrypt.
type decryptConfig struct {
	Key string `json:"key"`           // kid of a private key in ../keys.json
	ID  string `json:"kid,omitempty"` // what the verifier calls it
	Alg string `json:"alg,omitempty"`
}

// decryptionKeys are the keys of testdata/keys.json that a vector names.
func decryptionKeys(configs []decryptConfig) []jwtverify.DecryptionKey {
	if configs == nil {
		return nil
	}
	all, err := readTestKeys()
	if err != nil {
		panic(err)
	}
	keys := []jwtverify.DecryptionKey{}
	for _, c := range configs {
		keys = append(keys, jwtverify.DecryptionKey{ID: c.ID, Algorithm: c.Alg, Private: all[c.Key].Key})
	}
	return keys
}

// sealed encrypts the token when it is signed.
func (w *vectorWriter) sealed(s sealing) change {
	return func(d *draft) {
		d.finish = func(token string) string { return s.seal(w.t, token) }
	}
}

func decryptedBy(keys ...decryptConfig) change {
	return verifier(func(v *verifierConfig) { v.Decrypt = keys })
}

// both makes one change of two that belong together.
func both(one, other change) change {
	return func(d *draft) { one(d); other(d) }
}

func encryptionVectors(w *vectorWriter) {
	w.file("encryption", "Encrypted tokens: Core 3.1.3.7 step 1, RFC 7516, RFC 7518 4 and 5.")
	encryptionAlgorithmVectors(w)
	encryptionHeaderVectors(w)
	encryptionKeyVectors(w)
	encryptionFormVectors(w)
	encryptionContentVectors(w)
}

var (
	oaep      = sealing{key: "rsa-other", alg: "RSA-OAEP-256", enc: "A256GCM"}
	oaepCBC   = sealing{key: "rsa-other", alg: "RSA-OAEP-256", enc: "A128CBC-HS256"}
	agreed    = sealing{key: "p256-other", alg: "ECDH-ES", enc: "A128GCM"}
	wrapped   = sealing{key: "p256-other", alg: "ECDH-ES+A128KW", enc: "A128GCM"}
	namedKeys = []decryptConfig{{Key: "rsa-other", ID: "enc-rsa"}, {Key: "p256-other", ID: "enc-p256"}}
)

func encryptionAlgorithmVectors(w *vectorWriter) {
	for _, s := range []sealing{
		{key: "rsa-other", alg: "RSA-OAEP", enc: "A128GCM"},
		{key: "rsa-other", alg: "RSA-OAEP-256", enc: "A192GCM"},
		{key: "p256-other", alg: "ECDH-ES", enc: "A256GCM"},
		{key: "p384", alg: "ECDH-ES", enc: "A128CBC-HS256"},
		{key: "p521", alg: "ECDH-ES", enc: "A256CBC-HS512"},
		{key: "p256-other", alg: "ECDH-ES+A128KW", enc: "A128CBC-HS256"},
		{key: "p384", alg: "ECDH-ES+A192KW", enc: "A192CBC-HS384"},
		{key: "p521", alg: "ECDH-ES+A256KW", enc: "A256CBC-HS512"},
	} {
		w.accept("encrypted with "+s.alg+" and "+s.enc, "RFC 7518 4.1, 5.1", w.sealed(s), decryptedBy(decryptConfig{Key: s.key}))
	}
	w.accept("encrypted", "Core 3.1.3.7 step 1", w.sealed(oaep), decryptedBy(decryptConfig{Key: "rsa-other"}))
	w.refuse("not encrypted", "Core 3.1.3.7 step 1: encryption was agreed on", "", "not encrypted", func(d *draft) { d.finish = nil })
	w.refuse("encrypted and no key", "Core 3.1.3.7 step 1: encryption was not agreed on", "", "Verifier.Decrypt is nil", verifier(func(v *verifierConfig) { v.Decrypt = nil }))
	w.refuse("no key of those agreed on is left", "a list that is empty is not none", "", "Verifier.Decrypt has no keys", verifier(func(v *verifierConfig) { v.Decrypt = []decryptConfig{} }))
	for _, alg := range []string{
		"RSA1_5", "dir", "A128KW", "A256KW", "A128GCMKW", "PBES2-HS256+A128KW", "RSA-OAEP-384", "RSA-OAEP-512", "RS256", "none", "rsa-oaep-256",
	} {
		w.refuse("encrypted with "+alg, "RFC 8725 3.2: only what is safe", "alg", "is not an algorithm that may encrypt a key", w.sealed(oaep.with("alg", `"`+alg+`"`)))
	}
	for _, enc := range []string{"A128CBC", "A256KW", "a256gcm", "XC20P", "none"} {
		w.refuse("content encrypted with "+enc, "RFC 7518 5.1: only these", "enc", "is not an algorithm that may encrypt", w.sealed(oaep.with("enc", `"`+enc+`"`)))
	}
	w.refuse("alg of another hash", "RFC 7516 5.2 step 11: alg is not what encrypted", "", "cannot be decrypted", w.sealed(oaep.with("alg", `"RSA-OAEP"`)))
	w.refuse("alg of another type of key", "RFC 7516 5.2 step 6: the key is for RSA", "kid", "names no decryption key for ECDH-ES on P-256", w.sealed(agreed))
	w.refuse("enc of another length of key", "RFC 7516 5.2 step 11: enc is not what encrypted", "", "cannot be decrypted", w.sealed(oaep.with("enc", `"A128GCM"`)))
}

func encryptionHeaderVectors(w *vectorWriter) {
	w.accept("encrypted without cty", "RFC 7519 5.2, and providers that leave it out", w.sealed(oaep.with("cty", "")), decryptedBy(decryptConfig{Key: "rsa-other"}))
	w.accept("encrypted with cty as a whole media type", "RFC 7515 4.1.10: application/ may be written out", w.sealed(oaep.with("cty", `"application/jwt"`)), decryptedBy(decryptConfig{Key: "rsa-other"}))
	w.accept("encrypted with what has no meaning", "RFC 7516 4: ignored", decryptedBy(decryptConfig{Key: "rsa-other"}),
		w.sealed(oaep.with("typ", `"at+jwt"`).with("jwk", jwk(w.t, "p256")).with("jku", `"https://evil.example.com/jwks"`).with("x5u", `"https://evil.example.com/x"`).with("p2c", "2147483647").with("epk", "1")))
	w.accept("encrypted with the cty of an access token", "what is inside is checked by its own typ", w.sealed(oaep.with("cty", `"at+jwt"`)), decryptedBy(decryptConfig{Key: "rsa-other"}))
	w.accept("encrypted with cty", "RFC 7519 5.2", w.sealed(oaep), decryptedBy(decryptConfig{Key: "rsa-other"}))
	for _, c := range []struct{ name, rule, claim, reason, member, value string }{
		{"alg missing", "RFC 7516 4.1.1: required", "alg", "is not an algorithm", "alg", ""},
		{"alg a number", "RFC 7516 4.1.1: a string", "alg", "is not a string", "alg", "1"},
		{"enc missing", "RFC 7516 4.1.2: required", "enc", "is not an algorithm", "enc", ""},
		{"enc null", "RFC 7516 4.1.2: a string", "enc", "is not a string", "enc", "null"},
		{"zip DEF", "RFC 7516 4.1.3: nothing is decompressed", "zip", "asks for decompression", "zip", `"DEF"`},
		{"zip null", "RFC 7516 4.1.3: nothing is decompressed", "zip", "asks for decompression", "zip", "null"},
		{"crit", "RFC 7516 4.1.13: nothing is understood", "crit", "names extensions", "crit", `["x"]`},
		{"b64", "RFC 7797 7: not in a JWT", "b64", "is not for a JWT", "b64", "true"},
		{"cty JSON", "RFC 7519 7.2 step 8: a signed token is inside", "cty", "is not that of a signed token", "cty", `"json"`},
		{"cty empty", "RFC 7516 4.1.12: a media type", "cty", "is empty", "cty", `""`},
		{"kid a number", "RFC 7516 4.1.6: a string", "kid", "is not a string", "kid", "7"},
		{"kid too long", "512 bytes are enough for every kid", "kid", "is longer than 512 bytes", "kid", `"` + strings.Repeat("k", 513) + `"`},
	} {
		w.refuse("encrypted: "+c.name, c.rule, c.claim, c.reason, w.sealed(oaep.with(c.member, c.value)))
	}
	for _, c := range []struct{ name, rule, reason, add string }{
		{"duplicate alg", "RFC 7516 4: names are unique", `header: duplicate member "alg"`, `,"alg":"RSA-OAEP-256"`},
		{"Zip beside nothing", "RFC 7516 4: names have case", `header: member "Zip" is not "zip"`, `,"Zip":"DEF"`},
		{"EPK in capitals", "RFC 7516 4: names have case", `header: member "EPK" is not "epk"`, `,"EPK":{}`},
		{"duplicate in a nested object", "RFC 8259 4: names are unique", `header: duplicate member "kty"`, `,"epk":{"kty":"EC","kty":"EC"}`},
	} {
		s := oaep
		s.text = func(header string) string { return header[:len(header)-1] + c.add + "}" }
		w.refuse("encrypted: "+c.name, c.rule, "", c.reason, w.sealed(s))
	}
	s := oaep
	s.text = func(header string) string { return header + " {}" }
	w.refuse("encrypted: text after the header", "RFC 7516 5.2 step 3: one JSON object", "", "header: not valid JSON", w.sealed(s))
}

func encryptionKeyVectors(w *vectorWriter) {
	w.accept("encrypted for a named key", "RFC 7516 4.1.6", w.sealed(oaep.with("kid", `"enc-rsa"`)), decryptedBy(namedKeys...))
	w.refuse("encrypted: kid of nobody", "RFC 7516 5.2 step 6: the key that is named", "kid", "names no decryption key for RSA-OAEP-256", w.sealed(oaep.with("kid", `"enc-3"`)))
	w.refuse("encrypted: kid of another key", "RFC 7516 5.2 step 6: the key that is named", "kid", "names no decryption key for RSA-OAEP-256", w.sealed(oaep.with("kid", `"enc-p256"`)))
	w.refuse("encrypted for somebody else", "RFC 7516 5.2 step 11", "", "cannot be decrypted", w.sealed(sealing{key: "rsa", alg: oaep.alg, enc: oaep.enc}.with("kid", `"enc-rsa"`)))
	w.refuse("decryption key reserved for another alg", "RFC 7517 4.4", "kid", "names no decryption key for RSA-OAEP-256", decryptedBy(decryptConfig{Key: "rsa-other", ID: "enc-rsa", Alg: "RSA-OAEP"}))
	w.refuse("weak decryption key", "RFC 7518 4.3: at least 2048 bits", "", `Verifier.Decrypt[0], "enc-rsa": RSA key has fewer than 2048 bits`, decryptedBy(decryptConfig{Key: "rsa-1024", ID: "enc-rsa"}))
	w.refuse("decryption key that cannot decrypt", "RFC 8037 3.1: Ed25519 signs", "", "is no private key of a supported type", decryptedBy(namedKeys[0], decryptConfig{Key: "ed25519"}))
	w.accept("encrypted without kid, two keys", "the keys that fit are tried", w.sealed(oaep), decryptedBy(decryptConfig{Key: "rsa", ID: "1"}, decryptConfig{Key: "rsa-other", ID: "2"}))
	w.accept("encrypted for a key without a name", "who loads a key from a file need not know what the other side calls it", w.sealed(oaep.with("kid", `"x"`)), decryptedBy(decryptConfig{Key: "rsa", ID: "1"}, decryptConfig{Key: "rsa-other"}))

	w.accept("encrypted by agreement", "RFC 7518 4.6", w.sealed(agreed), decryptedBy(decryptConfig{Key: "p256-other"}))
	other := sealing{key: "p384", alg: agreed.alg, enc: agreed.enc}
	w.refuse("epk on another curve than the key", "RFC 7518 4.6.1.1: the receiver's curve", "kid", "names no decryption key for ECDH-ES on P-384", w.sealed(other))
	w.refuse("epk for another key", "RFC 7516 5.2 step 11", "", "cannot be decrypted", w.sealed(sealing{key: "p256", alg: agreed.alg, enc: agreed.enc}))
	const (
		x = `"x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0"` // of RFC 7518 C
		y = `"y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps"`
	)
	for _, c := range []struct{ name, reason, value string }{
		{"missing", "is missing", ""},
		{"null", "is not an object", "null"},
		{"a string", "is not an object", `"{}"`},
		{"empty", "is of no curve known here", "{}"},
		{"of type OKP", "is of no curve known here", `{"kty":"OKP","crv":"P-256",` + x + "," + y + "}"},
		{"on secp256k1", "is of no curve known here", `{"kty":"EC","crv":"secp256k1",` + x + "," + y + "}"},
		{"on X25519", "is of no curve known here", `{"kty":"OKP","crv":"X25519",` + x + "}"},
		{"on P-256 said to be on P-384", "is no point of its curve", `{"kty":"EC","crv":"P-384",` + x + "," + y + "}"},
		{"not on the curve", "is no point of its curve", `{"kty":"EC","crv":"P-256",` + x + "," + `"y":"SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFppo"}`},
		{"zero", "is no point of its curve", `{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`},
		{"of the wrong division", "has coordinates of different lengths", `{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SQ","y":"XUi1v8Un385T1qxxFSN9AxzP-HoFcLdzUKnlA-5zBaab"}`},
		{"in base64 with odd bits", "is no point of its curve", `{"kty":"EC","crv":"P-256","x":"gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV1",` + y + "}"},
		{"with a number for x", "is not a string", `{"kty":"EC","crv":"P-256","x":1,` + y + "}"},
		{"with x twice in another case", `member "X" is not "x"`, `{"kty":"EC","crv":"P-256","X":"AAAA",` + x + "," + y + "}"},
		{"a private key", "is a private key", `{"kty":"EC","crv":"P-256",` + x + "," + y + `,"d":"AA"}`},
	} {
		claim := "epk"
		if strings.HasPrefix(c.reason, "member") {
			claim = ""
		}
		w.refuse("epk "+c.name, "RFC 7518 4.6.1.1, RFC 8725 3.4: a point of the curve", claim, c.reason, w.sealed(agreed.with("epk", c.value)))
	}
}

func encryptionFormVectors(w *vectorWriter) {
	w.accept("encrypted, five parts", "RFC 7516 7.1", w.sealed(oaepCBC), decryptedBy(decryptConfig{Key: "rsa-other"}))
	for i, name := range []string{"header", "encrypted key", "initialization vector", "ciphertext", "authentication tag"} {
		w.refuse("encrypted "+name+" with padding", "RFC 7515 2: base64url without padding", "", name+" is not base64url", w.sealed(part(oaepCBC, i, func(s string) string { return s + "=" })))
		w.refuse(name+" with odd bits", "RFC 4648 3.5: one text for one value", "", name+" is not base64url", w.sealed(part(oaepCBC, i, oddBits)))
		w.refuse(name+" with a line break", "RFC 7515 2: no line breaks", "", "line break inside", w.sealed(part(oaepCBC, i, func(s string) string { return s + "\n" })))
	}
	for i, name := range []string{"encrypted key", "initialization vector", "ciphertext", "authentication tag"} {
		reason := name + " has a wrong length"
		w.refuse(name+" cut", "RFC 7516 5.2, RFC 7518 5.2: as long as the algorithm demands", "", reason, w.sealed(part(oaepCBC, i+1, func(s string) string { return b64(unb64(s)[1:]) })))
		if name != "ciphertext" {
			w.refuse(name+" empty", "RFC 7516 5.2, RFC 7518 5.2: as long as the algorithm demands", "", reason, w.sealed(part(oaepCBC, i+1, func(string) string { return "" })))
		}
	}
	divided := oaep
	divided.segments = func(s []string) {
		text, tag := unb64(s[3]), unb64(s[4])
		s[3], s[4] = b64(text[:len(text)-1]), b64(text[len(text)-1:]+tag)
	}
	w.refuse("authentication tag that begins earlier", "RFC 7518 5.3: 128 bits", "", "authentication tag has a wrong length", w.sealed(divided))
	w.refuse("encrypted: six parts", "RFC 7516 7.1: five", "", "not encrypted", w.sealed(part(oaepCBC, 4, func(s string) string { return s + "." })))
	w.refuse("encrypted: four parts", "RFC 7516 7.1: five", "", "not encrypted", func(d *draft) { d.finish = func(token string) string { return token + ".AAAA" } })
	w.accept("encrypted by agreement, five parts", "RFC 7516 5.2 step 10: no encrypted key", w.sealed(agreed), decryptedBy(decryptConfig{Key: "p256-other"}))
	w.refuse("encrypted key beside an agreement", "RFC 7516 5.2 step 10: must be empty", "", "encrypted key has a wrong length", w.sealed(part(agreed, 1, func(string) string { return "AAAAAAAAAAA" })))
	w.accept("encrypted by agreement with a wrapped key", "RFC 7518 4.6", w.sealed(wrapped), decryptedBy(decryptConfig{Key: "p256-other"}))
	w.refuse("wrapped key empty", "RFC 3394 2.2.2, CVE-2026-34986", "", "encrypted key has a wrong length", w.sealed(part(wrapped, 1, func(string) string { return "" })))
	w.refuse("wrapped key of another length", "RFC 3394 2.2.2", "", "encrypted key has a wrong length", w.sealed(part(wrapped, 1, func(s string) string { return b64(unb64(s) + "AAAAAAAA") })))
}

// part changes one part of the finished token.
func part(s sealing, i int, f func(string) string) sealing {
	s.segments = func(parts []string) { parts[i] = f(parts[i]) }
	return s
}

func encryptionContentVectors(w *vectorWriter) {
	inner := func(s sealing, f func(string) string) change {
		s.plain = f
		return w.sealed(s)
	}
	w.accept("encrypted and signed", "RFC 7519 11.2: signed, then encrypted", w.sealed(oaep), decryptedBy(decryptConfig{Key: "rsa-other"}))
	w.refuse("encrypted twice", "one encryption around one signature", "", "encrypted twice", inner(oaep, func(s string) string { return oaep.seal(w.t, s) }))
	w.refuse("encrypted and not signed: claims", "Core 2: ID tokens are signed", "", "header is not base64url", inner(oaep, func(s string) string { return unb64(strings.Split(s, ".")[1]) }))
	w.refuse("encrypted and not signed: alg none", "Core 2: ID tokens are signed", "", "not signed", inner(oaep, func(s string) string { return b64(`{"alg":"none"}`) + "." + strings.Split(s, ".")[1] + "." }))
	w.refuse("encrypted and empty", "Core 2: ID tokens are signed", "", "not a JWT in compact form", inner(oaep, func(string) string { return "" }))
	w.refuse("encrypted with a line break behind the token", "RFC 7515 2: no line breaks", "", "line break inside", inner(oaep, func(s string) string { return s + "\n" }))
	w.refuse("encrypted and signed by somebody else", "Core 3.1.3.7 step 6: encryption says nothing about the sender", "", "signature does not verify", forgedBy("rsa-other"))
	w.refuse("encrypted and signed by an unknown key", "Core 3.1.3.7 step 6", "kid", "names no key for RS256", headerWith("kid", `"rsa-3"`))
	w.refuse("encrypted and of another issuer", "Core 3.1.3.7 step 2", "iss", "is another issuer", with("iss", `"https://evil.example.com"`))
	w.refuse("encrypted and of another kind", "RFC 8725 3.11", "typ", "is that of another kind of token", headerWith("typ", `"at+jwt"`))
	w.differ("expired", "encrypted and expired", "Core 3.1.3.7 step 9", "exp", "is over", with("exp", "1767225540"))
	w.accept("encrypted, the largest there is", "16,384 bytes of signed token", both(filled(16<<10), w.sealed(oaep)), decryptedBy(decryptConfig{Key: "rsa-other"}))
	w.refuse("encrypted, larger inside", "at most 16,384 bytes of signed token", "", "larger than 16384 bytes", inner(oaep, func(s string) string { return s + "A" }))
	w.refuse("encrypted, larger outside", "at most 24,576 bytes of encrypted token", "", "larger than 24576 bytes", w.sealed(oaep.with("x", `"`+strings.Repeat("x", 3000)+`"`)))
}

// filled makes a signed token of so many bytes, by a claim of no meaning.
func filled(size int) change {
	return func(d *draft) {
		d.edit = append(d.edit, func(d *draft) {
			const signature = 342 // of RSA with 2,048 bits
			room := size - len(b64(d.vector.Header)) - len("..") - signature
			text := strings.TrimSuffix(d.vector.Payload, "}") + `,"x":"`
			d.vector.Payload = text + strings.Repeat("x", room*3/4-len(text)-2) + `"}`
		})
	}
}

// signedToken is a vector's token, without the encryption around it.
func signedToken(tb testing.TB, v vector) string {
	tb.Helper()
	if v.Verifier.Decrypt == nil {
		return v.Token
	}
	head := unb64(strings.Split(v.Token, ".")[0])
	var header struct {
		Alg jose.KeyAlgorithm
		Enc jose.ContentEncryption
	}
	if err := json.Unmarshal([]byte(head), &header); err != nil {
		tb.Fatal(err)
	}
	for _, k := range v.Verifier.Decrypt {
		jwe, err := jose.ParseEncryptedCompact(v.Token, []jose.KeyAlgorithm{header.Alg}, []jose.ContentEncryption{header.Enc})
		if err != nil {
			tb.Fatal(err)
		}
		if plain, err := jwe.Decrypt(testKeys(tb)[k.Key].Key); err == nil {
			return string(plain)
		}
	}
	tb.Fatal("no key decrypts it")
	return ""
}
