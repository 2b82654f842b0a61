package jwtverify_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// keySetVectors are key sets as an attacker, or a provider on a bad day, would make them.
func keySetVectors(w *vectorWriter) {
	w.file("keyset", "Sets that are made to mislead: RFC 7517 4 and 5, RFC 7518 6, RFC 8037 2.")
	k := func(name string, members ...member) string {
		return jwk(w.t, name, append(members, member{"kid", `"rsa"`})...)
	}
	decoy := k("rsa-other")
	w.accept("the eighth key of one kid signed", "at most 8 keys are tried", published(append(slices.Repeat([]string{decoy}, 7), k("rsa"))...))
	w.refuse("the ninth key of one kid signed", "at most 8 keys are tried", "", "signature does not verify", published(append(slices.Repeat([]string{decoy}, 8), k("rsa"))...))
	w.accept("24 keys of one kid that do not fit", "only keys that fit count", published(append(unfit(w, 24), k("rsa"))...))
	w.refuse("24 keys of one kid, and none fits", "only keys that fit count", "kid", "names no key for RS256", published(unfit(w, 24)...))
	w.accept("1,023 keys of no use before", "of a set, 1,024 keys are looked at", published(append(slices.Repeat([]string{`{}`}, 1023), k("rsa"))...))
	w.refuse("1,024 keys of no use before", "of a set, 1,024 keys are looked at", "kid", "names no key for RS256", published(append(slices.Repeat([]string{`{}`}, 1024), k("rsa"))...))

	w.accept("key with a certificate that says nothing", "x5c and x5t have no meaning here", published(k("rsa", member{"x5c", `["not a certificate"]`}, member{"x5t", `"AAAA"`}, member{"x5t#S256", `"AAAA"`}, member{"x5u", `"::"`})))
	w.accept("key with members that are null", "null says nothing", published(k("rsa", member{"use", "null"}, member{"key_ops", "null"}, member{"alg", "null"}, member{"d", "null"}, member{"oth", "null"}, member{"x5c", "null"})))
	for _, c := range []struct {
		name, rule string
		key        member
	}{
		{"use not a string", "RFC 7517 4.2: a string", member{"use", `["sig"]`}},
		{"use sig in capitals", "RFC 7517 4.2: has case", member{"use", `"SIG"`}},
		{"key_ops a string", "RFC 7517 4.3: an array", member{"key_ops", `"verify"`}},
		{"key_ops empty", "RFC 7517 4.3: none is allowed", member{"key_ops", `[]`}},
		{"alg of a shared secret", "RFC 7517 4.4", member{"alg", `"HS256"`}},
		{"alg none", "RFC 7517 4.4", member{"alg", `"none"`}},
		{"alg in another case", "RFC 7517 4.4: has case", member{"alg", `"rs256"`}},
		{"alg a number", "RFC 7517 4.4: a string", member{"alg", `256`}},
		{"exponent 1", "RFC 8017 3.1: e is at least 3", member{"e", `"AQ"`}},
		{"an even exponent", "RFC 8017 3.1: e is odd", member{"e", `"AQAC"`}},
		{"an exponent of 32 bits", "a bound on the work", member{"e", `"_____w"`}},
		{"an exponent of 64 bits and 65537", "a bound on the work", member{"e", `"AQAAAAAAAQAB"`}},
		{"an even modulus", "RFC 8017 3.1: n is odd", member{"n", `"` + strings.Repeat("_", 340) + `8"`}},
		{"no modulus", "RFC 7518 6.3.1: required", member{"n", ""}},
		{"a modulus of 16384 bits", "a bound on the work", member{"n", `"` + strings.Repeat("_", 2730) + `8"`}},
		{"a prime", "RFC 7517 9.2: whoever reads it can sign", member{"p", `"AQAB"`}},
		{"issuer a number", "a string, where it is there", member{"issuer", `1`}},
		{"ISSUER beside", "names have case", member{"ISSUER", `"https://op.example.com"`}},
	} {
		w.refuse("RSA key with "+c.name, c.rule, "kid", "names no key for RS256", published(k("rsa", c.key)))
	}
	w.refuse("key with a kid that is a number", "RFC 7517 4.5: a string", "kid", "names no key for RS256", published(jwk(w.t, "rsa", member{"kid", "7"})))
	w.differ("keys", "set with arrays 40 deep", "a bound on nesting", "", "JSON nested too deep", published(k("rsa"), strings.Repeat("[", 40)+strings.Repeat("]", 40)))
	w.differ("keys", "set with two lists of keys", "RFC 8259 4: names are unique", "", "duplicate member", func(d *draft) { d.JWKS = json.RawMessage(fmt.Sprintf(`{"keys":[%s],"keys":[]}`, k("rsa"))) })
	w.accept("elements that are no objects", "RFC 7517 5: what is not understood is ignored", published(`null`, `7`, `"rsa"`, `[]`, `true`, `{"kty":null}`, k("rsa")))
	w.accept("a key for EdDSA", "RFC 8037 2", signedBy("ed25519", "EdDSA"), published(jwk(w.t, "ed25519")))
	for _, name := range slices.Sorted(maps.Keys(lowOrder)) {
		w.refuse("Ed25519 key of small order: "+name, "anybody can sign with it", "kid", "names no key for EdDSA", published(jwk(w.t, "ed25519", member{"x", `"` + b64(lowOrder[name]) + `"`})))
	}
}

// unfit are n keys that bear a kid and cannot have made a signature with RS256.
func unfit(w *vectorWriter, n int) []string {
	k := func(name string, members ...member) string {
		return jwk(w.t, name, append(members, member{"kid", `"rsa"`})...)
	}
	kinds := []string{
		k("p256"), k("p384"), k("p521"), k("ed25519"), k("rsa-1024"),
		k("rsa-other", member{"alg", `"PS256"`}), k("rsa-other", member{"alg", `"RSA-OAEP"`}), k("rsa-other", member{"use", `"enc"`}),
	}
	return slices.Repeat(kinds, n/len(kinds)+1)[:n]
}

const (
	entraTemplate = "https://login.microsoftonline.com/{tenantid}/v2.0"
	tenantA       = "11111111-2222-4333-8444-55555555555a"
	tenantB       = "99999999-8888-4777-8666-55555555555b"
	consumers     = "9188040d-6c67-4c5b-b112-36a304b66dad" // Microsoft's own, for personal accounts
)

func entraIssuer(tenant string) string {
	return strings.ReplaceAll(entraTemplate, "{tenantid}", tenant)
}

func tenantVectors(w *vectorWriter) {
	const (
		rule       = "Entra: iss is the template with tid in place, and tid one of the tenants"
		keyRule    = "Entra: a key with an issuer signs for that issuer"
		configRule = "a template has a closed set of tenants"
	)
	w.file("tenant", "An issuer of many tenants: Microsoft Entra's {tenantid}, in place of Core 3.1.3.7 step 2.")
	text := func(s string) string { return `"` + s + `"` }
	config := func(f func(*verifierConfig)) change { return verifier(f) }
	entra := config(func(v *verifierConfig) { v.Issuer, v.Tenants = entraTemplate, []string{tenantA, tenantB} })
	of := func(tenant string) change {
		return func(d *draft) { with("iss", text(entraIssuer(tenant)))(d); with("tid", text(tenant))(d) }
	}
	w.accept("a tenant of the list", rule, entra, of(tenantA))
	w.refuse("a tenant that is not on the list", rule, "tid", "is not a tenant on the list", of(consumers))
	w.refuse("tid missing", rule, "tid", "is missing", without("tid"))
	w.refuse("tid a number", rule, "tid", "is not a string", with("tid", "1"))
	w.refuse("tid null", rule, "tid", "is not a string", with("tid", "null"))
	w.refuse("tid empty", rule, "tid", "is empty", with("tid", `""`))
	w.refuse("tid in capitals", rule, "tid", "is not a tenant on the list", with("tid", text(strings.ToUpper(tenantA))))
	w.refuse("tid the placeholder", rule, "tid", "is not a tenant on the list", with("tid", text("{tenantid}")))
	w.refuse("TID beside tid", "names have case", "", "duplicate member", again("TID", text(tenantB)))
	w.refuse("tid of another tenant than iss", rule, "iss", "is another issuer", with("tid", text(tenantB)))
	w.refuse("iss the template", rule, "iss", "is another issuer", with("iss", text(entraTemplate)))
	w.refuse("iss of the endpoint common", rule, "iss", "is another issuer", with("iss", text(entraIssuer("common"))))
	w.refuse("iss of a tenant in capitals", rule, "iss", "is another issuer", with("iss", text(entraIssuer(strings.ToUpper(tenantA)))))
	w.refuse("iss of a tenant with a slash at the end", rule, "iss", "is another issuer", with("iss", text(entraIssuer(tenantA)+"/")))
	w.refuse("iss of a tenant on another host", rule, "iss", "is another issuer", with("iss", text("https://login.example.com/"+tenantA+"/v2.0")))
	w.refuse("iss of a tenant in the older form", rule, "iss", "is another issuer", with("iss", text("https://sts.windows.net/"+tenantA+"/")))
	w.refuse("iss of a tenant missing", rule, "iss", "is another issuer", without("iss"))
	for _, id := range []string{"common", "organizations", "consumers", "", "contoso.onmicrosoft.com", strings.ToUpper(tenantA), "{" + tenantA[1:35] + "}", tenantA[:35], strings.ReplaceAll(tenantA, "-", "0"), "g" + tenantA[1:], "*"} {
		w.refuse("tenants with "+text(id), configRule, "", "which is no tenant ID", config(func(v *verifierConfig) { v.Tenants = []string{tenantA, id} }))
	}
	w.refuse("a template without tenants", configRule, "", "Verifier.Tenants is empty", config(func(v *verifierConfig) { v.Tenants = nil }))
	w.refuse("a template with an empty list of tenants", configRule, "", "Verifier.Tenants is empty", config(func(v *verifierConfig) { v.Tenants = []string{} }))
	w.refuse("a template of two tenants", configRule, "", "has {tenantid} more than once", config(func(v *verifierConfig) { v.Issuer += "/{tenantid}" }))
	w.accept("the older form", rule, config(func(v *verifierConfig) {
		v.Issuer, v.Tenants = "https://sts.windows.net/{tenantid}/", []string{tenantA}
	}),
		with("iss", text("https://sts.windows.net/"+tenantA+"/")), with("tid", text(tenantA)))
	w.refuse("the newer form where the older one is meant", rule, "iss", "is another issuer", with("iss", text(entraIssuer(tenantA))))
	w.accept("one tenant, and no template", "byte for byte, and tid is not looked at", config(func(v *verifierConfig) { v.Issuer = entraIssuer(tenantA) }), of(tenantA))
	w.refuse("one tenant, and tenants", configRule, "", "has no {tenantid}", config(func(v *verifierConfig) { v.Tenants = []string{tenantA} }))
	w.refuse("one tenant, and an empty list of tenants", configRule, "", "has no {tenantid}", config(func(v *verifierConfig) { v.Tenants = []string{} }))

	k := func(issuer string) change {
		return published(jwk(w.t, "rsa", member{"issuer", text(issuer)}), jwk(w.t, "p256", member{"issuer", text(entraIssuer(tenantB))}))
	}
	w.accept("a key for every tenant", keyRule, entra, of(tenantA), k(entraTemplate))
	w.refuse("a key of another tenant", keyRule, "kid", "names a key for another issuer", k(entraIssuer(tenantB)))
	w.refuse("a key for personal accounts", keyRule, "kid", "names a key for another issuer", k(entraIssuer(consumers)))
	w.refuse("a key for every tenant of another cloud", keyRule, "kid", "names a key for another issuer", k("https://login.microsoftonline.us/{tenantid}/v2.0"))
	w.refuse("a key for the placeholder twice", keyRule, "kid", "names a key for another issuer", k(entraTemplate+"{tenantid}"))
	w.accept("a key of the tenant", keyRule, entra, of(tenantA), k(entraIssuer(tenantA)))
	w.refuse("a key of the tenant for another one", keyRule, "kid", "names a key for another issuer", of(tenantB))
	w.refuse("the key of another tenant beside", keyRule, "kid", "names a key for another issuer", signedBy("p256", "ES256"))
	w.accept("a key with an empty issuer", keyRule, entra, of(tenantA), k(""))
	w.accept("a key of another issuer, and no template", "the member issuer is Entra's, and counts for its templates", k("https://other.example.com"))
	w.accept("refreshed in a tenant", "Core 12.2", entra, of(tenantA), want(func(c *wantConfig) {
		c.Previous = &previousConfig{Issuer: entraIssuer(tenantA), Subject: "user-1", Audience: []string{testClient}}
	}))
	w.refuse("refreshed in another tenant", "Core 12.2", "iss", "is not that of the token before", of(tenantB))
}
