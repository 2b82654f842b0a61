package jwtverify_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// keyHosts answers each jwks_uri with a set, and counts who was asked.
type keyHosts struct {
	sets map[string]string // by URL

	mu    sync.Mutex
	asked map[string]int
}

func (h *keyHosts) RoundTrip(req *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asked == nil {
		h.asked = map[string]int{}
	}
	h.asked[req.URL.String()]++
	return &http.Response{
		StatusCode: http.StatusOK, Request: req, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(h.sets[req.URL.String()])),
	}, nil
}

const (
	issuerA, keysA = "https://a.example.com", "https://a.example.com/jwks"
	issuerB, keysB = "https://b.example.com", "https://b.example.com/jwks"
	keysEntra      = "https://login.microsoftonline.com/common/discovery/v2.0/keys"
)

// threeIssuers is a list of two issuers and of Entra, with two tenants. Each has a key
// of its own, and all give it the same kid.
func threeIssuers(tb testing.TB) (jwtverify.Issuers, *keyHosts) {
	one := func(name string, members ...member) string {
		return jwks(jwk(tb, name, append(members, member{"kid", `"1"`})...))
	}
	hosts := &keyHosts{sets: map[string]string{
		keysA: one("rsa"), keysB: one("p256"), keysEntra: one("ed25519", member{"issuer", `"` + entraTemplate + `"`}),
	}}
	now := func() time.Time { return time.Unix(testNow, 0) }
	keys := func(url string) *jwtverify.RemoteKeys {
		return &jwtverify.RemoteKeys{URL: url, HTTPClient: &http.Client{Transport: hosts}, Now: now}
	}
	return jwtverify.Issuers{
		{Issuer: issuerA, Audience: "api-a", Keys: keys(keysA), Now: now},
		{Issuer: issuerB, Audience: "api-b", Keys: keys(keysB), Now: now},
		{Issuer: entraTemplate, Tenants: []string{tenantA, tenantB}, Audience: "api-e", Keys: keys(keysEntra), Now: now},
	}, hosts
}

// said is an ID token that says to be from an issuer.
func said(tb testing.TB, key, alg, iss, aud string, more ...member) string {
	tb.Helper()
	claims := append([]member{{"iss", `"` + iss + `"`}, {"sub", `"user-1"`}, {"aud", `"` + aud + `"`}, {"exp", "1767225900"}, {"iat", "1767225595"}}, more...)
	return mint(tb, key, alg, `{"alg":"`+alg+`","kid":"1"}`, object(claims))
}

func tid(tenant string) member { return member{"tid", `"` + tenant + `"`} }

func TestIssuersChoose(t *testing.T) {
	for _, c := range []struct {
		name, raw, issuer, keys string
	}{
		{"one", said(t, "rsa", "RS256", issuerA, "api-a"), issuerA, keysA},
		{"another", said(t, "p256", "ES256", issuerB, "api-b"), issuerB, keysB},
		{"a tenant", said(t, "ed25519", "EdDSA", entraIssuer(tenantA), "api-e", tid(tenantA)), entraIssuer(tenantA), keysEntra},
		{"another tenant", said(t, "ed25519", "EdDSA", entraIssuer(tenantB), "api-e", tid(tenantB)), entraIssuer(tenantB), keysEntra},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, hosts := threeIssuers(t)
			token, err := list.IDToken(t.Context(), c.raw, jwtverify.Expect{})
			if err != nil {
				t.Fatal(err)
			}
			if token.Issuer != c.issuer || token.Subject != "user-1" || token.Raw() != c.raw {
				t.Errorf("issuer %q, subject %q", token.Issuer, token.Subject)
			}
			if len(hosts.asked) != 1 || hosts.asked[c.keys] != 1 {
				t.Errorf("asked %v, want only %s", hosts.asked, c.keys)
			}
		})
	}
}

// Nothing is fetched for an issuer that is not on the list, nor for what is no token.
func TestIssuersFetchForNobodyElse(t *testing.T) {
	good := said(t, "rsa", "RS256", issuerA, "api-a")
	s := strings.Split(good, ".")
	as := func(iss string) string { return said(t, "rsa", "RS256", iss, "api-a") }
	payload := func(text string) string { return s[0] + "." + b64(text) + "." + s[2] }
	const unlisted = "is not an issuer on the list"
	for _, c := range []struct{ name, raw, claim, reason string }{
		{"another issuer", as("https://evil.example.com"), "iss", unlisted},
		{"a slash at the end", as(issuerA + "/"), "iss", unlisted},
		{"another case", as("https://A.example.com"), "iss", unlisted},
		{"more behind", as(issuerA + ".evil.example"), "iss", unlisted},
		{"more before", as("https://evil.example/" + issuerA), "iss", unlisted},
		{"the template", as(entraTemplate), "iss", unlisted},
		{"another tenant", as(entraIssuer(consumers)), "iss", unlisted},
		{"a tenant in capitals", as(entraIssuer(strings.ToUpper(tenantA))), "iss", unlisted},
		{"a tenant without what is before it", as(tenantA + "/v2.0"), "iss", unlisted},
		{"a tenant without what is behind it", as("https://login.microsoftonline.com/" + tenantA), "iss", unlisted},
		{"the endpoint common", as(entraIssuer("common")), "iss", unlisted},
		{"no tenant", as(entraIssuer("")), "iss", unlisted},
		{"a tenant and more", as(entraIssuer(tenantA + "/x")), "iss", unlisted},
		{"the parts of the template overlapping", as("https://login.microsoftonline.com/v2.0"), "iss", unlisted},
		{"a long issuer", as("https://" + strings.Repeat("a", 9000)), "iss", unlisted},
		{"no iss", payload(`{"sub":"user-1"}`), "iss", "is missing"},
		{"an empty iss", payload(`{"iss":""}`), "iss", "is empty"},
		{"iss null", payload(`{"iss":null}`), "iss", "is not a string"},
		{"iss an array", payload(`{"iss":["` + issuerA + `"]}`), "iss", "is not a string"},
		{"two iss", payload(`{"iss":"` + issuerA + `","iss":"` + issuerA + `"}`), "", `payload: duplicate member "iss"`},
		{"two iss by an escape", payload(`{"iss":"` + issuerA + `","\u0069ss":"` + issuerA + `"}`), "", `payload: duplicate member "iss"`},
		{"ISS beside", payload(`{"iss":"` + issuerA + `","ISS":"` + issuerA + `"}`), "", `"ISS" is not "iss"`},
		{"a duplicate elsewhere", payload(`{"iss":"` + issuerA + `","a":{"b":1,"b":1}}`), "", `payload: duplicate member "b"`},
		{"text behind", payload(`{"iss":"` + issuerA + `"}x`), "", "payload: not valid JSON"},
		{"no object", payload(`["` + issuerA + `"]`), "", "payload: not a JSON object"},
		{"nested 40 deep", payload(`{"iss":"` + issuerA + `","a":` + nested(40) + `}`), "", "JSON nested too deep"},
		{"no base64", s[0] + ".%%%." + s[2], "", "payload is not base64url"},
		{"no signature", s[0] + "." + s[1] + ".", "", "not signed"},
		{"two parts", s[0] + "." + s[1], "", "not a JWT in compact form"},
		{"nothing", "", "", "not a JWT in compact form"},
		{"a line break", good + "\n", "", "line break inside"},
		{"too large", strings.Repeat(".", 16<<10+1), "", "larger than 16384 bytes"},
		{"encrypted", b64(`{"alg":"RSA-OAEP","enc":"A256GCM","iss":"`+issuerA+`"}`) + ".AAAA.AAAA.AAAA.AAAA", "iss", "is encrypted, and cannot choose the Verifier"},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, hosts := threeIssuers(t)
			token, err := list.IDToken(t.Context(), c.raw, jwtverify.Expect{})
			if token != nil {
				t.Error("a token beside the error")
			}
			checkRefusal(t, err, "invalid", c.claim, c.reason)
			access, err := list.AccessToken(t.Context(), c.raw)
			if access != nil {
				t.Error("an access token beside the error")
			}
			checkRefusal(t, err, "invalid", c.claim, c.reason)
			if len(hosts.asked) != 0 {
				t.Errorf("asked %v", hosts.asked)
			}
		})
	}
}

// The issuer chooses, and is not believed: the Verifier checks all as if it were alone.
func TestIssuersBelieveNothing(t *testing.T) {
	entra := func(key, alg, iss string, more ...member) string { return said(t, key, alg, iss, "api-e", more...) }
	for _, c := range []struct{ name, raw, claim, reason, keys string }{
		{"signed by the key of another issuer", said(t, "p256", "ES256", issuerA, "api-a"), "kid", "names no key for ES256", keysA},
		{"signed by nobody's key", said(t, "rsa-other", "RS256", issuerA, "api-a"), "", "signature does not verify", keysA},
		{"another issuer's key, the other way", said(t, "rsa", "RS256", issuerB, "api-b"), "kid", "names no key for RS256", keysB},
		{"the audience of another issuer", said(t, "rsa", "RS256", issuerA, "api-b"), "aud", "does not name this audience", keysA},
		{"a tenant by the key of another issuer", entra("rsa", "RS256", entraIssuer(tenantA), tid(tenantA)), "kid", "names no key for RS256", keysEntra},
		{"a tenant without tid", entra("ed25519", "EdDSA", entraIssuer(tenantA)), "tid", "is missing", keysEntra},
		{"a tenant with the tid of another", entra("ed25519", "EdDSA", entraIssuer(tenantA), tid(tenantB)), "iss", "is another issuer", keysEntra},
		{"a tenant with the tid of nobody", entra("ed25519", "EdDSA", entraIssuer(tenantA), tid(consumers)), "tid", "is not a tenant on the list", keysEntra},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, hosts := threeIssuers(t)
			token, err := list.IDToken(t.Context(), c.raw, jwtverify.Expect{})
			if token != nil {
				t.Error("a token beside the error")
			}
			checkRefusal(t, err, "invalid", c.claim, c.reason)
			if len(hosts.asked) != 1 || hosts.asked[c.keys] != 1 {
				t.Errorf("asked %v, want only %s", hosts.asked, c.keys)
			}
		})
	}
	list, _ := threeIssuers(t)
	raw := said(t, "rsa", "RS256", issuerA, "api-a", member{"nonce", `"n-1"`})
	_, err := list.IDToken(t.Context(), raw, jwtverify.Expect{})
	checkRefusal(t, err, "invalid", "nonce", "is there and was not asked for")
	list[0].Audience = ""
	_, err = list.IDToken(t.Context(), raw, jwtverify.Expect{Nonce: "n-1"})
	checkRefusal(t, err, "invalid", "", "Verifier.Audience is empty")
}

// valueKeys and mapKeys are key sets of other people's: one that can be compared by
// its value, one that == would panic on.
type valueKeys struct{ name string }

func (valueKeys) Keys(context.Context, string) ([]jwtverify.Key, error) { return nil, nil }

type mapKeys map[string][]jwtverify.Key

func (m mapKeys) Keys(_ context.Context, kid string) ([]jwtverify.Key, error) { return m[kid], nil }

type anyKeys struct{ any }

func (anyKeys) Keys(context.Context, string) ([]jwtverify.Key, error) { return nil, nil }

// A list in which something could be chosen in two ways accepts nothing, not even what
// the entries that are right would.
func TestIssuersRefuseABadList(t *testing.T) {
	good := said(t, "rsa", "RS256", issuerA, "api-a")
	static := jwtverify.StaticKeys(jwtverify.Key{Public: publicKey(t, "p384")})
	remote := func(url string) *jwtverify.RemoteKeys { return &jwtverify.RemoteKeys{URL: url} }
	entry := func(issuer string, keys jwtverify.KeySet, tenants ...string) *jwtverify.Verifier {
		return &jwtverify.Verifier{Issuer: issuer, Audience: "x", Keys: keys, Tenants: tenants}
	}
	for _, c := range []struct {
		name, reason string // no reason: accepted
		add          []*jwtverify.Verifier
	}{
		{"two more", "", []*jwtverify.Verifier{entry("https://c.example.com", static), entry("https://d.example.com", remote("https://d.example.com/jwks"))}},
		{"nil", "Issuers[3] is nil", []*jwtverify.Verifier{nil}},
		{"one issuer twice", `Issuers[0] and Issuers[3] are both for "https://a.example.com"`, []*jwtverify.Verifier{entry(issuerA, static)}},
		{"a key set twice", `Issuers[3] and Issuers[4], for "https://c.example.com" and "https://d.example.com", share their keys`,
			[]*jwtverify.Verifier{entry("https://c.example.com", static), entry("https://d.example.com", static)}},
		{"a jwks_uri twice", "Issuers[0] and Issuers[3]", []*jwtverify.Verifier{entry("https://c.example.com", remote(keysA))}},
		{"equal key sets of somebody's", "share their keys", []*jwtverify.Verifier{entry("https://c.example.com", valueKeys{"x"}), entry("https://d.example.com", valueKeys{"x"})}},
		{"two key sets of somebody's", "", []*jwtverify.Verifier{entry("https://c.example.com", valueKeys{"x"}), entry("https://d.example.com", valueKeys{"y"})}},
		{"key sets that cannot be compared", "", []*jwtverify.Verifier{entry("https://c.example.com", mapKeys{}), entry("https://d.example.com", mapKeys{})}},
		{"key sets that cannot be compared inside", "", []*jwtverify.Verifier{entry("https://c.example.com", anyKeys{[]int{}}), entry("https://d.example.com", anyKeys{[]int{}})}},
		{"nil key sets of a type", "share their keys", []*jwtverify.Verifier{entry("https://c.example.com", (*jwtverify.RemoteKeys)(nil)), entry("https://d.example.com", (*jwtverify.RemoteKeys)(nil))}},
		{"no key sets", "", []*jwtverify.Verifier{entry("https://c.example.com", nil), entry("https://d.example.com", nil)}},
		{"a tenant of the template by itself", "Issuers[2] and Issuers[3] are both for", []*jwtverify.Verifier{entry(entraIssuer(tenantA), static)}},
		{"another tenant by itself", "", []*jwtverify.Verifier{entry(entraIssuer(consumers), static)}},
		{"a template of another text", "", []*jwtverify.Verifier{entry("https://sts.windows.net/{tenantid}/", static, tenantA)}},
		{"the template, of other tenants", "Issuers[2] and Issuers[3] are both for", []*jwtverify.Verifier{entry(entraTemplate, static, consumers)}},
		{"templates that can meet", "Issuers[3] and Issuers[4] are both for", []*jwtverify.Verifier{
			entry("https://c.example.com/{tenantid}/"+tenantB, static, tenantA), entry("https://c.example.com/"+tenantA+"/{tenantid}", valueKeys{}, tenantB)}},
		{"templates of two hosts", "", []*jwtverify.Verifier{
			entry("https://c.example.com/{tenantid}/v2.0", static, tenantA), entry("https://d.example.com/{tenantid}/v2.0", valueKeys{}, tenantA)}},
		{"templates with two ends", "", []*jwtverify.Verifier{
			entry("https://c.example.com/{tenantid}/v2.0", static, tenantA), entry("https://c.example.com/{tenantid}/v1.0", valueKeys{}, tenantA)}},
		{"templates, one longer", "", []*jwtverify.Verifier{
			entry("https://c.example.com/{tenantid}", static, tenantA), entry("https://c.example.com/{tenantid}/v2.0", valueKeys{}, tenantA)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, hosts := threeIssuers(t)
			list = append(list, c.add...)
			for _, order := range []jwtverify.Issuers{list, reversed(list)} {
				token, err := order.IDToken(t.Context(), good, jwtverify.Expect{})
				if c.reason == "" {
					if err != nil || token.Issuer != issuerA {
						t.Errorf("refused: %v", err)
					}
					continue
				}
				if &order[0] == &list[0] {
					checkRefusal(t, err, "invalid", "", c.reason)
				} else if err == nil {
					t.Error("accepted in the other order")
				}
			}
			if c.reason != "" && len(hosts.asked) != 0 {
				t.Errorf("asked %v", hosts.asked)
			}
		})
	}
	for _, empty := range []jwtverify.Issuers{nil, {}} {
		_, err := empty.IDToken(t.Context(), good, jwtverify.Expect{})
		checkRefusal(t, err, "invalid", "", "Issuers is empty")
	}
	_, err := manyIssuers(t, 101).IDToken(t.Context(), good, jwtverify.Expect{})
	checkRefusal(t, err, "invalid", "", "Issuers has 101 entries, and may have 100")
}

func reversed(list jwtverify.Issuers) jwtverify.Issuers {
	other := slices.Clone(list)
	slices.Reverse(other)
	return other
}

// manyIssuers are n, and the last of them signs with the test key "p256".
func manyIssuers(tb testing.TB, n int) jwtverify.Issuers {
	var list jwtverify.Issuers
	for i := range n {
		list = append(list, &jwtverify.Verifier{
			Issuer: fmt.Sprintf("https://op-%03d.example.com", i), Audience: testClient,
			Keys: jwtverify.StaticKeys(jwtverify.Key{ID: "1", Public: publicKey(tb, "p256")}),
			Now:  func() time.Time { return time.Unix(testNow, 0) },
		})
	}
	return list
}

// TestIssuersRefuseCheaply: what is refused without a Verifier costs no memory to speak of.
func TestIssuersRefuseCheaply(t *testing.T) {
	list := manyIssuers(t, 100)
	for name, raw := range map[string]string{
		"dots": strings.Repeat(".", 1<<20), "16 KB of dots": strings.Repeat(".", 16<<10),
		"another issuer": said(t, "p256", "ES256", issuerA, testClient),
	} {
		if allocs := testing.AllocsPerRun(10, func() { list.IDToken(t.Context(), raw, jwtverify.Expect{}) }); allocs > 20 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

// BenchmarkIssuers is the price of choosing, beside BenchmarkVerify.
func BenchmarkIssuers(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			list := manyIssuers(b, n)
			raw := said(b, "p256", "ES256", fmt.Sprintf("https://op-%03d.example.com", n-1), testClient)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := list.IDToken(b.Context(), raw, jwtverify.Expect{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzIssuers: a list accepts what exactly one of its Verifiers accepts alone, and reads
// it in the same way.
func FuzzIssuers(f *testing.F) {
	for _, iss := range []string{issuerA, issuerB, entraIssuer(tenantA), entraTemplate, entraIssuer(consumers), "https://evil.example.com"} {
		for _, aud := range []string{"api-a", "api-e"} {
			f.Add(`{"alg":"EdDSA","kid":"1"}`, `{"iss":"`+iss+`","sub":"user-1","aud":"`+aud+`","exp":1767225900,"iat":1767225595,"tid":"`+tenantA+`"}`)
		}
	}
	f.Add(`{"alg":"EdDSA"}`, `{"iss":"`+issuerA+`","iss":"`+issuerB+`","sub":"user-1","aud":"api-a","exp":1767225900,"iat":1767225595}`)
	list, _ := threeIssuers(f)
	for _, v := range list { // the same key for all, so that nothing but the claims decides
		v.Keys = jwtverify.StaticKeys(jwtverify.Key{Public: publicKey(f, "ed25519")})
	}
	key := testKeys(f)["ed25519"].Key
	f.Fuzz(func(t *testing.T, header, payload string) {
		input := b64(header) + "." + b64(payload)
		raw := input + "." + b64(string(sign(t, key, "EdDSA", input)))
		var alone []*jwtverify.IDToken
		for _, v := range list {
			if token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{}); err == nil {
				alone = append(alone, token)
			}
		}
		token, err := list.IDToken(t.Context(), raw, jwtverify.Expect{})
		if err != nil {
			if token != nil || len(alone) > 0 {
				t.Fatalf("refused with %v, and a Verifier alone accepts", err)
			}
			return
		}
		if len(alone) != 1 || alone[0].Issuer != token.Issuer || alone[0].Subject != token.Subject {
			t.Fatalf("accepted as of %q, and %d Verifiers accept", token.Issuer, len(alone))
		}
	})
}
