package jwtverify_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// plain is a ClaimSource that shows itself when a test fails.
type plain struct {
	Names                      []string
	JWT, Endpoint, AccessToken string
}

func plainly(list []jwtverify.ClaimSource) (shown []plain) {
	for _, src := range list {
		shown = append(shown, plain(src))
	}
	return shown
}

func TestSources(t *testing.T) {
	for _, c := range []struct {
		claims string
		want   []plain
	}{
		{`"email":"a@b.example"`, nil},
		{`"_claim_names":{}`, nil},
		{`"_claim_sources":{"src1":{"endpoint":"https://claims.example.com/"}}`, nil},
		{
			`"_claim_names":{"address":"src1","phone_number":"src1"},"_claim_sources":{"src1":{"JWT":"e30.e30.AA"}}`,
			[]plain{{Names: []string{"address", "phone_number"}, JWT: "e30.e30.AA"}},
		},
		{
			`"_claim_sources":{"a":{"access_token":"ksj3n283dke","endpoint":"https://bank.example.com/claims"},"B":{"endpoint":"https://agency.example.com/claims","kept":5},"c":{}},` +
				`"_claim_names":{"credit_score":"B","payment_info":"a","shipping_address":"B","nothing":"c"}`,
			[]plain{
				{Names: []string{"credit_score", "shipping_address"}, Endpoint: "https://agency.example.com/claims"},
				{Names: []string{"payment_info"}, Endpoint: "https://bank.example.com/claims", AccessToken: "ksj3n283dke"},
				{Names: []string{"nothing"}},
			},
		},
	} {
		if got := plainly(tokenSaying(t, c.claims).Sources()); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.claims, got, c.want)
		}
		parsed, err := jwtverify.ParseSources([]byte("{" + c.claims + "}"))
		if err != nil || !reflect.DeepEqual(plainly(parsed), c.want) {
			t.Errorf("parsed %s: %+v, %v; want %+v", c.claims, plainly(parsed), err, c.want)
		}
	}
}

func TestParseSourcesRefuses(t *testing.T) {
	const good = `{"sub":"user-1","_claim_names":{"groups":"src1"},"_claim_sources":{"src1":{"endpoint":"https://claims.example.com/"}}}`
	if list, err := jwtverify.ParseSources([]byte(good)); err != nil || len(list) != 1 {
		t.Fatal(len(list), err)
	}
	for _, c := range []struct{ from, to, reason string }{
		{`"groups":"src1"`, `"groups":"src2"`, "_claim_names names a source that is not there"},
		{`"groups":"src1"`, `"groups":["src1"]`, "_claim_names is not a string"},
		{`{"groups":"src1"}`, `null`, "_claim_names: not a JSON object"},
		{`{"endpoint":"https://claims.example.com/"}`, `"https://claims.example.com/"`, "_claim_sources: not a JSON object"},
		{`"endpoint":"`, `"endpoint":5,"x":"`, "_claim_sources is not a string"},
		{`"endpoint":`, `"Endpoint":`, `member "Endpoint" is not "endpoint"`},
		{`"endpoint":`, `"JWT":"","endpoint":`, "_claim_sources is empty"},
		{`"groups":"src1"`, `"groups":"src1","groups":"src1"`, `duplicate member "groups"`},
		{`"_claim_names"`, `"_CLAIM_names":{},"_claim_names"`, `member "_CLAIM_names" is not "_claim_names"`},
		{`"sub":"user-1"`, `"SUB":"user-1"`, `member "SUB" is not "sub"`},
		{good, `[]`, "claims: not a JSON object"},
		{good, ``, "claims: not a JSON object"},
	} {
		list, err := jwtverify.ParseSources([]byte(strings.Replace(good, c.from, c.to, 1)))
		if list != nil || !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), c.reason) || !strings.HasPrefix(err.Error(), "jwtverify: ") {
			t.Errorf("%s for %s: %d sources, %v; want the reason %q", c.to, c.from, len(list), err, c.reason)
		}
	}
}

// TestSourcesAreRedacted: neither the tokens of a source nor what one says of a user
// gets into a log by accident.
func TestSourcesAreRedacted(t *testing.T) {
	src := jwtverify.ClaimSource{
		Names: []string{"canary"}, JWT: "canary", Endpoint: "https://canary.example/", AccessToken: "canary",
	}
	claims, err := agency(t).SourceClaims(t.Context(), agencyJWT(t, `"score":"canary"`), jwtverify.ClaimSource{Names: []string{"score"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{src, &src, []jwtverify.ClaimSource{src}, map[string]any{"x": src}, claims, *claims, struct{ X any }{claims}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "canary") || strings.Contains(text, "63616e617279") {
				t.Errorf("%s of %T shows %s", verb, v, text)
			}
		}
		if text, err := json.Marshal(v); err != nil || bytes.Contains(text, []byte("canary")) || !bytes.Contains(text, []byte("[redacted]")) {
			t.Errorf("JSON of %T: %s, %v", v, text, err)
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		if strings.Contains(log.String(), "canary") {
			t.Errorf("log of %T: %s", v, &log)
		}
	}
}

const agencyIssuer = "https://agency.example.com"

// agency verifies the claims of a party that is not the issuer of the ID token.
func agency(tb testing.TB) *jwtverify.Verifier {
	return &jwtverify.Verifier{
		Issuer: agencyIssuer, Audience: testClient,
		Keys: jwtverify.StaticKeys(jwtverify.Key{ID: "p256", Public: publicKey(tb, "p256")}),
		Now:  func() time.Time { return time.Unix(testNow, 0) },
	}
}

func agencyJWT(tb testing.TB, claims string) string {
	return agencyPayload(tb, `{"iss":"https://agency.example.com",`+claims+`}`)
}

func agencyPayload(tb testing.TB, payload string) string {
	return mint(tb, "p256", "ES256", `{"alg":"ES256","kid":"p256"}`, payload)
}

func TestSourceClaims(t *testing.T) {
	for _, c := range []struct {
		name, jwt, want string
		src             jwtverify.ClaimSource
		expiry          time.Time
	}{
		{"one of many", `"score":650,"bonus":"x"`, `{"score":650}`, jwtverify.ClaimSource{Names: []string{"score"}}, time.Time{}},
		{"two, in another order", `"b":[1],"x":0,"a":{"c":null}`, `{"b":[1],"a":{"c":null}}`, jwtverify.ClaimSource{Names: []string{"a", "b"}}, time.Time{}},
		{"named twice", `"a":1`, `{"a":1}`, jwtverify.ClaimSource{Names: []string{"a", "a"}}, time.Time{}},
		{"kept back", `"b":[1]`, `{"b":[1]}`, jwtverify.ClaimSource{Names: []string{"a", "b"}}, time.Time{}},
		{"all kept back", `"A":1`, `{}`, jwtverify.ClaimSource{Names: []string{"a"}}, time.Time{}},
		{"odd name", `"https://x.example/\"<a>":"\u0041"`, `{"https://x.example/\"\u003ca\u003e":"\u0041"}`, jwtverify.ClaimSource{Names: []string{`https://x.example/"<a>`}}, time.Time{}},
		{"sub of the agency", `"sub":"other","a":1`, `{"a":1}`, jwtverify.ClaimSource{Names: []string{"a"}}, time.Time{}},
		{"all the times", `"exp":1767225600,"iat":1767225600,"nbf":1767225600,"a":1`, `{"a":1}`, jwtverify.ClaimSource{Names: []string{"a"}}, time.Unix(testNow, 0)},
		{"old and without exp", `"iat":1000000000,"a":1`, `{"a":1}`, jwtverify.ClaimSource{Names: []string{"a"}}, time.Time{}},
		{"for us", `"aud":"client-1","a":1`, `{"a":1}`, jwtverify.ClaimSource{Names: []string{"a"}}, time.Time{}},
		{"for us and others", `"aud":["x","client-1"],"a":1`, `{"a":1}`, jwtverify.ClaimSource{Names: []string{"a"}}, time.Time{}},
		{"email", `"email":"a@b.example","email_verified":true`, `{"email":"a@b.example","email_verified":true}`, jwtverify.ClaimSource{Names: []string{"email", "email_verified"}}, time.Time{}},
	} {
		claims, err := agency(t).SourceClaims(t.Context(), agencyJWT(t, c.jwt), c.src)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if all, ok := claims.Claim(); !ok || string(all) != c.want {
			t.Errorf("%s: %s, want %s", c.name, all, c.want)
		}
		if claims.Issuer != agencyIssuer || !claims.Expiry.Equal(c.expiry) {
			t.Errorf("%s: of %s until %v", c.name, claims.Issuer, claims.Expiry)
		}
	}
}

func TestSourceClaimsAggregated(t *testing.T) {
	raw := agencyJWT(t, `"roles":["a"],"score":650`)
	src := jwtverify.ClaimSource{Names: []string{"roles", "score"}, JWT: raw}
	claims, err := agency(t).SourceClaims(t.Context(), raw, src)
	if err != nil {
		t.Fatal(err)
	}
	if list, ok := claims.Texts("roles"); !ok || !reflect.DeepEqual(list, []string{"a"}) {
		t.Errorf("roles %q, %v", list, ok)
	}
	decoded, err := jwtverify.Decode[struct{ Score int }](claims)
	if err != nil || decoded.Score != 650 {
		t.Errorf("decoded %+v, %v", decoded, err)
	}
	var wrong struct{ Score string }
	if err := claims.Claims(&wrong); err == nil || !strings.HasPrefix(err.Error(), "jwtverify: decoding claims: ") {
		t.Errorf("a number into a string: %v", err)
	}

	src.Names = append(src.Names, "missing")
	refusedSource(t, agency(t), raw, src, "_claim_names", `has a claim that its source has not: got "missing"`)
	src.Names = src.Names[:2]
	refusedSource(t, agency(t), agencyJWT(t, `"roles":["a"],"score":650`), src, "", "not the JWT of this claim source")
}

// refusedSource asserts why claims of a source are refused.
func refusedSource(t *testing.T, v *jwtverify.Verifier, raw string, src jwtverify.ClaimSource, claim, reason string) {
	t.Helper()
	claims, err := v.SourceClaims(t.Context(), raw, src)
	if claims != nil || !errors.Is(err, jwtverify.ErrInvalid) || !strings.HasPrefix(err.Error(), "jwtverify: ") || !strings.Contains(err.Error(), reason) {
		t.Errorf("claims %v, error %v; want ErrInvalid because of %q", claims, err, reason)
	}
	var refused *jwtverify.ClaimError
	if errors.As(err, &refused) != (claim != "") || refused != nil && refused.Claim != claim {
		t.Errorf("error %v is not about %q", err, claim)
	}
}

func TestSourceClaimsRefuses(t *testing.T) {
	src := jwtverify.ClaimSource{Names: []string{"a"}, Endpoint: "https://agency.example.com/claims"}
	const good = `{"iss":"https://agency.example.com","a":1}`
	if _, err := agency(t).SourceClaims(t.Context(), agencyPayload(t, good), src); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ payload, claim, reason string }{
		{`{"a":1}`, "iss", "is missing"},
		{`{"iss":"https://op.example.com","a":1}`, "iss", "is another issuer"},
		{`{"iss":"https://agency.example.com/","a":1}`, "iss", "is another issuer"},
		{`{"iss":["https://agency.example.com"],"a":1}`, "iss", "is not a string"},
		{`{"iss":"https://agency.example.com","aud":"client-2","a":1}`, "aud", "does not name this audience"},
		{`{"iss":"https://agency.example.com","aud":[],"a":1}`, "aud", "does not name this audience"},
		{`{"iss":"https://agency.example.com","exp":"1767225900","a":1}`, "exp", "is not a number"},
		{`{"iss":"https://agency.example.com","exp":null,"a":1}`, "exp", "is not a number"},
		{`{"iss":"https://agency.example.com","nbf":1767225661,"a":1}`, "nbf", "is in the future"},
		{`{"iss":"https://agency.example.com","iat":1767225661,"a":1}`, "iat", "is in the future"},
		{`{"iss":"https://agency.example.com","events":{},"a":1}`, "events", "is that of a logout token"},
		{`{"iss":"https://agency.example.com","nonce":"n","a":1}`, "nonce", "is that of an ID token"},
		{`{"iss":"https://agency.example.com","at_hash":"h","a":1}`, "at_hash", "is that of an ID token"},
		{`{"iss":"https://agency.example.com","c_hash":"h","a":1}`, "c_hash", "is that of an ID token"},
		{`{"iss":"https://agency.example.com","typ":"ID","a":1}`, "typ", "is that of another kind of token"},
		{`{"iss":"https://agency.example.com","token_use":"id","a":1}`, "token_use", "is that of another kind of token"},
		{`{"iss":"https://agency.example.com","a":1,"a":2}`, "", `duplicate member "a"`},
		{`{"iss":"https://agency.example.com","a":1,"A":2}`, "", `duplicate member "A"`},
		{`[` + good + `]`, "", "payload: not a JSON object"},
	} {
		refusedSource(t, agency(t), agencyPayload(t, c.payload), src, c.claim, c.reason)
	}

	signed := func(key, alg, header string) string { return mint(t, key, alg, header, good) }
	raw := signed("p256", "ES256", `{"alg":"ES256","kid":"p256"}`)
	refusedSource(t, agency(t), b64(`{"alg":"none"}`)+"."+b64(good)+".", src, "", "not signed")
	refusedSource(t, agency(t), b64(`{"alg":"none"}`)+"."+b64(good)+".AA", src, "alg", "is not an algorithm that may sign")
	refusedSource(t, agency(t), signed("ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519"}`), src, "kid", "names no key for EdDSA")
	refusedSource(t, agency(t), raw[:len(raw)-86]+b64(strings.Repeat("\x01", 64)), src, "", "signature does not verify")
	for _, typ := range []string{"at+jwt", "logout+jwt", "dpop+jwt", "application/at+jwt"} {
		refusedSource(t, agency(t), signed("p256", "ES256", `{"alg":"ES256","typ":"`+typ+`"}`), src, "typ", "is that of another kind of token")
	}
	refusedSource(t, agency(t), "", src, "", "not a JWT in compact form")
	refusedSource(t, agency(t), raw+"\n", src, "", "line break inside")
	refusedSource(t, &jwtverify.Verifier{}, raw, src, "", "Verifier.Issuer is empty")

	refusedSource(t, agency(t), raw, jwtverify.ClaimSource{Endpoint: src.Endpoint}, "", "ClaimSource.Names is empty")
	for _, name := range []string{"sub", "iss", "aud", "exp", "acr", "amr", "auth_time", "nonce", "sid", "cnf", "scope", "_claim_names", "SUB", "\u017fub"} {
		source := jwtverify.ClaimSource{Names: []string{"a", name}}
		refusedSource(t, agency(t), raw, source, "_claim_names", "has a claim that cannot come from a source")
	}
}

// TestSourceClaimsExpire: only what nothing else is wrong with has expired.
func TestSourceClaimsExpire(t *testing.T) {
	src := jwtverify.ClaimSource{Names: []string{"a"}}
	raw := agencyJWT(t, `"a":1,"exp":1767225540`)
	claims, err := agency(t).SourceClaims(t.Context(), raw, src)
	var refused *jwtverify.ClaimError
	if claims != nil || !errors.Is(err, jwtverify.ErrExpired) || !errors.As(err, &refused) || refused.Claim != "exp" {
		t.Errorf("claims %v, error %v", claims, err)
	}
	if _, err := agency(t).SourceClaims(t.Context(), agencyJWT(t, `"a":1,"exp":1767225541`), src); err != nil {
		t.Errorf("a second before: %v", err)
	}
	src.JWT, src.Names = raw, []string{"b"}
	refusedSource(t, agency(t), raw, src, "_claim_names", "has a claim that its source has not")
}

// TestManySources: the time for a document grows with its length, and not with the
// square of it. A megabyte took a minute, and takes a fraction of a second.
func TestManySources(t *testing.T) {
	var names, sources strings.Builder
	const n = 30_000
	for i := range n {
		fmt.Fprintf(&names, `"c%d":"s%d",`, i, i)
		fmt.Fprintf(&sources, `"s%d":{"JWT":"%d"},`, i, i)
	}
	text := `{"_claim_names":{` + names.String() + `"last":"s7"},"_claim_sources":{` + sources.String() + `"unused":{}}}`
	start := time.Now()
	list, err := jwtverify.ParseSources([]byte(text))
	if took := time.Since(start); err != nil || took > 20*time.Second {
		t.Fatalf("%v after %v", err, took)
	}
	if len(list) != n || list[n-1].JWT != fmt.Sprint(n-1) || !slices.Equal(list[7].Names, []string{"c7", "last"}) {
		t.Errorf("%d sources, the last with %q, the eighth for %q", len(list), list[len(list)-1].JWT, list[7].Names)
	}
}
