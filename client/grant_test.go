package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const testAssertion = "e30.assertion-CANARY.c2ln"

// newGrantOP has every endpoint of the grants without a browser, and answers as a good one.
func newGrantOP(t *testing.T) *op {
	t.Helper()
	p := newOP(t)
	p.metadata["device_authorization_endpoint"] = testIssuer + "/device"
	p.metadata["backchannel_authentication_endpoint"] = testIssuer + "/ciba"
	p.handle("/device", func(*http.Request) (*http.Response, error) { return jsonResponse(200, deviceAnswer()), nil })
	p.handle("/ciba", func(*http.Request) (*http.Response, error) { return jsonResponse(200, cibaAnswer()), nil })
	return p
}

func deviceAnswer() map[string]any {
	return map[string]any{
		"device_code": "device-code-CANARY", "user_code": "WDJB-MJHT", "verification_uri": testIssuer + "/go",
		"verification_uri_complete": testIssuer + "/go?user_code=WDJB-MJHT", "expires_in": 600, "interval": 2,
	}
}

func cibaAnswer() map[string]any {
	return map[string]any{"auth_req_id": "auth-req-id-CANARY", "expires_in": 600, "interval": 2}
}

// A grantCall is one way to tokens; it answers at path.
type grantCall struct {
	name, path string
	call       func(ctx context.Context, c *Client, opts *GrantOptions) error
}

// grantCalls are all that send one request. waitCalls are those that may send more.
func grantCalls() []grantCall {
	return []grantCall{
		{"client_credentials", "/token", func(ctx context.Context, c *Client, o *GrantOptions) error {
			_, err := c.ClientCredentials(ctx, o)
			return err
		}},
		{"exchange", "/token", func(ctx context.Context, c *Client, o *GrantOptions) error {
			_, err := c.ExchangeToken(ctx, TokenExchange{SubjectToken: "subject-CANARY", ActorToken: "actor-CANARY"}, o)
			return err
		}},
		{"jwt-bearer", "/token", func(ctx context.Context, c *Client, o *GrantOptions) error {
			_, err := c.JWTBearer(ctx, testAssertion, o)
			return err
		}},
		{"password", "/token", func(ctx context.Context, c *Client, o *GrantOptions) error {
			_, err := c.InsecurePassword(ctx, Password{"alice", "password-CANARY"}, o)
			return err
		}},
		{"device", "/device", func(ctx context.Context, c *Client, o *GrantOptions) error {
			_, err := c.Device(ctx, o)
			return err
		}},
		{"ciba", "/ciba", func(ctx context.Context, c *Client, o *GrantOptions) error {
			_, err := c.CIBA(ctx, CIBARequest{LoginHintToken: "hint-CANARY", UserCode: "user-code-CANARY", Ping: true}, o)
			return err
		}},
	}
}

func waitCalls() []grantCall {
	begun := pending{issuer: testIssuer, clientID: testClientID, expires: testStart.Add(time.Hour), interval: time.Second, asked: asked{scope: "openid", person: true}}
	return []grantCall{
		{"device wait", "/token", func(ctx context.Context, c *Client, _ *GrantOptions) error {
			_, err := c.WaitDevice(ctx, &DeviceLogin{code: "device-code-CANARY", pending: begun})
			return err
		}},
		{"ciba wait", "/token", func(ctx context.Context, c *Client, _ *GrantOptions) error {
			_, err := c.WaitCIBA(ctx, &CIBALogin{id: "auth-req-id-CANARY", pending: begun, pinged: true})
			return err
		}},
	}
}

func basicHeader() http.Header {
	return http.Header{
		"Accept":        {"application/json"},
		"Authorization": {"Basic d2ViOmNsaWVudC1zZWNyZXQtQ0FOQVJZLTAxMjM0NTY3ODk="},
		"Content-Type":  {"application/x-www-form-urlencoded"},
		"User-Agent":    {userAgent},
	}
}

// What goes over the wire, to the byte, and nothing beside it.
func TestGrantRequests(t *testing.T) {
	all := &GrantOptions{
		Scopes: []string{"a", "b"}, Resource: []string{"https://api.example.com/x?y", "urn:api"}, Audience: []string{"api", "b c"},
		Extra: url.Values{"organization": {"org 1"}, "empty": {""}},
	}
	const more = "&organization=org+1&"
	const where = "&resource=https%3A%2F%2Fapi.example.com%2Fx%3Fy&resource=urn%3Aapi&scope=a+b"
	const subject = "&subject_token=subject-CANARY&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
	const actor = "actor_token=actor-CANARY&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
	want := map[string][2]string{ // without and with options
		"client_credentials": {
			"grant_type=client_credentials",
			"audience=api&audience=b+c&grant_type=client_credentials" + more[:len(more)-1] + where,
		},
		"exchange": {
			actor + "&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange" + subject,
			actor + "&audience=api&audience=b+c&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange" + more[:len(more)-1] + where + subject,
		},
		"jwt-bearer": {
			"assertion=" + testAssertion + "&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer",
			"assertion=" + testAssertion + "&audience=api&audience=b+c&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" + more[:len(more)-1] + where,
		},
		"password": {
			"grant_type=password&password=password-CANARY&scope=openid+profile&username=alice",
			"audience=api&audience=b+c&grant_type=password" + more + "password=password-CANARY" + strings.Replace(where, "scope=a", "scope=openid+a", 1) + "&username=alice",
		},
		"device": {
			"scope=openid+profile",
			"audience=api&audience=b+c" + more[:len(more)-1] + strings.Replace(where, "scope=a", "scope=openid+a", 1),
		},
		"ciba": {
			"client_notification_token=NOTIFICATION&login_hint_token=hint-CANARY&scope=openid+profile&user_code=user-code-CANARY",
			"audience=api&audience=b+c&client_notification_token=NOTIFICATION&login_hint_token=hint-CANARY" + more[:len(more)-1] +
				strings.Replace(where, "scope=a", "scope=openid+a", 1) + "&user_code=user-code-CANARY",
		},
	}
	for _, call := range grantCalls() {
		for i, opts := range []*GrantOptions{nil, all} {
			t.Run(fmt.Sprint(call.name, i), func(t *testing.T) {
				p := newGrantOP(t)
				p.answer["issued_token_type"] = string(TypeAccessToken)
				c := p.client(func(cfg *Config) { cfg.Scopes = []string{"profile"} })
				if err := call.call(context.Background(), c, opts); err != nil {
					t.Fatal(err)
				}
				body := want[call.name][i]
				if sent := parseForm(t, p.seen(call.path)[0].Body).Get("client_notification_token"); sent != "" {
					if len(sent) != 43 {
						t.Errorf("the notification token has %d characters", len(sent))
					}
					body = strings.Replace(body, "NOTIFICATION", sent, 1)
				}
				p.wantRequests(call.path, sentRequest{"POST", testIssuer + call.path, basicHeader(), body})
				if n := len(p.requests); n > 3 { // discovery, this, and keys where there is an ID token
					t.Errorf("%d requests", n)
				}
			})
		}
	}
}

func TestWaitRequests(t *testing.T) {
	want := map[string]string{
		"device wait": "device_code=device-code-CANARY&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code",
		"ciba wait":   "auth_req_id=auth-req-id-CANARY&grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba",
	}
	for _, call := range waitCalls() {
		synctest.Test(t, func(t *testing.T) {
			p := newGrantOP(t)
			if err := call.call(context.Background(), p.client(nil), nil); err != nil {
				t.Fatal(err)
			}
			p.wantRequests("/token", sentRequest{"POST", testIssuer + "/token", basicHeader(), want[call.name]})
		})
	}
}

// What an option may not do, before anything is sent.
func TestGrantOptionsRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		opts GrantOptions
		want string
	}{
		{"scope with a space", GrantOptions{Scopes: []string{"a b"}}, `client: GrantOptions.Scopes: "a b" is not a scope`},
		{"resource relative", GrantOptions{Resource: []string{"/api"}}, `client: GrantOptions.Resource: "/api" is not an absolute URI without a fragment`},
		{"resource with a fragment", GrantOptions{Resource: []string{"https://a/#b"}}, `client: GrantOptions.Resource: "https://a/#b" is not an absolute URI without a fragment`},
		{"resource with a space", GrantOptions{Resource: []string{"https://a/ b"}}, `client: GrantOptions.Resource: "https://a/ b" is not an absolute URI without a fragment`},
		{"resource empty", GrantOptions{Resource: []string{""}}, `client: GrantOptions.Resource: "" is not an absolute URI without a fragment`},
		{"audience empty", GrantOptions{Audience: []string{"a", ""}}, `client: GrantOptions.Audience has an empty one`},
		{"no name", GrantOptions{Extra: url.Values{"": {"a"}}}, `client: GrantOptions.Extra: "" is set by this package`},
	} {
		for _, call := range grantCalls() {
			p := newGrantOP(t)
			if err := call.call(context.Background(), p.client(nil), &test.opts); err == nil || err.Error() != test.want {
				t.Errorf("%s, %s: got %v, want %s", call.name, test.name, err, test.want)
			}
			if len(p.requests) != 0 {
				t.Errorf("%s, %s: %d requests", call.name, test.name, len(p.requests))
			}
		}
	}
}

// Extra replaces nothing that any request of this package sends.
func TestGrantExtraCannotOverride(t *testing.T) {
	for _, name := range grantReserved {
		opts := &GrantOptions{Extra: url.Values{name: {"x"}}}
		want := fmt.Sprintf("client: GrantOptions.Extra: %q is set by this package", name)
		for _, call := range grantCalls() {
			if err := call.call(context.Background(), newGrantOP(t).client(nil), opts); err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", call.name, err, want)
			}
		}
	}
	for _, call := range append(grantCalls(), waitCalls()...) {
		synctest.Test(t, func(t *testing.T) {
			p := newGrantOP(t)
			p.answer["issued_token_type"] = string(TypeAccessToken)
			c := p.client(func(cfg *Config) { cfg.Auth = SecretPost{} })
			if err := call.call(context.Background(), c, nil); err != nil {
				t.Fatal(err)
			}
			form, err := url.ParseQuery(p.seen(call.path)[0].Body)
			if err != nil {
				t.Fatal(err)
			}
			for name := range form {
				if !slices.Contains(grantReserved[:], name) {
					t.Errorf("%s sends %s, and Extra may replace it", call.name, name)
				}
			}
		})
	}
}

func TestGrantUnsupported(t *testing.T) {
	names := map[string]string{
		"client_credentials": grantClientCredentials, "exchange": grantExchange, "jwt-bearer": grantJWTBearer,
		"password": grantPassword, "device": grantDevice, "ciba": grantCIBA,
	}
	for _, call := range grantCalls() {
		p := newGrantOP(t)
		p.metadata["grant_types_supported"] = []string{"authorization_code", names[call.name] + "x"}
		err := call.call(context.Background(), p.client(nil), nil)
		want := "client: not supported by the provider: grant_types_supported of its metadata has no " + names[call.name]
		if !errors.Is(err, ErrUnsupported) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", call.name, err, want)
		}
		p.wantRequests(call.path)

		p = newGrantOP(t)
		p.answer["issued_token_type"] = string(TypeAccessToken)
		p.metadata["grant_types_supported"] = []string{names[call.name]}
		if err := call.call(context.Background(), p.client(nil), nil); err != nil {
			t.Errorf("%s, listed: %v", call.name, err)
		}
	}
	for name, member := range map[string]string{"device": "device_authorization_endpoint", "ciba": "backchannel_authentication_endpoint"} {
		p := newGrantOP(t)
		delete(p.metadata, member)
		calls := grantCalls()
		call := calls[slices.IndexFunc(calls, func(c grantCall) bool { return c.name == name })]
		err := call.call(context.Background(), p.client(nil), nil)
		if want := "client: not supported by the provider: its metadata has no " + member; !errors.Is(err, ErrUnsupported) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// Answers that mean harm, or come from something else than the endpoint.
func TestGrantHostileAnswers(t *testing.T) {
	const json = "application/json"
	large := strings.Repeat("x", maxBody)
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    error
		text                    string
	}{
		{"HTML", "text/html", "<html>", 200, ErrRejected, `rejected: status 200: the content type is "text/html", not application/json`},
		{"no content type", "", "{}", 200, ErrRejected, `rejected: status 200: the content type is "", not application/json`},
		{"cut short", json, `{"access_token":"a`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"empty", json, ``, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"an array", json, `[]`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"member twice", json, `{"x":1,"x":2}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"more than 1 MiB", json, `{"x":"` + large + `"}`, 200, ErrRejected, "rejected: status 200: the answer has more than 1048576 bytes"},
		{"error in a 200", json, `{"error":"oops","error_description":"no"}`, 200, ErrRejected, `rejected: status 200: "oops" "no"`},
		{"status 201", json, `{}`, 201, ErrRejected, "rejected: status 201: no error code"},
		{"unauthorized_client", json, `{"error":"unauthorized_client"}`, 400, ErrRejected, `rejected: status 400: "unauthorized_client"`},
		{"invalid_grant", json, `{"error":"invalid_grant"}`, 400, ErrInvalidGrant, `grant no longer valid: status 400: "invalid_grant"`},
		{"404 page", "text/html", "<html>", 404, ErrRejected, "rejected: status 404: no error code"},
	} {
		for _, call := range append(grantCalls(), waitCalls()...) {
			synctest.Test(t, func(t *testing.T) {
				p := newGrantOP(t)
				p.reply(call.path, test.status, test.contentType, test.body)
				wantHostile(t, p, call, test.want, test.text)
			})
		}
	}
	for _, status := range []int{302, 307, 308} {
		for _, call := range append(grantCalls(), waitCalls()...) {
			synctest.Test(t, func(t *testing.T) {
				p := newGrantOP(t)
				p.handle(call.path, redirectTo(status, "https://evil.example/token")) // a request there fails the test
				wantHostile(t, p, call, ErrRejected, fmt.Sprintf("rejected: status %d: no error code", status))
			})
		}
	}
}

func wantHostile(t *testing.T, p *op, call grantCall, want error, text string) {
	t.Helper()
	err := call.call(context.Background(), p.client(nil), nil)
	var e *ResponseError
	if !errors.As(err, &e) || !errors.Is(err, want) || err.Error() != "client: "+e.Endpoint+" endpoint: "+text {
		t.Errorf("%s: got %v, want %s", call.name, err, text)
	}
	if n := len(p.seen(call.path)); n != 1 {
		t.Errorf("%s: %d requests", call.name, n)
	}
}

// While the provider is in trouble one request is all that is sent, but by who waits for
// somebody to decide.
func TestGrantUnavailable(t *testing.T) {
	for _, call := range grantCalls() {
		for name, answer := range map[string]func(*http.Request) (*http.Response, error){
			"503":     func(*http.Request) (*http.Response, error) { return textResponse(503, "text/html", "<html>"), nil },
			"429":     func(*http.Request) (*http.Response, error) { return textResponse(429, "", ""), nil },
			"refused": func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
		} {
			p := newGrantOP(t)
			p.handle(call.path, answer)
			if err := call.call(context.Background(), p.client(nil), nil); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%s, %s: got %v", call.name, name, err)
			}
			if n := len(p.seen(call.path)); n != 1 {
				t.Errorf("%s, %s: %d requests", call.name, name, n)
			}
		}
	}
}

// A body that never ends is given up after ten seconds.
func TestGrantSlowBody(t *testing.T) {
	for _, call := range grantCalls() {
		synctest.Test(t, func(t *testing.T) {
			p := newGrantOP(t)
			p.handle(call.path, func(r *http.Request) (*http.Response, error) {
				resp := textResponse(200, "application/json", "")
				resp.Body = slowBody{r.Context()}
				return resp, nil
			})
			start := time.Now()
			err := call.call(context.Background(), p.client(nil), nil)
			if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != httpTimeout {
				t.Errorf("%s: got %v after %v", call.name, err, time.Since(start))
			}
		})
	}
}

type slowBody struct{ ctx context.Context }

func (b slowBody) Read([]byte) (int, error) { <-b.ctx.Done(); return 0, b.ctx.Err() }
func (b slowBody) Close() error             { return nil }

// A provider that repeats what it was sent gets none of it into an error.
func TestGrantNoSecretInErrors(t *testing.T) {
	for _, call := range append(grantCalls(), waitCalls()...) {
		synctest.Test(t, func(t *testing.T) {
			p := newGrantOP(t)
			for _, status := range []int{200, 400} {
				var sent string
				p.handle(call.path, func(r *http.Request) (*http.Response, error) {
					body, _ := r.GetBody()
					var b bytes.Buffer
					b.ReadFrom(body)
					form, _ := url.ParseQuery(b.String())
					sent = form.Get("client_notification_token")
					text := fmt.Sprint(form, r.Header)
					return jsonResponse(status, map[string]any{"error": "x", "error_description": text, "error_uri": fmt.Sprint(r.Header)}), nil
				})
				err := call.call(context.Background(), p.client(nil), nil)
				if err == nil {
					t.Fatal("accepted")
				}
				if text := renderings(t, err); strings.Contains(text, "CANARY") || sent != "" && strings.Contains(text, sent) {
					t.Errorf("%s: %s", call.name, text)
				}
			}
		})
	}
}

func TestGrantRedaction(t *testing.T) {
	p := newGrantOP(t)
	c := p.client(nil)
	ctx := context.Background()
	device, err := c.Device(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	ciba, err := c.CIBA(ctx, CIBARequest{LoginHint: "alice", Ping: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	source := c.ClientCredentialsSource(nil)
	wantToken(t, source, "access-token-CANARY-1")
	request := CIBARequest{LoginHintToken: "CANARY", UserCode: "CANARY", IDTokenHint: p.signIn(c).IDToken}
	exchange := TokenExchange{SubjectToken: "CANARY", ActorToken: "CANARY"}
	password := Password{"alice", "CANARY"}
	for _, v := range []any{device, *device, ciba, *ciba, source, request, &request, exchange, &exchange, password, &password} {
		text := renderings(t, v)
		for _, secret := range []string{"CANARY", device.UserCode, ciba.notification, request.IDTokenHint.Raw()} {
			if strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%T shows %q", v, secret)
			}
		}
	}
}

// An ID token of any of these grants is verified: nobody sent a nonce, so it has none.
func TestGrantIDTokens(t *testing.T) {
	for _, test := range []struct {
		name   string
		claims map[string]any
		answer map[string]any
		want   string
	}{
		{"good", nil, nil, ""},
		{"at_hash", map[string]any{"at_hash": halfSHA256("access-token-CANARY-1")}, nil, ""},
		{"nonce", map[string]any{"nonce": "n"}, nil, "nonce is there and was not asked for"},
		{"other at_hash", map[string]any{"at_hash": halfSHA256("b")}, nil, "at_hash is not of the access token"},
		{"other audience", map[string]any{"aud": "other"}, nil, "aud does not name this audience"},
		{"other issuer", map[string]any{"iss": "https://evil.example"}, nil, "iss"},
		{"expired", map[string]any{"exp": testStart.Add(-time.Hour).Unix()}, nil, "exp is over"},
		{"not a token", nil, map[string]any{"id_token": "x.y.z"}, "ID token"},
	} {
		for _, call := range append(grantCalls()[:4], waitCalls()...) {
			synctest.Test(t, func(t *testing.T) {
				p := newGrantOP(t)
				p.answer["issued_token_type"] = string(TypeAccessToken)
				for name, v := range test.claims {
					p.claims[name] = v
				}
				for name, v := range test.answer {
					p.answer[name] = v
				}
				err := call.call(context.Background(), p.client(nil), nil)
				switch {
				case test.want == "" && err != nil:
					t.Errorf("%s, %s: %v", call.name, test.name, err)
				case test.want != "" && (!errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), test.want)):
					t.Errorf("%s, %s: got %v, want %s", call.name, test.name, err, test.want)
				}
			})
		}
	}
}

// halfSHA256 is the at_hash of an ID token that is signed with ES256.
func halfSHA256(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
