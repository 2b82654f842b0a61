package jwtverify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// tokens is an AccessTokenVerifier that knows some tokens by heart.
type tokens map[string]*jwtverify.AccessToken

func (t tokens) AccessToken(_ context.Context, raw string) (*jwtverify.AccessToken, error) {
	if token, ok := t[raw]; ok {
		return token, nil
	}
	return nil, fmt.Errorf("jwtverify: %w: unknown token", jwtverify.ErrInvalid)
}

// verdict is an AccessTokenVerifier that says the same of all tokens.
type verdict struct {
	token *jwtverify.AccessToken
	err   error
}

func (v verdict) AccessToken(context.Context, string) (*jwtverify.AccessToken, error) {
	return v.token, v.err
}

// silent is a verifier that no token may reach.
type silent struct{ testing.TB }

func (s silent) AccessToken(_ context.Context, raw string) (*jwtverify.AccessToken, error) {
	s.Errorf("the verifier was asked about %q", raw)
	return nil, jwtverify.ErrInvalid
}

var aliceToken = &jwtverify.AccessToken{Issuer: testIssuer, Subject: "alice", Scope: []string{"read", "write"}}

// An api is a Bearer under test, and what became of the last request to it.
type api struct {
	testing.TB
	*jwtverify.Bearer
	refused *jwtverify.BearerError
	token   *jwtverify.AccessToken // what the handler found; nil: it was not reached
}

// newAPI takes the token "good" of alice, unless b says otherwise.
func newAPI(tb testing.TB, b *jwtverify.Bearer) *api {
	a := &api{TB: tb, Bearer: b}
	if b.Tokens == nil {
		b.Tokens = tokens{"good": aliceToken}
	}
	b.Logger = slog.New(slog.DiscardHandler)
	b.OnError = func(w http.ResponseWriter, _ *http.Request, e *jwtverify.BearerError) {
		a.refused = e
		w.WriteHeader(e.Status)
	}
	return a
}

// send lets a request through guard, to a handler that answers 200.
func (a *api) send(guard func(http.Handler) http.Handler, r *http.Request) *http.Response {
	a.Helper()
	a.refused, a.token = nil, nil
	handler := guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.token = jwtverify.AccessTokenFrom(r.Context())
		if a.token == nil {
			a.Error("the handler runs without a token")
		}
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if (a.refused == nil) != (a.token != nil) {
		a.Errorf("handler reached: %v, refused: %v", a.token != nil, a.refused)
	}
	return w.Result()
}

// get is a request with these Authorization headers.
func get(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/things?page=2", nil)
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	return r
}

// wantRefused asserts status, code, reason and challenges of a refusal.
func (a *api) wantRefused(resp *http.Response, status int, code, reason string, challenges ...string) {
	a.Helper()
	if a.refused == nil {
		a.Fatalf("let in, want %d %s", status, code)
	}
	if resp.StatusCode != status || a.refused.Status != status || a.refused.Code != code || !strings.Contains(a.refused.Error(), reason) {
		a.Errorf("got %d, %v, want %d %q for %q", resp.StatusCode, a.refused, status, code, reason)
	}
	if got := resp.Header.Values("WWW-Authenticate"); !slices.Equal(got, challenges) {
		a.Errorf("challenges:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(challenges, "\n"))
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		a.Errorf("Cache-Control: %q", got)
	}
	for _, line := range resp.Header.Values("WWW-Authenticate") {
		if _, err := parseChallenge(line); err != nil {
			a.Errorf("%s: %v", line, err)
		}
	}
}

func (a *api) wantAlice(resp *http.Response) {
	a.Helper()
	if a.token != aliceToken || resp.StatusCode != http.StatusOK {
		a.Errorf("got %d with token %v: %v, want that of alice", resp.StatusCode, a.token != nil, a.refused)
	}
	if got := resp.Header.Values("WWW-Authenticate"); len(got) > 0 {
		a.Errorf("a good answer with the challenges %q", got)
	}
}

func TestBearerLetsIn(t *testing.T) {
	odd := "-._~+/aZ09==" // every byte of RFC 6750 2.1
	for _, header := range []string{"Bearer good", "bearer good", "BEARER good", "Bearer   good", "Bearer " + odd} {
		a := newAPI(t, &jwtverify.Bearer{Tokens: tokens{"good": aliceToken, odd: aliceToken}})
		a.wantAlice(a.send(a.Require(), get(header)))
		a.wantAlice(a.send(a.Require("read", "write"), get(header)))
	}
}

func TestBearerWithoutCredentials(t *testing.T) {
	for name, tc := range map[string]struct {
		bearer *jwtverify.Bearer
		want   []string
	}{
		"nothing said": {&jwtverify.Bearer{}, []string{`Bearer scope="read write"`}},
		"all said": {&jwtverify.Bearer{Realm: `my "own" \ API`, Resource: "https://api.example.com/v1"},
			[]string{`Bearer realm="my \"own\" \\ API", scope="read write", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1"`}},
		"DPoP as well": {&jwtverify.Bearer{Resource: "https://api.example.com", DPoP: &jwtverify.DPoP{Algorithms: []string{"ES256", "PS256"}}},
			[]string{`Bearer scope="read write", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`,
				`DPoP scope="read write", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", algs="ES256 PS256"`}},
		"DPoP alone": {&jwtverify.Bearer{Resource: "https://api.example.com", DPoP: &jwtverify.DPoP{}, RequireBound: true},
			[]string{`DPoP scope="read write", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", ` +
				`algs="ES256 ES384 ES512 Ed25519 EdDSA PS256 PS384 PS512 RS256 RS384 RS512"`}},
		"certificates alone": {&jwtverify.Bearer{RequireBound: true}, []string{`Bearer scope="read write"`}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, tc.bearer)
			a.wantRefused(a.send(a.Require("read", "write"), get()), 401, "", "no access token", tc.want...)
			a.wantRefused(a.send(a.Require("read", "write"), get("Basic Z29vZDo=")), 401, "", "scheme of the Authorization header", tc.want...)
		})
	}
	a := newAPI(t, &jwtverify.Bearer{})
	a.wantRefused(a.send(a.Require(), get()), 401, "", "no access token", "Bearer")
}

// TestBadAuthorizationHeader: 401, and nothing beside the header makes up for it.
func TestBadAuthorizationHeader(t *testing.T) {
	const plain, bad = "Bearer", `Bearer error="invalid_token", error_description="the Authorization header is not a scheme and one token"`
	const malformed = "not a scheme and one token"
	for _, tc := range []struct {
		name         string
		header       []string
		code, reason string
		challenge    string
	}{
		{"another scheme", []string{"Basic good"}, "", "scheme", plain},
		{"the scheme DPoP, not configured", []string{"DPoP good"}, "", "scheme", plain},
		{"no scheme", []string{"good"}, "", "scheme", plain},
		{"nothing", []string{""}, "", "scheme", plain},
		{"spaces alone", []string{"   "}, "", "scheme", plain},
		{"a space in front", []string{" Bearer good"}, "", "scheme", plain},
		{"a colon", []string{"Bearer: good"}, "", "scheme", plain},
		{"a tab between", []string{"Bearer\tgood"}, "", "scheme", plain},
		{"a letter that folds", []string{"Bea\u0280er good"}, "", "scheme", plain},
		{"another header in one", []string{"Basic x, Bearer good"}, "", "scheme", plain},
		{"no token", []string{"Bearer"}, "invalid_token", malformed, bad},
		{"an empty token", []string{"Bearer "}, "invalid_token", malformed, bad},
		{"padding alone", []string{"Bearer =="}, "invalid_token", malformed, bad},
		{"padding within", []string{"Bearer go=od"}, "invalid_token", malformed, bad},
		{"a space behind", []string{"Bearer good "}, "invalid_token", malformed, bad},
		{"a tab behind", []string{"Bearer good\t"}, "invalid_token", malformed, bad},
		{"a tab and a space", []string{"Bearer \tgood"}, "invalid_token", malformed, bad},
		{"two tokens", []string{"Bearer good good"}, "invalid_token", malformed, bad},
		{"two credentials", []string{"Bearer good, Bearer good"}, "invalid_token", malformed, bad},
		{"a comma behind", []string{"Bearer good,"}, "invalid_token", malformed, bad},
		{"a quoted token", []string{`Bearer "good"`}, "invalid_token", malformed, bad},
		{"a parameter", []string{"Bearer token=good"}, "invalid_token", malformed, bad},
		{"a byte that is no ASCII", []string{"Bearer good\x80"}, "invalid_token", malformed, bad},
		{"a NUL", []string{"Bearer good\x00"}, "invalid_token", malformed, bad},
		{"a line break", []string{"Bearer good\r\nX: y"}, "invalid_token", malformed, bad},
		{"too large", []string{"Bearer " + strings.Repeat("a", 24<<10+1)}, "invalid_token", malformed, bad},
		{"dots without end", []string{"Bearer " + strings.Repeat(".", 1<<20)}, "invalid_token", malformed, bad},
		{"two headers", []string{"Bearer good", "Bearer good"}, "invalid_request", "more than one Authorization header",
			`Bearer error="invalid_request", error_description="there is more than one Authorization header"`},
		{"two headers, one empty", []string{"Bearer good", ""}, "invalid_request", "more than one Authorization header",
			`Bearer error="invalid_request", error_description="there is more than one Authorization header"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newAPI(t, &jwtverify.Bearer{Tokens: silent{t}, FormToken: true})
			r := httptest.NewRequest(http.MethodPost, "/things", strings.NewReader("access_token=good"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Cookie", "__Host-postern=good; access_token=good; Authorization=good")
			r.Header.Set("X-Access-Token", "good")
			r.Header.Set("Proxy-Authorization", "Bearer good")
			r.Header["Authorization"] = tc.header
			a.wantRefused(a.send(a.Require(), r), 401, tc.code, tc.reason, tc.challenge)
		})
	}
	a := newAPI(t, &jwtverify.Bearer{Tokens: tokens{strings.Repeat("a", 24<<10): aliceToken}})
	a.wantAlice(a.send(a.Require(), get("Bearer "+strings.Repeat("a", 24<<10))))
}

// TestBearerReadsNoCookie: neither does a request without the header fall back.
func TestBearerReadsNoCookie(t *testing.T) {
	a := newAPI(t, &jwtverify.Bearer{Tokens: silent{t}})
	r := get()
	r.Header.Set("Cookie", "__Host-postern=good; access_token=good")
	r.Header.Set("Proxy-Authorization", "Bearer good")
	a.wantRefused(a.send(a.Require(), r), 401, "", "no access token", "Bearer")
}

func TestTokenInTheQuery(t *testing.T) {
	const want = `Bearer error="invalid_request", error_description="access tokens are not taken from the query"`
	for _, query := range []string{"access_token=good", "a=b&access_token=good", "access_token", "access%5Ftoken=good", "%61ccess_token=good&x", "x&&access_token=good#"} {
		for _, header := range [][]string{nil, {"Bearer good"}, {"Basic good"}} {
			a := newAPI(t, &jwtverify.Bearer{Tokens: silent{t}, FormToken: true})
			r := get(header...)
			r.URL.RawQuery = query
			a.wantRefused(a.send(a.Require(), r), 400, "invalid_request", "access_token in the query", want)
		}
	}
	for _, query := range []string{"", "access_tokens=x", "x=access_token", "Access_Token=x", "a=b;access_token=x", "%zz=x", "access-token"} {
		a := newAPI(t, &jwtverify.Bearer{})
		r := get("Bearer good")
		r.URL.RawQuery = query
		a.wantAlice(a.send(a.Require(), r))
	}
}

func formRequest(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/things", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func TestFormToken(t *testing.T) {
	for _, kind := range []string{"application/x-www-form-urlencoded", "Application/X-WWW-Form-URLencoded; charset=utf-8"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch} {
			a := newAPI(t, &jwtverify.Bearer{FormToken: true})
			r := formRequest("access_token=good&name=x")
			r.Method = method
			r.Header.Set("Content-Type", kind)
			a.wantAlice(a.send(a.Require(), r))
			if r.PostForm.Get("name") != "x" {
				t.Errorf("%s %s: the handler's form is %v", method, kind, r.PostForm)
			}
		}
	}
	a := newAPI(t, &jwtverify.Bearer{FormToken: true})
	r := formRequest("name=x")
	r.Header.Set("Authorization", "Bearer good")
	a.wantAlice(a.send(a.Require(), r))
}

func TestFormTokenRefused(t *testing.T) {
	for _, tc := range []struct {
		name         string
		change       func(*jwtverify.Bearer, *http.Request)
		body         string
		status       int
		code, reason string
	}{
		{"not asked for", func(b *jwtverify.Bearer, _ *http.Request) { b.FormToken = false }, "access_token=good", 401, "", "no access token"},
		{"GET", func(_ *jwtverify.Bearer, r *http.Request) { r.Method = http.MethodGet }, "access_token=good", 401, "", "no access token"},
		{"DELETE", func(_ *jwtverify.Bearer, r *http.Request) { r.Method = http.MethodDelete }, "access_token=good", 401, "", "no access token"},
		{"JSON", func(_ *jwtverify.Bearer, r *http.Request) { r.Header.Set("Content-Type", "application/json") }, "access_token=good", 401, "", "no access token"},
		{"another form", func(_ *jwtverify.Bearer, r *http.Request) {
			r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		}, "access_token=good", 401, "", "no access token"},
		{"no type", func(_ *jwtverify.Bearer, r *http.Request) { r.Header.Del("Content-Type") }, "access_token=good", 401, "", "no access token"},
		{"no body", func(_ *jwtverify.Bearer, r *http.Request) { r.Body = nil }, "", 401, "", "no access token"},
		{"no field", nil, "token=good", 401, "", "no access token"},
		{"twice", nil, "access_token=good&access_token=good", 400, "invalid_request", "twice in the form"},
		{"empty", nil, "access_token=", 400, "invalid_request", "no token at all"},
		{"no b64token", nil, "access_token=go+od", 400, "invalid_request", "no token at all"},
		{"the header too", func(_ *jwtverify.Bearer, r *http.Request) { r.Header.Set("Authorization", "Bearer good") }, "access_token=good", 400, "invalid_request", "a token in the header and one in the form"},
		{"broken", nil, "access_token=good&%zz=secret", 400, "invalid_request", "unreadable form"},
		{"too large", nil, "access_token=good&x=" + strings.Repeat("x", 1<<20), 400, "invalid_request", "unreadable form"},
		{"bound to a key", func(b *jwtverify.Bearer, _ *http.Request) {
			b.Tokens = verdict{token: &jwtverify.AccessToken{Confirmation: jwtverify.Confirmation{JKT: "x"}}}
		}, "access_token=good", 401, "invalid_token", "bound to a DPoP key came by another scheme"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &jwtverify.Bearer{FormToken: true}
			r := formRequest(tc.body)
			if tc.change != nil {
				tc.change(b, r)
			}
			a := newAPI(t, b)
			resp := a.send(a.Require(), r)
			a.wantRefused(resp, tc.status, tc.code, tc.reason, resp.Header.Values("WWW-Authenticate")...)
			if len(resp.Header.Values("WWW-Authenticate")) != 1 || strings.Contains(a.refused.Error(), "secret") {
				t.Errorf("%v with %q", a.refused, resp.Header)
			}
		})
	}
}

func TestBearerVerdicts(t *testing.T) {
	bad := fmt.Errorf("jwtverify: %w", &jwtverify.ClaimError{Claim: "iss", Reason: "is another issuer", Got: "x\"\r\nSet-Cookie: a=b", Err: jwtverify.ErrInvalid})
	old := &jwtverify.ClaimError{Claim: "exp", Reason: "is over", Err: jwtverify.ErrExpired}
	for name, tc := range map[string]struct {
		verdict      verdict
		status       int
		code, reason string
		challenges   []string
	}{
		"invalid": {verdict{err: bad}, 401, "invalid_token", "refused with 401 invalid_token: token invalid: iss is another issuer",
			[]string{`Bearer scope="read", error="invalid_token", error_description="the access token is not acceptable"`}},
		"expired": {verdict{err: old}, 401, "invalid_token", "token expired: exp is over",
			[]string{`Bearer scope="read", error="invalid_token", error_description="the access token has expired"`}},
		"keys are down":         {verdict{err: fmt.Errorf("%w: 500", jwtverify.ErrKeys)}, 503, "", "keys unavailable: 500", nil},
		"an error of no kind":   {verdict{err: errors.New("oops")}, 500, "", "oops", nil},
		"no token and no error": {verdict{}, 500, "", "neither a token nor an error", nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, &jwtverify.Bearer{Tokens: tc.verdict})
			resp := a.send(a.Require("read"), get("Bearer good"))
			a.wantRefused(resp, tc.status, tc.code, tc.reason, tc.challenges...)
			if tc.verdict.err != nil && !errors.Is(a.refused, tc.verdict.err) {
				t.Errorf("%v does not wrap its cause", a.refused)
			}
			if retry := resp.Header.Get("Retry-After"); (retry == "10") != (tc.status == 503) {
				t.Errorf("Retry-After: %q", retry)
			}
			if resp.Header.Get("Set-Cookie") != "" {
				t.Error("a header out of a token")
			}
		})
	}
}

// TestBearerMistakes: what cannot be meant refuses every request, a good one too.
func TestBearerMistakes(t *testing.T) {
	good := tokens{"good": aliceToken}
	for name, tc := range map[string]struct {
		bearer *jwtverify.Bearer
		guard  func(*jwtverify.Bearer) func(http.Handler) http.Handler
		reason string
	}{
		"the zero Bearer":     {&jwtverify.Bearer{}, nil, "Bearer.Tokens is nil"},
		"DPoP, no resource":   {&jwtverify.Bearer{Tokens: good, DPoP: &jwtverify.DPoP{}}, nil, "Bearer.Resource is empty, and DPoP needs it"},
		"a bad DPoP":          {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example", DPoP: &jwtverify.DPoP{Window: -1}}, nil, "Bearer.DPoP: token invalid: DPoP.Window"},
		"plain http":          {&jwtverify.Bearer{Tokens: good, Resource: "http://api.example.com"}, nil, "not https, nor http on a loopback host"},
		"another scheme":      {&jwtverify.Bearer{Tokens: good, Resource: "ftp://api.example.com"}, nil, "not https, nor http on a loopback host"},
		"a path alone":        {&jwtverify.Bearer{Tokens: good, Resource: "/v1"}, nil, "not https, nor http on a loopback host"},
		"no URL":              {&jwtverify.Bearer{Tokens: good, Resource: "https://[::1"}, nil, "is not a URL"},
		"a line break":        {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example/\r\n"}, nil, "is not a URL"},
		"a space":             {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example/a b"}, nil, "is not a URL"},
		"no host, no slashes": {&jwtverify.Bearer{Tokens: good, Resource: "https:a.example"}, nil, "not scheme, host and path alone"},
		"a realm in German":   {&jwtverify.Bearer{Tokens: good, Realm: "Prüfung"}, nil, "Bearer.Realm"},
		"no ASCII":            {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example/ä"}, nil, "is not a URL"},
		"no host":             {&jwtverify.Bearer{Tokens: good, Resource: "https:///v1"}, nil, "not scheme, host and path alone"},
		"a port alone":        {&jwtverify.Bearer{Tokens: good, Resource: "https://:443"}, nil, "not scheme, host and path alone"},
		"a query":             {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example/?x"}, nil, "not scheme, host and path alone"},
		"a fragment":          {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example/#"}, nil, "not scheme, host and path alone"},
		"a host that is none": {&jwtverify.Bearer{Tokens: good, Resource: "https://a!b.example"}, nil, "has a host that is neither a name nor an address"},
		"an IPv6 zone":        {&jwtverify.Bearer{Tokens: good, Resource: "https://[fe80::1%25eth0]:8443"}, nil, "has a host that is neither a name nor an address"},
		"a user":              {&jwtverify.Bearer{Tokens: good, Resource: "https://u@a.example"}, nil, "not scheme, host and path alone"},
		"a quote":             {&jwtverify.Bearer{Tokens: good, Resource: `https://a.example/"x`}, nil, "not scheme, host and path alone"},
		"an unclean path":     {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example/a/../b"}, nil, "has no plain path"},
		"a pattern":           {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example/{x}"}, nil, "has no plain path"},
		"an escape":           {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example/%41"}, nil, "has no plain path"},
		"two slashes":         {&jwtverify.Bearer{Tokens: good, Resource: "https://a.example//"}, nil, "has no plain path"},
		"a realm that breaks": {&jwtverify.Bearer{Tokens: good, Realm: "a\r\nSet-Cookie: x"}, nil, "Bearer.Realm"},
		"two scopes in one": {&jwtverify.Bearer{Tokens: good}, func(b *jwtverify.Bearer) func(http.Handler) http.Handler { return b.Require("read write") },
			`"read write" is not one scope`},
		"an empty scope": {&jwtverify.Bearer{Tokens: good}, func(b *jwtverify.Bearer) func(http.Handler) http.Handler { return b.Require("read", "") },
			`"" is not one scope`},
		"a nil rule": {&jwtverify.Bearer{Tokens: good}, func(b *jwtverify.Bearer) func(http.Handler) http.Handler { return b.Guard(nil) },
			"a Rule is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			empty := tc.bearer.Tokens == nil
			a := newAPI(t, tc.bearer)
			if empty {
				a.Tokens = nil
			}
			guard := a.Require()
			if tc.guard != nil {
				guard = tc.guard(a.Bearer)
			}
			a.wantRefused(a.send(guard, get("Bearer good")), 500, "", tc.reason)
			a.wantRefused(a.send(guard, get()), 500, "", tc.reason)
		})
	}
}

// TestNestedGuards: the request is authenticated once, and each demand is made.
func TestNestedGuards(t *testing.T) {
	asked := 0
	a := newAPI(t, &jwtverify.Bearer{Tokens: counting{&asked}})
	nested := func(next http.Handler) http.Handler {
		return a.Require("read")(http.StripPrefix("/th", a.Guard(jwtverify.HasScope("write"))(next)))
	}
	a.wantAlice(a.send(nested, get("Bearer good")))
	if asked != 1 {
		t.Errorf("the verifier was asked %d times", asked)
	}
	nested = func(next http.Handler) http.Handler {
		return a.Require("read")(a.Guard(jwtverify.HasACR("mfa"))(next))
	}
	a.wantRefused(a.send(nested, get("Bearer good")), 401, "insufficient_user_authentication", "level is required",
		`Bearer scope="read", error="insufficient_user_authentication", error_description="a different authentication level is required", acr_values="mfa"`)
}

// TestNestedScopes: a token with what the challenge names gets through all guards.
func TestNestedScopes(t *testing.T) {
	a := newAPI(t, &jwtverify.Bearer{})
	nested := func(next http.Handler) http.Handler {
		return a.Require("read")(a.Require("read", "write")(a.Guard(jwtverify.HasScope("admin", "write"))(next)))
	}
	a.wantRefused(a.send(nested, get("Bearer good")), 403, "insufficient_scope", `lacks the scope "admin"`,
		`Bearer scope="read write admin", error="insufficient_scope", error_description="the access token lacks a scope"`)
}

type counting struct{ calls *int }

func (c counting) AccessToken(context.Context, string) (*jwtverify.AccessToken, error) {
	*c.calls++
	return aliceToken, nil
}

// TestRequestsWithinRequests: who is in for one request is not in for others that a
// handler makes up in its context, as the parts of a batch.
func TestRequestsWithinRequests(t *testing.T) {
	for name, change := range map[string]func(*http.Request){
		"another token":  func(r *http.Request) { r.Header.Set("Authorization", "Bearer other") },
		"no token":       func(r *http.Request) { r.Header.Del("Authorization") },
		"another path":   func(r *http.Request) { r.RequestURI = "/others" },
		"another method": func(r *http.Request) { r.Method = http.MethodDelete },
		"another Bearer": nil,
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			outer := newAPI(t, &jwtverify.Bearer{Tokens: counting{&asked}})
			inner := outer
			if change == nil {
				change = func(*http.Request) {}
				inner = newAPI(t, &jwtverify.Bearer{Tokens: counting{&asked}})
			}
			outer.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				part := r.Clone(r.Context())
				change(part)
				inner.send(inner.Require(), part)
			})).ServeHTTP(httptest.NewRecorder(), get("Bearer good"))
			if name == "no token" {
				if inner.refused == nil || asked != 1 {
					t.Errorf("let in without a token, after %d questions", asked)
				}
				return
			}
			if asked != 2 {
				t.Errorf("the verifier was asked %d times, want 2", asked)
			}
		})
	}
}

func TestAuthenticate(t *testing.T) {
	a := newAPI(t, &jwtverify.Bearer{})
	token, err := a.Authenticate(get("Bearer good"), jwtverify.HasScope("read"))
	if token != aliceToken || err != nil {
		t.Errorf("got %v, %v", token, err)
	}
	for status, call := range map[int]func() (*jwtverify.AccessToken, error){
		401: func() (*jwtverify.AccessToken, error) { return a.Authenticate(get("Bearer bad")) },
		403: func() (*jwtverify.AccessToken, error) {
			return a.Authenticate(get("Bearer good"), jwtverify.HasScope("admin"))
		},
		500: func() (*jwtverify.AccessToken, error) { return a.Authenticate(get("Bearer good"), nil) },
	} {
		token, err := call()
		refused, ok := errors.AsType[*jwtverify.BearerError](err)
		if !ok || token != nil || refused.Status != status || refused.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("got %v, %v, want %d", token, err, status)
		}
	}
	if token := jwtverify.AccessTokenFrom(t.Context()); token != nil {
		t.Errorf("a token out of nowhere: %v", token)
	}
}

// TestBearerProblem: the answer of its own that a Bearer gives.
func TestBearerProblem(t *testing.T) {
	var logged strings.Builder
	b := &jwtverify.Bearer{Tokens: tokens{"good": aliceToken, "secret-token": nil}, Logger: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	handler := b.Require("admin")(http.NotFoundHandler())
	for _, tc := range []struct {
		header string
		status int
		body   string
		level  string
	}{
		{"", 401, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"an access token is needed"}`, "DEBUG"},
		{"Bearer bad", 401, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"the access token is not acceptable","error":"invalid_token"}`, "INFO"},
		{"Bearer good", 403, `{"type":"about:blank","title":"Forbidden","status":403,"detail":"the access token lacks a scope","error":"insufficient_scope"}`, "INFO"},
		{"Bearer secret-token", 500, `{"type":"about:blank","title":"Internal Server Error","status":500,"detail":"access tokens cannot be checked here"}`, "ERROR"},
	} {
		logged.Reset()
		r := get()
		if tc.header != "" {
			r.Header.Set("Authorization", tc.header)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != tc.status || w.Body.String() != tc.body || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: %d %v\n%s", tc.header, w.Code, w.Header(), w.Body)
		}
		line := map[string]any{}
		if err := json.Unmarshal([]byte(logged.String()), &line); err != nil {
			t.Fatal(err)
		}
		if line["level"] != tc.level || line["status"] != float64(tc.status) || line["path"] != "/things" || line["method"] != "GET" {
			t.Errorf("%q: logged %s", tc.header, &logged)
		}
		if strings.Contains(logged.String(), "secret-token") || strings.Contains(logged.String(), "page=2") {
			t.Errorf("a secret in the log: %s", &logged)
		}
	}
}

// TestBearerHungUp: that keys are not to be had is an error for the operator, unless it is
// because the client went away, which anybody can do as often as he likes.
func TestBearerHungUp(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, tc := range []struct {
		err    error
		ctx    context.Context
		status int
		level  string
	}{
		{jwtverify.ErrKeys, t.Context(), 503, "WARN"},
		{jwtverify.ErrKeys, gone, 503, "DEBUG"},
		{jwtverify.ErrInvalid, gone, 401, "INFO"}, // what came with the request is worth knowing all the same
	} {
		var logged strings.Builder
		b := &jwtverify.Bearer{Tokens: verdict{err: fmt.Errorf("%w: %w", tc.err, context.Canceled)},
			Logger: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		w := httptest.NewRecorder()
		b.Require()(http.NotFoundHandler()).ServeHTTP(w, get("Bearer good").WithContext(tc.ctx))
		if w.Code != tc.status || !strings.Contains(logged.String(), `"level":"`+tc.level+`"`) {
			t.Errorf("got %d, logged %s, want %d and %s", w.Code, &logged, tc.status, tc.level)
		}
	}
}

// TestBearerIsRedacted: neither a Bearer nor the context of a request prints secrets.
func TestBearerIsRedacted(t *testing.T) {
	b := &jwtverify.Bearer{Tokens: tokens{"secret": aliceToken}, Resource: "https://secret.example"}
	var ctx context.Context
	b.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ctx = r.Context() })).
		ServeHTTP(httptest.NewRecorder(), get("Bearer secret"))
	if ctx == nil {
		t.Fatal("not let in")
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "bearer", b)
	text, err := json.Marshal(b)
	if err != nil {
		t.Error(err)
	}
	for _, printed := range []string{fmt.Sprint(ctx), fmt.Sprintf("%+v", ctx), fmt.Sprintf("%#v", ctx), fmt.Sprintf("%v %+v %#v %d %s", b, b, b, b, b), log.String(), string(text)} {
		if strings.Contains(printed, "secret") || strings.Contains(printed, "alice") {
			t.Errorf("printed %s", printed)
		}
	}
}

// TestHappyPathAllocations: what a good request costs beside its verification.
func TestHappyPathAllocations(t *testing.T) {
	a := newAPI(t, &jwtverify.Bearer{Resource: "https://api.example.com"})
	handler := a.Require("read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r, w := get("Bearer good"), httptest.NewRecorder()
	if n := testing.AllocsPerRun(100, func() { handler.ServeHTTP(w, r) }); n > 4 {
		t.Errorf("%v allocations, want at most 4", n)
	}
}

// TestHeadersOfOthersStay: an answer keeps what a handler in front has set.
func TestHeadersOfOthersStay(t *testing.T) {
	b := &jwtverify.Bearer{Tokens: tokens{}, Logger: slog.New(slog.DiscardHandler)}
	w := httptest.NewRecorder()
	w.Header().Set("Access-Control-Allow-Origin", "https://app.example.com")
	b.Require()(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodOptions, "/", nil))
	want := []string{"Access-Control-Allow-Origin", "Cache-Control", "Content-Type", "Www-Authenticate", "X-Content-Type-Options"}
	if got := slices.Sorted(maps.Keys(w.Header())); w.Code != 401 || !slices.Equal(got, want) {
		t.Errorf("%d with the headers %q", w.Code, got)
	}
}

// TestServedOverHTTP: the headers survive a real server, HEAD is a request like others.
func TestServedOverHTTP(t *testing.T) {
	b := &jwtverify.Bearer{Tokens: tokens{"good": aliceToken}, Logger: slog.New(slog.DiscardHandler)}
	srv := httptest.NewServer(b.Require("read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, jwtverify.AccessTokenFrom(r.Context()).Subject)
	})))
	defer srv.Close()
	for _, tc := range []struct {
		method, header string
		status         int
		body           string
	}{
		{http.MethodGet, "Bearer good", 200, "alice"},
		{http.MethodHead, "Bearer good", 200, ""},
		{http.MethodHead, "Bearer bad", 401, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, tc.method, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", tc.header)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != tc.status || string(body) != tc.body {
			t.Errorf("%s %s: %d %q, %v", tc.method, tc.header, resp.StatusCode, body, err)
		}
	}
}

// TestBearerConcurrently is for the race detector: the first use sets a Bearer up.
func TestBearerConcurrently(t *testing.T) {
	b := &jwtverify.Bearer{Tokens: tokens{"good": aliceToken}, Resource: "https://api.example.com", Logger: slog.New(slog.DiscardHandler)}
	handler := b.Require("read")(b.Guard(jwtverify.HasScope("write"))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	var all sync.WaitGroup
	for _, status := range []int{200, 401, 200, 401} {
		all.Go(func() {
			r := get("Bearer good")
			if status == 401 {
				r = get("Bearer bad")
			}
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != status {
				t.Errorf("got %d, want %d", w.Code, status)
			}
		})
	}
	all.Wait()
}
