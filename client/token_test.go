package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/oauth2"
)

// exchangeWith runs a login against one token answer, in which ID stands for the right ID token.
func (p *op) exchangeWith(status int, contentType, body string) (*Tokens, error) {
	c := p.client(nil)
	login := p.authorize(c, nil)
	p.handle("/token", func(*http.Request) (*http.Response, error) {
		return textResponse(status, contentType, strings.ReplaceAll(body, "ID", `"`+p.idToken()+`"`)), nil
	})
	return c.Exchange(context.Background(), login, callbackOf(login))
}

const notMembers = "not one JSON object with every member once and by its exact name"

const goodAnswer = `"access_token":"a","token_type":"Bearer","id_token":ID`

func TestTokenAnswerAccepted(t *testing.T) {
	for _, test := range []struct {
		name, contentType, body string
		life                    time.Duration
		scope                   []string
		refresh                 string
	}{
		{"least", "application/json", `{` + goodAnswer + `}`, 0, []string{"openid"}, ""},
		{"charset", "application/json;charset=UTF-8", `{` + goodAnswer + `}`, 0, []string{"openid"}, ""},
		{"media type in capitals", "Application/JSON", `{` + goodAnswer + `}`, 0, []string{"openid"}, ""},
		{"byte order is free", "application/json", ` {"id_token":ID , "token_type":"bearer","access_token":"a"} ` + "\n", 0, []string{"openid"}, ""},
		{"token_type in capitals", "application/json", `{"access_token":"a","token_type":"BEARER","id_token":ID}`, 0, []string{"openid"}, ""},
		{"expires_in", "application/json", `{` + goodAnswer + `,"expires_in":300}`, 300 * time.Second, []string{"openid"}, ""},
		{"expires_in as a string", "application/json", `{` + goodAnswer + `,"expires_in":"300"}`, 300 * time.Second, []string{"openid"}, ""},
		{"expires_in null", "application/json", `{` + goodAnswer + `,"expires_in":null}`, 0, []string{"openid"}, ""},
		{"expires_in 0", "application/json", `{` + goodAnswer + `,"expires_in":0}`, 0, []string{"openid"}, ""},
		{"expires_in negative", "application/json", `{` + goodAnswer + `,"expires_in":-1}`, 0, []string{"openid"}, ""},
		{"expires_in fraction", "application/json", `{` + goodAnswer + `,"expires_in":299.9}`, 299 * time.Second, []string{"openid"}, ""},
		{"expires_in small fraction", "application/json", `{` + goodAnswer + `,"expires_in":0.5}`, 0, []string{"openid"}, ""},
		{"expires_in exponent", "application/json", `{` + goodAnswer + `,"expires_in":3e2}`, 300 * time.Second, []string{"openid"}, ""},
		{"expires_in huge", "application/json", `{` + goodAnswer + `,"expires_in":1e300}`, maxLifetime, []string{"openid"}, ""},
		{"expires_in beyond float64", "application/json", `{` + goodAnswer + `,"expires_in":1e999}`, maxLifetime, []string{"openid"}, ""},
		{"expires_in beyond int64", "application/json", `{` + goodAnswer + `,"expires_in":99999999999999999999}`, maxLifetime, []string{"openid"}, ""},
		{"refresh_token", "application/json", `{` + goodAnswer + `,"refresh_token":"r"}`, 0, []string{"openid"}, "r"},
		{"refresh_token empty", "application/json", `{` + goodAnswer + `,"refresh_token":""}`, 0, []string{"openid"}, ""},
		{"refresh_token null", "application/json", `{` + goodAnswer + `,"refresh_token":null}`, 0, []string{"openid"}, ""},
		{"scope", "application/json", `{` + goodAnswer + `,"scope":"openid  email"}`, 0, []string{"openid", "email"}, ""},
		{"scope empty", "application/json", `{` + goodAnswer + `,"scope":""}`, 0, []string{}, ""},
		{"scope as an array", "application/json", `{` + goodAnswer + `,"scope":["openid","email"]}`, 0, []string{"openid", "email"}, ""},
		{"scope with other spaces than U+0020", "application/json", `{` + goodAnswer + `,"scope":"a\u00a0admin b\tadmin c\u2028admin"}`, 0, []string{"a\u00a0admin", "b\tadmin", "c\u2028admin"}, ""},
		{"scope as an array with spaces", "application/json", `{` + goodAnswer + `,"scope":["openid email","x\u0085admin",""]}`, 0, []string{"openid", "email", "x\u0085admin"}, ""},
		{"error null", "application/json", `{` + goodAnswer + `,"error":null}`, 0, []string{"openid"}, ""},
		{"unknown members", "application/json", `{` + goodAnswer + `,"ext_expires_in":1,"not-before-policy":0,"session_state":{"a":[1]}}`, 0, []string{"openid"}, ""},
		{"escapes", "application/json", `{"access_token":"\u0061","token_type":"Bearer","id_token":ID}`, 0, []string{"openid"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			got, err := p.exchangeWith(200, test.contentType, test.body)
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessToken != "a" || got.TokenType != "Bearer" || got.RefreshToken != test.refresh {
				t.Errorf("got %q %q %q", got.AccessToken, got.TokenType, got.RefreshToken)
			}
			if !slices.Equal(got.Scope, test.scope) {
				t.Errorf("got scope %q, want %q", got.Scope, test.scope)
			}
			want := time.Time{}
			if test.life > 0 {
				want = testStart.Add(test.life)
			}
			if !got.Expiry.Equal(want) {
				t.Errorf("got expiry %v, want %v", got.Expiry, want)
			}
			if got.IDToken == nil || got.IDToken.Subject != "alice" {
				t.Errorf("got ID token %v", got.IDToken)
			}
		})
	}
}

func TestTokenAnswerRejected(t *testing.T) {
	const json = "application/json"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    error
		text                    string // after "client: token endpoint: "
	}{
		{"no access_token", json, `{"token_type":"Bearer","id_token":ID}`, 200, ErrRejected, "rejected: status 200: access_token is missing"},
		{"access_token empty", json, `{"access_token":"","token_type":"Bearer","id_token":ID}`, 200, ErrRejected, "rejected: status 200: access_token is missing"},
		{"access_token null", json, `{"access_token":null,"token_type":"Bearer","id_token":ID}`, 200, ErrRejected, "rejected: status 200: access_token is missing"},
		{"access_token a number", json, `{"access_token":1,"token_type":"Bearer","id_token":ID}`, 200, ErrRejected, "rejected: status 200: access_token has the wrong type"},
		{"access_token with a line break", json, `{"access_token":"a\r\nX: y","token_type":"Bearer","id_token":ID}`, 200, ErrRejected, "rejected: status 200: access_token has characters that none has"},
		{"access_token not ASCII", json, `{"access_token":"ä","token_type":"Bearer","id_token":ID}`, 200, ErrRejected, "rejected: status 200: access_token has characters that none has"},
		{"no token_type", json, `{"access_token":"a","id_token":ID}`, 200, ErrRejected, "rejected: status 200: token_type is missing"},
		{"token_type DPoP", json, `{"access_token":"a","token_type":"DPoP","id_token":ID}`, 200, ErrRejected, `rejected: status 200: token_type is not Bearer`},
		{"token_type folded", json, `{"access_token":"a","token_type":"Bearer","Token_Type":"Bearer","id_token":ID}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"token_type a list", json, `{"access_token":"a","token_type":["Bearer"],"id_token":ID}`, 200, ErrRejected, "rejected: status 200: token_type has the wrong type"},
		{"expires_in words", json, `{` + goodAnswer + `,"expires_in":"soon"}`, 200, ErrRejected, "rejected: status 200: expires_in has the wrong type"},
		{"expires_in NaN", json, `{` + goodAnswer + `,"expires_in":"NaN"}`, 200, ErrRejected, "rejected: status 200: expires_in has the wrong type"},
		{"expires_in an object", json, `{` + goodAnswer + `,"expires_in":{}}`, 200, ErrRejected, "rejected: status 200: expires_in has the wrong type"},
		{"scope a number", json, `{` + goodAnswer + `,"scope":1}`, 200, ErrRejected, "rejected: status 200: scope has the wrong type"},
		{"refresh_token an object", json, `{` + goodAnswer + `,"refresh_token":{}}`, 200, ErrRejected, "rejected: status 200: refresh_token has the wrong type"},
		{"access_token twice", json, `{` + goodAnswer + `,"access_token":"b"}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"id_token in another case", json, `{` + goodAnswer + `,"Id_Token":ID}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"an array", json, `[{` + goodAnswer + `}]`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"empty", json, ``, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"cut short", json, `{"access_token":"a","token_type":"Bea`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"something behind", json, `{` + goodAnswer + `}{}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"HTML page", "text/html; charset=utf-8", `<html>client-secret</html>`, 200, ErrRejected, `rejected: status 200: the content type is "text/html", not application/json`},
		{"JSON called HTML", "text/html", `{` + goodAnswer + `}`, 200, ErrRejected, `rejected: status 200: the content type is "text/html", not application/json`},
		{"no content type", "", `{` + goodAnswer + `}`, 200, ErrRejected, `rejected: status 200: the content type is "", not application/json`},
		{"another content type", "application/problem+json", `{` + goodAnswer + `}`, 200, ErrRejected, `rejected: status 200: the content type is not application/json`},
		{"form-encoded", "application/x-www-form-urlencoded", `access_token=a&token_type=bearer`, 200, ErrRejected, `rejected: status 200: the content type is "application/x-www-form-urlencoded", not application/json`},
		{"status 201", json, `{` + goodAnswer + `}`, 201, ErrRejected, "rejected: status 201: no error code"},
		{"status 204", "", ``, 204, ErrRejected, "rejected: status 204: no error code"},
		{"error in a 200", json, `{"error":"invalid_request","error_description":"The code is wrong."}`, 200, ErrRejected, `rejected: status 200: "invalid_request" "The code is wrong."`},
		{"GitHub", json, `{"error":"bad_verification_code","error_description":"The code is wrong."}`, 200, ErrInvalidGrant, `grant no longer valid: status 200: "bad_verification_code" "The code is wrong."`},
		{"error beside tokens in a 200", json, `{` + goodAnswer + `,"error":"oops"}`, 200, ErrRejected, `rejected: status 200: "oops"`},
		{"error of another type in a 200", json, `{` + goodAnswer + `,"error":{"message":"x"}}`, 200, ErrRejected, "rejected: status 200: no error code"},
		{"invalid_grant in a 200", json, `{"error":"invalid_grant"}`, 200, ErrInvalidGrant, `grant no longer valid: status 200: "invalid_grant"`},
		{"invalid_grant", json, `{"error":"invalid_grant"}`, 400, ErrInvalidGrant, `grant no longer valid: status 400: "invalid_grant"`},
		{"invalid_grant as text", "text/plain", `{"error":"invalid_grant"}`, 400, ErrInvalidGrant, `grant no longer valid: status 400: "invalid_grant"`},
		{"invalid_grant in a 500", json, `{"error":"invalid_grant"}`, 500, ErrInvalidGrant, `grant no longer valid: status 500: "invalid_grant"`},
		{"invalid_request", json, `{"error":"invalid_request"}`, 400, ErrRejected, `rejected: status 400: "invalid_request"`},
		{"temporarily_unavailable", json, `{"error":"temporarily_unavailable"}`, 400, ErrUnavailable, `provider unavailable: status 400: "temporarily_unavailable"`},
		{"server_error", json, `{"error":"server_error"}`, 400, ErrUnavailable, `provider unavailable: status 400: "server_error"`},
		{"empty 400", "", ``, 400, ErrRejected, "rejected: status 400: no error code"},
		{"404 page", "text/html", `<html>`, 404, ErrRejected, "rejected: status 404: no error code"},
		{"408", "", ``, 408, ErrUnavailable, "provider unavailable: status 408: no error code"},
		{"429", json, `{"error":"too_many"}`, 429, ErrUnavailable, `provider unavailable: status 429: "too_many"`},
		{"500 page", "text/html", `<html>`, 500, ErrUnavailable, "provider unavailable: status 500: no error code"},
		{"503 broken JSON", json, `{"error":`, 503, ErrUnavailable, "provider unavailable: status 503: no error code"},
		{"error twice", json, `{"error":"invalid_request","error":"invalid_grant"}`, 400, ErrRejected, "rejected: status 400: no error code"},
		{"description cleaned", json, `{"error":"x","error_description":"a\"<b>\n\u00e4"}`, 400, ErrRejected, `rejected: status 400: "x" "a?<b>??"`},
		{"description cut", json, `{"error":"x","error_description":"` + strings.Repeat("d", 300) + `"}`, 400, ErrRejected, `rejected: status 400: "x" "` + strings.Repeat("d", 256) + `"`},
		{"code cut", json, `{"error":"` + strings.Repeat("e", 100) + `"}`, 400, ErrRejected, `rejected: status 400: "` + strings.Repeat("e", 64) + `"`},
		{"1 MiB and one byte", json, `{` + goodAnswer + `,"x":"` + strings.Repeat("x", maxBody) + `"}`, 200, ErrRejected, "rejected: status 200: the answer has more than 1048576 bytes"},
		{"too long, in trouble", "text/html", strings.Repeat("x", maxBody+1), 502, ErrUnavailable, "provider unavailable: status 502: the answer has more than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			got, err := p.exchangeWith(test.status, test.contentType, test.body)
			var e *ResponseError
			if got != nil || !errors.As(err, &e) || !errors.Is(err, test.want) || err.Error() != "client: token endpoint: "+test.text {
				t.Fatalf("got %v, want %s", err, test.text)
			}
			if e.Endpoint != "token" || e.Status != test.status {
				t.Errorf("got endpoint %q and status %d", e.Endpoint, e.Status)
			}
			if n := len(p.seen("/token")); n != 1 {
				t.Errorf("%d token requests, want one", n)
			}
		})
	}
}

func TestExactlyOneMiBIsRead(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, nil)
	body := `{"access_token":"a","token_type":"Bearer","id_token":"` + p.idToken() + `","x":"`
	body += strings.Repeat("x", maxBody-len(body)-2) + `"}`
	p.reply("/token", 200, "application/json", body)
	if _, err := c.Exchange(context.Background(), login, callbackOf(login)); err != nil || len(body) != maxBody {
		t.Errorf("got %v for %d bytes", err, len(body))
	}
}

// What is accepted, encoding/json reads in the same way.
func FuzzTokenAnswer(f *testing.F) {
	f.Add(`{"access_token":"a","token_type":"Bearer","expires_in":300,"refresh_token":"r","scope":"openid"}`)
	f.Add(`{"access_token":"a","token_type":"bearer","expires_in":"3e2","scope":["a"],"error":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		a, err := parseTokenAnswer(body)
		if err != nil || a.failed || a.check("Bearer") != nil {
			return
		}
		var got struct {
			AccessToken  string `json:"access_token"`
			RefreshToken string `json:"refresh_token"`
			ExpiresIn    any    `json:"expires_in"`
			Error        any    `json:"error"`
		}
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		if got.AccessToken != a.accessToken || got.RefreshToken != a.refreshToken || got.Error != nil {
			t.Errorf("encoding/json reads %q and %q", got.AccessToken, got.RefreshToken)
		}
		if a.expiresIn < 0 || a.expiresIn > maxLifetime || a.expiresIn > 0 && got.ExpiresIn == nil {
			t.Errorf("a life of %v", a.expiresIn)
		}
	})
}

// What goes over the wire, and what does not.
func TestTokenRequest(t *testing.T) {
	const secret = "s:e c%r+e/t~"
	for _, test := range []struct {
		name          string
		auth          ClientAuth
		secret        string
		methods       []string
		authorization string
		credentials   url.Values
	}{
		{"nothing said", nil, secret, nil, "basic", nil},
		{"basic named", nil, secret, []string{"private_key_jwt", "client_secret_basic"}, "basic", nil},
		{"both named", nil, secret, []string{"client_secret_post", "client_secret_basic"}, "basic", nil},
		{"post named", nil, secret, []string{"client_secret_post"}, "", url.Values{"client_id": {"w:b"}, "client_secret": {secret}}},
		{"neither named", nil, secret, []string{"private_key_jwt"}, "basic", nil},
		{"post configured", SecretPost{}, secret, []string{"client_secret_basic"}, "", url.Values{"client_id": {"w:b"}, "client_secret": {secret}}},
		{"basic configured", SecretBasic{}, secret, []string{"client_secret_post"}, "basic", nil},
		{"no secret", nil, "", []string{"client_secret_basic", "client_secret_post"}, "", url.Values{"client_id": {"w:b"}}},
		{"none configured", NoAuth{}, "", nil, "", url.Values{"client_id": {"w:b"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.claims["aud"] = "w:b"
			if test.methods != nil {
				p.metadata["token_endpoint_auth_methods_supported"] = test.methods
			}
			c := p.client(func(cfg *Config) { cfg.ClientID, cfg.ClientSecret, cfg.Auth = "w:b", test.secret, test.auth })
			login := p.authorize(c, nil)
			if _, err := c.Exchange(context.Background(), login, callbackOf(login)); err != nil {
				t.Fatal(err)
			}
			form := url.Values{
				"grant_type": {"authorization_code"}, "code": {"code-CANARY-1"}, "redirect_uri": {testRedirect},
				"code_verifier": {string(login.verifier)},
			}
			header := http.Header{
				"Accept":       {"application/json"},
				"Content-Type": {"application/x-www-form-urlencoded"},
				"User-Agent":   {userAgent},
			}
			for name, values := range test.credentials {
				form[name] = values
			}
			if test.authorization == "basic" {
				// base64 of w%3Ab:s%3Ae+c%25r%2Be%2Ft~
				header.Set("Authorization", "Basic dyUzQWI6cyUzQWUrYyUyNXIlMkJlJTJGdH4=")
			}
			p.wantRequests("/token", sentRequest{"POST", testIssuer + "/token", header, form.Encode()})
		})
	}
}

// wantRequests compares all requests to a path.
func (p *op) wantRequests(path string, want ...sentRequest) {
	p.t.Helper()
	got := p.seen(path)
	if len(got) != len(want) {
		p.t.Fatalf("%d requests to %s, want %d", len(got), path, len(want))
	}
	for i := range want {
		if got[i].Method != want[i].Method || got[i].Body != want[i].Body {
			p.t.Errorf("got  %s %s\nwant %s %s", got[i].Method, got[i].Body, want[i].Method, want[i].Body)
		}
		for name := range got[i].Header {
			if got, want := got[i].Header[name], want[i].Header[name]; !slices.Equal(got, want) {
				p.t.Errorf("header %s: got %q, want %q", name, got, want)
			}
		}
		if len(got[i].Header) != len(want[i].Header) {
			p.t.Errorf("got headers %v, want %v", got[i].Header, want[i].Header)
		}
	}
}

func TestInvalidClientHint(t *testing.T) {
	const tryPost = "client_secret_basic was refused; if the secret is right, try Config.Auth: client.SecretPost{}"
	const tryBasic = "client_secret_post was refused; if the secret is right, try Config.Auth: client.SecretBasic{}"
	for _, test := range []struct {
		name    string
		methods []string
		auth    ClientAuth
		secret  string
		want    string
	}{
		{"nothing said", nil, nil, testSecret, tryPost},
		{"both offered", []string{"client_secret_basic", "client_secret_post"}, nil, testSecret, tryPost},
		{"only basic offered", []string{"client_secret_basic"}, nil, testSecret, ""},
		{"post by itself", []string{"client_secret_post"}, nil, testSecret, ""},
		{"post against basic", []string{"client_secret_basic"}, SecretPost{}, testSecret, tryBasic},
		{"public", nil, nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			if test.methods != nil {
				p.metadata["token_endpoint_auth_methods_supported"] = test.methods
			}
			c := p.client(func(cfg *Config) { cfg.Auth, cfg.ClientSecret = test.auth, test.secret })
			login := p.authorize(c, nil)
			p.reply("/token", 401, "application/json", `{"error":"invalid_client"}`)
			_, err := c.Exchange(context.Background(), login, callbackOf(login))
			var e *ResponseError
			if !errors.As(err, &e) || !errors.Is(err, ErrRejected) || e.Code != "invalid_client" || e.Hint != test.want {
				t.Fatalf("got %v, want the hint %q", err, test.want)
			}
			if test.want != "" && !strings.HasSuffix(err.Error(), `"invalid_client" (`+test.want+")") {
				t.Errorf("the text has no hint: %v", err)
			}
			if n := len(p.seen("/token")); n != 1 {
				t.Errorf("%d token requests: it probes", n)
			}
		})
	}
}

func TestRetrieveError(t *testing.T) {
	p := newOP(t)
	_, err := p.exchangeWith(400, "application/json", `{"error":"invalid_grant","error_description":"no","error_uri":"https://op.example.com/e"}`)
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) {
		t.Fatalf("no RetrieveError in %v", err)
	}
	if e.ErrorCode != "invalid_grant" || e.ErrorDescription != "no" || e.ErrorURI != "https://op.example.com/e" {
		t.Errorf("got %+v", e)
	}
	if e.Body != nil || e.Response.Body != http.NoBody || e.Response.StatusCode != 400 {
		t.Error("it has a body, or another status")
	}
	_, err = newOP(t).exchangeWith(500, "text/html", "<html>")
	if !errors.As(err, &e) || e.Error() != "oauth2: cannot fetch token: 500 Internal Server Error\nResponse: " {
		t.Errorf("got %v", e)
	}
}

func TestRetrieveErrorNeedsAnAnswer(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, nil)
	p.handle("/token", func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") })
	_, err := c.Exchange(context.Background(), login, callbackOf(login))
	var e *oauth2.RetrieveError
	if !errors.Is(err, ErrUnavailable) || errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
}

// A provider that repeats what it was sent as the name of a member.
func TestTokenAnswerQuotesNoMember(t *testing.T) {
	for _, body := range []string{`{"CANARY":1,"CANARY":2}`, `{"ACCESS_TOKEN":"CANARY"}`} {
		_, err := parseTokenAnswer(body)
		if err == nil || err.Error() != notMembers {
			t.Errorf("got %v", err)
		}
	}
}

// Tokens live for hours, and an answer may have a MiB.
func TestTokenAnswerKeepsNothingOfTheBody(t *testing.T) {
	for _, scope := range []string{`"openid email"`, `["openid","email"]`} {
		body := `{"access_token":"aaaa","refresh_token":"rrrr","id_token":"iiii","token_type":"Bearer","scope":` + scope + `}`
		a, err := parseTokenAnswer(body)
		if err != nil {
			t.Fatal(err)
		}
		start := uintptr(unsafe.Pointer(unsafe.StringData(body)))
		for _, s := range append([]string{a.accessToken, a.refreshToken, a.idToken}, a.scope...) {
			if p := uintptr(unsafe.Pointer(unsafe.StringData(s))); p >= start && p < start+uintptr(len(body)) {
				t.Errorf("%q is a part of the body", s)
			}
		}
	}
}
