package jwtverify_test

import (
	"fmt"
	"strings"
)

func proofAlgorithmVectors(w *proofWriter) {
	w.file("algorithm", "What may sign a proof: RFC 9449 4.3 steps 5 and 6.")
	for _, c := range []struct{ key, alg string }{
		{"rsa", "RS256"}, {"rsa", "RS384"}, {"rsa", "RS512"}, {"rsa", "PS256"}, {"rsa", "PS384"}, {"rsa", "PS512"},
		{"p256", "ES256"}, {"p384", "ES384"}, {"p521", "ES512"}, {"ed25519", "EdDSA"}, {"ed25519", "Ed25519"},
	} {
		w.accept("proof by "+c.alg, "RFC 9449 4.2: a registered asymmetric algorithm", w.by(c.key, c.alg))
		w.refuse("proof by "+c.alg+" over another payload", "RFC 9449 4.3 step 6", "", "signature does not verify",
			signs(segments(func(s []string) { s[1] = b64(strings.Replace(unb64(s[1]), "0a1b", "0a1c", 1)) })))
		w.refuse("proof by "+c.alg+" with a signature one byte short", "RFC 7518 3: the length is fixed", "", "signature does not verify",
			signs(segments(func(s []string) { s[2] = b64(unb64(s[2])[1:]) })))
	}
	only := servedBy(func(s *proofServer) { s.Algorithms = []string{"RS256", "ES256"} })
	w.accept("proof by one of two algorithms", "RFC 9449 4.3 step 5: acceptable per local policy", only, w.by("rsa", "RS256"))
	w.refuse("proof by another algorithm than the server allows", "RFC 9449 4.3 step 5: acceptable per local policy", "alg", "is not an algorithm that may sign", w.by("rsa", "PS256"))
	w.accept("a proof to give another alg", "RFC 9449 4.3 step 5")
	for _, alg := range []string{"none", "NONE", "HS256", "HS384", "HS512", "ES256K", "ML-DSA-44", "RSA-OAEP", "eddsa", "EdDSA "} {
		w.refuse("proof with alg "+alg, "RFC 9449 4.3 step 5: registered, asymmetric, not none", "alg", "is not an algorithm that may sign", signs(headerWith("alg", `"`+alg+`"`)))
	}
	w.refuse("proof with alg missing", "RFC 7515 4.1.1: required", "alg", "is missing", signs(headerWithout("alg")))
	w.refuse("proof with alg null", "RFC 7515 4.1.1: a string", "alg", "is not a string", signs(headerWith("alg", "null")))
	w.refuse("proof by HS256 with its own key as the secret", "RFC 9449 4.3 step 5", "alg", "is not an algorithm that may sign", func(d *proofDraft) {
		d.draft.header = set(d.draft.header, "alg", `"HS256"`)
		d.draft.finish = func(proof string) string {
			input := proof[:strings.LastIndex(proof, ".")]
			return input + "." + b64(string(sign(w.t, []byte(jwkInProof(w.t, "ed25519")), "HS256", input)))
		}
	})
	w.refuse("proof signed by another key than its jwk", "RFC 9449 4.3 step 6", "", "signature does not verify", signs(forgedBy("ed25519-other")))
	w.accept("a proof by ECDSA to tamper with", "RFC 7518 3.4", w.by("p256", "ES256"))
	w.refuse("proof with an ECDSA signature of zeros", "RFC 7518 3.4", "", "signature does not verify", signs(segments(func(s []string) { s[2] = b64(strings.Repeat("\x00", 64)) })))
	w.refuse("proof with an ECDSA signature in DER", "RFC 7518 3.4: r and s, 32 bytes each", "", "signature does not verify", signs(segments(func(s []string) { s[2] = b64(asDER(unb64(s[2]))) })))
}

func proofFormVectors(w *proofWriter) {
	w.file("form", "One well-formed JWT: RFC 9449 4.3 steps 1 and 2, RFC 7515 7.1.")
	w.accept("a proof in compact form", "RFC 9449 4.3 step 2")
	w.refuse("empty proof", "RFC 9449 4.3 step 2", "", "not a JWT in compact form", signs(tokenText(func(string) string { return "" })))
	w.refuse("proof of two parts", "RFC 7515 7.1: three parts", "", "not a JWT in compact form", signs(tokenText(func(s string) string { return s[:strings.LastIndex(s, ".")] })))
	w.refuse("proof of four parts", "RFC 7515 7.1: three parts", "", "not a JWT in compact form", signs(tokenText(func(s string) string { return s + ".AA" })))
	w.refuse("proof without signature", "RFC 7515 5.2", "", "not signed", signs(segments(func(s []string) { s[2] = "" })))
	w.refuse("two proofs with a comma between", "RFC 9449 4.3 step 1: not more than one", "", "not a JWT in compact form", signs(tokenText(func(s string) string { return s + ", " + s })))
	w.refuse("proof with a space in front", "RFC 7515 2: no white space", "", "header is not base64url", signs(tokenText(func(s string) string { return " " + s })))
	w.refuse("proof with a line break at the end", "RFC 7515 2: no line breaks", "", "line break inside", signs(tokenText(func(s string) string { return s + "\n" })))
	w.refuse("proof with a carriage return in the payload", "RFC 7515 2: no line breaks", "", "line break inside", signs(segments(func(s []string) { s[1] = s[1][:8] + "\r" + s[1][8:] })))
	w.refuse("proof with padding", "RFC 7515 2: base64url without padding", "", "signature is not base64url", signs(tokenText(func(s string) string { return s + "==" })))
	w.refuse("proof with a signature in standard base64", "RFC 7515 2: base64url", "", "signature is not base64url", signs(segments(func(s []string) { s[2] = "+/" + s[2][2:] })))
	w.refuse("proof with a payload not base64url, and signed so", "RFC 7515 5.2 step 5", "", "payload is not base64url", signs(func(d *draft) { d.body = b64(object(d.payload)) + "=" }))
	w.refuse("proof with a header that is no JSON", "RFC 7515 5.2 step 3", "", "header: not a JSON object", signs(segments(func(s []string) { s[0] = b64("dpop") })))
	w.refuse("proof with an array as payload", "RFC 7519 7.2 step 10", "", "payload: not a JSON object", signs(payloadText(func(s string) string { return "[" + s + "]" })))
	w.refuse("proof with text behind the payload", "RFC 7519 7.2 step 10", "", "payload: not valid JSON", signs(payloadText(func(s string) string { return s + "{}" })))
	w.accept("proof of 8192 bytes", "8 KiB are enough for every proof", signs(with("pad", `"`+strings.Repeat("x", 5805)+`"`)))
	w.refuse("proof of 8193 bytes and more", "8 KiB are enough for every proof", "", "larger than 8192 bytes", signs(with("pad", `"`+strings.Repeat("x", 5806)+`"`)))
}

func proofHeaderVectors(w *proofWriter) {
	w.file("header", "The header: RFC 9449 4.3 step 4, RFC 7515 4.1.")
	const kind = "RFC 9449 4.3 step 4: dpop+jwt"
	w.accept("typ dpop+jwt", kind)
	for _, typ := range []string{"JWT", "at+jwt", "dpop", "jwt+dpop", "application/", "text/dpop+jwt", "dpop+jwt "} {
		w.refuse("proof with typ "+typ, kind, "typ", "is that of another kind of token", signs(headerWith("typ", `"`+typ+`"`)))
	}
	w.refuse("proof with typ missing", kind, "typ", "is that of another kind of token", signs(headerWithout("typ")))
	w.refuse("proof with typ a number", kind, "typ", "is not a string", signs(headerWith("typ", "1")))
	w.refuse("proof with crit", "RFC 7515 4.1.11: nothing is understood", "crit", "names extensions", signs(headerWith("crit", `["exp"]`)))
	w.refuse("proof with b64", "RFC 7797 7: not in a JWT", "b64", "is not for a JWT", signs(headerWith("b64", "true")))
	w.refuse("proof with jwk twice", "RFC 7515 4: names are unique", "", `header: duplicate member "jwk"`, signs(headerAgain("jwk", jwkInProof(w.t, "p256"))))
	w.refuse("proof with JWK beside jwk", "RFC 7515 4: names have case", "", `header: member "JWK" is not "jwk"`, signs(headerAgain("JWK", jwkInProof(w.t, "p256"))))
	w.accept("typ in capitals", "RFC 7515 4.1.9: media types have no case", signs(headerWith("typ", `"DPoP+JWT"`)))
	w.accept("typ a whole media type", "RFC 7515 4.1.9: application/ may be written out", signs(headerWith("typ", `"application/dpop+jwt"`)))
	w.accept("other keys beside jwk", "RFC 9449 4.2: the key is in jwk", signs(headerWith("kid", `"p256"`)), signs(headerWith("jku", `"https://evil.example.com/jwks"`)), signs(headerWith("x5c", `["AAAA"]`)), signs(headerWith("x5u", `"https://evil.example.com/cert"`)))
	w.accept("unknown parameter in a proof", "RFC 9449 4.2: other parameters may be there", signs(headerWith("x", `{"a":[1]}`)))
}

func proofKeyVectors(w *proofWriter) {
	w.file("key", "The key that a proof brings: RFC 9449 4.2, 4.3 steps 6 and 7.")
	const public = "RFC 9449 4.3 step 7: no private key"
	hasJWK := func(value string) proofChange { return signs(headerWith("jwk", value)) }
	w.accept("jwk a public key", public)
	w.refuse("jwk missing", "RFC 9449 4.2: required", "jwk", "is missing", signs(headerWithout("jwk")))
	for _, value := range []string{"null", `"key"`, "[]", "{}"} {
		reason := "is not an object"
		if value == "{}" {
			reason = "is not a key that verifies signatures"
		}
		w.refuse("jwk "+value, "RFC 7515 4.1.3: a JWK", "jwk", reason, hasJWK(value))
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		w.refuse("jwk with "+name, public, "jwk", "is a private key or a shared secret", hasJWK(jwkInProof(w.t, "ed25519", member{name, `"AAAA"`})))
	}
	w.refuse("jwk with d null", public, "jwk", "is a private key or a shared secret", hasJWK(jwkInProof(w.t, "ed25519", member{"d", "null"})))
	w.refuse("jwk with D", "RFC 7517 4: names have case", "", `jwk: member "D" is not "d"`, hasJWK(jwkInProof(w.t, "ed25519", member{"D", `"AAAA"`})))
	w.refuse("jwk a shared secret", public, "jwk", "is a private key or a shared secret", hasJWK(`{"kty":"oct","k":"AAAA"}`))
	w.refuse("jwk without kty", "RFC 7517 4.1: required", "jwk", "is not a key that verifies signatures", hasJWK(jwkInProof(w.t, "ed25519", member{"kty", ""})))
	w.refuse("jwk without x", "RFC 8037 2: required", "jwk", "is not a key that verifies signatures", hasJWK(jwkInProof(w.t, "ed25519", member{"x", ""})))
	w.refuse("jwk with a key of 31 bytes", "RFC 8032 5.1.5: 32 bytes", "jwk", "is not a key that verifies signatures", hasJWK(`{"crv":"Ed25519","kty":"OKP","x":"`+strings.Repeat("A", 41)+`"}`))
	w.refuse("jwk X25519", "RFC 8037 3.1: Ed25519 signs", "jwk", "is not a key that verifies signatures", hasJWK(jwkInProof(w.t, "ed25519", member{"crv", `"X25519"`})))
	w.refuse("jwk for encryption", "RFC 7517 4.2: use", "jwk", "is not a key that verifies signatures", hasJWK(jwkInProof(w.t, "ed25519", member{"use", `"enc"`})))
	w.refuse("jwk for key agreement", "RFC 7517 4.3: key_ops", "jwk", "is not a key that verifies signatures", hasJWK(jwkInProof(w.t, "ed25519", member{"key_ops", `["deriveKey"]`})))
	w.refuse("jwk of another type than alg", "RFC 8725 3.1: a key is for one algorithm", "jwk", "is not a key for the algorithm", hasJWK(jwkInProof(w.t, "rsa")))
	w.refuse("jwk with x twice", "RFC 7517 4: names are unique", "", `duplicate member "x"`, hasJWK(`{"crv":"Ed25519","kty":"OKP","x":"AA","x":"AA"}`))
	w.accept("jwk a P-256 key", "RFC 7518 6.2.1", w.by("p256", "ES256"))
	w.refuse("jwk a P-384 key for ES256", "RFC 7518 3.4: ES256 has P-256", "jwk", "is not a key for the algorithm", hasJWK(jwkInProof(w.t, "p384")))
	w.refuse("jwk a point that is not on the curve", "RFC 7518 6.2.1", "jwk", "is not a key that verifies signatures", hasJWK(jwkInProof(w.t, "p256", member{"y", `"` + strings.Repeat("A", 43) + `"`})))
	w.refuse("jwk secp256k1", "RFC 8812 3.1: another algorithm", "jwk", "is not a key that verifies signatures", hasJWK(jwkInProof(w.t, "p256", member{"crv", `"secp256k1"`})))
	w.accept("jwk an RSA key of 2048 bits", "RFC 7518 3.3: 2048 bits or more", w.by("rsa", "RS256"))
	w.refuse("jwk an RSA key of 1024 bits", "RFC 7518 3.3: 2048 bits or more", "jwk", "is not a key that verifies signatures", func(d *proofDraft) {
		d.draft.key = "rsa-1024"
		d.draft.header = set(d.draft.header, "jwk", jwkInProof(w.t, "rsa-1024"))
	})
	w.refuse("jwk for another algorithm", "RFC 7517 4.4: alg", "jwk", "is not a key for the algorithm", hasJWK(jwkInProof(w.t, "rsa", member{"alg", `"PS256"`})))
	w.refuse("jwk an RSA key of 20000 bits", "4096 bits are enough", "jwk", "is not a key that verifies signatures", hasJWK(`{"kty":"RSA","e":"AQAB","n":"`+strings.Repeat("_", 3334)+`"}`))
	w.refuse("jwk an RSA key with exponent 1", "RFC 8017 3.1: at least 3", "jwk", "is not a key that verifies signatures", hasJWK(jwkInProof(w.t, "rsa", member{"e", `"AQ"`})))
	w.accept("jwk with kid, use and alg", "RFC 7517 4: no part of the key", signs(headerWith("jwk", jwkInProof(w.t, "ed25519", member{"kid", `"1"`}, member{"use", `"sig"`}, member{"alg", `"EdDSA"`}))))
}

func proofClaimVectors(w *proofWriter) {
	w.file("claims", "The claims that must be there: RFC 9449 4.2, 4.3 step 3.")
	const rule = "RFC 9449 4.3 step 3: all required claims"
	w.accept("all claims", rule)
	for _, claim := range []string{"jti", "htm", "htu", "iat", "ath"} {
		w.refuse("proof without "+claim, rule, claim, "is missing", signs(without(claim)))
		reason := "is not a string"
		if claim == "iat" {
			reason = "is not a number"
		}
		w.refuse("proof with "+claim+" null", rule, claim, reason, signs(with(claim, "null")))
		w.refuse("proof with "+claim+" an array", rule, claim, reason, signs(with(claim, `["0"]`)))
		w.refuse("proof with "+claim+" twice", "RFC 7519 4: names are unique", "", fmt.Sprintf("payload: duplicate member %q", claim), signs(again(claim, `"0"`)))
	}
	for _, claim := range []string{"jti", "htm", "htu", "ath", "nonce"} {
		w.refuse("proof with "+claim+" empty", rule, claim, "is empty", signs(with(claim, `""`)))
	}
	w.refuse("proof with HTU beside htu", "RFC 7519 4: names have case", "", `payload: member "HTU" is not "htu"`, signs(again("HTU", `"https://api.example.com/"`)))
	w.refuse("proof with iat as text", "RFC 7519 2: a number", "iat", "is not a number", signs(with("iat", `"1767225598"`)))
	w.refuse("proof with exp as text", "RFC 7519 2: a number", "exp", "is not a number", signs(with("exp", `"1767225600"`)))
	w.refuse("proof with nbf as text", "RFC 7519 2: a number", "nbf", "is not a number", signs(with("nbf", `"1767225600"`)))
	w.accept("jti of 256 bytes", "256 bytes are enough for every jti", signs(with("jti", `"`+strings.Repeat("j", 256)+`"`)))
	w.refuse("jti of 257 bytes", "256 bytes are enough for every jti", "jti", "is longer than 256 bytes", signs(with("jti", `"`+strings.Repeat("j", 257)+`"`)))
	w.accept("other claims in a proof", "RFC 9449 4.2: other claims may be there", signs(with("iss", `"client-1"`)), signs(with("x", `{"a":[null]}`)))
}

func proofTargetVectors(w *proofWriter) {
	w.file("request", "The request that a proof is for: RFC 9449 4.3 steps 8 and 9, RFC 3986 6.2.2 and 6.2.3.")
	const method, target = "RFC 9449 4.3 step 8: the method of the request", "RFC 9449 4.3 step 9: the URL of the request"
	w.accept("htm and htu", method)
	for _, htm := range []string{"GET", "post", "Post", "POST ", "PUT", "POST,GET"} {
		w.refuse("htm "+htm, method, "htm", "is another method", signs(with("htm", `"`+htm+`"`)))
	}
	for _, htu := range []string{
		"http://api.example.com/orders/7", "https://api.example.com:8443/orders/7", "https://api.example.com:80/orders/7",
		"https://example.com/orders/7", "https://api.example.com.evil.example/orders/7", "https://api.example.com./orders/7",
		"https://api.example.com/orders/7/", "https://api.example.com/Orders/7", "https://api.example.com/orders", "https://api.example.com/orders/70",
		"https://api.example.com/orders%2F7", "https://api.example.com/orders//7", "https://api.example.com/orders/7/..", "https://api.example.com/",
		"https://api.example.com", "https://api.example.com/orders/7;a=1", "https://api.example.com/orders/%2537",
	} {
		w.refuse("htu "+htu, target, "htu", "is another URL", signs(with("htu", `"`+htu+`"`)))
	}
	for _, htu := range []string{
		"/orders/7", "api.example.com/orders/7", "//api.example.com/orders/7", "https:/api.example.com/orders/7", "ftp://api.example.com/orders/7",
		"https:///orders/7", "https://user@api.example.com/orders/7", "https://user:pw@api.example.com/orders/7", "https://@api.example.com/orders/7",
		"https://api.example.com@evil.example/orders/7", `https://api.example.com\\@evil.example/orders/7`, "https://api.example.com:443a/orders/7",
		"https://api.example.com:-443/orders/7", "https://api.ex%61mple.com/orders/7", "https://api.example.com/orders/%7", "https://api.example.com/orders/%zz7",
		"https://api.example.com/orders/7%", "https://api.example.com/orders/ 7", `https://api.example.com/orders/\n7`, `https://api.example.com/orders/\u007f7`, "https", "https://", "https://api.exampl\u0435.com/orders/7",
		" https://api.example.com/orders/7",
	} {
		w.refuse("htu malformed: "+htu, target, "htu", "is no http or https URL", signs(with("htu", `"`+htu+`"`)))
	}
	for _, htu := range []string{
		"HTTPS://API.EXAMPLE.COM/orders/7", "https://api.example.com:443/orders/7", "https://api.example.com:/orders/7", "https://api.example.com/orders/%37",
		"https://api.example.com/%6Frders/7", "https://api.example.com/%6frders/7", "https://api.example.com/./orders/x/../7", "https://api.example.com/%2E/orders/%2e%2e/orders/7",
		"https://api.example.com/../orders/7", "https://api.example.com/orders/7?a=b", "https://api.example.com/orders/7#a", "https://api.example.com/orders/7?#",
	} {
		w.accept("htu written as "+htu, "RFC 3986 6.2.2 and 6.2.3; RFC 9449 4.3 step 9: without query and fragment", signs(with("htu", `"`+htu+`"`)))
	}
	same := []struct{ url, htu string }{
		{"https://api.example.com", "https://api.example.com/"}, {"https://api.example.com/?q=1", "https://api.example.com"},
		{"https://api.example.com/a%2fb", "https://api.example.com/a%2Fb"}, {"https://api.example.com/a|b/\u00fc", "https://api.example.com/a%7Cb/%C3%BC"},
		{"http://[::1]:80/", "http://[::1]/"}, {"http://localhost:8080/a/", "http://LOCALHOST:8080/a/."},
		{"https://api.example.com/a/", "https://api.example.com/a/b/.."}, {"https://api-1_a~.example.com/-_~", "https://API-1_A~.example.com/%2d%5f%7e"},
	}
	for _, c := range same {
		w.accept("htu "+c.htu+" for "+c.url, "RFC 3986 6.2.2 and 6.2.3", requested(func(r *proofRequest) { r.URL = c.url }), signs(with("htu", `"`+c.htu+`"`)))
	}
}

func proofTimeVectors(w *proofWriter) {
	w.file("time", "When a proof was made: RFC 9449 4.3 step 11, 11.1.")
	const rule = "RFC 9449 4.3 step 11: an acceptable window"
	w.accept("iat 60 seconds ago", rule, signs(with("iat", "1767225540")))
	w.refuse("iat 61 seconds ago", rule, "iat", "is too long ago", signs(with("iat", "1767225539")))
	w.accept("iat in 60 seconds", rule, signs(with("iat", "1767225660")))
	w.refuse("iat in 61 seconds", rule, "iat", "is in the future", signs(with("iat", "1767225661")))
	w.refuse("iat in milliseconds", "RFC 7519 2: seconds", "iat", "is in the future", signs(with("iat", "1767225600000"[:12])))
	w.refuse("iat beyond every date", "RFC 7519 2: seconds", "iat", "is not a date between 1970 and 9999", signs(with("iat", "1767225600000")))
	w.refuse("iat 0", rule, "iat", "is too long ago", signs(with("iat", "0")))
	w.refuse("iat less than 0", "RFC 7519 2: seconds since 1970", "iat", "is not a date between 1970 and 9999", signs(with("iat", "-1")))
	w.accept("iat with a fraction", "RFC 7519 2: may have one", signs(with("iat", "1767225598.25")))
	wide := servedBy(func(s *proofServer) { s.WindowSeconds = 300 })
	w.accept("iat 300 seconds ago in a window of 300", rule, wide, signs(with("iat", "1767225300")))
	w.refuse("iat 301 seconds ago in a window of 300", rule, "iat", "is too long ago", signs(with("iat", "1767225299")))
	w.refuse("exp 60 seconds ago", "RFC 7519 4.1.4, with 60 seconds of leeway", "exp", "is over", signs(with("exp", "1767225540")))
	w.refuse("nbf in 61 seconds", "RFC 7519 4.1.5, with 60 seconds of leeway", "nbf", "is in the future", signs(with("nbf", "1767225661")))
	w.accept("exp 59 seconds ago and nbf in 60", "RFC 7519 4.1.4 and 4.1.5, with 60 seconds of leeway", signs(with("exp", "1767225541")), signs(with("nbf", "1767225660")))
}

func proofBindingVectors(w *proofWriter) {
	w.file("binding", "The access token and its key: RFC 9449 4.3 step 12.")
	w.accept("the proof of RFC 9449 figure 13", "RFC 9449 7.1", func(d *proofDraft) {
		d.Now, d.Request = 1562262618, rfcRequest
		d.draft.header, d.draft.payload = nil, nil
		d.draft.finish = func(string) string { return rfcProof }
	})
	w.refuse("the proof of RFC 9449 figure 2", "RFC 9449 4.1: that of a token request, without ath", "ath", "is missing", signs(tokenText(func(string) string { return rfcTokenProof })))
	w.accept("ath and jkt", "RFC 9449 4.3 step 12")
	const hash = "RFC 9449 4.3 step 12: ath is the hash of the access token"
	w.refuse("ath of another token", hash, "ath", "is not of the access token", signs(with("ath", `"`+hashOf("access-token-2")+`"`)))
	w.refuse("another access token", hash, "ath", "is not of the access token", requested(func(r *proofRequest) { r.AccessToken += "x" }))
	w.refuse("ath half a hash", hash, "ath", "is not of the access token", signs(with("ath", `"`+hashOf("access-token-1")[:22]+`"`)))
	w.refuse("ath with padding", hash, "ath", "is not of the access token", signs(with("ath", `"`+hashOf("access-token-1")+`="`)))
	w.refuse("ath in hexadecimal", hash, "ath", "is not of the access token", signs(with("ath", fmt.Sprintf(`"%x"`, unb64(hashOf("access-token-1"))))))
	w.refuse("ath the access token itself", hash, "ath", "is not of the access token", signs(with("ath", `"access-token-1"`)))
	const bound = "RFC 9449 4.3 step 12: the key that the access token is bound to"
	w.refuse("access token bound to another key", bound, "jwk", "is not the key that the access token is bound to", requested(func(r *proofRequest) { r.JKT = thumbprint(w.t, "ed25519-other") }))
	w.refuse("jkt with padding", bound, "jwk", "is not the key that the access token is bound to", requested(func(r *proofRequest) { r.JKT += "=" }))
	w.refuse("proof by a key of one's own", bound, "jwk", "is not the key that the access token is bound to", func(d *proofDraft) {
		d.draft.key = "ed25519-other"
		d.draft.header = set(d.draft.header, "jwk", jwkInProof(w.t, "ed25519-other"))
	})
	const required = "what a proof is compared with must be there"
	w.refuse("request without method", required, "", "ExpectProof.Method is empty", requested(func(r *proofRequest) { r.Method = "" }))
	w.refuse("request without URL", required, "", "ExpectProof.URL is no http", requested(func(r *proofRequest) { r.URL = "" }))
	w.refuse("request with a path for a URL", required, "", "ExpectProof.URL is no http", requested(func(r *proofRequest) { r.URL = "/orders/7" }))
	w.refuse("request with user information", required, "", "ExpectProof.URL is no http", requested(func(r *proofRequest) { r.URL = "https://u@api.example.com/orders/7" }))
	w.refuse("request without access token", required, "", "ExpectProof.AccessToken is empty", requested(func(r *proofRequest) { r.AccessToken = "" }))
	w.refuse("access token that is not bound", required, "", "ExpectProof.JKT is empty", requested(func(r *proofRequest) { r.JKT = "" }))
}

func proofUseVectors(w *proofWriter) {
	w.file("use", "Replay and nonces: RFC 9449 4.3 step 10, 9, 11.1.")
	w.accept("a proof used once", "RFC 9449 11.1")
	w.refuse("a proof used twice", "RFC 9449 11.1", "jti", "was used before", func(d *proofDraft) { d.Times = 2 })
	demand := servedBy(func(s *proofServer) { s.RequireNonce = true })
	w.differ("nonce", "a proof without the nonce that is required", "RFC 9449 9", "nonce", "is missing", demand)
	w.refuse("nonce a number", "RFC 9449 4.2: a string", "nonce", "is not a string", signs(with("nonce", "1")))
	w.accept("a nonce that nobody required", "RFC 9449 8: another server of the same origin may have given it", signs(with("nonce", `"of-another-server"`)))
	w.differ("nonce", "a nonce of another server", "RFC 9449 4.3 step 10", "nonce", "is unknown or too old", demand)
}
