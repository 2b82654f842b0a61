package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func dpopKey(t *testing.T, signer crypto.Signer) *DPoPKey {
	t.Helper()
	key, err := NewDPoPKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// bound makes the provider issue DPoP tokens; change may be nil.
func (p *op) bound(key *DPoPKey, change func(*Config)) *Client {
	p.answer["token_type"] = "DPoP"
	return p.client(func(cfg *Config) {
		cfg.DPoP = key
		if change != nil {
			change(cfg)
		}
	})
}

// wantProof checks a proof, but for its jti, which it returns.
func wantProof(t *testing.T, key *DPoPKey, proof, alg string, claims map[string]any) (jti string) {
	t.Helper()
	sent := readJWT(t, proof)
	var public map[string]any
	text, _ := json.Marshal(key.public)
	if err := json.Unmarshal(text, &public); err != nil {
		t.Fatal(err)
	}
	jti = sent.want(t, map[string]any{"typ": "dpop+jwt", "alg": alg, "jwk": public}, claims)
	if len(jti) < 26 {
		t.Errorf("jti %q", jti)
	}
	keys, err := jwtverify.ParseJWKS([]byte(`{"keys":[` + string(text) + `]}`))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%v: jwk %s", err, text)
	}
	if err := keys[0].VerifySignature(alg, sent.input, sent.sig); err != nil {
		t.Error(err)
	}
	return jti
}

// proofOf is the only proof of a request.
func proofOf(t *testing.T, r sentRequest) string {
	t.Helper()
	if n := len(r.Header["Dpop"]); n != 1 {
		t.Fatalf("%d proofs to %s", n, r.URL)
	}
	return r.Header.Get("DPoP")
}

func TestDPoPKeys(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		alg       string
		signer    crypto.Signer
		supported []string
	}{
		{"RS256", testRSA(), nil}, {"PS256", testRSA(), []string{"PS256", "ES256"}},
		{"ES256", ecKey(t, elliptic.P256()), nil}, {"ES384", ecKey(t, elliptic.P384()), nil}, {"ES512", ecKey(t, elliptic.P521()), nil},
		{"EdDSA", ed, nil}, {"Ed25519", ed, []string{"ES256", "Ed25519"}},
	} {
		t.Run(test.alg, func(t *testing.T) {
			key := dpopKey(t, test.signer)
			want, err := jwtverify.Key{Public: test.signer.Public()}.Thumbprint()
			if err != nil || key.Thumbprint() != want {
				t.Errorf("thumbprint %s, want %s (%v)", key.Thumbprint(), want, err)
			}
			p := newOP(t)
			if test.supported != nil {
				p.metadata["dpop_signing_alg_values_supported"] = test.supported
			}
			c := p.bound(key, nil)
			if _, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "r"}); err != nil {
				t.Fatal(err)
			}
			wantProof(t, key, proofOf(t, p.seen("/token")[0]), test.alg, map[string]any{
				"htm": "POST", "htu": testIssuer + "/token", "iat": testStart.Unix(),
			})
		})
	}
	if one, two := GenerateDPoPKey(), GenerateDPoPKey(); one.Thumbprint() == two.Thumbprint() {
		t.Error("two keys are one")
	}
}

// publicOnly stands for a key elsewhere.
type publicOnly struct {
	crypto.Signer
	key crypto.PublicKey
}

func (k publicOnly) Public() crypto.PublicKey { return k.key }

// The key of the examples of RFC 9449, and its thumbprint there (6.1).
func TestThumbprintOfTheRFC(t *testing.T) {
	const x, y = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"
	keys, err := jwtverify.ParseJWKS([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"}]}`))
	if err != nil || len(keys) != 1 {
		t.Fatal(err)
	}
	key := dpopKey(t, publicOnly{key: keys[0].Public})
	if got := key.Thumbprint(); got != "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" {
		t.Errorf("got %s", got)
	}
	if key.public.Type != "EC" || key.public.Curve != "P-256" || key.public.X != x || key.public.Y != y {
		t.Errorf("got %+v", key.public)
	}
}

func TestDPoPKeyRejected(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for want, signer := range map[string]crypto.Signer{
		"there is no key":                         nil,
		"RSA key has fewer than 2048 bits":        weak,
		"key is on a curve that no algorithm has": ecKey(t, elliptic.P224()),
		"a key of type struct {} signs no tokens": publicOnly{key: struct{}{}},
	} {
		key, err := NewDPoPKey(signer)
		if key != nil || err == nil || err.Error() != "client: DPoP key: "+want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	const want = "client: Config.DPoP has no key: make it with NewDPoPKey or GenerateDPoPKey"
	if _, err := New(changed(func(cfg *Config) { cfg.DPoP = &DPoPKey{} })); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What is added to a sign-in: a thumbprint in front, a proof behind, and nothing else.
func TestDPoPSignIn(t *testing.T) {
	key := GenerateDPoPKey()
	p := newOP(t)
	p.metadata["token_endpoint"] = testIssuer + "/token?tenant=1"
	c := p.bound(key, nil)
	login := p.authorize(c, nil)
	u, err := url.Parse(login.URL())
	if err != nil || u.Query().Get("dpop_jkt") != key.Thumbprint() {
		t.Errorf("got %s", login.URL())
	}
	tokens, err := c.Exchange(t.Context(), login, callbackOf(login))
	if err != nil {
		t.Fatal(err)
	}
	if tokens.TokenType != "DPoP" || tokens.OAuth2().Type() != "DPoP" {
		t.Errorf("got the type %q", tokens.TokenType)
	}
	data, err := tokens.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var stored Tokens
	if err := stored.UnmarshalBinary(data); err != nil || stored.TokenType != "DPoP" {
		t.Errorf("stored: %q, %v", stored.TokenType, err)
	}
	requests := p.seen("/token?tenant=1")
	proof := proofOf(t, requests[0])
	wantProof(t, key, proof, "ES256", map[string]any{"htm": "POST", "htu": testIssuer + "/token", "iat": testStart.Unix()})
	p.wantRequests("/token?tenant=1", sentRequest{"POST", testIssuer + "/token?tenant=1", http.Header{
		"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {userAgent},
		"Authorization": {"Basic d2ViOmNsaWVudC1zZWNyZXQtQ0FOQVJZLTAxMjM0NTY3ODk="}, "Dpop": {proof},
	}, url.Values{
		"grant_type": {"authorization_code"}, "code": {"code-CANARY-1"}, "redirect_uri": {testRedirect}, "code_verifier": {string(login.verifier)},
	}.Encode()})
	if err := c.Revoke(t.Context(), tokens); err != nil {
		t.Fatal(err)
	}
	for _, r := range p.seen("/revoke") { // RFC 9449 has no proof there
		if r.Header.Get("DPoP") != "" {
			t.Error("a proof went to the revocation endpoint")
		}
	}
}

func TestDPoPTokenType(t *testing.T) {
	for answer, want := range map[string]string{
		"DPoP": "", "dpop": "",
		"Bearer": "token_type is not DPoP: the provider has not bound the access token to the key of Config.DPoP",
		"MAC":    "token_type is not DPoP: the provider has not bound the access token to the key of Config.DPoP",
		"":       "token_type is missing",
	} {
		p := newOP(t)
		c := p.bound(GenerateDPoPKey(), nil)
		p.answer["token_type"] = answer
		tokens, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "refresh-token-CANARY-1"})
		switch {
		case want == "" && (err != nil || tokens.TokenType != "DPoP"):
			t.Errorf("%q: %v", answer, err)
		case want != "" && (tokens != nil || !errors.Is(err, ErrRejected) || err.Error() != "client: token endpoint: rejected: status 200: "+want):
			t.Errorf("%q: got %v, want %s", answer, err, want)
		}
	}
}

// demandNonce has an endpoint refuse proofs that do not carry the nonce it names.
func (p *op) demandNonce(path string, value func(n int) string, refuse func(nonce string) *http.Response, accept func() *http.Response) {
	n := 0
	p.handle(path, func(r *http.Request) (*http.Response, error) {
		want := value(n)
		n++
		if got, _ := readJWT(p.t, r.Header.Get("DPoP")).claims["nonce"].(string); got != want {
			return refuse(want), nil
		}
		resp := accept()
		resp.Header.Set("DPoP-Nonce", value(n)) // 8.2: the next one
		return resp, nil
	})
}

func refuseToken(nonce string) *http.Response {
	resp := jsonResponse(400, map[string]any{"error": "use_dpop_nonce"})
	resp.Header.Set("DPoP-Nonce", nonce)
	return resp
}

// V-46: after use_dpop_nonce everything that may be used once is made anew.
func TestV46NonceRetry(t *testing.T) {
	key := GenerateDPoPKey()
	p := newOP(t)
	c := p.bound(key, func(cfg *Config) { cfg.Auth, cfg.ClientSecret = PrivateKeyJWT{Key: testKey()}, "" })
	// The nonce changes with the first answer, and then with every good one.
	p.demandNonce("/token", func(n int) string { return fmt.Sprintf("nonce-%d", max(n, 1)) }, refuseToken, func() *http.Response { return jsonResponse(200, p.answer) })
	for range 3 {
		if _, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "r"}); err != nil {
			t.Fatal(err)
		}
	}
	requests := p.seen("/token")
	if len(requests) != 4 {
		t.Fatalf("%d requests, want one more than refreshes", len(requests))
	}
	seen := map[string]bool{}
	for i, r := range requests {
		claims := map[string]any{"htm": "POST", "htu": testIssuer + "/token", "iat": testStart.Unix()}
		if i > 0 {
			claims["nonce"] = fmt.Sprintf("nonce-%d", i)
		}
		jti := wantProof(t, key, proofOf(t, r), "ES256", claims)
		form, err := url.ParseQuery(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		assertion := readJWT(t, form.Get("client_assertion")).claims["jti"].(string)
		if seen[jti] || seen[assertion] {
			t.Errorf("request %d has a jti that was used", i)
		}
		seen[jti], seen[assertion] = true, true
	}
}

// No other answer is asked for twice, and this one not three times.
func TestNonceRetryHasABound(t *testing.T) {
	answer := func(status int, code string, nonces ...string) func() *http.Response {
		return func() *http.Response {
			resp := jsonResponse(status, map[string]any{"error": code})
			resp.Header["Dpop-Nonce"] = nonces
			return resp
		}
	}
	key := GenerateDPoPKey()
	for _, test := range []struct {
		name     string
		key      *DPoPKey
		answer   func() *http.Response
		requests int
	}{
		{"always", key, answer(400, "use_dpop_nonce", "n"), 2},
		{"always, with 401", key, answer(401, "use_dpop_nonce", "n"), 2},
		{"no nonce", key, answer(400, "use_dpop_nonce"), 1},
		{"two nonces", key, answer(400, "use_dpop_nonce", "n", "m"), 1},
		{"empty nonce", key, answer(400, "use_dpop_nonce", ""), 1},
		{"nonce with a space", key, answer(400, "use_dpop_nonce", "a b"), 1},
		{"nonce with a quote", key, answer(400, "use_dpop_nonce", `a"b`), 1},
		{"long nonce", key, answer(400, "use_dpop_nonce", strings.Repeat("n", maxNonce+1)), 1},
		{"longest nonce", key, answer(400, "use_dpop_nonce", strings.Repeat("n", maxNonce)), 2},
		{"another error", key, answer(400, "invalid_grant", "n"), 1},
		{"invalid proof", key, answer(400, "invalid_dpop_proof", "n"), 1},
		{"another status", key, answer(403, "use_dpop_nonce", "n"), 1},
		{"server error", key, answer(500, "use_dpop_nonce", "n"), 1},
		{"a success", key, answer(200, "use_dpop_nonce", "n"), 1},
		{"no key", nil, answer(400, "use_dpop_nonce", "n"), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(func(cfg *Config) { cfg.DPoP = test.key })
			p.handle("/token", func(*http.Request) (*http.Response, error) {
				return test.answer(), nil
			})
			_, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "r"})
			var e *ResponseError
			if !errors.As(err, &e) || e.Code == "" {
				t.Errorf("got %v", err)
			}
			if n := len(p.seen("/token")); n != test.requests {
				t.Errorf("%d requests, want %d", n, test.requests)
			}
		})
	}
}

// What else may come with a nonce: nothing of it is asked for again, or followed.
func TestHostileNonceAnswers(t *testing.T) {
	const asks = `{"error":"use_dpop_nonce"}`
	for _, test := range []struct {
		name, body string
		status     int
		want       error
		text       string // after "client: token endpoint: "
	}{
		{"HTML", "<html>use_dpop_nonce", 400, ErrRejected, "rejected: status 400: no error code"},
		{"cut short", `{"error":"use_dpop_nonce"`, 400, ErrRejected, "rejected: status 400: no error code"},
		{"twice", `{"error":"use_dpop_nonce","error":"use_dpop_nonce"}`, 400, ErrRejected, "rejected: status 400: no error code"},
		{"folded", `{"Error":"use_dpop_nonce"}`, 400, ErrRejected, "rejected: status 400: no error code"},
		{"a list", `{"error":["use_dpop_nonce"]}`, 400, ErrRejected, "rejected: status 400: no error code"},
		{"redirect", asks, 307, ErrRejected, `rejected: status 307: "use_dpop_nonce"`},
		{"too long", asks + strings.Repeat(" ", maxBody), 400, ErrRejected, "rejected: status 400: the answer has more than 1048576 bytes"},
		{"beside tokens", `{"error":"use_dpop_nonce",` + goodAnswer[:len(goodAnswer)-len(`,"id_token":ID`)] + `}`, 200, ErrRejected, `rejected: status 200: "use_dpop_nonce"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.bound(GenerateDPoPKey(), nil)
			p.handle("/token", func(*http.Request) (*http.Response, error) {
				resp := textResponse(test.status, "application/json", test.body)
				resp.Header.Set("DPoP-Nonce", "n")
				resp.Header.Set("Location", "https://evil.example/token")
				return resp, nil
			})
			_, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "refresh-token-CANARY-1"})
			if !errors.Is(err, test.want) || err.Error() != "client: token endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
			if n := len(p.seen("/token")); n != 1 {
				t.Errorf("%d requests, want one", n)
			}
		})
	}
}

// Where no proof was sent, there is nothing to send again.
func TestNoNonceRetryWithoutAProof(t *testing.T) {
	p := newOP(t)
	c := p.bound(GenerateDPoPKey(), nil)
	for _, path := range []string{"/revoke", "/introspect"} {
		p.handle(path, func(*http.Request) (*http.Response, error) { return refuseToken("n"), nil })
	}
	if err := c.Revoke(t.Context(), &Tokens{AccessToken: "a"}); !errors.Is(err, ErrRejected) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Introspect(t.Context(), "a"); !errors.Is(err, ErrRejected) {
		t.Errorf("got %v", err)
	}
	if n := len(p.seen("/revoke")) + len(p.seen("/introspect")); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestDPoPUnsupported(t *testing.T) {
	p := newOP(t)
	p.metadata["dpop_signing_alg_values_supported"] = []string{"RS256"}
	c := p.bound(GenerateDPoPKey(), nil)
	_, err := c.Refresh(t.Context(), &Tokens{RefreshToken: "r"})
	const want = "client: token endpoint: DPoP proof: dpop_signing_alg_values_supported: not supported by the provider: none of these is one that the key signs with"
	if !errors.Is(err, ErrUnsupported) || err.Error() != want || len(p.seen("/token")) != 0 {
		t.Errorf("got %v, want %s", err, want)
	}
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestDPoPUserInfo(t *testing.T) {
	key := GenerateDPoPKey()
	p := newOP(t)
	c := p.bound(key, nil)
	tokens := p.signIn(c)
	p.demandNonce("/userinfo", func(int) string { return "n" }, func(nonce string) *http.Response {
		resp := textResponse(401, "", "")
		resp.Header.Set("DPoP-Nonce", nonce)
		resp.Header.Set("WWW-Authenticate", `DPoP algs="ES256", error="use_dpop_nonce"`)
		return resp
	}, func() *http.Response { return jsonResponse(200, p.userinfo) })
	for range 2 {
		if _, err := c.UserInfo(t.Context(), tokens); err != nil {
			t.Fatal(err)
		}
	}
	requests := p.seen("/userinfo")
	if len(requests) != 3 {
		t.Fatalf("%d requests, want 3", len(requests))
	}
	var want []sentRequest
	for i, r := range requests {
		claims := map[string]any{"htm": "GET", "htu": testIssuer + "/userinfo", "iat": testStart.Unix(), "ath": hashOf(tokens.AccessToken)}
		if i > 0 {
			claims["nonce"] = "n"
		}
		proof := proofOf(t, r)
		wantProof(t, key, proof, "ES256", claims)
		want = append(want, sentRequest{"GET", testIssuer + "/userinfo", http.Header{
			"Accept": {"application/json"}, "Authorization": {"DPoP " + tokens.AccessToken}, "Dpop": {proof}, "User-Agent": {userAgent},
		}, ""})
	}
	p.wantRequests("/userinfo", want...)
}

// Tokens of before and after the switch.
func TestUserInfoGoesByTheToken(t *testing.T) {
	p := newOP(t)
	bearer := p.signIn(p.client(nil))
	c := p.bound(GenerateDPoPKey(), nil)
	if _, err := c.UserInfo(t.Context(), bearer); err != nil {
		t.Fatal(err)
	}
	if h := p.seen("/userinfo")[0].Header; h.Get("Authorization") != "Bearer "+bearer.AccessToken || h.Get("DPoP") != "" {
		t.Errorf("got %v", h)
	}
	bound := p.signIn(c)
	p.answer["token_type"] = "Bearer"
	_, err := p.client(nil).UserInfo(t.Context(), bound)
	const want = "client: userinfo endpoint: the access token is bound to a DPoP key, and Config.DPoP is nil"
	if err == nil || err.Error() != want || len(p.seen("/userinfo")) != 1 {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A hostile provider cannot fill the memory with nonces.
func TestNoncesAreBounded(t *testing.T) {
	var n nonces
	for i := range 10 * maxNonces {
		n.keep(&url.URL{Scheme: "https", Host: fmt.Sprintf("%d.example", i)}, "n")
	}
	last := &url.URL{Scheme: "https", Host: fmt.Sprintf("%d.EXAMPLE:443", 10*maxNonces-1)}
	if len(n.byOrigin) != maxNonces || n.of(last) != "n" {
		t.Errorf("%d are kept, the last is %q", len(n.byOrigin), n.of(last))
	}
	n.keep(last, "m")
	if len(n.byOrigin) != maxNonces || n.of(last) != "m" {
		t.Errorf("%d are kept, the last is %q", len(n.byOrigin), n.of(last))
	}
}

func TestDPoPKeyIsRedacted(t *testing.T) {
	signer := ecKey(t, elliptic.P256())
	d, err := signer.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	key := dpopKey(t, signer)
	for _, v := range []any{key, Config{DPoP: key}, newOP(t).bound(key, nil)} {
		text := renderings(t, v)
		for _, secret := range []string{new(big.Int).SetBytes(d).String(), fmt.Sprintf("%x", d), base64.RawURLEncoding.EncodeToString(d)} {
			if strings.Contains(text, secret) {
				t.Errorf("%T shows its key:\n%s", v, text)
			}
		}
	}
}

// A provider that repeats the proof.
func TestNoProofInErrors(t *testing.T) {
	p := newOP(t)
	c := p.bound(GenerateDPoPKey(), nil)
	tokens := p.signIn(c)
	for _, path := range []string{"/token", "/userinfo"} {
		p.handle(path, func(r *http.Request) (*http.Response, error) {
			return jsonResponse(400, map[string]any{"error": "x", "error_description": r.Header.Get("DPoP")}), nil
		})
	}
	_, first := c.Refresh(t.Context(), tokens)
	_, second := c.UserInfo(t.Context(), tokens)
	for _, err := range []error{first, second} {
		if err == nil || !strings.HasSuffix(err.Error(), `"x" "[redacted]"`) {
			t.Errorf("got %v", err)
		}
	}
}

// Whatever the address of an API, its proof is good there, and nowhere else.
func FuzzProof(f *testing.F) {
	f.Add("GET", "https://api.example.com", "token", "")
	f.Add("POST", "https://API.example.com:443/a%2Fb/../c?x=y#z", "t", "n")
	f.Add("DELETE", "http://[::1]:8080/%41/é", "t", "")
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	key, err := NewDPoPKey(signer)
	if err != nil {
		f.Fatal(err)
	}
	cfg := Config{Issuer: testIssuer, ClientID: testClientID, DPoP: key, Now: func() time.Time { return testStart }}
	f.Fuzz(func(t *testing.T, method, address, token, nonce string) {
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(method, address, nil)
		if err != nil || token == "" || req.URL.Host == "" || req.URL.User != nil || req.URL.Scheme != "https" && req.URL.Scheme != "http" {
			return
		}
		c.rememberNonce(address, http.Header{"Dpop-Nonce": {nonce}})
		proof, err := c.proof(req.Method, req.URL, token)
		if err != nil {
			t.Fatal(err)
		}
		want := jwtverify.ExpectProof{Method: req.Method, URL: "https://api.example.com/", AccessToken: token, JKT: key.Thumbprint()}
		verifier := &jwtverify.DPoP{Now: cfg.Now}
		if err := verifier.Verify(t.Context(), proof, want); err == nil && !strings.EqualFold(req.URL.Hostname(), "api.example.com") {
			t.Errorf("good for another host than %s", address)
		}
		if _, sent := readJWT(t, proof).claims["nonce"]; sent != (nonceOf(http.Header{"Dpop-Nonce": {nonce}}) != "") {
			t.Errorf("nonce %q: sent %v", nonce, sent)
		}
		want.URL = req.URL.Scheme + "://" + req.URL.Host + req.URL.EscapedPath()
		if err := (&jwtverify.DPoP{Now: cfg.Now}).Verify(t.Context(), proof, want); err != nil && isVisible(want.URL) && isPlainHost(req.URL.Host) {
			t.Errorf("%s: %v", want.URL, err)
		}
	})
}

// isPlainHost tells a host that a server may have.
func isPlainHost(host string) bool {
	return strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}
