package client

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// answerOf is a good answer to a login, with everything that it asks for.
func (p *op) answerOf(login *Login) url.Values {
	answer := url.Values{"state": {login.state}}
	claims := map[string]any{
		"iss": testIssuer, "aud": testClientID, "sub": "alice", "nonce": login.nonce,
		"iat": p.clock().Unix(), "exp": p.clock().Add(time.Minute).Unix(), "auth_time": p.clock().Unix(),
	}
	if login.want.has(asksCode) {
		answer.Set("code", "code-CANARY-1")
		claims["c_hash"] = halfHash("code-CANARY-1")
	}
	if login.want.has(asksToken) {
		answer.Set("access_token", "front-token-CANARY")
		answer.Set("token_type", "Bearer")
		answer.Set("expires_in", "60")
		claims["at_hash"] = halfHash("front-token-CANARY")
	}
	if login.want.has(asksIDToken) {
		answer.Set("id_token", sign(p.key, map[string]any{"alg": "ES256", "kid": "k1"}, claims))
	}
	return answer
}

func TestExchangeResponseTypes(t *testing.T) {
	for _, test := range []struct {
		kind   string
		access string // the token that counts
		life   time.Duration
		sends  int
	}{
		{"code id_token", "access-token-CANARY-1", 5 * time.Minute, 1},
		{"code token", "access-token-CANARY-1", 5 * time.Minute, 1},
		{"code id_token token", "access-token-CANARY-1", 5 * time.Minute, 1},
		{"id_token token", "front-token-CANARY", time.Minute, 0},
		{"id_token", "", 0, 0},
	} {
		t.Run(test.kind, func(t *testing.T) {
			p := newOP(t)
			c := p.client(func(cfg *Config) {
				if test.sends == 0 {
					cfg.ClientSecret = ""
				}
			})
			login := p.authorize(c, &AuthorizeOptions{ResponseType: test.kind})
			data, err := login.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			var restored Login
			if err := restored.UnmarshalBinary(data); err != nil {
				t.Fatal(err)
			}
			tokens, err := c.Exchange(context.Background(), &restored, p.answerOf(login))
			if err != nil {
				t.Fatal(err)
			}
			if tokens.IDToken.Subject != "alice" || tokens.AccessToken != test.access || (tokens.RefreshToken != "") != (test.sends > 0) {
				t.Error("other tokens than those that count")
			}
			if n := len(p.seen("/token")); n != test.sends {
				t.Errorf("%d token requests, want %d", n, test.sends)
			}
			if want := testStart.Add(test.life); test.life > 0 && !tokens.Expiry.Equal(want) || test.life == 0 && !tokens.Expiry.IsZero() {
				t.Errorf("expiry %v, want %v", tokens.Expiry, want)
			}
			if want := []string{"openid"}; (test.access != "") != slices.Equal(tokens.Scope, want) {
				t.Errorf("scope %q", tokens.Scope)
			}
			var e *CallbackError
			if _, err := c.Exchange(context.Background(), &restored, p.answerOf(login)); !errors.As(err, &e) || e.Reason != "was used already" {
				t.Errorf("again: got %v, want it used", err)
			}
		})
	}
}

// An expires_in of the callback that is no positive number says as little as none: the
// token does not look as if it were over.
func TestExpiryOfAFrontToken(t *testing.T) {
	for _, test := range []struct {
		expiresIn string
		life      time.Duration
	}{{"60", time.Minute}, {"", 0}, {"0", 0}, {"-1", 0}, {"soon", 0}} {
		p := newOP(t)
		c := p.client(nil)
		login := p.authorize(c, &AuthorizeOptions{ResponseType: "id_token token"})
		answer := p.answerOf(login)
		answer.Set("expires_in", test.expiresIn)
		tokens, err := c.Exchange(context.Background(), login, answer)
		if err != nil {
			t.Errorf("%q: %v", test.expiresIn, err)
			continue
		}
		if want := testStart.Add(test.life); test.life > 0 && !tokens.Expiry.Equal(want) || test.life == 0 && !tokens.Expiry.IsZero() {
			t.Errorf("%q: expiry %v", test.expiresIn, tokens.Expiry)
		}
	}
}

// RFC 6749 3.3: of what Unicode calls a space, one parts scopes.
func TestScopeOfAFrontToken(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{ResponseType: "id_token token"})
	answer := p.answerOf(login)
	answer.Set("scope", "openid a\u00a0admin b\tadmin")
	tokens, err := c.Exchange(context.Background(), login, answer)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"openid", "a\u00a0admin", "b\tadmin"}; !slices.Equal(tokens.Scope, want) {
		t.Errorf("got %q, want %q", tokens.Scope, want)
	}
}

// Core 3.3.3.6: two ID tokens, one user.
func TestHybridOtherUser(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{ResponseType: "code id_token"})
	p.claims["sub"] = "mallory" // at the token endpoint
	tokens, err := c.Exchange(context.Background(), login, p.answerOf(login))
	const want = "client: rejected: the ID tokens of the callback and of the token answer are of different users"
	if tokens != nil || !errors.Is(err, ErrRejected) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What the login demands, the ID token of the callback is asked for too, before the code
// is sent.
func TestFrontIDTokenDemands(t *testing.T) {
	zero := time.Duration(0)
	for _, test := range []struct {
		claim string
		opts  AuthorizeOptions
	}{
		{"acr", AuthorizeOptions{ACRValues: []string{"gold"}}},
		{"auth_time", AuthorizeOptions{MaxAge: &zero}},
	} {
		p := newOP(t)
		c := p.client(nil)
		test.opts.ResponseType = "code id_token"
		login := p.authorize(c, &test.opts)
		login.created = login.created.Add(2 * time.Minute) // the user had signed in before that
		answer := p.answerOf(login)
		p.advance(2 * time.Minute)
		_, err := c.Exchange(context.Background(), login, answer)
		var e *jwtverify.ClaimError
		if !errors.Is(err, ErrRejected) || !errors.As(err, &e) || e.Claim != test.claim || len(p.seen("/token")) != 0 {
			t.Errorf("%s: got %v after %d token requests", test.claim, err, len(p.seen("/token")))
		}
	}
}

// The keys for the ID token of the callback cannot be had: the code was not sent, and the
// login is as good as before.
func TestFrontIDTokenKeysUnavailable(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{ResponseType: "code id_token"})
	p.reply("/jwks", 503, "", "")
	_, err := c.Exchange(context.Background(), login, p.answerOf(login))
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, jwtverify.ErrKeys) || len(p.seen("/token")) != 0 || login.sent.Load() {
		t.Errorf("got %v, and the login is used: %t", err, login.sent.Load())
	}
}

// Without an access token nobody is asked about the user.
func TestUserInfoWithoutAccessToken(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{ResponseType: "id_token"})
	tokens, err := c.Exchange(context.Background(), login, p.answerOf(login))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.UserInfo(context.Background(), tokens)
	if want := "client: rejected: userinfo needs an access token"; !errors.Is(err, ErrRejected) || err.Error() != want || len(p.seen("/userinfo")) != 0 {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := c.Refresh(context.Background(), tokens); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("refresh: got %v, want ErrInvalidGrant", err)
	}
}

// V-8: an answer of another provider, in each form that names its issuer, sends nothing
// anywhere.
func TestV8MixUpOfOtherAnswers(t *testing.T) {
	const evil = "https://evil.example"
	for _, test := range []struct {
		name   string
		opts   AuthorizeOptions
		answer func(p *op, login *Login) url.Values
		want   string
	}{
		{"iss of a hybrid answer", AuthorizeOptions{ResponseType: "code id_token"}, func(p *op, login *Login) url.Values {
			answer := p.answerOf(login)
			answer.Set("iss", evil)
			return answer
		}, "iss is not the issuer"},
		{"ID token of a hybrid answer", AuthorizeOptions{ResponseType: "code id_token"}, func(p *op, login *Login) url.Values {
			answer := p.answerOf(login)
			answer.Set("id_token", sign(p.key, map[string]any{"alg": "ES256", "kid": "k1"}, map[string]any{
				"iss": evil, "aud": testClientID, "sub": "alice", "nonce": login.nonce, "c_hash": halfHash("code-CANARY-1"),
				"iat": p.clock().Unix(), "exp": p.clock().Add(time.Minute).Unix(),
			}))
			return answer
		}, `iss is another issuer: got "https://evil.example", want "https://op.example.com"`},
		{"signed answer", AuthorizeOptions{ResponseMode: "jwt"}, func(p *op, login *Login) url.Values {
			claims := p.answerClaims(login)
			claims["iss"] = evil
			return url.Values{"response": {sign(p.key, map[string]any{"alg": "ES256", "kid": "k1"}, claims)}}
		}, `iss is another issuer: got "https://evil.example", want "https://op.example.com"`},
		{"plain for signed", AuthorizeOptions{ResponseMode: "jwt"}, func(_ *op, login *Login) url.Values { return callbackOf(login) },
			"response is missing, and a signed answer was asked for"},
		{"signed for plain", AuthorizeOptions{}, func(p *op, login *Login) url.Values {
			answer := callbackOf(login)
			answer.Set("response", p.signedAnswer(login))
			return answer
		}, "response was not asked for"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			login := p.authorize(c, &test.opts)
			tokens, err := c.Exchange(context.Background(), login, test.answer(p, login))
			if tokens != nil || !errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			for _, r := range p.requests { // RoundTrip complains about any other host, too
				if r.Method != "GET" {
					t.Errorf("%s %s was sent", r.Method, r.URL)
				}
			}
		})
	}
}

// RFC 9449 10: the code is bound to the key, whatever the road of the request.
func TestDPoPKeyOfTheRequest(t *testing.T) {
	key, err := NewDPoPKey(testKey())
	if err != nil {
		t.Fatal(err)
	}
	jkt, err := jwtverify.Key{Public: testKey().Public()}.Thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	p := newOP(t)
	p.pushing()
	login := p.authorize(p.client(func(cfg *Config) { cfg.DPoP = key }), nil)
	if got := parseQuery(t, login.URL()).Get("dpop_jkt"); got != jkt {
		t.Errorf("sent %q, want %q", got, jkt)
	}
	p.authorize(p.client(func(cfg *Config) { cfg.DPoP, cfg.PushedAuthorizationRequests = key, true }), nil)
	if got := parseQuery(t, "https://x/?"+p.seen("/par")[0].Body).Get("dpop_jkt"); got != jkt {
		t.Errorf("pushed %q, want %q", got, jkt)
	}
	c := p.client(func(cfg *Config) { cfg.DPoP = key })
	if login := p.authorize(c, &AuthorizeOptions{ResponseType: "id_token"}); parseQuery(t, login.URL()).Has("dpop_jkt") {
		t.Error("a request without a code has a key")
	}
	_, err = c.Authorize(context.Background(), &AuthorizeOptions{ResponseType: "token id_token"})
	if want := "client: AuthorizeOptions.ResponseType: the access token of id_token token cannot be bound to Config.DPoP"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
