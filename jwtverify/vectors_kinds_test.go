package jwtverify_test

import "strings"

// secretVectors are ID tokens under the client secret.
func secretVectors(w *vectorWriter) {
	const rule, alone, short = "Core 3.1.3.7 step 8: a MAC under client_secret", "a shared secret is never beside public keys", "RFC 7518 3.2: the secret is at least as long as the hash"
	secret := strings.Repeat("s", 31) + "-of-client-1-and-more-than-64-bytes-long"
	configure := func(algs ...string) change {
		return verifier(func(v *verifierConfig) { v.SharedSecret, v.Algorithms = secret, algs })
	}
	w.file("secret", "HS256, HS384 and HS512: RFC 7518 3.2, Core 10.1. The secret is its bytes as they are.")
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		w.accept(alg, rule, configure(alg), macBy(secret, alg))
		w.refuse(alg+" under another secret", rule, "", "signature does not verify", macBy(secret+"x", alg))
		w.refuse(alg+" under the empty secret", rule, "", "signature does not verify", macBy("", alg))
	}
	w.refuse("another hash than is configured", "Core 3.1.3.7 step 7: alg is the one that was registered", "alg", "is not an algorithm that may sign", macBy(secret, "HS256"))
	w.refuse("RS256 where HS512 is configured", alone, "alg", "is not an algorithm that may sign", signedBy("rsa", "RS256"))
	w.refuse("a MAC cut short", "RFC 7518 3.2: all of the MAC", "", "signature does not verify", segments(func(s []string) { s[2] = s[2][:40] }))
	w.refuse("no MAC", "RFC 7515 5.2", "", "not signed", segments(func(s []string) { s[2] = "" }))
	w.refuse("HS512 beside RS256", alone, "", "algorithms of a shared secret beside those of public keys", configure("HS512", "RS256"))
	w.refuse("a secret and no algorithms", alone, "alg", "is not an algorithm that may sign", configure())
	w.refuse("a secret and the algorithm of a public key", alone, "alg", "is not an algorithm that may sign", configure("RS256"))
	w.refuse("a secret of 63 bytes", short, "", "shared secret is shorter than the hash", func(d *draft) {
		verifier(func(v *verifierConfig) { v.SharedSecret = secret[:63] })(d)
		macBy(secret[:63], "HS512")(d)
	})
	w.accept("a key set published", "an algorithm of a public key", verifier(func(v *verifierConfig) { v.Algorithms = []string{"RS256"} }))
	w.refuse("HS256 under the public key's text", "RFC 8725 2.1", "alg", "is not an algorithm that may sign", macBy(jwk(w.t, "rsa"), "HS256"))
	w.refuse("HS256 allowed, and only public keys to check it", alone, "kid", "names no key for HS256", func(d *draft) {
		verifier(func(v *verifierConfig) { v.Algorithms = []string{"HS256"} })(d)
		macBy(jwk(w.t, "rsa"), "HS256")(d)
	})
	w.refuse("HS256 and a secret in the key set", "RFC 7517 4: a published secret is none", "kid", "names no key for HS256", func(d *draft) {
		verifier(func(v *verifierConfig) { v.Algorithms = []string{"HS256"} })(d)
		macBy(secret, "HS256")(d)
		d.JWKS = []byte(jwks(`{"kty":"oct","kid":"rsa","k":"` + b64(secret) + `"}`))
	})
}

// macBy authenticates a draft with a secret, and says so in its header.
func macBy(secret, alg string) change {
	return func(d *draft) {
		d.secret, d.alg = []byte(secret), alg
		d.header = set(d.header, "alg", `"`+alg+`"`)
	}
}

func logoutVectors(w *vectorWriter) {
	const typ, events = "Back-Channel Logout 2.4: typ is logout+jwt, where it is there", "Back-Channel Logout 2.6 step 5: events has the logout"
	const event = "http://schemas.openid.net/event/backchannel-logout"
	w.file("logout", "OpenID Connect Back-Channel Logout 1.0 2.4 and 2.6. The leeway is 60 s.")
	w.accept("sub and sid", "Back-Channel Logout 2.6")
	w.refuse("typ at+jwt", typ, "typ", "is that of another kind of token", headerWith("typ", `"at+jwt"`))
	w.refuse("typ id+jwt", typ, "typ", "is that of another kind of token", headerWith("typ", `"id+jwt"`))
	w.refuse("alg none", "Back-Channel Logout 2.6 step 2", "alg", "is not an algorithm that may sign", headerWith("alg", `"none"`))
	w.refuse("another key", "Back-Channel Logout 2.6 step 2", "", "signature does not verify", forgedBy("rsa-other"))
	w.refuse("alg that is not the one registered", "Back-Channel Logout 2.6 step 2", "alg", "is not an algorithm that may sign", verifier(func(v *verifierConfig) { v.Algorithms = []string{"ES256"} }))
	w.refuse("iss another", "Back-Channel Logout 2.6 step 3", "iss", "is another issuer", with("iss", `"https://evil.example.com"`))
	w.refuse("aud another", "Back-Channel Logout 2.6 step 3", "aud", "does not name this audience", with("aud", `"other"`))
	w.refuse("aud missing", "Back-Channel Logout 2.6 step 3", "aud", "does not name this audience", without("aud"))
	w.refuse("aud with another", "Back-Channel Logout 2.6 step 3", "aud", "names an audience that is not trusted", with("aud", `["client-1","other"]`))
	w.refuse("azp another", "Back-Channel Logout 2.6 step 3", "azp", "is another party", with("azp", `"other"`))
	w.refuse("exp missing", "Back-Channel Logout 2.4: exp is required", "exp", "is missing", without("exp"))
	w.refuse("iat missing", "Back-Channel Logout 2.4: iat is required", "iat", "is missing", without("iat"))
	w.refuse("iat in the future", "Back-Channel Logout 2.6 step 3", "iat", "is in the future", with("iat", "1767225661"))
	w.refuse("neither sub nor sid", "Back-Channel Logout 2.6 step 4", "sid", "is missing, and sub too", func(d *draft) {
		d.payload = unset(unset(d.payload, "sub"), "sid")
	})
	w.refuse("sub empty", "Core 2", "sub", "is empty", with("sub", `""`))
	w.refuse("sub with a control character", "Core 2", "sub", "has control characters", with("sub", `"a\n"`))
	w.refuse("sid a number", "Back-Channel Logout 2.4: a string", "sid", "is not a string", with("sid", "1"))
	w.refuse("events missing", events, "events", "is missing", without("events"))
	w.refuse("events null", events, "", "events: not a JSON object", with("events", "null"))
	w.refuse("events an array", events, "", "events: not a JSON object", with("events", `["`+event+`"]`))
	w.refuse("events a text", events, "", "events: not a JSON object", with("events", `"`+event+`"`))
	w.refuse("events empty", events, "events", "has no logout", with("events", "{}"))
	w.refuse("events of something else", events, "events", "has no logout", with("events", `{"https://schemas.openid.net/secevent/risc/event-type/account-disabled":{}}`))
	w.refuse("event null", events, "events", "has a logout that is not an object", with("events", `{"`+event+`":null}`))
	w.refuse("event true", events, "events", "has a logout that is not an object", with("events", `{"`+event+`":true}`))
	w.refuse("event an array", events, "events", "has a logout that is not an object", with("events", `{"`+event+`":[]}`))
	w.refuse("event twice", "RFC 8259 4: names are unique", "", "duplicate member", with("events", `{"`+event+`":{},"`+event+`":{}}`))
	w.refuse("nonce", "Back-Channel Logout 2.6 step 6: no nonce", "nonce", "is that of an ID token", with("nonce", `"n"`))
	w.refuse("nonce empty", "Back-Channel Logout 2.6 step 6: no nonce", "nonce", "is empty", with("nonce", `""`))
	w.refuse("jti missing", "Back-Channel Logout 2.4: jti is required", "jti", "is missing", without("jti"))
	w.refuse("jti empty", "Back-Channel Logout 2.4: jti is required", "jti", "is empty", with("jti", `""`))
	w.refuse("jti null", "Back-Channel Logout 2.4: jti is required", "jti", "is not a string", with("jti", "null"))
	w.refuse("jti of 513 bytes", "at most 512 bytes", "jti", "is longer than 512 bytes", with("jti", `"`+strings.Repeat("j", 513)+`"`))
	w.refuse("jti seen before", "Back-Channel Logout 2.6 step 8", "jti", "was used before", want(func(w *wantConfig) { w.Seen = true }))
	w.differ("keys", "nobody knows whether jti was seen", "Back-Channel Logout 2.6 step 8", "", "store is down", want(func(w *wantConfig) { w.GuardDown = true }))
	w.refuse("an ID token", "an ID token is no logout token", "events", "is missing", func(d *draft) {
		d.header, d.payload = unset(d.header, "typ"), bases["idtoken"].payload
	})
	w.refuse("Keycloak's ID token", "an ID token is no logout token", "typ", "is that of another kind of token", with("typ", `"ID"`))
	w.refuse("token_use", "an access token is no logout token", "token_use", "is that of another kind of token", with("token_use", `"access"`))
	w.accept("typ missing", typ, headerWithout("typ"))
	w.accept("typ JWT", typ, headerWith("typ", `"JWT"`))
	w.accept("Keycloak's", "the claim typ is Logout", with("typ", `"Logout"`), headerWith("typ", `"JWT"`))
	w.accept("sub alone", "Back-Channel Logout 2.6 step 4", without("sid"))
	w.accept("sid alone", "Back-Channel Logout 2.6 step 4", without("sub"))
	w.accept("event with more in it", "Back-Channel Logout 2.4: the object should be empty", with("events", `{"`+event+`":{"reason":"x"},"urn:other":1}`))
	w.accept("iat five minutes and 60 s ago", "sent the moment it is made", with("iat", "1767225240"))
	w.differ("expired", "iat five minutes and 61 s ago", "sent the moment it is made", "iat", "is more than five minutes ago", with("iat", "1767225239"))
	w.accept("exp 59 s ago", "Back-Channel Logout 2.6 step 3", with("exp", "1767225541"), with("iat", "1767225500"))
	w.differ("expired", "exp 60 s ago", "Back-Channel Logout 2.6 step 3", "exp", "is over", with("exp", "1767225540"))
}

func introspectionVectors(w *vectorWriter) {
	const rule = "RFC 7662 2.2: active is true"
	w.file("introspection", "Answers of an introspection endpoint, RFC 7662 2.2. token is the answer.")
	w.accept("active", rule)
	for _, c := range []struct{ name, value string }{{"false", "false"}, {"a text", `"true"`}, {"1", "1"}, {"null", "null"}} {
		w.refuse("active "+c.name, rule, "active", "is not true", with("active", c.value))
	}
	w.refuse("active missing", rule, "active", "is not true", without("active"))
	w.refuse("active twice", "RFC 8259 4: names are unique", "", "duplicate member", again("active", "false"))
	w.refuse("ACTIVE", "names have a case", "", `member "ACTIVE" is not "active"`, func(d *draft) { d.payload = append(unset(d.payload, "active"), member{"ACTIVE", "true"}) })
	w.refuse("no JSON", "RFC 7662 2.2", "", "introspection: not a JSON object", payloadText(func(string) string { return "active" }))
	w.refuse("iss another", "RFC 7662 2.2", "iss", "is another issuer", with("iss", `"https://evil.example.com"`))
	w.refuse("aud missing", "a zero field fails the check", "aud", "does not name this audience", without("aud"))
	w.refuse("aud another", "RFC 7662 4", "aud", "does not name this audience", with("aud", `"other"`))
	w.refuse("neither sub nor client_id", "a token of somebody", "sub", "is missing", func(d *draft) {
		d.payload = unset(unset(d.payload, "sub"), "client_id")
	})
	w.refuse("sub with a control character", "Core 2", "sub", "has control characters", with("sub", `"a\n"`))
	w.refuse("sub and everything of an ID token", "Keycloak answers for other tokens too", "typ", "is that of another kind of token", with("typ", `"ID"`))
	w.refuse("a refresh token", "Keycloak answers for other tokens too", "typ", "is that of another kind of token", with("typ", `"Refresh"`))
	w.refuse("token_use id", "Cognito", "token_use", "is that of another kind of token", with("token_use", `"id"`))
	w.refuse("token_type refresh_token", "the endpoint answers for every token", "token_type", "is that of another kind of token", with("token_type", `"refresh_token"`))
	w.refuse("token_type a number", "RFC 7662 2.2", "token_type", "is not a string", with("token_type", "1"))
	w.refuse("token_type DPoP and no cnf", "RFC 9449 6.2: bound, and nobody can tell to what", "cnf", "names no key for a token of type DPoP", with("token_type", `"DPoP"`))
	w.refuse("at_hash", "the endpoint answers for every token", "at_hash", "is that of an ID token", with("at_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`))
	w.refuse("c_hash", "the endpoint answers for every token", "c_hash", "is that of an ID token", with("c_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`))
	w.refuse("nonce and no token_type", "the endpoint answers for every token", "nonce", "is that of an ID token", func(d *draft) {
		d.payload = append(unset(d.payload, "token_type"), member{"nonce", `"n"`})
	})
	w.refuse("Token_type", "names have a case", "", `member "Token_type" is not "token_type"`, again("Token_type", `"Bearer"`))
	w.refuse("nbf in the future", "RFC 7662 2.2", "nbf", "is in the future", with("nbf", "1767225661"))
	w.refuse("cnf not understood", "RFC 7800 3.1", "cnf", "names no key in a way that is understood", with("cnf", `{"jwk":{}}`))
	w.differ("expired", "exp over", "RFC 7662 2.2", "exp", "is over", with("exp", "1767225540"))
	w.refuse("scope a number", "RFC 7662 2.2", "scope", "is neither a string nor an array of strings", with("scope", "1"))
	w.refuse("no audience configured", "a zero field fails the check", "", "Verifier.Audience is empty", verifier(func(v *verifierConfig) { v.Audience = "" }))
	w.refuse("no issuer configured", "a zero field fails the check", "", "Verifier.Issuer is empty", verifier(func(v *verifierConfig) { v.Issuer = "" }))
	w.accept("iss the same", "RFC 7662 2.2", with("iss", `"https://op.example.com"`))
	w.accept("without exp", "RFC 7662 2.2: optional", without("exp"))
	w.accept("without token_type", "RFC 7662 2.2: optional", without("token_type"))
	w.accept("null for what is not there", "Hydra", with("exp", "null"), with("iss", "null"), with("cnf", "null"))
	w.accept("Hydra's", "token_use is access_token", with("token_use", `"access_token"`))
	w.accept("token_type DPoP", "RFC 9449 6.2", with("token_type", `"DPoP"`), with("cnf", `{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`))
	w.accept("client_id alone", "a token of the client itself", without("sub"))
	w.accept("client_id as audience", "the claim compared changes", without("aud"), audienceClaim("client_id"), verifier(func(v *verifierConfig) { v.Audience = "app-1" }))
}

func introspectionJWTVectors(w *vectorWriter) {
	const rule = "RFC 9701 5"
	w.file("introspectionjwt", "Introspection answers that are JWTs: RFC 9701 5. What they say of the token is not checked by these vectors.")
	w.accept("active", rule)
	w.refuse("typ JWT", "RFC 9701 5, RFC 8725 3.11", "typ", "is that of another kind of token", headerWith("typ", `"JWT"`))
	w.refuse("typ missing", "RFC 9701 5, RFC 8725 3.11", "typ", "is that of another kind of token", headerWithout("typ"))
	w.refuse("typ at+jwt", "RFC 9701 8.1", "typ", "is that of another kind of token", headerWith("typ", `"at+jwt"`))
	w.refuse("iss another", rule, "iss", "is another issuer", with("iss", `"https://evil.example.com"`))
	w.refuse("iss missing", rule, "iss", "is another issuer", without("iss"))
	w.refuse("aud another", rule, "aud", "does not name this audience", with("aud", `"other"`))
	w.refuse("aud that of the token", rule, "aud", "does not name this audience", with("aud", `"https://api.example.com"`))
	w.refuse("aud missing", rule, "aud", "does not name this audience", without("aud"))
	w.refuse("iat missing", rule, "iat", "is missing", without("iat"))
	w.refuse("iat in the future", "RFC 7519 4.1.6", "iat", "is in the future", with("iat", "1767225661"))
	w.refuse("answer missing", rule, "token_introspection", "is not an object", without("token_introspection"))
	w.refuse("answer null", rule, "token_introspection", "is not an object", with("token_introspection", "null"))
	w.refuse("answer a text", rule, "token_introspection", "is not an object", with("token_introspection", `"{\"active\":true}"`))
	w.refuse("answer twice", "no member twice", "", "duplicate member", again("token_introspection", `{"active":true}`))
	w.refuse("active twice", "no member twice", "", "duplicate member", with("token_introspection", `{"active":false,"active":true}`))
	w.refuse("not signed", rule, "alg", "is not an algorithm that may sign", headerWith("alg", `"none"`))
	w.refuse("another key", rule, "", "signature does not verify", forgedBy("rsa-other"))
	w.refuse("no audience configured", "a zero field fails the check", "", "Verifier.Audience is empty", verifier(func(v *verifierConfig) { v.Audience = "" }))
	w.accept("not active", rule, with("token_introspection", `{"active":false}`))
	w.accept("as old as may be", rule, with("iat", "1767225240"))
	w.differ("expired", "iat over", "an answer is asked for and comes at once", "iat", "is more than five minutes ago", with("iat", "1767225239"))
	w.accept("with exp", rule, with("exp", "1767225541"))
	w.differ("expired", "exp over", "RFC 7519 4.1.4", "exp", "is over", with("exp", "1767225540"))
}

func responseVectors(w *vectorWriter) {
	const rule = "JARM 2.4"
	w.file("response", "Authorization responses: JWT Secured Authorization Response Mode 2.1 and 2.4. That state is the right one is not checked by these vectors.")
	w.accept("code and state", rule)
	w.refuse("iss another", "JARM 2.4 step 2", "iss", "is another issuer", with("iss", `"https://evil.example.com"`))
	w.refuse("iss missing", "JARM 2.4 step 2", "iss", "is another issuer", without("iss"))
	w.refuse("aud another", "JARM 2.4 step 3", "aud", "does not name this audience", with("aud", `"other"`))
	w.refuse("aud missing", "JARM 2.4 step 3", "aud", "does not name this audience", without("aud"))
	w.refuse("exp missing", "JARM 2.1: exp is required", "exp", "is missing", without("exp"))
	w.differ("expired", "exp over", "JARM 2.4 step 4", "exp", "is over", with("exp", "1767225540"))
	w.refuse("not signed", "JARM 2.4 step 5", "alg", "is not an algorithm that may sign", headerWith("alg", `"none"`))
	w.refuse("another key", "JARM 2.4 step 5", "", "signature does not verify", forgedBy("rsa-other"))
	w.refuse("typ at+jwt", "RFC 8725 3.11", "typ", "is that of another kind of token", headerWith("typ", `"at+jwt"`))
	w.refuse("an ID token", "RFC 8725 3.12", "sub", "is that of another kind of token", func(d *draft) { d.payload = bases["idtoken"].payload })
	w.refuse("code twice", "RFC 6749 3.1: no parameter twice", "", "duplicate member", again("code", `"other"`))
	w.refuse("code an array", rule, "code", "is neither a string nor a number", with("code", `["a","b"]`))
	w.refuse("nbf in the future", "RFC 7519 4.1.5", "nbf", "is in the future", with("nbf", "1767225661"))
	w.accept("an error", rule, without("code"), with("error", `"access_denied"`))
	w.accept("an access token and its life", rule, with("expires_in", "3600"))
}

func userInfoVectors(w *vectorWriter) {
	const rule = "Core 5.3.2"
	w.file("userinfo", "Userinfo answers that are JWTs: Core 5.3.2 and 5.3.4.")
	w.accept("signed", rule)
	w.refuse("iss another", rule, "iss", "is another issuer", with("iss", `"https://evil.example.com"`))
	w.refuse("iss missing", rule, "iss", "is another issuer", without("iss"))
	w.refuse("aud another", rule, "aud", "does not name this audience", with("aud", `"other"`))
	w.refuse("aud missing", rule, "aud", "does not name this audience", without("aud"))
	w.refuse("sub another", "Core 5.3.2: sub is that of the ID token", "sub", "is not that of the ID token", with("sub", `"user-2"`))
	w.refuse("sub missing", "Core 5.3.2: sub is that of the ID token", "sub", "is missing", without("sub"))
	w.refuse("sub of nobody", "a zero value fails the check", "sub", "is not that of the ID token", want(func(w *wantConfig) { w.Subject = "" }))
	w.refuse("not signed", "Core 5.3.2: signed where it is a JWT", "alg", "is not an algorithm that may sign", headerWith("alg", `"none"`))
	w.refuse("another key", "Core 5.3.4", "", "signature does not verify", forgedBy("rsa-other"))
	w.refuse("typ at+jwt", "RFC 8725 3.11", "typ", "is that of another kind of token", headerWith("typ", `"at+jwt"`))
	w.refuse("iat in the future", "RFC 7519 4.1.6", "iat", "is in the future", with("iat", "1767225661"))
	const token = "a token about the user is no userinfo answer"
	w.refuse("with a nonce", token, "nonce", "is that of an ID token", with("nonce", `"n"`))
	w.refuse("with at_hash", token, "at_hash", "is that of an ID token", with("at_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`))
	w.refuse("with c_hash", token, "c_hash", "is that of an ID token", with("c_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`))
	w.refuse("Keycloak's ID token", token, "typ", "is that of another kind of token", with("typ", `"ID"`))
	w.refuse("Cognito's ID token", token, "token_use", "is that of another kind of token", with("token_use", `"id"`))
	w.refuse("with a scope", token, "", "claims are those of an access token", with("scope", `"read"`))
	w.refuse("a logout token", token, "events", "is that of a logout token", with("events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`))
	w.accept("typ JWT as a claim", "Keycloak gives all of its tokens the claim", with("typ", `"JWT"`))
	w.accept("with exp", rule, with("exp", "1767225541"))
	w.differ("expired", "exp over", rule, "exp", "is over", with("exp", "1767225540"))
}
