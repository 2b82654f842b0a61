package client

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	testIssuer   = "https://op.example.com"
	testClientID = "web"
	testSecret   = "client-secret-CANARY-0123456789"
	testRedirect = "https://app.example.com/auth/callback"
)

var testStart = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// An op is a provider behind an http.RoundTripper: no socket, no goroutine. Each
// endpoint can be replaced by a test.
type op struct {
	t   *testing.T
	key *ecdsa.PrivateKey

	mu       sync.Mutex
	now      time.Time
	requests []sentRequest
	handlers map[string]func(*http.Request) (*http.Response, error) // by URL without query

	metadata map[string]any
	claims   map[string]any // of the next ID token
	answer   map[string]any // of the token endpoint
	userinfo map[string]any
}

type sentRequest struct {
	Method, URL string
	Header      http.Header
	Body        string
}

var testKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

func newOP(t *testing.T) *op {
	t.Helper()
	p := &op{t: t, key: testKey(), now: testStart}
	p.metadata = map[string]any{
		"issuer":                                testIssuer,
		"authorization_endpoint":                testIssuer + "/authorize",
		"token_endpoint":                        testIssuer + "/token",
		"userinfo_endpoint":                     testIssuer + "/userinfo",
		"jwks_uri":                              testIssuer + "/jwks",
		"end_session_endpoint":                  testIssuer + "/logout",
		"revocation_endpoint":                   testIssuer + "/revoke",
		"introspection_endpoint":                testIssuer + "/introspect",
		"id_token_signing_alg_values_supported": []string{"ES256", "RS256"},
	}
	p.claims = map[string]any{"iss": testIssuer, "aud": testClientID, "sub": "alice"}
	p.answer = map[string]any{
		"access_token": "access-token-CANARY-1", "token_type": "Bearer", "expires_in": 300,
		"refresh_token": "refresh-token-CANARY-1",
	}
	p.userinfo = map[string]any{"sub": "alice", "name": "Alice"}
	p.handlers = map[string]func(*http.Request) (*http.Response, error){
		testIssuer + "/.well-known/openid-configuration": func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.metadata), nil },
		testIssuer + "/jwks":                             func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.jwks()), nil },
		testIssuer + "/token":                            func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.tokenAnswer()), nil },
		testIssuer + "/userinfo":                         func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.userinfo), nil },
		testIssuer + "/revoke":                           func(*http.Request) (*http.Response, error) { return textResponse(200, "", ""), nil },
	}
	return p
}

// handle replaces one endpoint, by its path.
func (p *op) handle(path string, h func(*http.Request) (*http.Response, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.handlers[testIssuer+path] = h
}

// reply makes an endpoint give one answer.
func (p *op) reply(path string, status int, contentType, body string) {
	p.handle(path, func(*http.Request) (*http.Response, error) { return textResponse(status, contentType, body), nil })
}

func (p *op) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	var body string
	if req.Body != nil {
		b, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body.Close()
		body = string(b)
	}
	place := *req.URL
	place.RawQuery = ""
	p.mu.Lock()
	p.requests = append(p.requests, sentRequest{req.Method, req.URL.String(), req.Header.Clone(), body})
	h := p.handlers[place.String()]
	p.mu.Unlock()
	if h == nil {
		p.t.Errorf("a request went to %s", req.URL)
		return textResponse(404, "text/plain", "not found"), nil
	}
	resp, err := h(req)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// seen returns the requests to a path so far.
func (p *op) seen(path string) []sentRequest {
	p.mu.Lock()
	defer p.mu.Unlock()
	var seen []sentRequest
	for _, r := range p.requests {
		if r.URL == testIssuer+path {
			seen = append(seen, r)
		}
	}
	return seen
}

func (p *op) clock() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *op) advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func (p *op) config() Config {
	return Config{
		Issuer:       testIssuer,
		ClientID:     testClientID,
		ClientSecret: testSecret,
		RedirectURL:  testRedirect,
		HTTPClient:   &http.Client{Transport: p},
		Now:          p.clock,
	}
}

// client returns a client of the provider; change may be nil.
func (p *op) client(change func(*Config)) *Client {
	p.t.Helper()
	cfg := p.config()
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// authorize starts a login, and makes the provider's next ID token carry its nonce.
func (p *op) authorize(c *Client, opts *AuthorizeOptions) *Login {
	p.t.Helper()
	login, err := c.Authorize(context.Background(), opts)
	if err != nil {
		p.t.Fatal(err)
	}
	p.claims["nonce"] = login.nonce
	return login
}

// signIn goes all the way to tokens.
func (p *op) signIn(c *Client) *Tokens {
	p.t.Helper()
	login := p.authorize(c, nil)
	tokens, err := c.Exchange(context.Background(), login, callbackOf(login))
	if err != nil {
		p.t.Fatal(err)
	}
	return tokens
}

func callbackOf(login *Login) url.Values {
	return url.Values{"code": {"code-CANARY-1"}, "state": {login.state}}
}

func (p *op) tokenAnswer() map[string]any {
	answer := maps.Clone(p.answer)
	if _, ok := answer["id_token"]; !ok {
		answer["id_token"] = p.idToken()
	}
	return answer
}

func (p *op) idToken() string {
	now := p.clock()
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": now.Unix()}
	maps.Copy(claims, p.claims)
	return sign(p.key, map[string]any{"alg": "ES256", "kid": "k1"}, claims)
}

func sign(key *ecdsa.PrivateKey, header, claims map[string]any) string {
	segment := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	input := segment(header) + "." + segment(claims)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func (p *op) jwks() map[string]any {
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		p.t.Fatal(err)
	}
	return map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "alg": "ES256",
		"x": base64.RawURLEncoding.EncodeToString(point[1:33]),
		"y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}}}
}

func jsonResponse(status int, v any) *http.Response {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return textResponse(status, "application/json", string(b))
}

func textResponse(status int, contentType, body string) *http.Response {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// redirectTo makes an endpoint redirect.
func redirectTo(status int, location string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		resp := textResponse(status, "", "")
		resp.Header.Set("Location", location)
		return resp, nil
	}
}
