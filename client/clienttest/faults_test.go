package clienttest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

const huge = 8 << 20

// A check asserts that a flow whose provider has a fault meets what the fault's comment says.
type check func(t *testing.T, f *flow)

// TestFaults fails for a fault without a check.
func TestFaults(t *testing.T) {
	checks := map[clienttest.Fault]check{}
	for _, group := range []map[clienttest.Fault]check{
		callbackFaults(), claimFaults(), signatureFaults(), encryptionFaults(), tokenFaults(), refreshFaults(),
		userInfoFaults(), introspectionFaults(), registrationFaults(), jwksFaults(), discoveryFaults(), logoutFaults(),
		sessionStateFaults(), stepUpFaults(), resourceFaults(), returnFaults(), logoutTokenFaults(),
	} {
		maps.Copy(checks, group)
	}
	for _, fault := range clienttest.Faults() {
		check, ok := checks[fault]
		if !ok {
			t.Errorf("nobody checks the fault %s", fault)
			continue
		}
		delete(checks, fault)
		t.Run(string(fault), func(t *testing.T) {
			f := newFlow(t, optionsFor(fault))
			f.op.SetFaults(fault)
			check(t, f)
		})
	}
	for fault := range checks {
		t.Errorf("the fault %s is not in Faults", fault)
	}
}

func TestFaultsListsEveryConstant(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "faults.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	ast.Inspect(file, func(n ast.Node) bool {
		if value, ok := n.(*ast.ValueSpec); ok {
			declared = append(declared, strings.Trim(value.Values[0].(*ast.BasicLit).Value, `"`))
		}
		return true
	})
	listed := clienttest.Faults()
	for i, name := range declared {
		if i >= len(listed) || string(listed[i]) != name {
			t.Fatalf("Faults has %d names; the constant %q is not its number %d", len(listed), name, i)
		}
	}
	if len(declared) != len(listed) {
		t.Errorf("%d constants, %d faults", len(declared), len(listed))
	}
}

func TestFaultsEnd(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256"})
	f.op.SetFaults(clienttest.WrongState, clienttest.MissingIss)
	if q := f.signIn(); q.Get("state") == f.state || q.Has("iss") {
		t.Fatal("two faults do not act together")
	}
	f.op.SetFaults()
	if q := f.signIn(); q.Get("state") != f.state || !q.Has("iss") {
		t.Error("faults outlive SetFaults()")
	}
}

func callbackFaults() map[clienttest.Fault]check {
	sees := func(ok func(f *flow, q url.Values) bool) check {
		return func(t *testing.T, f *flow) {
			if q := f.signIn(); !ok(f, q) {
				t.Errorf("the callback is %q", q)
			}
		}
	}
	return map[clienttest.Fault]check{
		clienttest.ErrorCallback: sees(func(f *flow, q url.Values) bool {
			return q.Get("error") == "access_denied" && !q.Has("code") && q.Get("state") == f.state && q.Get("iss") == f.op.Issuer()
		}),
		clienttest.LoginRequired: sees(func(f *flow, q url.Values) bool {
			return q.Get("error") == "login_required" && !q.Has("code") && q.Get("state") == f.state
		}),
		clienttest.WrongState: sees(func(f *flow, q url.Values) bool {
			return len(q["state"]) == 1 && q.Get("state") != f.state && q.Has("code")
		}),
		clienttest.MissingState: sees(func(f *flow, q url.Values) bool { return !q.Has("state") && q.Has("code") }),
		clienttest.DoubleState: sees(func(f *flow, q url.Values) bool {
			return len(q["state"]) == 2 && q["state"][0] == f.state && q["state"][1] != f.state
		}),
		clienttest.MissingCode: sees(func(f *flow, q url.Values) bool { return !q.Has("code") && !q.Has("error") }),
		clienttest.DoubleCode: sees(func(f *flow, q url.Values) bool {
			return len(q["code"]) == 2 && f.exchange(q["code"][0]).AccessToken != ""
		}),
		clienttest.CodeAndError: sees(func(f *flow, q url.Values) bool {
			return q.Get("error") == "server_error" && f.exchange(q.Get("code")).AccessToken != ""
		}),
		clienttest.WrongIss: sees(func(f *flow, q url.Values) bool {
			return q.Get("iss") != f.op.Issuer() && q.Has("iss")
		}),
		clienttest.MissingIss: sees(func(f *flow, q url.Values) bool {
			return !q.Has("iss") && f.metadata()["authorization_response_iss_parameter_supported"] == true
		}),
		clienttest.UnaskedIDToken: sees(func(f *flow, q url.Values) bool {
			_, err := f.verify(q.Get("id_token"))
			return err == nil && q.Has("code")
		}),
	}
}

// claimFaults are checked twice: the claim is as it should be without the fault, and spoiled with it.
func claimFaults() map[clienttest.Fault]check {
	spoils := func(ok func(f *flow, claims map[string]any) bool) check {
		return func(t *testing.T, f *flow) {
			_, claims := parts(t, f.tokens().IDToken)
			if !ok(f, claims) {
				t.Errorf("the claims are %v", claims)
			}
			f.op.SetFaults()
			if _, claims := parts(t, f.tokens().IDToken); ok(f, claims) {
				t.Error("the claims are spoiled without the fault")
			}
		}
	}
	is := func(name string, want any) check {
		return spoils(func(_ *flow, claims map[string]any) bool { return claims[name] == want })
	}
	missing := func(name string) check { return is(name, nil) }
	return map[clienttest.Fault]check{
		clienttest.WrongNonce: spoils(func(f *flow, claims map[string]any) bool {
			return claims["nonce"] != nil && claims["nonce"] != f.nonce
		}),
		clienttest.MissingNonce:    missing("nonce"),
		clienttest.WrongIssuer:     is("iss", "https://elsewhere.example.com"),
		clienttest.MissingIssuer:   missing("iss"),
		clienttest.WrongAudience:   is("aud", "other-client"),
		clienttest.MissingAudience: missing("aud"),
		clienttest.ExtraAudience: spoils(func(f *flow, claims map[string]any) bool {
			list, ok := claims["aud"].([]any)
			return ok && slices.Equal(list, []any{f.id, "other-client"}) && claims["azp"] == f.id
		}),
		clienttest.WrongAZP: spoils(func(f *flow, claims map[string]any) bool {
			return claims["azp"] == "other-client" && claims["aud"] == f.id
		}),
		clienttest.MissingSub: missing("sub"),
		clienttest.EmptySub:   is("sub", ""),
		clienttest.DoubleSub:  is("sub", "mallory"), // encoding/json takes the last one
		clienttest.FoldedSub:  is("SUB", "mallory"),
		clienttest.ExpiredIDToken: spoils(func(f *flow, claims map[string]any) bool {
			return until(f, claims, "exp") < -9*time.Minute
		}),
		clienttest.MissingExp: missing("exp"),
		clienttest.OldIat: spoils(func(f *flow, claims map[string]any) bool {
			return until(f, claims, "iat") < -47*time.Hour && until(f, claims, "exp") > 0
		}),
		clienttest.FutureIat: spoils(func(f *flow, claims map[string]any) bool {
			return until(f, claims, "iat") > 59*time.Minute
		}),
		clienttest.MissingIat: missing("iat"),
		clienttest.OldAuthTime: spoils(func(f *flow, claims map[string]any) bool {
			return until(f, claims, "auth_time") < -23*time.Hour
		}),
		clienttest.MissingAuthTime: missing("auth_time"),
		clienttest.WrongACR:        is("acr", "unasked"),
		clienttest.MissingACR:      missing("acr"),
		clienttest.WrongAtHash: func(t *testing.T, f *flow) {
			got := f.tokens()
			_, claims := parts(t, got.IDToken)
			sum := sha256.Sum256([]byte(got.AccessToken))
			if right := base64.RawURLEncoding.EncodeToString(sum[:16]); claims["at_hash"] == right || claims["at_hash"] == nil {
				t.Errorf("at_hash is %v", claims["at_hash"])
			}
		},
	}
}

// until is how far in the future a claim is.
func until(f *flow, claims map[string]any, name string) time.Duration {
	seconds, ok := claims[name].(float64)
	if !ok {
		return 0
	}
	return time.Unix(int64(seconds), 0).Sub(f.op.Now())
}

// parts decodes header and claims, verifying nothing.
func parts(t *testing.T, raw string) (header, claims map[string]any) {
	t.Helper()
	segments := strings.Split(raw, ".")
	if len(segments) != 3 {
		t.Fatalf("%d segments", len(segments))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(segments[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func signatureFaults() map[clienttest.Fault]check {
	spoils := func(ok func(t *testing.T, f *flow, got answer, header map[string]any) bool) check {
		return func(t *testing.T, f *flow) {
			got := f.tokens()
			header, _ := parts(t, got.IDToken)
			if !ok(t, f, got, header) {
				t.Errorf("the header is %v", header)
			}
		}
	}
	return map[clienttest.Fault]check{
		clienttest.BadSignature: spoils(func(t *testing.T, f *flow, got answer, header map[string]any) bool {
			return !signed(f, got.IDToken) && slices.Contains(kids(f), header["kid"])
		}),
		clienttest.AlgNone: spoils(func(_ *testing.T, _ *flow, got answer, header map[string]any) bool {
			return header["alg"] == "none" && strings.HasSuffix(got.IDToken, ".")
		}),
		clienttest.HS256PublicKey: spoils(hs256),
		clienttest.WrongHSSecret: spoils(func(_ *testing.T, f *flow, got answer, header map[string]any) bool {
			return header["alg"] == "HS256" && !macBy(got.IDToken, f.secret)
		}),
		clienttest.KeyInsteadOfSecret: spoils(func(t *testing.T, f *flow, got answer, header map[string]any) bool {
			f.op.SetFaults()
			return header["alg"] == "ES256" && signed(f, got.IDToken) && macBy(f.tokens().IDToken, f.secret)
		}),
		clienttest.UnknownKid: spoils(func(t *testing.T, f *flow, got answer, header map[string]any) bool {
			other, _ := parts(t, f.tokens().IDToken)
			return signed(f, got.IDToken) && !slices.Contains(kids(f), header["kid"]) && header["kid"] != other["kid"]
		}),
		clienttest.MissingKid: spoils(func(_ *testing.T, f *flow, got answer, header map[string]any) bool {
			return signed(f, got.IDToken) && header["kid"] == nil
		}),
		clienttest.StaleKey: spoils(func(t *testing.T, f *flow, got answer, header map[string]any) bool {
			other, _ := parts(t, f.tokens().IDToken)
			return !signed(f, got.IDToken) && !slices.Contains(kids(f), header["kid"]) && header["kid"] == other["kid"]
		}),
		clienttest.EmbeddedKey: spoils(func(_ *testing.T, f *flow, got answer, header map[string]any) bool {
			return !signed(f, got.IDToken) && header["jwk"] != nil && slices.Contains(kids(f), header["kid"])
		}),
		clienttest.NoIDToken: func(t *testing.T, f *flow) {
			if got := f.tokens(); got.IDToken != "" {
				t.Error("there is an ID token")
			}
		},
		clienttest.AccessTokenAsIDToken: func(t *testing.T, f *flow) {
			if got := f.tokens(); got.IDToken != got.AccessToken || !signed(f, got.IDToken) {
				t.Error("the ID token is not the access token")
			}
		},
	}
}

// signed says whether a key of the JWKS made the signature, whatever kid says.
func signed(f *flow, raw string) bool {
	_, err := f.verify(raw)
	return err == nil || !strings.Contains(err.Error(), "signature")
}

// kids are the names of the keys in the JWKS.
func kids(f *flow) []any {
	var set struct{ Keys []map[string]any }
	decode(f.t, f.get(f.endpoint("jwks_uri")), &set)
	var names []any
	for _, key := range set.Keys {
		names = append(names, key["kid"])
	}
	return names
}

func hs256(t *testing.T, f *flow, got answer, header map[string]any) bool {
	input, signature, _ := cutLast(got.IDToken)
	return header["alg"] == "HS256" && slices.ContainsFunc(f.keys(), func(key crypto.PublicKey) bool {
		public, ok := key.(*ecdsa.PublicKey)
		if !ok {
			return false
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		mac.Write([]byte(input))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) == signature
	})
}

func cutLast(raw string) (input, signature string, ok bool) {
	i := strings.LastIndexByte(raw, '.')
	return raw[:i], raw[i+1:], i > 0
}

// tokenFaults are checked twice where the request is not looked at: with the fault, and with the
// same code after it.
func tokenFaults() map[clienttest.Fault]check {
	answers := func(ok func(response *http.Response, body string) bool) check {
		return func(t *testing.T, f *flow) {
			code := f.signIn().Get("code")
			f.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			response, err := f.post("/token", f.exchangeForm(code))
			if err != nil {
				t.Fatal(err)
			}
			if text := body(t, response); !ok(response, text) {
				t.Errorf("got %s %.100q", response.Status, text)
			}
			f.op.SetFaults()
			if got := f.exchange(code); got.Error != "" {
				t.Errorf("after the fault the code is no good: %s", got.Description)
			}
		}
	}
	spoils := func(ok func(got answer) bool) check {
		return func(t *testing.T, f *flow) {
			if got := f.exchange(f.signIn().Get("code")); got.Status != 200 || !ok(got) {
				t.Errorf("got %d, expires_in %v, token_type %q", got.Status, got.ExpiresIn, got.TokenType)
			}
		}
	}
	status := func(want int, text string) check {
		return answers(func(response *http.Response, body string) bool {
			return response.StatusCode == want && strings.Contains(body, text)
		})
	}
	return map[clienttest.Fault]check{
		clienttest.TokenErrorIn200: status(200, `"error":"bad_verification_code"`),
		clienttest.TokenHTML:       status(200, "<!doctype html>"),
		clienttest.Token500:        status(500, "server_error"),
		clienttest.InvalidGrant:    status(400, "invalid_grant"),
		clienttest.InvalidClient:   status(401, "invalid_client"),
		clienttest.Token429: answers(func(response *http.Response, _ string) bool {
			return response.StatusCode == 429 && response.Header.Get("Retry-After") != ""
		}),
		clienttest.TokenRedirect: answers(func(response *http.Response, _ string) bool {
			return response.StatusCode == 307 && response.Header.Get("Location") == "https://elsewhere.example.com/"
		}),
		clienttest.TokenHuge: func(t *testing.T, f *flow) {
			response, err := f.post("/token", f.exchangeForm(f.signIn().Get("code")))
			if err != nil {
				t.Fatal(err)
			}
			hugeBody(t, response, `"access_token"`)
		},
		clienttest.TokenSlow: func(t *testing.T, f *flow) {
			code := f.signIn().Get("code")
			held(t, f, "token", func() (*http.Response, error) { return f.post("/token", f.exchangeForm(code)) })
		},
		clienttest.TokenAnswerSlow:   slowAnswer,
		clienttest.NoAccessToken:     spoils(func(got answer) bool { return got.AccessToken == "" && got.IDToken != "" }),
		clienttest.DoubleAccessToken: doubleAccessToken,
		clienttest.WrongTokenType:    spoils(func(got answer) bool { return got.TokenType == "DPoP" }),
		clienttest.TokenTypeCase:     spoils(func(got answer) bool { return got.TokenType == "bEARER" }),
		clienttest.ExpiresInString:   spoils(func(got answer) bool { return got.ExpiresIn == "300" }),
		clienttest.ExpiresInZero:     spoils(func(got answer) bool { return got.ExpiresIn == 0.0 }),
		clienttest.NoExpiresIn:       spoils(func(got answer) bool { return got.ExpiresIn == nil }),
	}
}

func doubleAccessToken(t *testing.T, f *flow) {
	response, err := f.post("/token", f.exchangeForm(f.signIn().Get("code")))
	if err != nil {
		t.Fatal(err)
	}
	if text := body(t, response); strings.Count(text, `"access_token":`) != 2 || !json.Valid([]byte(text)) {
		t.Errorf("access_token stands there %d times", strings.Count(text, `"access_token":`))
	}
}

func hugeBody(t *testing.T, response *http.Response, want string) {
	t.Helper()
	text := body(t, response)
	if len(text) < huge || !strings.Contains(text[huge:], want) || strings.TrimSpace(text[:huge]) != "" {
		t.Errorf("the body has %d bytes", len(text))
	}
}

// held sends a request that a slow fault holds, lets it go, and holds another that hangs up.
func held(t *testing.T, f *flow, endpoint string, send func() (*http.Response, error)) {
	t.Helper()
	before := f.op.Count(endpoint)
	answered := make(chan error)
	go func() {
		response, err := send()
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		answered <- err
	}()
	waiting := time.NewTicker(time.Millisecond)
	defer waiting.Stop()
	for f.op.Count(endpoint) == before {
		<-waiting.C
	}
	select {
	case err := <-answered:
		t.Fatalf("an answer before the release (%v)", err)
	case <-waiting.C:
	}
	// The request may have been counted and not be held yet: release until it is.
	for {
		f.op.Release()
		select {
		case err := <-answered:
			if err != nil {
				t.Errorf("after the release: %v", err)
			}
			return
		case <-waiting.C:
		}
	}
}

func refreshFaults() map[clienttest.Fault]check {
	return map[clienttest.Fault]check{
		clienttest.RefreshNoIDToken: func(t *testing.T, f *flow) {
			got := f.tokens()
			if again := f.refresh(got.RefreshToken); got.IDToken == "" || again.IDToken != "" || again.AccessToken == "" {
				t.Error("want an ID token at first, and none at the refresh")
			}
		},
		clienttest.RefreshNoRotation: func(t *testing.T, f *flow) {
			token := f.tokens().RefreshToken
			for range 2 {
				if again := f.refresh(token); again.AccessToken == "" || again.RefreshToken != "" {
					t.Fatalf("got %d %s, a refresh token: %t", again.Status, again.Description, again.RefreshToken != "")
				}
			}
		},
		clienttest.RefreshOtherSub: func(t *testing.T, f *flow) {
			got := f.tokens()
			_, before := parts(t, got.IDToken)
			_, after := parts(t, f.refresh(got.RefreshToken).IDToken)
			if before["sub"] != "alice" || after["sub"] != "mallory" {
				t.Errorf("sub is %v, then %v", before["sub"], after["sub"])
			}
		},
		clienttest.RefreshLost: func(t *testing.T, f *flow) {
			token := f.tokens().RefreshToken
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
			if response, err := f.post("/token", form); !errors.Is(err, io.EOF) {
				t.Fatalf("want no answer, got %v and %v", response, err)
			}
			f.op.SetFaults()
			if again := f.refresh(token); again.Error != "invalid_grant" || !strings.Contains(again.Description, "used before") {
				t.Errorf("the refresh token is not used up: %d %s", again.Status, again.Description)
			}
		},
		clienttest.RefreshEmpty400: func(t *testing.T, f *flow) {
			token := f.tokens().RefreshToken
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
			response, err := f.post("/token", form)
			if err != nil {
				t.Fatal(err)
			}
			if text := body(t, response); response.StatusCode != 400 || text != "" {
				t.Errorf("got %s %q", response.Status, text)
			}
			f.op.SetFaults()
			if again := f.refresh(token); again.AccessToken == "" {
				t.Errorf("the grant is dead: %s", again.Description)
			}
		},
	}
}

func userInfoFaults() map[clienttest.Fault]check {
	answers := func(want int, ok func(text string) bool) check {
		return func(t *testing.T, f *flow) {
			f.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			if status, text := f.userInfo(f.tokens().AccessToken); status != want || !ok(text) {
				t.Errorf("got %d %.100q", status, text)
			}
		}
	}
	has := func(part string) func(string) bool {
		return func(text string) bool { return strings.Contains(text, part) }
	}
	return map[clienttest.Fault]check{
		clienttest.UserInfoWrongSub:   answers(200, has(`"sub":"mallory"`)),
		clienttest.UserInfoMissingSub: answers(200, func(text string) bool { return !strings.Contains(text, `"sub"`) && has(`"email"`)(text) }),
		clienttest.UserInfoHTML:       answers(200, has("<!doctype html>")),
		clienttest.UserInfoHuge:       answers(200, func(text string) bool { return len(text) > huge && has(`"sub":"alice"`)(text[huge:]) }),
		clienttest.UserInfo401:        answers(401, has("invalid_token")),
		clienttest.UserInfo500:        answers(500, has("server_error")),
		clienttest.UserInfoRedirect:   answers(307, func(text string) bool { return text == "" }),
	}
}

func jwksFaults() map[clienttest.Fault]check {
	return map[clienttest.Fault]check{
		clienttest.JWKS500: func(t *testing.T, f *flow) {
			if response := f.get(f.endpoint("jwks_uri")); response.StatusCode != 500 || !strings.Contains(body(t, response), "server_error") {
				t.Errorf("got %s", response.Status)
			}
		},
		clienttest.JWKSSlow: func(t *testing.T, f *flow) {
			address := f.endpoint("jwks_uri")
			held(t, f, "jwks", func() (*http.Response, error) { return f.http.Get(address) })
		},
		clienttest.JWKSHuge: func(t *testing.T, f *flow) {
			hugeBody(t, f.get(f.endpoint("jwks_uri")), `"keys"`)
		},
		clienttest.JWKSEmpty: func(t *testing.T, f *flow) {
			if text := body(t, f.get(f.endpoint("jwks_uri"))); text != `{"keys":[]}` {
				t.Errorf("got %q", text)
			}
		},
	}
}

func discoveryFaults() map[clienttest.Fault]check {
	const document = "https://op.example.com/.well-known/openid-configuration"
	answers := func(want int, part string) check {
		return func(t *testing.T, f *flow) {
			f.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			if response := f.get(document); response.StatusCode != want || !strings.Contains(body(t, response), part) {
				t.Errorf("got %s", response.Status)
			}
		}
	}
	names := func(member string, want any) check {
		return func(t *testing.T, f *flow) {
			if got := f.metadata()[member]; got != want {
				t.Errorf("%s is %v", member, got)
			}
		}
	}
	lacks := func(member, method, path string) check {
		return func(t *testing.T, f *flow) {
			names(member, nil)(t, f)
			r, err := http.NewRequest(method, f.op.Issuer()+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := f.http.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			if text := body(t, response); response.StatusCode != 404 {
				t.Errorf("the endpoint answers %s %s", response.Status, text)
			}
		}
	}
	return map[clienttest.Fault]check{
		clienttest.Discovery500:         answers(500, "server_error"),
		clienttest.DiscoveryHTML:        answers(200, "<!doctype html>"),
		clienttest.DiscoveryRedirect:    answers(307, ""),
		clienttest.DiscoveryHuge:        func(t *testing.T, f *flow) { hugeBody(t, f.get(document), `"issuer"`) },
		clienttest.DiscoveryWrongIssuer: names("issuer", "https://elsewhere.example.com"),
		clienttest.DiscoverySlashIssuer: names("issuer", "https://op.example.com/"),
		clienttest.DiscoveryPlainHTTP:   names("token_endpoint", "http://elsewhere.example.com/token"),
		clienttest.DiscoverySlow: func(t *testing.T, f *flow) {
			held(t, f, "discovery", func() (*http.Response, error) { return f.http.Get(document) })
		},
		clienttest.NoIssParameter: func(t *testing.T, f *flow) {
			names("authorization_response_iss_parameter_supported", nil)(t, f)
			if q := f.signIn(); q.Has("iss") || !q.Has("code") {
				t.Errorf("the callback is %q", q)
			}
		},
		clienttest.NoUserInfo:   lacks("userinfo_endpoint", "GET", "/userinfo"),
		clienttest.NoEndSession: lacks("end_session_endpoint", "GET", "/logout"),
		clienttest.NoRevocation: lacks("revocation_endpoint", "POST", "/revoke"),

		clienttest.NoIntrospection: lacks("introspection_endpoint", "POST", "/introspect"),
		clienttest.NoRegistration:  lacks("registration_endpoint", "POST", "/register"),
	}
}

func logoutFaults() map[clienttest.Fault]check {
	return map[clienttest.Fault]check{
		clienttest.EndSession500: func(t *testing.T, f *flow) {
			response := f.get(f.endpoint("end_session_endpoint") + "?id_token_hint=" + f.tokens().IDToken)
			if text := body(t, response); response.StatusCode != 500 {
				t.Errorf("got %s %s", response.Status, text)
			}
		},
		clienttest.Revocation500: func(t *testing.T, f *flow) {
			token := f.tokens().RefreshToken
			response, err := f.post("/revoke", url.Values{"token": {token}})
			if err != nil {
				t.Fatal(err)
			}
			if text := body(t, response); response.StatusCode != 500 {
				t.Errorf("got %s %s", response.Status, text)
			}
			if again := f.refresh(token); again.AccessToken == "" {
				t.Error("the token was revoked")
			}
		},
	}
}
