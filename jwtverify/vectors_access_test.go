package jwtverify_test

import (
	"slices"
	"strings"
)

func accessTypeVectors(w *vectorWriter) {
	const rule = "RFC 9068 4: typ is at+jwt or application/at+jwt"
	const widened = "with another typ, nothing may look like an ID token and something must not"
	w.file("typ", "Of which kind: RFC 9068 2.1 and 4, and what stands in for typ where providers have another one.")
	w.accept("typ at+jwt", rule)
	w.refuse("typ missing", rule, "typ", "is that of another kind of token", headerWithout("typ"))
	for _, typ := range []string{"JWT", "id+jwt", "logout+jwt", "dpop+jwt", "at", "at+jwt ", "application/jwt", "text/at+jwt"} {
		w.refuse("typ "+typ, rule, "typ", "is that of another kind of token", headerWith("typ", `"`+typ+`"`))
	}
	w.refuse("typ empty", "RFC 7515 4.1.9", "typ", "is empty", headerWith("typ", `""`))
	w.refuse("typ a number", "RFC 7515 4.1.9", "typ", "is not a string", headerWith("typ", "1"))
	w.refuse("not signed", "RFC 9068 4: never none", "alg", "is not an algorithm that may sign", headerWith("alg", `"none"`))
	w.refuse("signed by another key", "RFC 9068 4: the signature", "", "signature does not verify", forgedBy("rsa-other"))
	w.accept("typ as a media type in capitals", "RFC 7515 4.1.9: media types have no case", headerWith("typ", `"Application/AT+JWT"`))

	w.accept("typ JWT allowed", widened, accessTypes("JWT"), headerWith("typ", `"JWT"`))
	w.refuse("typ missing where JWT is allowed", "the list is closed", "typ", "is that of another kind of token", headerWithout("typ"))
	w.refuse("typ at+jwt where JWT is allowed", "the list is closed", "typ", "is that of another kind of token", headerWith("typ", `"at+jwt"`))
	w.refuse("at_hash", widened, "at_hash", "is that of an ID token", with("at_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`))
	w.refuse("c_hash", widened, "c_hash", "is that of an ID token", with("c_hash", `"LDktKdoQak3Pk0cnXxCltA"`))
	w.refuse("nonce", widened, "nonce", "is that of an ID token", with("nonce", `"nonce-1"`))
	w.accept("no typ allowed", widened, accessTypes(""), headerWithout("typ"))
	w.accept("only a scope", widened, accessTypes("JWT"), headerWith("typ", `"JWT"`), without("client_id"))
	w.refuse("no scope either", widened, "", "nothing tells it from an ID token", without("scope"))
	w.accept("only a client_id", widened, accessTypes("JWT"), headerWith("typ", `"JWT"`), without("scope"))
	w.accept("azp of another party", widened, accessTypes("JWT"), headerWith("typ", `"JWT"`), without("scope"), without("client_id"), with("azp", `"app-1"`))
	w.refuse("azp of the audience", widened, "", "nothing tells it from an ID token", with("azp", `"client-1"`))
	w.refuse("azp of another party and email_verified", "Google's ID token from an app, for its server", "", "nothing tells it from an ID token", with("email_verified", "true"))
	w.accept("nonce in a token that says Bearer", "Keycloak before 24 has a nonce in both", accessTypes("JWT"), headerWith("typ", `"JWT"`), with("typ", `"Bearer"`), with("nonce", `"n"`))
	w.refuse("at_hash in a token that says Bearer", widened, "at_hash", "is that of an ID token", with("at_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`))

	const says = "what says of itself to be another token is none, whatever its header says"
	w.accept("the claim typ", says, with("typ", `"at+jwt"`))
	for _, kind := range []string{"ID", "Refresh", "Offline", "Logout", "Bearer "} {
		w.refuse("the claim typ "+kind, says, "typ", "is that of another kind of token", with("typ", `"`+kind+`"`))
	}
	w.refuse("token_use id", says, "token_use", "is that of another kind of token", with("token_use", `"id"`))
	w.refuse("a logout token", says, "events", "is that of a logout token", with("events", `{"http://schemas.openid.net/event/backchannel-logout":{}}`))
	w.accept("the claim typ DPoP", says, with("typ", `"DPoP"`))
}

func accessTypes(types ...string) change {
	return verifier(func(v *verifierConfig) { v.AccessTokenTypes = types })
}

func accessIdentityVectors(w *vectorWriter) {
	const iss, aud, sub = "RFC 9068 4: iss is exactly the issuer", "RFC 9068 4: aud names the resource server", "RFC 9068 2.2: sub is required, of tokens that are not of the client itself"
	w.file("identity", "Who, to whom and about whom: RFC 9068 2.2 and 4.")
	w.accept("iss, aud and sub", iss)
	w.refuse("iss missing", iss, "iss", "is another issuer", without("iss"))
	w.refuse("iss with a slash", iss, "iss", "is another issuer", with("iss", `"https://op.example.com/"`))
	w.refuse("iss another", iss, "iss", "is another issuer", with("iss", `"https://evil.example.com"`))
	w.refuse("aud missing", aud, "aud", "does not name this audience", without("aud"))
	w.refuse("aud another", aud, "aud", "does not name this audience", with("aud", `"other"`))
	w.refuse("aud with more behind", aud, "aud", "does not name this audience", with("aud", `"client-10"`))
	w.refuse("aud in another case", aud, "aud", "does not name this audience", with("aud", `"CLIENT-1"`))
	w.refuse("aud an empty array", aud, "aud", "does not name this audience", with("aud", "[]"))
	w.refuse("aud in one text with others", aud, "aud", "does not name this audience", with("aud", `"client-1 other"`))
	w.refuse("aud null", "RFC 7519 4.1.3", "aud", "is neither a string nor an array of strings", with("aud", "null"))
	w.refuse("aud an array with a number", "RFC 7519 4.1.3", "aud", "is neither a string nor an array of strings", with("aud", `["client-1",1]`))
	w.refuse("aud twice", "RFC 7519 4: names are unique", "", `duplicate member "aud"`, again("aud", `"other"`))
	w.refuse("AUD", "names have a case", "", `member "AUD" is not "aud"`, func(d *draft) { d.payload = append(unset(d.payload, "aud"), member{"AUD", `"client-1"`}) })
	w.refuse("sub empty", sub, "sub", "is empty", with("sub", `""`))
	w.refuse("sub null", sub, "sub", "is not a string", with("sub", "null"))
	w.refuse("sub of 256 bytes", "Core 2: at most 255", "sub", "is longer than 255 bytes", with("sub", `"`+strings.Repeat("s", 256)+`"`))
	w.refuse("sub with a control character", "Core 2", "sub", "has control characters", with("sub", `"a\u0000"`))
	w.accept("sub missing", "Duende, client credentials", without("sub"))
	w.refuse("sub and client_id missing", sub, "sub", "is missing", without("client_id"))
	w.refuse("sub missing, client_id null", sub, "client_id", "is not a string", with("client_id", "null"))
	w.refuse("sub missing, client_id empty", sub, "client_id", "is empty", with("client_id", `""`))
	w.accept("sub of a token with typ JWT", sub, accessTypes("JWT"), headerWith("typ", `"JWT"`))
	w.refuse("sub missing with typ JWT", "what has neither a type nor a subject could be anything", "sub", "is missing", without("sub"))
	w.accept("aud an array with others", "Auth0 adds its userinfo", with("aud", `["https://op.example.com/userinfo","client-1"]`))
	w.accept("aud another, audience claim client_id", "the claim compared changes", audienceClaim("client_id"), with("aud", `"other"`), with("client_id", `"client-1"`))
	w.refuse("client_id another", "the comparison stays", "client_id", "does not name this audience", with("client_id", `"app-1"`))
	w.refuse("client_id missing", "the comparison stays", "client_id", "does not name this audience", without("client_id"))
	w.refuse("audience client_id a number", "the comparison stays", "client_id", "is neither a string nor an array of strings", with("client_id", "1"))
	w.refuse("audience client_id empty", "the comparison stays", "client_id", "does not name this audience", with("client_id", `""`))
}

func audienceClaim(name string) change {
	return verifier(func(v *verifierConfig) { v.AudienceClaim = name })
}

func accessGrantVectors(w *vectorWriter) {
	const scope = "RFC 8693 4.2: scope is a text with spaces; some providers have an array"
	w.file("grant", "What was granted, and to whom: RFC 9068 2.2.")
	w.accept("scope a text", scope)
	w.refuse("scope a number", scope, "scope", "is neither a string nor an array of strings", with("scope", "1"))
	w.refuse("scope null", scope, "scope", "is neither a string nor an array of strings", with("scope", "null"))
	w.refuse("scope an object", scope, "scope", "is neither a string nor an array of strings", with("scope", `{"read":true}`))
	w.refuse("scope an array with a number", scope, "scope", "is neither a string nor an array of strings", with("scope", `["read",1]`))
	w.refuse("scope twice", "RFC 7519 4: names are unique", "", `duplicate member "scope"`, again("scope", `"admin"`))
	w.refuse("Scope", "names have a case", "", `member "Scope" is not "scope"`, again("Scope", `"admin"`))
	w.refuse("client_id a number", "RFC 8693 4.3: a string", "client_id", "is not a string", with("client_id", "1"))
	w.refuse("client_id empty", "RFC 8693 4.3: a string", "client_id", "is empty", with("client_id", `""`))
	w.refuse("jti a number", "RFC 7519 4.1.7: a string", "jti", "is not a string", with("jti", "1"))
	w.refuse("jti empty", "RFC 7519 4.1.7: a string", "jti", "is empty", with("jti", `""`))
	w.accept("scope an array", scope, with("scope", `["read","write"]`))
	w.accept("scope empty", scope, with("scope", `""`))
	w.accept("scope missing", "RFC 9068 2.2.3: not required", without("scope"))
	w.accept("scp an array", "Okta", without("scope"), with("scp", `["read"]`))
	w.refuse("scp an object", "Okta", "scp", "is neither a string nor an array of strings", with("scp", "{}"))
	w.accept("cid", "Okta", without("client_id"), with("cid", `"app-1"`))
	w.refuse("cid a number", "Okta", "cid", "is not a string", with("cid", "1"))
	w.accept("appid", "Entra v1", without("client_id"), with("appid", `"app-1"`))
	w.refuse("appid an array", "Entra v1", "appid", "is not a string", with("appid", `["app-1"]`))
	w.accept("jti missing", "many providers have none", without("jti"))
	w.refuse("azp a number", "Core 2: azp is a string", "azp", "is not a string", with("azp", "1"))
}

func accessTimeVectors(w *vectorWriter) {
	const exp, iat, nbf = "RFC 9068 4: exp is required and still to come", "RFC 9068 2.2: iat is over; how long ago does not matter", "RFC 7519 4.1.5: nbf is over"
	w.file("time", "When: RFC 9068 4, RFC 7519 4.1. The leeway is 60 s.")
	w.accept("exp 59 s ago", exp, with("exp", "1767225541"))
	w.differ("expired", "exp 60 s ago", exp, "exp", "is over", with("exp", "1767225540"))
	w.differ("expired", "exp 0", exp, "exp", "is over", with("exp", "0"))
	w.refuse("exp missing", exp, "exp", "is missing", without("exp"))
	w.refuse("exp a text", exp, "exp", "is not a number", with("exp", `"1767225900"`))
	w.refuse("exp null", exp, "exp", "is not a number", with("exp", "null"))
	w.refuse("exp in the year 10000", exp, "exp", "is not a date between 1970 and 9999", with("exp", "253402300800"))
	w.refuse("expired and from another issuer", "only a token with nothing else wrong is expired", "iss", "is another issuer",
		func(d *draft) { d.payload = set(set(d.payload, "exp", "0"), "iss", `"other"`) })
	w.refuse("expired and for another audience", "only a token with nothing else wrong is expired", "aud", "does not name this audience",
		func(d *draft) { d.payload = set(set(d.payload, "exp", "0"), "aud", `"other"`) })
	w.accept("iat 30 days ago", iat, with("iat", "1764633600"))
	w.accept("iat missing", iat, without("iat"))
	w.refuse("iat a text", iat, "iat", "is not a number", with("iat", `"1767225595"`))
	w.accept("iat 60 s ahead", iat, with("iat", "1767225660"))
	w.refuse("iat 61 s ahead", iat, "iat", "is in the future", with("iat", "1767225661"))
	w.accept("nbf 60 s ahead", nbf, with("nbf", "1767225660"))
	w.refuse("nbf 61 s ahead", nbf, "nbf", "is in the future", with("nbf", "1767225661"))
	w.accept("auth_time an hour ago", "RFC 9068 2.2.1", with("auth_time", "1767222000"))
	w.refuse("auth_time in the future", "RFC 9068 2.2.1", "auth_time", "is in the future", with("auth_time", "1767225661"))
}

func accessConfirmationVectors(w *vectorWriter) {
	const rule, form = "RFC 7800 3.1: a confirmation that is not understood is none", "a SHA-256 as base64url: 43 characters"
	const sum = `"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"`
	w.file("cnf", "To what the token is bound: RFC 7800, RFC 8705 3.1, RFC 9449 6.1. Who presents it is not checked by these vectors.")
	w.accept("jkt", "RFC 9449 6.1", with("cnf", `{"jkt":`+sum+`}`))
	w.refuse("cnf empty", rule, "cnf", "names no key in a way that is understood", with("cnf", "{}"))
	w.refuse("cnf with a jwk", rule, "cnf", "names no key in a way that is understood", with("cnf", `{"jwk":{"kty":"oct"}}`))
	w.refuse("cnf with a kid", rule, "cnf", "names no key in a way that is understood", with("cnf", `{"kid":"k"}`))
	w.refuse("cnf null", rule, "", "cnf: not a JSON object", with("cnf", "null"))
	w.refuse("cnf a text", rule, "", "cnf: not a JSON object", with("cnf", sum))
	w.refuse("jkt empty", form, "cnf", "is empty", with("cnf", `{"jkt":""}`))
	w.refuse("jkt a number", form, "cnf", "is not a string", with("cnf", `{"jkt":1}`))
	w.refuse("jkt too short", form, "cnf", "is not a SHA-256", with("cnf", `{"jkt":"AAAA"}`))
	w.refuse("jkt with padding", form, "cnf", "is not a SHA-256", with("cnf", `{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4="}`))
	w.refuse("jkt in plain base64", form, "cnf", "is not a SHA-256", with("cnf", `{"jkt":"0ZcOCORZNYy+DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`))
	w.refuse("jkt twice", "RFC 7519 4: names are unique", "", "duplicate member", with("cnf", `{"jkt":`+sum+`,"jkt":`+sum+`}`))
	w.refuse("JKT", "names have a case", "", `member "JKT" is not "jkt"`, with("cnf", `{"JKT":`+sum+`}`))
	w.refuse("CNF", "names have a case", "", `member "CNF" is not "cnf"`, func(d *draft) { d.payload = append(unset(d.payload, "cnf"), member{"CNF", `{"jkt":` + sum + `}`}) })
	w.accept("x5t#S256", "RFC 8705 3.1", with("cnf", `{"x5t#S256":`+sum+`}`))
	w.accept("both, and another", "RFC 7800 3.1", with("cnf", `{"jkt":`+sum+`,"x5t#S256":`+sum+`,"kid":"k"}`))
}

func accessConfigVectors(w *vectorWriter) {
	w.file("config", "A verifier that lacks something rejects everything.")
	w.accept("a complete verifier", "RFC 9068 4")
	w.refuse("no issuer", "a zero field fails the check", "", "Verifier.Issuer is empty", verifier(func(v *verifierConfig) { v.Issuer = "" }))
	w.refuse("no audience", "a zero field fails the check", "", "Verifier.Audience is empty", verifier(func(v *verifierConfig) { v.Audience = "" }))
	w.refuse("an empty list of types", "a list that is there allows what is in it", "typ", "is that of another kind of token", verifier(func(v *verifierConfig) { v.AccessTokenTypes = []string{} }))
	for _, typ := range []string{"logout+jwt", "dpop+jwt", "*", "jwt"} {
		w.refuse("type "+typ, "a typ that some access token has", "", `Verifier.AccessTokenTypes has "`+typ+`"`, accessTypes("at+jwt", typ))
	}
	w.refuse("trusted audiences do not count", "TrustedAudiences are for ID tokens", "aud", "does not name this audience",
		func(d *draft) {
			d.vector.Verifier.TrustedAudiences = []string{"other"}
			d.payload = set(d.payload, "aud", `"other"`)
		})
}

// A shape is what a provider issues: the ID token and the access token of one sign-in,
// here for one and the same audience, and without the nonce that would tell them apart.
type shape struct {
	provider   string
	types      []string // of the access token, as a Verifier is configured for it
	audience   string   // the claim that is compared
	typ        string   // header of both; empty: none
	accessTyp  string   // header of the access token, where it is another one
	id, access []member
	idReason   string // why the ID token is no access token
	idClaim    string
	atReason   string // why the access token is no ID token
	atClaim    string
}

func shapes() []shape {
	const kind, nothing, scopes = "is that of another kind of token", "nothing tells it from an ID token", "claims are those of an access token"
	return []shape{
		{
			provider: "Auth0", types: []string{"JWT"}, typ: "JWT",
			id:       []member{{"nickname", `"ada"`}, {"email_verified", "true"}, {"sid", `"s-1"`}},
			access:   []member{{"aud", `["client-1","https://op.example.com/userinfo"]`}, {"azp", `"app-1"`}, {"scope", `"openid read:tasks"`}, {"permissions", `["read:tasks"]`}},
			idReason: nothing, atReason: scopes,
		},
		{
			provider: "Auth0 with one audience", types: []string{"JWT"}, typ: "JWT",
			id:       []member{{"nickname", `"ada"`}},
			access:   []member{{"azp", `"client-1"`}, {"gty", `"client-credentials"`}},
			idReason: nothing, atReason: scopes,
		},
		{
			provider: "Okta", types: []string{""},
			id:       []member{{"ver", "1"}, {"amr", `["pwd"]`}, {"idp", `"00o1"`}, {"auth_time", "1767225590"}},
			access:   []member{{"ver", "1"}, {"cid", `"app-1"`}, {"uid", `"00u1"`}, {"scp", `["openid","read"]`}},
			idReason: nothing, atReason: scopes,
		},
		{
			provider: "Cognito", types: []string{""}, audience: "client_id",
			id:       []member{{"token_use", `"id"`}, {"cognito:username", `"ada"`}, {"origin_jti", `"o"`}},
			access:   []member{{"aud", ""}, {"token_use", `"access"`}, {"client_id", `"client-1"`}, {"scope", `"openid email"`}, {"username", `"ada"`}},
			idReason: kind, idClaim: "token_use", atReason: kind, atClaim: "token_use",
		},
		{
			provider: "Keycloak", types: []string{"JWT"}, typ: "JWT",
			id:       []member{{"typ", `"ID"`}, {"azp", `"client-1"`}, {"sid", `"s-1"`}, {"acr", `"1"`}},
			access:   []member{{"typ", `"Bearer"`}, {"azp", `"client-1"`}, {"realm_access", `{"roles":["admin"]}`}, {"scope", `"openid email"`}},
			idReason: kind, idClaim: "typ", atReason: kind, atClaim: "typ",
		},
		{
			provider: "Entra v2", types: []string{"JWT"}, typ: "JWT",
			id:       []member{{"ver", `"2.0"`}, {"tid", `"t-1"`}, {"oid", `"o-1"`}, {"uti", `"u"`}, {"rh", `"r"`}},
			access:   []member{{"ver", `"2.0"`}, {"tid", `"t-1"`}, {"oid", `"o-1"`}, {"azp", `"client-1"`}, {"azpacr", `"1"`}, {"scp", `"Tasks.Read"`}},
			idReason: nothing, atReason: scopes,
		},
		{
			provider: "Entra v2 for an app", types: []string{"JWT"}, typ: "JWT",
			id:       []member{{"ver", `"2.0"`}, {"tid", `"t-1"`}, {"oid", `"o-1"`}},
			access:   []member{{"ver", `"2.0"`}, {"tid", `"t-1"`}, {"oid", `"o-1"`}, {"azp", `"client-1"`}, {"azpacr", `"2"`}, {"roles", `["Tasks.All"]`}},
			idReason: nothing, atReason: scopes,
		},
		{
			provider: "Entra v1", types: []string{"JWT"}, typ: "JWT",
			id:       []member{{"ver", `"1.0"`}, {"tid", `"t-1"`}, {"oid", `"o-1"`}, {"unique_name", `"ada"`}},
			access:   []member{{"ver", `"1.0"`}, {"tid", `"t-1"`}, {"oid", `"o-1"`}, {"appid", `"app-1"`}, {"appidacr", `"1"`}, {"scp", `"Tasks.Read"`}},
			idReason: nothing, atReason: scopes,
		},
		{
			provider: "Duende", typ: "JWT", accessTyp: "at+jwt",
			id:       []member{{"sid", `"s-1"`}, {"idp", `"local"`}, {"amr", `["pwd"]`}, {"auth_time", "1767225590"}},
			access:   []member{{"client_id", `"app-1"`}, {"scope", `["openid","api"]`}, {"jti", `"j"`}},
			idReason: kind, idClaim: "typ", atReason: kind, atClaim: "typ",
		},
		{
			provider: "ZITADEL", types: []string{"JWT"}, typ: "JWT",
			id:       []member{{"azp", `"client-1"`}, {"client_id", ""}, {"at_hash", `"77QmUPtjPfzWtF2AnpK9RQ"`}},
			access:   []member{{"client_id", `"client-1"`}, {"jti", `"j"`}},
			idReason: "is that of an ID token", idClaim: "at_hash", atReason: scopes,
		},
	}
}

// asIDToken and asAccessToken make one of the two tokens of a shape. A value that is
// empty removes the claim.
func (s shape) asIDToken(d *draft)     { s.replace(d, s.typ, s.id) }
func (s shape) asAccessToken(d *draft) { s.replace(d, s.accessType(), s.access) }

func (s shape) accessType() string {
	if s.accessTyp != "" {
		return s.accessTyp
	}
	return s.typ
}

func (s shape) replace(d *draft, typ string, claims []member) {
	d.header = unset(slices.Clone(d.header), "typ")
	if typ != "" {
		d.header = append(d.header, member{"typ", `"` + typ + `"`})
	}
	d.payload = slices.Clone(bases["idtoken"].payload)
	for _, m := range claims {
		if m.value == "" {
			d.payload = unset(d.payload, m.name)
		} else {
			d.payload = set(d.payload, m.name, m.value)
		}
	}
}

func (s shape) configure(d *draft) {
	d.vector.Verifier.AccessTokenTypes = s.types
	d.vector.Verifier.AudienceClaim = s.audience
}

const confusion = "an ID token is no access token, nor the other way round, for one audience and one typ"

func accessProviderVectors(w *vectorWriter) {
	w.file("provider", "Access tokens as providers issue them, and the ID tokens issued beside them.")
	for _, s := range shapes() {
		w.accept(s.provider+"'s access token", confusion, s.configure, s.asAccessToken)
		w.refuse(s.provider+"'s ID token", confusion, s.idClaim, s.idReason, s.asIDToken)
		if len(s.types) > 0 && s.types[0] == "" {
			continue
		}
		w.refuse(s.provider+"'s access token without typ", "RFC 9068 4: typ", "typ", "is that of another kind of token", headerWithout("typ"))
	}
}

func providerVectors(w *vectorWriter) {
	w.file("provider", "ID tokens as providers issue them, and the access tokens issued beside them.")
	for _, s := range shapes() {
		w.accept(s.provider+"'s ID token beside an access token", confusion, s.asIDToken)
		w.refuse(s.provider+"'s access token beside an ID token", confusion, s.atClaim, s.atReason, s.asAccessToken)
	}
}
