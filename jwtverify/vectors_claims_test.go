package jwtverify_test

import (
	"crypto"
	"strings"
)

func issuerVectors(w *vectorWriter) {
	const rule = "Core 3.1.3.7 step 2: iss is exactly the issuer"
	w.file("iss", "Who speaks: Core 3.1.3.7 step 2.")
	w.accept("iss", rule)
	w.refuse("iss missing", rule, "iss", "is another issuer", without("iss"))
	w.refuse("iss with a slash at the end", rule, "iss", "is another issuer", with("iss", `"https://op.example.com/"`))
	w.refuse("iss in capitals", rule, "iss", "is another issuer", with("iss", `"https://OP.example.com"`))
	w.refuse("iss with http", rule, "iss", "is another issuer", with("iss", `"http://op.example.com"`))
	w.refuse("iss with the default port", rule, "iss", "is another issuer", with("iss", `"https://op.example.com:443"`))
	w.refuse("iss without scheme", rule, "iss", "is another issuer", with("iss", `"op.example.com"`))
	w.refuse("iss with more behind", rule, "iss", "is another issuer", with("iss", `"https://op.example.com.evil.example"`))
	w.refuse("iss empty", rule, "iss", "is empty", with("iss", `""`))
	w.refuse("iss null", rule, "iss", "is not a string", with("iss", "null"))
	w.refuse("iss an array", rule, "iss", "is not a string", with("iss", `["https://op.example.com"]`))
}

func audienceVectors(w *vectorWriter) {
	const rule = "Core 3.1.3.7 step 3: aud names the client"
	w.file("aud", "To whom: Core 3.1.3.7 steps 3 to 5.")
	w.accept("aud a string", rule)
	w.refuse("aud missing", rule, "aud", "does not name this audience", without("aud"))
	w.refuse("aud another", rule, "aud", "does not name this audience", with("aud", `"client-evil"`))
	w.refuse("aud with more behind", rule, "aud", "does not name this audience", with("aud", `"client-10"`))
	w.refuse("aud a part", rule, "aud", "does not name this audience", with("aud", `"client-"`))
	w.refuse("aud in another case", rule, "aud", "does not name this audience", with("aud", `"Client-1"`))
	w.refuse("aud empty", rule, "aud", "does not name this audience", with("aud", `""`))
	w.refuse("aud an empty array", rule, "aud", "does not name this audience", with("aud", "[]"))
	w.refuse("aud an array of another", rule, "aud", "does not name this audience", with("aud", `["other"]`))
	w.refuse("aud two names in one string", rule, "aud", "does not name this audience", with("aud", `"client-1 other"`))
	w.refuse("aud null", "RFC 7519 4.1.3: a string or an array of strings", "aud", "is neither a string nor an array of strings", with("aud", "null"))
	w.refuse("aud a number", "RFC 7519 4.1.3: a string or an array of strings", "aud", "is neither a string nor an array of strings", with("aud", "1"))
	w.refuse("aud an object", "RFC 7519 4.1.3: a string or an array of strings", "aud", "is neither a string nor an array of strings", with("aud", `{"client-1":true}`))
	w.refuse("aud an array in an array", "RFC 7519 4.1.3: a string or an array of strings", "aud", "is neither a string nor an array of strings", with("aud", `[["client-1"]]`))
	w.refuse("aud an array with a number", "RFC 7519 4.1.3: a string or an array of strings", "aud", "is neither a string nor an array of strings", with("aud", `["client-1",1]`))
	w.refuse("azp another", "Core 3.1.3.7 step 5: azp is the client", "azp", "is another party", with("azp", `"other"`))
	w.refuse("azp empty", "Core 3.1.3.7 step 5: azp is the client", "azp", "is empty", with("azp", `""`))
	w.refuse("azp an array", "Core 2: azp is a string", "azp", "is not a string", with("azp", `["client-1"]`))
	w.accept("aud an array of one", rule, with("aud", `["client-1"]`))
	w.accept("azp the client", "Core 3.1.3.7 step 5: azp is the client", with("azp", `"client-1"`))
	trusted := verifier(func(v *verifierConfig) { v.TrustedAudiences = []string{"project"} })
	w.accept("a trusted audience beside", "Core 3.1.3.7 step 3: no untrusted audiences", trusted, with("aud", `["project","client-1"]`), with("azp", `"client-1"`))
	w.refuse("the same audience not trusted", "Core 3.1.3.7 step 3: no untrusted audiences", "aud", "names an audience that is not trusted", verifier(func(v *verifierConfig) { v.TrustedAudiences = nil }))
	w.refuse("another audience beside", "Core 3.1.3.7 step 3: no untrusted audiences", "aud", "names an audience that is not trusted", with("aud", `["project","client-1","other"]`))
	w.refuse("an empty audience beside", "Core 3.1.3.7 step 3: no untrusted audiences", "aud", "names an audience that is not trusted", with("aud", `["project","client-1",""]`))
	w.refuse("only the trusted audience", rule, "aud", "does not name this audience", with("aud", `["project"]`))
	w.refuse("several audiences without azp", "Core 3.1.3.7 step 4: azp is there", "azp", "is missing beside several audiences", without("azp"))
	w.refuse("azp the trusted audience", "Core 3.1.3.7 step 5: azp is the client", "azp", "is another party", with("azp", `"project"`))
}

func subjectVectors(w *vectorWriter) {
	const rule = "Core 2: sub is required, at most 255 characters"
	w.file("sub", "About whom: Core 2.")
	w.accept("sub of 255 bytes", rule, with("sub", `"`+strings.Repeat("s", 255)+`"`))
	w.refuse("sub of 256 bytes", rule, "sub", "is longer than 255 bytes", with("sub", `"`+strings.Repeat("s", 256)+`"`))
	w.refuse("sub missing", rule, "sub", "is missing", without("sub"))
	w.refuse("sub empty", rule, "sub", "is empty", with("sub", `""`))
	w.refuse("sub null", rule, "sub", "is not a string", with("sub", "null"))
	w.refuse("sub a number", rule, "sub", "is not a string", with("sub", "1"))
	w.refuse("sub an object", rule, "sub", "is not a string", with("sub", `{"id":"user-1"}`))
	for _, escape := range []string{`\u0000`, `\r\n`, `\u007f`, `\u0085`} {
		w.refuse("sub with "+escape, "no control characters in what names a user", "sub", "has control characters", with("sub", `"user`+escape+`1"`))
	}
	w.accept("sub with a space and beyond ASCII", "Core 2 says ASCII; providers say more", with("sub", `"Jürgen 🚲"`))
	w.accept("sub the word null", "a string like any other", with("sub", `"null"`))
}

func kindVectors(w *vectorWriter) {
	const rule = "a token that says to be of another kind is no ID token, whatever its header says"
	w.file("kind", "Other tokens of the same issuer, for the same audience, with typ JWT or none.")
	w.accept("Keycloak's ID token", rule, with("typ", `"ID"`))
	w.refuse("Keycloak's access token", rule, "typ", "is that of another kind of token", with("typ", `"Bearer"`))
	w.refuse("Keycloak's refresh token", rule, "typ", "is that of another kind of token", with("typ", `"Offline"`))
	w.refuse("a kind that is no text", rule, "typ", "is not a string", with("typ", `["ID"]`))
	w.accept("a kind as in the header", rule, with("typ", `"JWT"`))
	w.accept("Cognito's ID token", rule, with("token_use", `"id"`))
	w.refuse("Cognito's access token", rule, "token_use", "is that of another kind of token", with("token_use", `"access"`))
	w.refuse("a use that is no text", rule, "token_use", "is not a string", with("token_use", "true"))
	w.accept("without events", "Back-Channel Logout 2.4: events is what makes a logout token")
	w.refuse("a logout token", "Back-Channel Logout 2.4: events is what makes a logout token", "events", "is that of a logout token",
		with("events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`))
	w.refuse("events null", "Back-Channel Logout 2.4: events is what makes a logout token", "events", "is that of a logout token", with("events", "null"))
}

func timeVectors(w *vectorWriter) {
	const (
		expRule = "Core 3.1.3.7 step 9: exp is required and still to come"
		iatRule = "Core 3.1.3.7 step 10: iat is required, and near"
		nbfRule = "RFC 7519 4.1.5: nbf is over"
	)
	w.file("time", "When: Core 3.1.3.7 steps 9 and 10, RFC 7519 2 and 4.1.5. The leeway is 60 s.")
	w.accept("exp 59 s ago", expRule, with("exp", "1767225541"))
	w.differ("expired", "exp 60 s ago", expRule, "exp", "is over", with("exp", "1767225540"))
	w.differ("expired", "exp 0", expRule, "exp", "is over", with("exp", "0"))
	w.refuse("exp missing", expRule, "exp", "is missing", without("exp"))
	w.refuse("exp and everything about it wrong", "only a token with nothing else wrong is expired", "iss", "is another issuer", func(d *draft) { d.payload = set(set(d.payload, "exp", "0"), "iss", `"other"`) })
	for _, c := range []struct{ name, value string }{
		{"a string", `"1767229200"`}, {"null", "null"}, {"an object", "{}"}, {"an array", "[1767229200]"}, {"true", "true"},
	} {
		w.refuse("exp "+c.name, "RFC 7519 2: NumericDate is a number", "exp", "is not a number", with("exp", c.value))
	}
	for _, value := range []string{"-1", "1e300", "1e999", "-1e300", "253402300800", "9007199254740993", "18446744073709551616"} {
		w.refuse("exp "+value, "a date between 1970 and 9999", "exp", "is not a date between 1970 and 9999", with("exp", value))
	}
	w.accept("exp the last second of 9999", "a date between 1970 and 9999", with("exp", "253402300799"))
	w.accept("exp with a fraction", "RFC 7519 2: non-integer values are allowed", with("exp", "1767225900.75"))
	w.accept("exp with an exponent", "RFC 8259 6: another way to write a number", with("exp", "1.7672259e+09"))
	w.accept("iat 60 s ahead", iatRule, with("iat", "1767225660"))
	w.refuse("iat 61 s ahead", iatRule, "iat", "is in the future", with("iat", "1767225661"))
	w.refuse("iat a day ahead", iatRule, "iat", "is in the future", with("iat", "1767312000"))
	w.refuse("iat missing", iatRule, "iat", "is missing", without("iat"))
	w.refuse("iat a string", "RFC 7519 2: NumericDate is a number", "iat", "is not a number", with("iat", `"1767225595"`))
	w.accept("iat a day and 60 s ago", iatRule, with("iat", "1767139140"))
	w.differ("expired", "iat a day and 61 s ago", iatRule, "iat", "is more than a day ago", with("iat", "1767139139"))
	w.differ("expired", "iat 0", iatRule, "iat", "is more than a day ago", with("iat", "0"))
	w.accept("nbf 60 s ahead", nbfRule, with("nbf", "1767225660"))
	w.refuse("nbf 61 s ahead", nbfRule, "nbf", "is in the future", with("nbf", "1767225661"))
	w.refuse("nbf null", "RFC 7519 2: NumericDate is a number", "nbf", "is not a number", with("nbf", "null"))
	w.accept("auth_time 60 s ahead", "Core 2: when the user was authenticated", with("auth_time", "1767225660"))
	w.refuse("auth_time 61 s ahead", "Core 2: when the user was authenticated", "auth_time", "is in the future", with("auth_time", "1767225661"))
	w.refuse("auth_time a string", "RFC 7519 2: NumericDate is a number", "auth_time", "is not a number", with("auth_time", `"1767225000"`))
	w.accept("leeway of 5 min", "the leeway is the caller's", verifier(func(v *verifierConfig) { v.LeewaySeconds = 300 }), with("exp", "1767225301"))
	w.differ("expired", "exp 5 min ago with that leeway", expRule, "exp", "is over", with("exp", "1767225300"))
}

func requestVectors(w *vectorWriter) {
	const nonceRule = "Core 3.1.3.7 step 11: nonce is that of the request"
	w.file("request", "What was asked for: Core 3.1.3.7 steps 11 to 13.")
	w.accept("nonce not asked for, and none", nonceRule)
	w.refuse("nonce not asked for", nonceRule, "nonce", "is there and was not asked for", with("nonce", `"n-1"`))
	w.refuse("nonce not asked for, and empty", nonceRule, "nonce", "is empty", with("nonce", `""`))
	w.accept("nonce asked for", nonceRule, want(func(c *wantConfig) { c.Nonce = "n-1" }), with("nonce", `"n-1"`))
	w.refuse("nonce missing", nonceRule, "nonce", "is missing", without("nonce"))
	w.refuse("nonce of another request", nonceRule, "nonce", "is that of another request", with("nonce", `"n-2"`))
	w.refuse("nonce with more behind", nonceRule, "nonce", "is that of another request", with("nonce", `"n-1x"`))
	w.refuse("nonce cut short", nonceRule, "nonce", "is that of another request", with("nonce", `"n-"`))
	w.refuse("nonce a number", nonceRule, "nonce", "is not a string", with("nonce", "1"))
	w.refuse("nonce null", nonceRule, "nonce", "is not a string", with("nonce", "null"))

	const acrRule = "Core 3.1.3.7 step 12: acr is one that was asked for"
	w.accept("acr not asked for", acrRule, with("acr", `"urn:x"`))
	w.accept("acr not asked for, and null", "says nothing, and nobody asked", with("acr", "null"), with("amr", "null"), with("sid", `""`), with("auth_time", "null"))
	w.refuse("acr a number", "Core 2: a string", "acr", "is not a string", with("acr", "1"))
	w.refuse("sid a number", "Front-Channel Logout 3: a string", "sid", "is not a string", with("sid", "1"))
	w.refuse("amr a number", "Core 2: an array of strings", "amr", "is neither a string nor an array of strings", with("amr", "1"))
	w.accept("acr one of those", acrRule, want(func(c *wantConfig) { c.ACR = []string{"urn:gold", "urn:silver"} }), with("acr", `"urn:silver"`))
	w.refuse("acr missing", acrRule, "acr", "is not one that was asked for", without("acr"))
	w.refuse("acr null where asked for", acrRule, "acr", "is not one that was asked for", with("acr", "null"))
	w.refuse("acr lower", acrRule, "acr", "is not one that was asked for", with("acr", `"urn:bronze"`))

	const maxAgeRule = "Core 3.1.3.7 step 13: auth_time is there and not older than max_age"
	maxAge := func(seconds int64) change { return want(func(c *wantConfig) { c.MaxAgeSeconds = &seconds }) }
	since := want(func(c *wantConfig) { c.Since = testNow - 600 })
	w.accept("max_age 300, auth_time 360 s ago", maxAgeRule, maxAge(300), with("auth_time", "1767225240"))
	w.refuse("max_age 300, auth_time 361 s ago", maxAgeRule, "auth_time", "is too long ago", with("auth_time", "1767225239"))
	w.refuse("max_age without auth_time", maxAgeRule, "auth_time", "is missing, and max_age was asked for", without("auth_time"))
	w.refuse("max_age with auth_time null", maxAgeRule, "auth_time", "is missing, and max_age was asked for", with("auth_time", "null"))
	w.refuse("max_age with auth_time 0", maxAgeRule, "auth_time", "is too long ago", with("auth_time", "0"))
	w.accept("max_age 0, authenticated just before the login", maxAgeRule, maxAge(0), since, with("auth_time", "1767224940"))
	w.refuse("max_age 0, authenticated earlier", maxAgeRule, "auth_time", "is too long ago", with("auth_time", "1767224939"))
	w.refuse("max_age 0, and counted from now", maxAgeRule, "auth_time", "is too long ago", want(func(c *wantConfig) { c.Since = 0 }))
	w.refuse("max_age negative", "max_age is not negative", "", "Expect.MaxAge is negative", maxAge(-1))
}

func hashVectors(w *vectorWriter) {
	const (
		atRule = "Core 3.1.3.8, 3.2.2.9: at_hash is of the access token"
		cRule  = "Core 3.3.2.10: c_hash is of the code"
		sRule  = "FAPI 1.0 Part 2, 5.1: s_hash is of the state"
	)
	given := want(func(c *wantConfig) { c.AccessToken, c.Code, c.State = "access-1", "code-1", "state-1" })
	front := want(func(c *wantConfig) { c.FrontChannel = true })
	hash := func(name, value string, h crypto.Hash) change { return with(name, `"`+half(h, value)+`"`) }
	w.file("hash", "What came beside the token: at_hash, c_hash, s_hash.")
	w.accept("no hashes from the token endpoint", atRule, given)
	w.accept("hashes of what is not given", "they say nothing about the ID token itself", with("at_hash", `"AAAA"`), with("c_hash", `"AAAA"`), with("s_hash", `"AAAA"`))
	w.accept("all hashes from the token endpoint", atRule, given, hash("at_hash", "access-1", crypto.SHA256), hash("c_hash", "code-1", crypto.SHA256), hash("s_hash", "state-1", crypto.SHA256))
	for _, h := range []struct{ claim, rule, what string }{{"at_hash", atRule, "the access token"}, {"c_hash", cRule, "the code"}, {"s_hash", sRule, "the state"}} {
		w.refuse(h.claim+" of something else", h.rule, h.claim, "is not of "+h.what, hash(h.claim, "other", crypto.SHA256))
		w.refuse(h.claim+" empty", h.rule, h.claim, "is empty", with(h.claim, `""`))
		w.refuse(h.claim+" a number", h.rule, h.claim, "is not a string", with(h.claim, "1"))
	}
	w.refuse("at_hash of another algorithm", atRule, "at_hash", "is not of the access token", hash("at_hash", "access-1", crypto.SHA512))
	w.refuse("at_hash of the whole hash", atRule, "at_hash", "is not of the access token", with("at_hash", `"`+b64(string(digest(crypto.SHA256, "access-1")))+`"`))
	w.refuse("at_hash with padding", atRule, "at_hash", "is not of the access token", with("at_hash", `"`+half(crypto.SHA256, "access-1")+`=="`))
	w.accept("the front channel, with hashes", cRule, given, front, hash("at_hash", "access-1", crypto.SHA256), hash("c_hash", "code-1", crypto.SHA256))
	w.refuse("the front channel without at_hash", atRule, "at_hash", "is missing", without("at_hash"))
	w.refuse("the front channel without c_hash", cRule, "c_hash", "is missing", without("c_hash"))
	w.accept("the front channel, the ID token alone", "Core 3.2.2.9: at_hash is for an access token beside", front)
	for _, c := range []struct {
		key, alg string
		hash     crypto.Hash
	}{{"p384", "ES384", crypto.SHA384}, {"rsa", "PS512", crypto.SHA512}, {"ed25519", "EdDSA", crypto.SHA512}} {
		w.accept("at_hash with "+c.alg, "Core 3.1.3.6: the hash of the signature algorithm", signedBy(c.key, c.alg), given, hash("at_hash", "access-1", c.hash))
		w.refuse("at_hash with "+c.alg+" by SHA-256", "Core 3.1.3.6: the hash of the signature algorithm", "at_hash", "is not of the access token", hash("at_hash", "access-1", crypto.SHA256))
	}
}

// half is the left half of a hash, as at_hash and its like have it.
func half(h crypto.Hash, value string) string {
	sum := digest(h, value)
	return b64(string(sum[:len(sum)/2]))
}

func refreshVectors(w *vectorWriter) {
	const rule = "Core 12.2: a refreshed token is about the same login"
	previous := func(f func(*previousConfig)) change {
		return want(func(c *wantConfig) {
			if c.Previous == nil {
				c.Previous = &previousConfig{Issuer: testIssuer, Subject: "user-1", Audience: []string{testClient}, Nonce: "n-1", AuthTime: testNow - 9000}
			}
			f(c.Previous)
		})
	}
	same := func(*previousConfig) {}
	w.file("refresh", "A token that replaces another one: Core 12.2.")
	w.accept("refreshed without nonce and auth_time", rule, previous(same))
	w.refuse("refreshed with another iss before", rule, "iss", "is not that of the token before", previous(func(p *previousConfig) { p.Issuer = "https://other.example.com" }))
	w.refuse("refreshed with another sub", rule, "sub", "is not that of the token before", with("sub", `"user-2"`))
	w.refuse("refreshed with another aud before", rule, "aud", "is not that of the token before", previous(func(p *previousConfig) { p.Audience = []string{"client-1", "project"} }))
	w.refuse("refreshed with azp and none before", rule, "azp", "is not that of the token before", with("azp", `"client-1"`))
	w.refuse("refreshed with another nonce", rule, "nonce", "is that of another request", with("nonce", `"n-2"`))
	w.refuse("refreshed with an earlier auth_time", rule, "auth_time", "is before that of the token before", with("auth_time", "1767216599"))
	w.accept("refreshed with a later auth_time", "the user has signed in again elsewhere, in the same provider session", previous(same), with("auth_time", "1767216601"))
	w.refuse("refreshed and a nonce expected", "one of the two, not both", "", "Expect.Nonce must be empty", want(func(c *wantConfig) { c.Nonce = "n-1" }))
	w.accept("refreshed with the same nonce and auth_time", rule, previous(same), with("nonce", `"n-1"`), with("auth_time", "1767216600"))
	w.accept("refreshed with auth_time and none before", rule, previous(func(p *previousConfig) { p.AuthTime = 0 }), with("auth_time", "1767216600"))
	w.accept("refreshed without nonce before", rule, previous(func(p *previousConfig) { p.Nonce = "" }))
	w.refuse("refreshed with nonce and none before", rule, "nonce", "is there and was not asked for", with("nonce", `"n-1"`))
	w.accept("refreshed with azp as before", rule, previous(func(p *previousConfig) { p.AuthorizedParty = testClient }), with("azp", `"client-1"`))
	w.refuse("refreshed without azp and one before", rule, "azp", "is not that of the token before", without("azp"))
	w.accept("refreshed with aud in another order", rule, verifier(func(v *verifierConfig) { v.TrustedAudiences = []string{"project"} }),
		previous(func(p *previousConfig) {
			p.Audience, p.AuthorizedParty = []string{"client-1", "project"}, testClient
		}),
		with("aud", `["project","client-1"]`), with("azp", `"client-1"`))
	w.refuse("refreshed with one audience less", rule, "aud", "is not that of the token before", with("aud", `["client-1"]`))
	w.refuse("refreshed with one audience more", rule, "aud", "is not that of the token before", previous(func(p *previousConfig) { p.Audience = []string{"client-1"} }))
}

func sourceVectors(w *vectorWriter) {
	const rule = "Core 5.6.2: each claim of _claim_names has its source in _claim_sources"
	names, sources := `{"address":"src1"}`, `{"src1":{"endpoint":"https://claims.example.com/","access_token":"t-1","note":1}}`
	w.file("sources", "Aggregated and distributed claims, which are not fetched: Core 5.6.2.")
	w.accept("distributed claims", rule, with("_claim_names", names), with("_claim_sources", sources))
	w.refuse("claim source missing", rule, "_claim_names", "names a source that is not there", with("_claim_sources", `{"src2":{"endpoint":"https://claims.example.com/"}}`))
	w.refuse("claim sources missing", rule, "_claim_names", "names a source that is not there", without("_claim_sources"))
	w.refuse("claim names a string", rule, "", "_claim_names: not a JSON object", with("_claim_names", `"src1"`))
	w.refuse("claim name with a number", rule, "_claim_names", "is not a string", with("_claim_names", `{"address":1}`))
	w.refuse("claim name with an empty source", rule, "_claim_names", "is empty", with("_claim_names", `{"address":""}`))
	w.refuse("claim sources an array", rule, "", "_claim_sources: not a JSON object", with("_claim_sources", `[]`))
	w.refuse("claim source a string", rule, "", "_claim_sources: not a JSON object", with("_claim_sources", `{"src1":"https://claims.example.com/"}`))
	w.refuse("claim source with a number for endpoint", rule, "_claim_sources", "is not a string", with("_claim_sources", `{"src1":{"endpoint":1}}`))
	w.refuse("claim source with ENDPOINT", rule, "", `member "ENDPOINT" is not "endpoint"`, with("_claim_sources", `{"src1":{"ENDPOINT":"https://claims.example.com/"}}`))
	w.refuse("claim source twice", "RFC 8259 4: names are unique", "", `duplicate member "src1"`, with("_claim_sources", `{"src1":{},"src1":{}}`))
	w.accept("aggregated claims", rule, with("_claim_names", names), with("_claim_sources", `{"src1":{"JWT":"e30.e30.AA"}}`))
	w.accept("claim sources that nobody names", rule, with("_claim_sources", `{}`))
}

func configVectors(w *vectorWriter) {
	w.file("config", "A verifier that lacks something rejects everything.")
	w.accept("a complete verifier", "Core 3.1.3.7")
	w.refuse("no issuer", "a zero field fails the check", "", "Verifier.Issuer is empty", verifier(func(v *verifierConfig) { v.Issuer = "" }))
	w.refuse("no audience", "a zero field fails the check", "", "Verifier.Audience is empty", verifier(func(v *verifierConfig) { v.Audience = "" }))
	w.refuse("leeway negative", "from 0 to 5 minutes", "", "Verifier.Leeway is -1s", verifier(func(v *verifierConfig) { v.LeewaySeconds = -1 }))
	w.refuse("leeway of 301 s", "from 0 to 5 minutes", "", "Verifier.Leeway is 5m1s", verifier(func(v *verifierConfig) { v.LeewaySeconds = 301 }))
	for _, alg := range []string{"none", "HS1", "RS1", ""} {
		w.refuse("algorithms with "+alg, "only those of public keys", "", `Verifier.Algorithms has "`+alg+`"`, verifier(func(v *verifierConfig) { v.Algorithms = []string{"RS256", alg} }))
	}
	w.refuse("an empty list of algorithms", "a list that is there allows what is in it", "alg", "is not an algorithm that may sign", verifier(func(v *verifierConfig) { v.Algorithms = []string{} }))
}
