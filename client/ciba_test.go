package client

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCIBARequest(t *testing.T) {
	p := newGrantOP(t)
	p.metadata["backchannel_token_delivery_modes_supported"] = []string{"poll", "ping"}
	c := p.client(nil)
	hint := p.signIn(c).IDToken
	for _, test := range []struct {
		name string
		r    CIBARequest
		want url.Values
	}{
		{"least", CIBARequest{LoginHint: "alice"}, url.Values{"login_hint": {"alice"}}},
		{"hint token", CIBARequest{LoginHintToken: "h.i.t"}, url.Values{"login_hint_token": {"h.i.t"}}},
		{"ID token", CIBARequest{IDTokenHint: hint}, url.Values{"id_token_hint": {hint.Raw()}}},
		{"all", CIBARequest{LoginHint: "alice", BindingMessage: "Table 4", UserCode: "1234", RequestedExpiry: 90 * time.Second, ACRValues: []string{"a", "b"}},
			url.Values{"login_hint": {"alice"}, "binding_message": {"Table 4"}, "user_code": {"1234"}, "requested_expiry": {"90"}, "acr_values": {"a b"}}},
		{"ping", CIBARequest{LoginHint: "alice", Ping: true}, url.Values{"login_hint": {"alice"}, "client_notification_token": {"any"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.mu.Lock()
			p.requests = nil
			p.mu.Unlock()
			l, err := c.CIBA(context.Background(), test.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if l.AuthReqID() != "auth-req-id-CANARY" || !l.Expires().Equal(testStart.Add(10*time.Minute)) {
				t.Errorf("got %q until %v", l.AuthReqID(), l.Expires())
			}
			test.want.Set("scope", "openid")
			if test.want.Has("client_notification_token") {
				test.want.Set("client_notification_token", l.notification)
			}
			p.wantRequests("/ciba", sentRequest{"POST", testIssuer + "/ciba", basicHeader(), test.want.Encode()})
		})
	}
}

// CIBA 7.1: who cannot prove who they are make nobody's phone ring.
func TestCIBAOfAPublicClient(t *testing.T) {
	p := newGrantOP(t)
	c := p.client(func(cfg *Config) { cfg.ClientSecret = "" })
	const want = "client: backchannel authentication is for a client that authenticates: Config.ClientSecret and Config.Auth are empty"
	if _, err := c.CIBA(context.Background(), CIBARequest{LoginHint: "alice"}, nil); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	p.wantRequests("/ciba")
}

func TestCIBARefused(t *testing.T) {
	p := newGrantOP(t)
	c := p.client(nil)
	hint := p.signIn(c).IDToken
	foreign := *hint
	foreign.Issuer = "https://other.example"
	const one = "client: CIBARequest.LoginHint, LoginHintToken and IDTokenHint: exactly one must be set, not "
	for _, test := range []struct {
		name string
		r    CIBARequest
		want string
	}{
		{"no hint", CIBARequest{BindingMessage: "x"}, one + "0"},
		{"two hints", CIBARequest{LoginHint: "alice", LoginHintToken: "t"}, one + "2"},
		{"three hints", CIBARequest{LoginHint: "alice", LoginHintToken: "t", IDTokenHint: hint}, one + "3"},
		{"foreign ID token", CIBARequest{IDTokenHint: &foreign}, "client: CIBARequest.IDTokenHint is of another issuer"},
		{"empty ID token", CIBARequest{IDTokenHint: hint.WithoutRaw()}, "client: CIBARequest.IDTokenHint has lost its raw token"},
		{"half a second", CIBARequest{LoginHint: "alice", RequestedExpiry: time.Second / 2}, "client: CIBARequest.RequestedExpiry must be a positive number of whole seconds"},
		{"before now", CIBARequest{LoginHint: "alice", RequestedExpiry: -time.Second}, "client: CIBARequest.RequestedExpiry must be a positive number of whole seconds"},
		{"acr with a space", CIBARequest{LoginHint: "alice", ACRValues: []string{"a b"}}, "client: CIBARequest.ACRValues: "},
	} {
		if _, err := c.CIBA(context.Background(), test.r, nil); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	p.wantRequests("/ciba")
	p = newGrantOP(t)
	p.metadata["backchannel_token_delivery_modes_supported"] = []string{"poll"}
	_, err := p.client(nil).CIBA(context.Background(), CIBARequest{LoginHint: "alice", Ping: true}, nil)
	if want := "client: not supported by the provider: backchannel_token_delivery_modes_supported of its metadata has no ping"; !errors.Is(err, ErrUnsupported) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	p.wantRequests("/ciba")
}

func TestCIBARejects(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer map[string]any
		want   string
	}{
		{"no auth_req_id", map[string]any{"auth_req_id": nil}, "auth_req_id is missing"},
		{"auth_req_id a number", map[string]any{"auth_req_id": 1}, "auth_req_id has the wrong type"},
		{"no expires_in", map[string]any{"expires_in": nil}, "expires_in is missing"},
		{"interval words", map[string]any{"interval": "often"}, "interval has the wrong type"},
	} {
		p := newGrantOP(t)
		p.handle("/ciba", answering(cibaAnswer(), test.answer))
		l, err := p.client(nil).CIBA(context.Background(), CIBARequest{LoginHint: "alice"}, nil)
		want := "client: backchannel authentication endpoint: rejected: status 200: " + test.want
		if l != nil || !errors.Is(err, ErrRejected) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", test.name, err, want)
		}
	}
}

func TestWaitCIBA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newGrantOP(t)
		c := p.client(bubbleClock)
		l, err := c.CIBA(context.Background(), CIBARequest{LoginHint: "alice"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := p.playing("authorization_pending", "slow_down", "503")
		p.claims[claimAuthReqID], p.claims["at_hash"] = "auth-req-id-CANARY", halfSHA256("access-token-CANARY-1")
		tokens, err := c.WaitCIBA(context.Background(), l)
		if err != nil || tokens.IDToken.Subject != "alice" || fmt.Sprint(s.at) != "[2s 4s 11s 25s]" {
			t.Errorf("got %v, asked at %v", err, s.at)
		}
	})
}

// Each differs by one thing from the one above.
func TestWaitCIBARejects(t *testing.T) {
	const elsewhere = "client: rejected: ID token: " + claimAuthReqID + " is that of another request"
	for _, test := range []struct {
		name   string
		claims map[string]any
		answer map[string]any
		acr    []string
		want   string
	}{
		{"of another request", map[string]any{claimAuthReqID: "another"}, nil, nil, elsewhere},
		{"of no request", map[string]any{claimAuthReqID: nil}, nil, nil, elsewhere},
		{"of a list", map[string]any{claimAuthReqID: []string{"auth-req-id-CANARY"}}, nil, nil, elsewhere},
		{"no ID token", nil, map[string]any{"id_token": ""}, nil, "client: rejected: the token answer has no id_token, although openid was granted"},
		{"no ID token for less", nil, map[string]any{"id_token": "", "scope": "profile"}, nil, "client: rejected: the token answer has no id_token, although openid was asked for"},
		{"other access token", map[string]any{"at_hash": halfSHA256("b")}, nil, nil, "client: rejected: ID token: jwtverify: token invalid: at_hash is not of the access token"},
		{"weak", map[string]any{"acr": "weak"}, nil, []string{"strong"}, "client: rejected: ID token: jwtverify: token invalid: acr is not one that was asked for"},
		{"nonce", map[string]any{"nonce": "n"}, nil, nil, "client: rejected: ID token: jwtverify: token invalid: nonce is there and was not asked for"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newGrantOP(t)
				c := p.client(nil)
				l, err := c.CIBA(context.Background(), CIBARequest{LoginHint: "alice", ACRValues: test.acr}, nil)
				if err != nil {
					t.Fatal(err)
				}
				for name, v := range test.claims {
					p.claims[name] = v
				}
				for name, v := range test.answer {
					p.answer[name] = v
				}
				tokens, err := c.WaitCIBA(context.Background(), l)
				if tokens != nil || !errors.Is(err, ErrRejected) || !strings.HasPrefix(err.Error(), test.want) {
					t.Errorf("got %v, want %s", err, test.want)
				}
			})
		})
	}
}

// Who was named by an ID token is who must sign in.
func TestWaitCIBASubject(t *testing.T) {
	for sub, want := range map[string]string{"alice": "", "bob": "client: rejected: ID token: sub is not that of CIBARequest.IDTokenHint"} {
		synctest.Test(t, func(t *testing.T) {
			p := newGrantOP(t)
			c := p.client(nil)
			hint := p.signIn(c).IDToken
			delete(p.claims, "nonce")
			l, err := c.CIBA(context.Background(), CIBARequest{IDTokenHint: hint}, nil)
			if err != nil {
				t.Fatal(err)
			}
			p.claims["sub"] = sub
			_, err = c.WaitCIBA(context.Background(), l)
			if want == "" && err != nil || want != "" && (!errors.Is(err, ErrRejected) || err.Error() != want) {
				t.Errorf("%s: got %v, want %s", sub, err, want)
			}
		})
	}
}

func TestWaitCIBANotBegun(t *testing.T) {
	p := newGrantOP(t)
	for _, l := range []*CIBALogin{nil, {}} {
		if _, err := p.client(nil).WaitCIBA(context.Background(), l); !errors.Is(err, ErrRejected) || err.Error() != "client: rejected: the sign-in was not begun by this client" {
			t.Errorf("got %v", err)
		}
	}
}

// pingOf is a good ping.
func pingOf(l *CIBALogin) *http.Request {
	r := httptest.NewRequest("POST", "/ciba/ping", strings.NewReader(`{"auth_req_id":"`+l.id+`"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+l.notification)
	return r
}

func TestCIBAPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newGrantOP(t)
		c := p.client(bubbleClock)
		l, err := c.CIBA(context.Background(), CIBARequest{LoginHint: "alice", Ping: true, ACRValues: []string{"a", "b"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		stored := map[string][]byte{l.AuthReqID(): marshal(t, l)} // for the process that gets the ping
		<-time.After(time.Minute)
		pinged, err := CIBAPing(pingOf(l), func(_ context.Context, id string) (*CIBALogin, error) {
			found := new(CIBALogin)
			return found, found.UnmarshalBinary(stored[id])
		})
		if err != nil {
			t.Fatal(err)
		}
		s := p.playing("authorization_pending") // the provider's replicas disagree for a moment
		p.claims["acr"] = "b"
		tokens, err := c.WaitCIBA(context.Background(), pinged)
		if err != nil || tokens.IDToken.Subject != "alice" || fmt.Sprint(s.at) != "[0s 2s]" {
			t.Errorf("got %v, asked at %v", err, s.at)
		}
		p.claims["acr"] = "c" // what was asked for survived
		if _, err := c.WaitCIBA(context.Background(), pinged); !errors.Is(err, ErrRejected) || !strings.Contains(err.Error(), "acr is not one that was asked for") {
			t.Errorf("got %v", err)
		}
	})
}

func marshal(t *testing.T, v encoding.BinaryMarshaler) []byte {
	t.Helper()
	b, err := v.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCIBAPingRejects(t *testing.T) {
	l := &CIBALogin{id: "id-CANARY", notification: "notification-CANARY"}
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) { r.Body = httptest.NewRequest("POST", "/", strings.NewReader(text)).Body }
	}
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	known := func(context.Context, string) (*CIBALogin, error) { return l, nil }
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		find   func(context.Context, string) (*CIBALogin, error)
		want   string
	}{
		{"GET", func(r *http.Request) { r.Method = "GET" }, known, "is not a POST"},
		{"no token", header("Authorization"), known, "has no bearer token"},
		{"an empty token", header("Authorization", "Bearer "), known, "has no bearer token"},
		{"two tokens", header("Authorization", "Bearer notification-CANARY", "Bearer x"), known, "has no bearer token"},
		{"Basic", header("Authorization", "Basic notification-CANARY"), known, "has no bearer token"},
		{"another token", header("Authorization", "Bearer notification-CANARX"), known, "has another bearer token"},
		{"a longer token", header("Authorization", "Bearer notification-CANARY2"), known, "has another bearer token"},
		{"a form", header("Content-Type", "application/x-www-form-urlencoded"), known, "is not application/json"},
		{"no content type", header("Content-Type"), known, "is not application/json"},
		{"empty", body(""), known, "is " + notMembers},
		{"twice", body(`{"auth_req_id":"id-CANARY","auth_req_id":"id-CANARY"}`), known, "is " + notMembers},
		{"in capitals", body(`{"AUTH_REQ_ID":"id-CANARY"}`), known, "is " + notMembers},
		{"no auth_req_id", body(`{}`), known, "has no auth_req_id"},
		{"auth_req_id a list", body(`{"auth_req_id":["id-CANARY"]}`), known, "has no auth_req_id"},
		{"endless", body(strings.Repeat(" ", maxPing) + "{}"), known, "has more than 8192 bytes"},
		{"unknown", nil, func(context.Context, string) (*CIBALogin, error) { return nil, nil }, "is about no sign-in of ours"},
		{"another was found", body(`{"auth_req_id":"other"}`), known, "is about no sign-in of ours"},
		{"the zero one was found", nil, func(context.Context, string) (*CIBALogin, error) { return new(CIBALogin), nil }, "is about no sign-in of ours"},
		{"no ping was asked for", nil, func(context.Context, string) (*CIBALogin, error) { return &CIBALogin{id: "id-CANARY"}, nil }, "was not asked for"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := pingOf(l)
			if test.change != nil {
				test.change(r)
			}
			got, err := CIBAPing(r, test.find)
			if want := "client: rejected: the CIBA ping " + test.want; got != nil || !errors.Is(err, ErrRejected) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		})
	}
	down := errors.New("database down")
	_, err := CIBAPing(pingOf(l), func(context.Context, string) (*CIBALogin, error) { return nil, down })
	if !errors.Is(err, down) || errors.Is(err, ErrRejected) || err.Error() != "client: CIBA ping: database down" {
		t.Errorf("got %v", err)
	}
	if got, err := CIBAPing(pingOf(l), known); err != nil || got == l || !got.pinged || l.pinged {
		t.Errorf("a good one: %v", err)
	}
}

func TestCIBALoginFromStorage(t *testing.T) {
	p := newGrantOP(t)
	c := p.client(nil)
	hint := p.signIn(c).IDToken
	l, err := c.CIBA(context.Background(), CIBARequest{IDTokenHint: hint, Ping: true, ACRValues: []string{"a"}}, &GrantOptions{Scopes: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	data := marshal(t, l)
	var got CIBALogin
	if err := got.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	if string(marshal(t, &got)) != string(data) || !got.pending.asked.person || got.subject != "alice" || got.pending.interval != 2*time.Second {
		t.Error("something was lost")
	}
	for i := range data { // cut anywhere, it is refused
		if err := got.UnmarshalBinary(data[:i]); err != errCIBAData {
			t.Fatalf("%d bytes: %v", i, err)
		}
	}
	if err := got.UnmarshalBinary(append(data, 0)); err != errCIBAData {
		t.Errorf("one byte more: %v", err)
	}
	data[0]++
	if err := got.UnmarshalBinary(data); err != errCIBAData {
		t.Errorf("another version: %v", err)
	}
}

// What the hint is stands in no error, when the provider repeats it.
func TestCIBAHintsInErrors(t *testing.T) {
	p := newGrantOP(t)
	c := p.client(nil)
	hint := p.signIn(c).IDToken
	for name, r := range map[string]CIBARequest{"id_token_hint": {IDTokenHint: hint}, "login_hint_token": {LoginHintToken: "hint-CANARY"}} {
		p.handle("/ciba", func(req *http.Request) (*http.Response, error) {
			body, _ := req.GetBody()
			text, _ := io.ReadAll(body)
			sent, _ := url.ParseQuery(string(text))
			return jsonResponse(400, map[string]any{"error": "x", "error_description": "bad " + sent.Get(name)}), nil
		})
		_, err := c.CIBA(context.Background(), r, nil)
		if err == nil || !strings.HasSuffix(err.Error(), `"x" "bad [redacted]"`) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
