package jwtverify_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

// asked counts how often somebody wanted a key.
type asked struct {
	jwtverify.KeySet
	times atomic.Int64
}

func (a *asked) Keys(ctx context.Context, kid string) ([]jwtverify.Key, error) {
	a.times.Add(1)
	return a.KeySet.Keys(ctx, kid)
}

// refuses asserts that a verifier refuses a token for a reason.
func refuses(t *testing.T, v *jwtverify.Verifier, raw, claim, reason string) {
	t.Helper()
	token, err := v.IDToken(t.Context(), raw, jwtverify.Expect{})
	if token != nil {
		t.Error("a token beside the error")
	}
	checkRefusal(t, err, "invalid", claim, reason)
}

func TestV1AlgorithmConfusion(t *testing.T) {
	v, raw, _ := accepted(t, "compact form")
	keys := &asked{KeySet: v.Keys}
	v.Keys = keys
	der, err := x509.MarshalPKIXPublicKey(publicKey(t, "rsa"))
	if err != nil {
		t.Fatal(err)
	}
	payload := unb64(strings.Split(raw, ".")[1])
	for name, secret := range map[string]string{
		"PEM":           string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"DER":           string(der),
		"JWK":           jwk(t, "rsa"),
		"client secret": "client-secret",
	} {
		t.Run(name, func(t *testing.T) {
			input := b64(`{"alg":"HS256","kid":"rsa"}`) + "." + b64(payload)
			forged := input + "." + b64(string(sign(t, []byte(secret), "HS256", input)))
			refuses(t, v, forged, "alg", "is not an algorithm that may sign")
		})
	}
	if n := keys.times.Load(); n != 0 {
		t.Errorf("looked for a key %d times", n)
	}
}

func TestV2NoSignature(t *testing.T) {
	v, raw, _ := accepted(t, "compact form")
	s := strings.Split(raw, ".")
	for _, alg := range []string{"none", "None", "nOnE", "NONE"} {
		head := b64(`{"alg":"` + alg + `"}`)
		refuses(t, v, head+"."+s[1]+".", "", "not signed")
		refuses(t, v, head+"."+s[1]+".AA", "alg", "is not an algorithm that may sign")
		refuses(t, v, head+"."+s[1]+"."+s[2], "alg", "is not an algorithm that may sign")
	}
	refuses(t, v, s[0]+"."+s[1]+".", "", "not signed")
	refuses(t, v, "e30.e30.", "", "not signed")
	refuses(t, v, "e30.e30.AA", "alg", "is missing")
	v.Algorithms = []string{"none"}
	refuses(t, v, b64(`{"alg":"none"}`)+"."+s[1]+".AA", "", `Verifier.Algorithms has "none"`)
}

func TestV3KeyFromTheHeader(t *testing.T) {
	var hits atomic.Int64
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer evil.Close()
	v, raw, _ := accepted(t, "compact form")
	payload := unb64(strings.Split(raw, ".")[1])
	for _, extra := range []string{
		`"jwk":` + jwk(t, "rsa-other"), `"jku":"` + evil.URL + `"`, `"x5u":"` + evil.URL + `"`, `"x5c":["AAAA"]`, `"x5t":"AAAA"`,
	} {
		forged := mint(t, "rsa-other", "RS256", `{"alg":"RS256","kid":"rsa",`+extra+`}`, payload)
		refuses(t, v, forged, "", "signature does not verify")
		forged = mint(t, "rsa-other", "RS256", `{"alg":"RS256","kid":"rsa-other",`+extra+`}`, payload)
		if _, err := v.IDToken(t.Context(), forged, jwtverify.Expect{}); err == nil {
			t.Errorf("accepted with %s", extra)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests to an address of the token", n)
	}
	v.Keys = jwtverify.StaticKeys(jwtverify.Key{ID: "rsa", Public: publicKey(t, "rsa")})
	for _, kid := range []string{"../../dev/null", "/etc/passwd", "' OR 1=1 --", "rsa\\u0000", "https://evil.example.com/"} {
		refuses(t, v, mint(t, "rsa", "RS256", `{"alg":"RS256","kid":"`+kid+`"}`, payload), "kid", "names no key")
	}
	refuses(t, v, mint(t, "rsa", "RS256", `{"alg":"RS256","kid":"`+strings.Repeat("k", 100<<10)+`"}`, payload), "", "larger than 16384 bytes")
}

func TestV4OtherSerializations(t *testing.T) {
	v, raw, _ := accepted(t, "compact form")
	s := strings.Split(raw, ".")
	signature := `"protected":"` + s[0] + `","signature":"` + s[2] + `"`
	for _, text := range []string{
		`{"payload":"` + s[1] + `",` + signature + `}`,
		`{"payload":"` + s[1] + `","signatures":[{` + signature + `}]}`,
		`{"payload":"` + s[1] + `","signatures":[{` + signature + `},{` + signature + `}]}`,
		`{"payload":"` + s[1] + `","signatures":[{}]}`,
		raw + "," + raw, "[" + raw + "]",
	} {
		token, err := v.IDToken(t.Context(), text, jwtverify.Expect{})
		if token != nil {
			t.Error("a token beside the error")
		}
		reason := "not a JWT in compact form"
		if strings.Count(text, ".") == 2 {
			reason = "header is not base64url"
		}
		if strings.Count(text, ".") == 4 {
			reason = "encrypted, and Verifier.Decrypt is nil"
		}
		checkRefusal(t, err, "invalid", "", reason)
	}
	nested := mint(t, "rsa", "RS256", `{"alg":"RS256","kid":"rsa","cty":"JWT"}`, raw)
	refuses(t, v, nested, "", "payload: not a JSON object")
}

func TestV5Dots(t *testing.T) {
	v, _, _ := accepted(t, "compact form")
	for _, size := range []int{16<<10 + 1, 1 << 20, 10 << 20} {
		dots := strings.Repeat(".", size)
		refuses(t, v, dots, "", "larger than 16384 bytes")
		allocs := testing.AllocsPerRun(10, func() { v.IDToken(t.Context(), dots, jwtverify.Expect{}) })
		if allocs > 10 {
			t.Errorf("%v allocations for %d dots", allocs, size)
		}
	}
	refuses(t, v, strings.Repeat(".", 16<<10), "", "not a JWT in compact form")
}

func TestV6V7EncryptedBombs(t *testing.T) {
	v, _, _ := accepted(t, "compact form")
	for _, header := range []string{
		`{"alg":"RSA-OAEP","enc":"A256GCM","zip":"DEF"}`,
		`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`,
		`{"alg":"RSA1_5","enc":"A128CBC-HS256"}`, `{"alg":"dir","enc":"A128GCM"}`,
	} {
		refuses(t, v, b64(header)+".AAAA.AAAA.AAAA.AAAA", "", "encrypted, and Verifier.Decrypt is nil")
		refuses(t, v, b64(header)+"....", "", "encrypted, and Verifier.Decrypt is nil")
		refuses(t, v, b64(header)+".AAAA.AAAA", "alg", "is not an algorithm that may sign")
	}
}

// attack runs the refused vectors of a file under the name of the attack they are.
func attack(t *testing.T, least int, about string) {
	refused := 0
	for _, file := range loadVectors(t, "idtoken") {
		for _, v := range file.Vectors {
			if v.Expect != "accept" && strings.HasPrefix(file.About, about) {
				refused++
				checkVector(t, file, v)
			}
		}
	}
	if refused < least {
		t.Errorf("%d vectors, want at least %d", refused, least)
	}
}

func TestV9Audience(t *testing.T) { attack(t, 20, "To whom:") }

func TestV9bTimes(t *testing.T) { attack(t, 20, "When:") }

func TestV10DuplicateAndFoldedNames(t *testing.T) {
	attack(t, 12, "One reading of the payload:")
	attack(t, 20, "The JOSE header:")
	v, _, _ := accepted(t, "compact form")
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "nbf", "azp", "nonce", "auth_time", "acr", "amr", "sid", "at_hash", "c_hash", "s_hash"} {
		payload := `{"iss":"https://op.example.com","sub":"user-1","aud":"client-1","exp":1767225900,"iat":1767225595,"` +
			strings.ToUpper(name[:1]) + name[1:] + `":"mallory"}`
		refuses(t, v, mint(t, "rsa", "RS256", `{"alg":"RS256","kid":"rsa"}`, payload), "", `is not "`+name+`"`)
	}
}

func TestV11EmptySubject(t *testing.T) { attack(t, 8, "About whom:") }

func TestV12Substitution(t *testing.T) {
	attack(t, 10, "What came beside the token:")
	attack(t, 15, "What was asked for:")
}

// A token whose signature is bad costs no fetch, and one without kid neither.
func TestBadSignatureCausesNoFetch(t *testing.T) {
	s := &keyServer{set: jwks(jwk(t, "rsa"))}
	v, raw, _ := accepted(t, "compact form")
	v.Keys = s.keys()
	if _, err := v.IDToken(t.Context(), raw, jwtverify.Expect{}); err != nil {
		t.Fatal(err)
	}
	payload := unb64(strings.Split(raw, ".")[1])
	for range 100 {
		refuses(t, v, mint(t, "rsa-1024", "RS256", `{"alg":"RS256","kid":"rsa"}`, payload), "", "signature does not verify")
		refuses(t, v, mint(t, "rsa-1024", "RS256", `{"alg":"RS256"}`, payload), "", "signature does not verify")
	}
	fetched(t, s, 1)
}
