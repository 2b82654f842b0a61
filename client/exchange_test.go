package client

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

func TestExchange(t *testing.T) {
	p := newOP(t)
	c := p.client(func(cfg *Config) { cfg.Scopes = []string{"email"} })
	p.claims["email"] = "alice@example.com"
	got := p.signIn(c)
	if got.AccessToken != "access-token-CANARY-1" || got.RefreshToken != "refresh-token-CANARY-1" || got.TokenType != "Bearer" {
		t.Error("the tokens are not those of the answer")
	}
	if !got.Expiry.Equal(testStart.Add(5 * time.Minute)) {
		t.Errorf("got expiry %v", got.Expiry)
	}
	if !slices.Equal(got.Scope, []string{"openid", "email"}) {
		t.Errorf("got scope %q", got.Scope)
	}
	var claims struct{ Email string }
	if err := got.IDToken.Claims(&claims); err != nil || claims.Email != "alice@example.com" {
		t.Errorf("got claims %+v, %v", claims, err)
	}
	if o := got.OAuth2(); o.AccessToken != got.AccessToken || o.RefreshToken != "" || !o.Expiry.Equal(got.Expiry) || o.Type() != "Bearer" {
		t.Error("OAuth2 is not the access token alone")
	}
}

func TestExchangeScopeOfAFrontEnd(t *testing.T) {
	for _, test := range []struct{ asked, want []string }{{nil, nil}, {[]string{"openid", "x"}, []string{"openid", "x"}}} {
		p := newOP(t)
		s := goodSecrets()
		s.Scopes = test.asked
		login, err := NewLogin(s)
		if err != nil {
			t.Fatal(err)
		}
		p.claims["nonce"] = s.Nonce
		got, err := p.client(nil).Exchange(context.Background(), login, callbackOf(login))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Scope, test.want) {
			t.Errorf("got %q, want %q", got.Scope, test.want)
		}
		if redirect := parseForm(t, p.seen("/token")[0].Body).Get("redirect_uri"); redirect != s.RedirectURL {
			t.Errorf("sent redirect_uri %q, want the login's", redirect)
		}
	}
}

func parseForm(t *testing.T, body string) (form interface{ Get(string) string }) {
	t.Helper()
	return parseQuery(t, "https://x/?"+body)
}

// A refused ID token names the claim, and is both ErrRejected and the error of jwtverify.
func TestExchangeRefusesIDToken(t *testing.T) {
	hour := time.Hour
	for _, test := range []struct {
		name   string
		opts   *AuthorizeOptions
		change func(*op)
		claim  string
		want   error
	}{
		{"other nonce", nil, func(p *op) { p.claims["nonce"] = "other" }, "nonce", jwtverify.ErrInvalid},
		{"no nonce", nil, func(p *op) { delete(p.claims, "nonce") }, "nonce", jwtverify.ErrInvalid},
		{"other issuer", nil, func(p *op) { p.claims["iss"] = "https://evil.example" }, "iss", jwtverify.ErrInvalid},
		{"other audience", nil, func(p *op) { p.claims["aud"] = "other" }, "aud", jwtverify.ErrInvalid},
		{"expired", nil, func(p *op) { p.claims["exp"] = testStart.Add(-time.Hour).Unix() }, "exp", jwtverify.ErrExpired},
		{"wrong at_hash", nil, func(p *op) { p.claims["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, "at_hash", jwtverify.ErrInvalid},
		{"wrong c_hash", nil, func(p *op) { p.claims["c_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, "c_hash", jwtverify.ErrInvalid},
		{"old auth_time", &AuthorizeOptions{MaxAge: &hour}, func(p *op) { p.claims["auth_time"] = testStart.Add(-2 * time.Hour).Unix() }, "auth_time", jwtverify.ErrInvalid},
		{"other acr", &AuthorizeOptions{ACRValues: []string{"gold"}}, func(p *op) { p.claims["acr"] = "lead" }, "acr", jwtverify.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			login := p.authorize(c, test.opts)
			test.change(p)
			got, err := c.Exchange(context.Background(), login, callbackOf(login))
			var e *jwtverify.ClaimError
			if got != nil || !errors.Is(err, ErrRejected) || !errors.Is(err, test.want) || !errors.As(err, &e) || e.Claim != test.claim {
				t.Errorf("got %v, want %s refused", err, test.claim)
			}
		})
	}
}

func TestExchangeEnforcedOptionsPass(t *testing.T) {
	hour := time.Hour
	p := newOP(t)
	c := p.client(nil)
	p.claims["acr"] = "silver"
	login := p.authorize(c, &AuthorizeOptions{MaxAge: &hour, ACRValues: []string{"gold", "silver"}})
	if _, err := c.Exchange(context.Background(), login, callbackOf(login)); err != nil {
		t.Error(err)
	}
}

// A slow second factor is part of the login: max_age counts from its start.
func TestExchangeMaxAgeCountsFromTheLogin(t *testing.T) {
	minute := time.Minute
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{MaxAge: &minute})
	p.claims["auth_time"] = testStart.Unix()
	p.advance(20 * time.Minute)
	if _, err := c.Exchange(context.Background(), login, callbackOf(login)); err != nil {
		t.Error(err)
	}
}

func TestExchangeNeedsAnIDToken(t *testing.T) {
	p := newOP(t)
	p.answer["id_token"] = ""
	c := p.client(nil)
	login := p.authorize(c, nil)
	_, err := c.Exchange(context.Background(), login, callbackOf(login))
	const want = "client: rejected: the token answer has no id_token, although openid was asked for"
	if !errors.Is(err, ErrRejected) || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestExchangeKeysUnavailable(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, nil)
	p.reply("/jwks", 503, "", "")
	_, err := c.Exchange(context.Background(), login, callbackOf(login))
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, jwtverify.ErrKeys) || errors.Is(err, ErrRejected) {
		t.Errorf("got %v, want the keys unavailable", err)
	}
}

// The provider is asked for its promise of iss, and not believed before state is right.
func TestExchangeWithoutMetadata(t *testing.T) {
	p := newOP(t)
	login, err := NewLogin(goodSecrets())
	if err != nil {
		t.Fatal(err)
	}
	p.handle("/.well-known/openid-configuration", func(*http.Request) (*http.Response, error) { return nil, errors.New("down") })
	c := p.client(nil)
	for _, iss := range []string{"", testIssuer} {
		params := callbackOf(login)
		if iss != "" {
			params.Set("iss", iss)
		}
		if _, err := c.Exchange(context.Background(), login, params); !errors.Is(err, ErrUnavailable) {
			t.Errorf("iss %q: got %v, want unavailable", iss, err)
		}
	}
	if login.sent.Load() {
		t.Error("the login is used up, and nothing was sent")
	}
}

func TestTokensStorage(t *testing.T) {
	p := newOP(t)
	tokens := p.signIn(p.client(nil))
	opaque := &Tokens{AccessToken: "not base64!", TokenType: "N_A", Scope: []string{"a", "b\u00a0admin", "c\tadmin"}}
	for name, want := range map[string]*Tokens{"full": tokens, "opaque": opaque, "zero": {TokenType: "Bearer"}} {
		t.Run(name, func(t *testing.T) {
			data, err := want.AppendBinary([]byte("x"))
			if err != nil || data[0] != 'x' {
				t.Fatal(err)
			}
			var got Tokens
			if err := got.UnmarshalBinary(data[1:]); err != nil {
				t.Fatal(err)
			}
			if got.AccessToken != want.AccessToken || got.TokenType != want.TokenType || got.RefreshToken != want.RefreshToken ||
				!got.Expiry.Equal(want.Expiry) || !slices.Equal(got.Scope, want.Scope) || !got.RefreshAt().Equal(want.RefreshAt()) {
				t.Error("the restored tokens are not the same")
			}
			if (got.IDToken == nil) != (want.IDToken == nil) || got.IDToken != nil && got.IDToken.Raw() != want.IDToken.Raw() {
				t.Error("the restored ID token is not the same")
			}
			for i := range len(data) - 1 {
				// What is cut behind the last text is the ID token, whole.
				if err := new(Tokens).UnmarshalBinary(data[1 : 1+i]); !errors.Is(err, errTokensData) && want.IDToken == nil {
					t.Errorf("cut to %d bytes: got %v", i, err)
				}
			}
			data[1] = 9
			if err := new(Tokens).UnmarshalBinary(data[1:]); !errors.Is(err, errTokensData) {
				t.Errorf("other version: got %v", err)
			}
		})
	}
}

// What every session has takes no space in it.
func TestTokensStorageIsSmall(t *testing.T) {
	data, err := (&Tokens{AccessToken: "a!", TokenType: "Bearer"}).MarshalBinary()
	if err != nil || len(data) > 13 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

func FuzzTokensUnmarshal(f *testing.F) {
	data, err := (&Tokens{AccessToken: "e30.e30.e30", RefreshToken: "r", Scope: []string{"openid"}, Expiry: testStart}).MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(append(data, 1, 2, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got Tokens
		if got.UnmarshalBinary(data) != nil {
			return
		}
		if _, err := got.MarshalBinary(); err != nil {
			t.Error(err)
		}
	})
}

func TestRefreshAt(t *testing.T) {
	at := func(life time.Duration) *Tokens {
		return &Tokens{Expiry: testStart.Add(life), received: testStart}
	}
	for _, test := range []struct {
		name   string
		tokens *Tokens
		want   time.Time
	}{
		{"an hour", at(time.Hour), testStart.Add(59 * time.Minute)},
		{"four minutes", at(4 * time.Minute), testStart.Add(3 * time.Minute)},
		{"one minute", at(time.Minute), testStart.Add(45 * time.Second)},
		{"not known when it came", &Tokens{Expiry: testStart}, testStart.Add(-time.Minute)},
		{"no expiry", &Tokens{received: testStart}, time.Time{}},
	} {
		if got := test.tokens.RefreshAt(); !got.Equal(test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
