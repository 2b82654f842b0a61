package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const pushedURI = "urn:ietf:params:oauth:request_uri:CANARY-6esc_11ACC5bwc014ltc14eY22c"

// pushing makes the provider take pushed requests.
func (p *op) pushing() {
	p.metadata["pushed_authorization_request_endpoint"] = testIssuer + "/par"
	p.reply("/par", 201, "application/json", `{"request_uri":"`+pushedURI+`","expires_in":60}`)
}

// One request with the parameters of the address and the client's authentication, and
// an address with what is left.
func TestPushedRequest(t *testing.T) {
	for _, test := range []struct {
		name    string
		auth    ClientAuth
		secret  string
		require bool
		also    string // in the body
		basic   bool
	}{
		{"basic", SecretBasic{}, testSecret, false, "", true},
		{"post", SecretPost{}, testSecret, false, "&client_secret=" + testSecret, false},
		{"public", nil, "", false, "", false},
		{"required by the metadata", SecretBasic{}, testSecret, true, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.pushing()
			p.metadata["require_pushed_authorization_requests"] = test.require
			c := p.client(func(cfg *Config) {
				cfg.PushedAuthorizationRequests, cfg.Auth, cfg.ClientSecret = !test.require, test.auth, test.secret
			})
			login := p.authorize(c, &AuthorizeOptions{LoginHint: "a&b", Resource: []string{"https://a", "https://b"}})
			want := testIssuer + "/authorize?client_id=web&request_uri=" + url.QueryEscape(pushedURI)
			if login.URL() != want {
				t.Errorf("got  %s\nwant %s", login.URL(), want)
			}
			sent := p.seen("/par")
			if len(sent) != 1 {
				t.Fatalf("%d requests, want one", len(sent))
			}
			body := "client_id=web" + test.also + "&code_challenge=" + login.verifier.Challenge() + "&code_challenge_method=S256&login_hint=a%26b&nonce=" + login.nonce +
				"&redirect_uri=https%3A%2F%2Fapp.example.com%2Fauth%2Fcallback&resource=https%3A%2F%2Fa&resource=https%3A%2F%2Fb" +
				"&response_type=code&scope=openid&state=" + login.state
			if sent[0].Method != "POST" || sent[0].Body != body {
				t.Errorf("got  %s %s\nwant POST %s", sent[0].Method, sent[0].Body, body)
			}
			if got := sent[0].Header.Get("Content-Type"); got != "application/x-www-form-urlencoded" {
				t.Errorf("content type %q", got)
			}
			if _, _, basic := (&http.Request{Header: sent[0].Header}).BasicAuth(); basic != test.basic {
				t.Errorf("an Authorization header: %t", basic)
			}
			if _, err := c.Exchange(context.Background(), login, callbackOf(login)); err != nil {
				t.Error(err)
			}
		})
	}
}

// An endpoint without a demand is left alone.
func TestNotPushed(t *testing.T) {
	p := newOP(t)
	p.pushing()
	login := p.authorize(p.client(nil), nil)
	if len(p.seen("/par")) != 0 || !strings.Contains(login.URL(), "state=") {
		t.Error("the request was pushed, and nobody wants that")
	}
}

func TestPushedRequestHostileAnswers(t *testing.T) {
	const good = `{"request_uri":"urn:x:y","expires_in":60}`
	for _, test := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   string // the end of the error
		is     error
	}{
		{"HTML", 201, "text/html", "<html>", `the content type is "text/html", not application/json`, ErrRejected},
		{"other type", 201, "application/jwt", good, "the content type is not application/json", ErrRejected},
		{"truncated", 201, "application/json", good[:20], errMembers.Error(), ErrRejected},
		{"array", 201, "application/json", "[" + good + "]", errMembers.Error(), ErrRejected},
		{"duplicate", 201, "application/json", `{"request_uri":"urn:x:y","request_uri":"urn:x:z","expires_in":60}`, errMembers.Error(), ErrRejected},
		{"folded", 201, "application/json", `{"Request_URI":"urn:x:y","expires_in":60}`, errMembers.Error(), ErrRejected},
		{"large", 201, "application/json", strings.Repeat(" ", maxBody+1), "the answer has more than 1048576 bytes", ErrRejected},
		{"status 200", 200, "application/json", good, "the status is not 201", ErrRejected},
		{"error in 200", 200, "application/json", `{"error":"invalid_request"}`, "the status is not 201", ErrRejected},
		{"no URI", 201, "application/json", `{"expires_in":60}`, "request_uri is not an absolute URI", ErrRejected},
		{"null URI", 201, "application/json", `{"request_uri":null,"expires_in":60}`, "request_uri has the wrong type", ErrRejected},
		{"relative URI", 201, "application/json", `{"request_uri":"/r/1","expires_in":60}`, "request_uri is not an absolute URI", ErrRejected},
		{"URI with a line break", 201, "application/json", `{"request_uri":"urn:x:\n","expires_in":60}`, "request_uri is not an absolute URI", ErrRejected},
		{"long URI", 201, "application/json", `{"request_uri":"urn:x:` + strings.Repeat("y", maxRequestURI) + `","expires_in":60}`, "request_uri is not an absolute URI", ErrRejected},
		{"no lifetime", 201, "application/json", `{"request_uri":"urn:x:y"}`, "expires_in is missing", ErrRejected},
		{"lifetime in a string", 201, "application/json", `{"request_uri":"urn:x:y","expires_in":"60"}`, "expires_in has the wrong type", ErrRejected},
		{"lifetime of 0", 201, "application/json", `{"request_uri":"urn:x:y","expires_in":0}`, "expires_in has the wrong type", ErrRejected},
		{"lifetime of a fraction", 201, "application/json", `{"request_uri":"urn:x:y","expires_in":1.5}`, "expires_in has the wrong type", ErrRejected},
		{"refused", 400, "application/json", `{"error":"invalid_request","error_description":"no"}`, `"invalid_request" "no"`, ErrRejected},
		{"refused client", 401, "application/json", `{"error":"invalid_client"}`, "try Config.Auth: client.SecretPost{})", ErrRejected},
		{"in trouble", 503, "text/html", "<html>", "no error code", ErrUnavailable},
		{"too many", 429, "", "", "no error code", ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.pushing()
			p.reply("/par", test.status, test.kind, test.body)
			login, err := p.client(func(cfg *Config) { cfg.PushedAuthorizationRequests = true }).Authorize(context.Background(), nil)
			var e *ResponseError
			if login != nil || !errors.Is(err, test.is) || !errors.As(err, &e) || e.Endpoint != "pushed authorization request" || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if n := len(p.seen("/par")); n != 1 {
				t.Errorf("%d requests, want one", n)
			}
		})
	}
}

// V-40: no credential follows a redirect.
func TestPushedRequestRedirect(t *testing.T) {
	for _, location := range []string{"https://evil.example/par", "/par2"} {
		p := newOP(t)
		p.pushing()
		p.handle("/par", redirectTo(307, location))
		_, err := p.client(func(cfg *Config) { cfg.PushedAuthorizationRequests = true }).Authorize(context.Background(), nil)
		var e *ResponseError
		if !errors.As(err, &e) || e.Status != 307 || !errors.Is(err, ErrRejected) || len(p.requests) != 2 {
			t.Errorf("got %v after %d requests", err, len(p.requests))
		}
	}
}

func TestPushedRequestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		p.pushing()
		p.handle("/par", func(req *http.Request) (*http.Response, error) {
			resp := textResponse(201, "application/json", "")
			resp.Body, resp.ContentLength = &endless{text: " ", wait: time.Second, done: req.Context().Done()}, -1
			return resp, nil
		})
		began := time.Now()
		_, err := p.client(func(cfg *Config) { cfg.PushedAuthorizationRequests = true }).Authorize(context.Background(), nil)
		if !errors.Is(err, ErrUnavailable) || time.Since(began) != httpTimeout {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

// Nothing that was pushed stands in an error, when the provider repeats it.
func TestPushedRequestSecretsInErrors(t *testing.T) {
	p := newOP(t)
	p.pushing()
	var sent url.Values
	p.handle("/par", func(req *http.Request) (*http.Response, error) {
		body, _ := req.GetBody()
		text, _ := io.ReadAll(body)
		sent, _ = url.ParseQuery(string(text))
		return jsonResponse(400, map[string]any{"error": "x", "error_description": sent.Get("state") + " " + sent.Get("nonce"), "error_uri": string(text)}), nil
	})
	_, err := p.client(func(cfg *Config) { cfg.PushedAuthorizationRequests = true }).Authorize(context.Background(), nil)
	shown := renderings(t, err)
	if sent.Get("state") == "" || strings.Contains(shown, sent.Get("state")) || strings.Contains(shown, sent.Get("nonce")) {
		t.Errorf("the error shows what was sent: %s", shown)
	}
}

// Nor does a request object, which has all of that inside.
func TestPushedRequestObjectInErrors(t *testing.T) {
	p := newOP(t)
	p.pushing()
	p.handle("/par", func(req *http.Request) (*http.Response, error) {
		body, _ := req.GetBody()
		text, _ := io.ReadAll(body)
		sent, _ := url.ParseQuery(string(text))
		return jsonResponse(400, map[string]any{"error": "x", "error_description": "bad " + sent.Get("request")}), nil
	})
	c := p.signing(RequestObject{}, func(cfg *Config) { cfg.PushedAuthorizationRequests = true })
	_, err := c.Authorize(context.Background(), nil)
	if err == nil || !strings.HasSuffix(err.Error(), `"x" "bad [redacted]"`) {
		t.Errorf("got %v", err)
	}
}
