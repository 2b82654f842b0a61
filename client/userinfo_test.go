package client

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestUserInfo(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	got, err := c.UserInfo(context.Background(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Name string }
	if err := got.Claims(&claims); err != nil || claims.Name != "Alice" || got.Subject != "alice" {
		t.Errorf("got %q, %+v, %v", got.Subject, claims, err)
	}
	if err := got.Claims(&struct{ Name int }{}); err == nil {
		t.Error("a wrong type was decoded")
	}
	p.wantRequests("/userinfo", sentRequest{"GET", testIssuer + "/userinfo", http.Header{
		"Accept": {"application/json"}, "Authorization": {"Bearer access-token-CANARY-1"}, "User-Agent": {userAgent},
	}, ""})
}

func TestUserInfoRejects(t *testing.T) {
	const json = "application/json"
	for _, test := range []struct {
		name, contentType, body string
		status                  int
		want                    error
		text                    string
	}{
		{"other sub", json, `{"sub":"mallory"}`, 200, ErrRejected, "rejected: status 200: sub is not the one of the ID token"},
		{"sub in another case", json, `{"sub":"Alice"}`, 200, ErrRejected, "rejected: status 200: sub is not the one of the ID token"},
		{"no sub", json, `{"name":"Alice"}`, 200, ErrRejected, "rejected: status 200: sub is missing"},
		{"empty sub", json, `{"sub":""}`, 200, ErrRejected, "rejected: status 200: sub is missing"},
		{"sub a number", json, `{"sub":1}`, 200, ErrRejected, "rejected: status 200: sub is missing"},
		{"sub twice", json, `{"sub":"alice","sub":"mallory"}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"folded sub", json, `{"sub":"alice","SUB":"mallory"}`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"array", json, `[{"sub":"alice"}]`, 200, ErrRejected, "rejected: status 200: " + notMembers},
		{"JWT", "application/jwt", "e30.e30.e30", 200, ErrUnsupported, "not supported by the provider: status 200: the answer is a JWT (userinfo_signed_response_alg of the client's registration)"},
		{"HTML", "text/html", `<html>`, 200, ErrRejected, `rejected: status 200: the content type is "text/html", not application/json`},
		{"401", json, `{"error":"invalid_token"}`, 401, ErrRejected, `rejected: status 401: "invalid_token"`},
		{"503", "", ``, 503, ErrUnavailable, "provider unavailable: status 503: no error code"},
		{"token echoed", json, `{"error":"x","error_description":"bad access-token-CANARY-1"}`, 400, ErrRejected, `rejected: status 400: "x" "bad [redacted]"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(nil)
			tokens := p.signIn(c)
			p.reply("/userinfo", test.status, test.contentType, test.body)
			got, err := c.UserInfo(context.Background(), tokens)
			var e *ResponseError
			if got != nil || !errors.Is(err, test.want) || !errors.As(err, &e) || err.Error() != "client: userinfo endpoint: "+test.text {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

func TestUserInfoNeedsWhatItSends(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	for want, change := range map[string]func(*Tokens){
		"client: rejected: userinfo needs an access token":                                           func(t *Tokens) { t.AccessToken = "" },
		"client: userinfo endpoint: the access token is bound to a DPoP key, and Config.DPoP is nil": func(t *Tokens) { t.TokenType = "DPoP" },
		`client: userinfo endpoint: an access token of type "mac" is not understood`:                 func(t *Tokens) { t.TokenType = "mac" },
	} {
		changed := *tokens
		change(&changed)
		if u, err := c.UserInfo(context.Background(), &changed); u != nil || err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	p.wantRequests("/userinfo")
}

func TestUserInfoNeedsTheIDToken(t *testing.T) {
	p := newOP(t)
	_, err := p.client(nil).UserInfo(context.Background(), &Tokens{AccessToken: "a"})
	if want := "client: rejected: userinfo needs the ID token, to compare the user with"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Whoever is registered for signed answers takes nothing else: what is not signed could be
// anybody's.
func TestUserInfoSigned(t *testing.T) {
	const (
		plain     = `{"iss":"https://op.example.com","aud":"web","sub":"alice","name":"Alice"}`
		notSigned = "the answer is not signed, and Config.UserInfoSignedResponseAlg says that it is"
	)
	signed := func(change map[string]any) string {
		claims := map[string]any{"iss": testIssuer, "aud": testClientID, "sub": "alice", "name": "Alice"}
		maps.Copy(claims, change)
		return sign(testKey(), map[string]any{"alg": "ES256", "kid": "k1"}, claims)
	}
	for _, test := range []struct{ name, contentType, body, want string }{
		{"signed", "application/jwt", signed(nil), ""},
		{"plain", "application/json", plain, notSigned},
		{"signed, called JSON", "application/json", signed(nil), notSigned},
		{"plain, called JWT", "application/jwt", plain, "jwtverify: token invalid: header is not base64url"},
		{"other sub", "application/jwt", signed(map[string]any{"sub": "mallory"}), "jwtverify: token invalid: sub is not that of the ID token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			c := p.client(func(cfg *Config) { cfg.UserInfoSignedResponseAlg = "ES256" })
			tokens := p.signIn(c)
			p.reply("/userinfo", 200, test.contentType, test.body)
			got, err := c.UserInfo(context.Background(), tokens)
			if accept := p.seen("/userinfo")[0].Header.Get("Accept"); accept != "application/jwt" {
				t.Errorf("asked for %s", accept)
			}
			if test.want == "" {
				if err != nil || got.Subject != "alice" || !slices.Equal(textsOf(got, "name"), []string{"Alice"}) {
					t.Errorf("got %v", err)
				}
				return
			}
			var e *ResponseError
			if got != nil || !errors.Is(err, ErrRejected) || !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func textsOf(u *UserInfo, path ...string) []string {
	list, _ := u.Texts(path...)
	return list
}

func TestUserInfoClaim(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.userinfo["address"] = map[string]any{"country": "AT", "region": nil}
	u, err := c.UserInfo(context.Background(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path []string
		want string // empty: no such claim
	}{
		{[]string{"address", "country"}, `"AT"`},
		{[]string{"address", "region"}, "null"},
		{[]string{"address", "city"}, ""},
		{[]string{"country"}, ""},
	} {
		value, ok := u.Claim(test.path...)
		if string(value) != test.want || ok != (test.want != "") || (value == nil) == ok {
			t.Errorf("%q: got %q, %t, want %q", test.path, value, ok, test.want)
		}
	}
}

func TestUserInfoSources(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	p.userinfo["_claim_names"] = map[string]any{"age": "bank"}
	for _, test := range []struct {
		name    string
		sources any
		want    int
	}{
		{"one", map[string]any{"bank": map[string]any{"endpoint": "https://bank.example.com/claims", "access_token": "a"}}, 1},
		{"none of the name", map[string]any{}, 0},
		{"not an object", "bank", 0},
	} {
		p.userinfo["_claim_sources"] = test.sources
		u, err := c.UserInfo(context.Background(), tokens)
		if err != nil {
			t.Fatal(err)
		}
		if list := u.Sources(); len(list) != test.want {
			t.Errorf("%s: got %d sources, want %d", test.name, len(list), test.want)
		}
	}
}
