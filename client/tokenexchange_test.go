package client

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"golang.org/x/oauth2"
)

func TestExchangeToken(t *testing.T) {
	const access = `"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"`
	for _, test := range []struct {
		name      string
		requested TokenType
		body      string
		want      Tokens
		sent      string // requested_token_type
	}{
		{"access token", "", `{"access_token":"a","token_type":"Bearer",` + access + `}`,
			Tokens{AccessToken: "a", TokenType: "Bearer", Scope: []string{"read"}}, ""},
		{"scope and refresh token", TypeAccessToken, `{"access_token":"a","token_type":"bearer","scope":"less","refresh_token":"r",` + access + `}`,
			Tokens{AccessToken: "a", TokenType: "Bearer", Scope: []string{"less"}, RefreshToken: "r"}, string(TypeAccessToken)},
		{"ID token", TypeIDToken, `{"access_token":"x.y.z","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:id_token"}`,
			Tokens{AccessToken: "x.y.z", TokenType: "N_A", Scope: []string{"read"}}, string(TypeIDToken)},
		{"refresh token", TypeRefreshToken, `{"access_token":"r","token_type":"n_a","issued_token_type":"urn:ietf:params:oauth:token-type:refresh_token"}`,
			Tokens{AccessToken: "r", TokenType: "N_A", Scope: []string{"read"}}, string(TypeRefreshToken)},
		{"JWT that is an access token", TypeJWT, `{"access_token":"a","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:jwt"}`,
			Tokens{AccessToken: "a", TokenType: "Bearer", Scope: []string{"read"}}, string(TypeJWT)},
		{"type of somebody's own", "urn:example:pass", `{"access_token":"p","token_type":"N_A","issued_token_type":"urn:example:pass"}`,
			Tokens{AccessToken: "p", TokenType: "N_A", Scope: []string{"read"}}, "urn:example:pass"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.reply("/token", 200, "application/json", test.body)
			got, err := p.client(nil).ExchangeToken(context.Background(),
				TokenExchange{SubjectToken: "the-subject", Requested: test.requested}, &GrantOptions{Scopes: []string{"read"}})
			if err != nil {
				t.Fatal(err)
			}
			if got.AccessToken != test.want.AccessToken || got.TokenType != test.want.TokenType || got.RefreshToken != test.want.RefreshToken ||
				!slices.Equal(got.Scope, test.want.Scope) || got.IDToken != nil {
				t.Errorf("got %q %q %q %q", got.AccessToken, got.TokenType, got.RefreshToken, got.Scope)
			}
			if sent := parseForm(t, p.seen("/token")[0].Body).Get("requested_token_type"); sent != test.sent {
				t.Errorf("sent requested_token_type %q", sent)
			}
			stored, err := got.MarshalBinary()
			var restored Tokens
			if err != nil || restored.UnmarshalBinary(stored) != nil || restored.TokenType != test.want.TokenType {
				t.Errorf("from storage: %q, %v", restored.TokenType, err)
			}
		})
	}
}

func TestExchangeTokenRejects(t *testing.T) {
	const access = `"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"`
	const endpoint = "client: token endpoint: rejected: status 200: "
	for _, test := range []struct {
		name      string
		requested TokenType
		body      string
		want      string
	}{
		{"no issued_token_type", "", `{"access_token":"a","token_type":"Bearer"}`, "client: rejected: token exchange: issued_token_type is missing"},
		{"issued_token_type null", "", `{"access_token":"a","token_type":"Bearer","issued_token_type":null}`, "client: rejected: token exchange: issued_token_type is missing"},
		{"issued_token_type a number", "", `{"access_token":"a","token_type":"Bearer","issued_token_type":1}`, endpoint + "issued_token_type has the wrong type"},
		{"refresh token instead", "", `{"access_token":"a","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:refresh_token"}`, "client: rejected: token exchange: issued_token_type is not urn:ietf:params:oauth:token-type:access_token"},
		{"access token instead", TypeIDToken, `{"access_token":"a","token_type":"N_A",` + access + `}`, "client: rejected: token exchange: issued_token_type is not urn:ietf:params:oauth:token-type:id_token"},
		{"access token that is none", "", `{"access_token":"a","token_type":"N_A",` + access + `}`, "client: rejected: token exchange: token_type of an access token is N_A"},
		{"no token_type", "", `{"access_token":"a",` + access + `}`, endpoint + "token_type is missing"},
		{"another token_type", "", `{"access_token":"a","token_type":"mac",` + access + `}`, endpoint + "token_type is not Bearer"},
		{"no token", TypeIDToken, `{"token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:id_token"}`, endpoint + "access_token is missing"},
		{"token with a line break", TypeSAML2, `{"access_token":"a\nb","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:saml2"}`, endpoint + "access_token has characters that none has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.reply("/token", 200, "application/json", test.body)
			got, err := p.client(nil).ExchangeToken(context.Background(), TokenExchange{SubjectToken: "the-subject", Requested: test.requested}, nil)
			if got != nil || !errors.Is(err, ErrRejected) || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// N_A is understood in an answer to an exchange alone (RFC 8693 2.2.1).
func TestNotAccessTokenElsewhere(t *testing.T) {
	p := newOP(t)
	p.reply("/token", 200, "application/json", `{"access_token":"a","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`)
	c := p.client(nil)
	const want = "client: token endpoint: rejected: status 200: token_type is not Bearer"
	if _, err := c.ClientCredentials(context.Background(), nil); !errors.Is(err, ErrRejected) || err.Error() != want {
		t.Errorf("client_credentials: got %v, want %s", err, want)
	}
	if _, err := c.Refresh(context.Background(), &Tokens{RefreshToken: "the-refresh-token"}); !errors.Is(err, ErrRejected) || err.Error() != want {
		t.Errorf("refresh: got %v, want %s", err, want)
	}
	if _, err := c.JWTBearer(context.Background(), testAssertion, nil); !errors.Is(err, ErrRejected) || err.Error() != want {
		t.Errorf("jwt-bearer: got %v, want %s", err, want)
	}
}

func TestTokenExchangeRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		x    TokenExchange
		want string
	}{
		{"no subject", TokenExchange{ActorToken: "a"}, "client: TokenExchange.SubjectToken is empty"},
		{"type of no actor", TokenExchange{SubjectToken: "the-subject", ActorTokenType: TypeJWT}, "client: TokenExchange.ActorTokenType is set, and ActorToken is empty"},
		{"type that is no URI", TokenExchange{SubjectToken: "the-subject", SubjectTokenType: "access_token"}, `client: TokenExchange: "access_token" is not a token type, which is a URI`},
		{"requested type with a space", TokenExchange{SubjectToken: "the-subject", Requested: "urn:a b"}, `client: TokenExchange: "urn:a b" is not a token type, which is a URI`},
	} {
		p := newOP(t)
		if _, err := p.client(nil).ExchangeToken(context.Background(), test.x, nil); err == nil || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
		if len(p.requests) != 0 {
			t.Errorf("%s: %d requests", test.name, len(p.requests))
		}
	}
}

// All that an exchange may say, to the byte.
func TestExchangeTokenRequest(t *testing.T) {
	p := newOP(t)
	p.handle("/token", func(*http.Request) (*http.Response, error) {
		return jsonResponse(200, map[string]any{"access_token": "<saml/>", "token_type": "N_A", "issued_token_type": string(TypeSAML2)}), nil
	})
	x := TokenExchange{SubjectToken: "s&t", SubjectTokenType: TypeIDToken, ActorToken: "act", ActorTokenType: TypeJWT, Requested: TypeSAML2}
	opts := &GrantOptions{Audience: []string{"a", "b"}, Resource: []string{"https://api.example.com"}, Scopes: []string{"x", "y"}}
	if _, err := p.client(nil).ExchangeToken(context.Background(), x, opts); err != nil {
		t.Fatal(err)
	}
	p.wantRequests("/token", sentRequest{"POST", testIssuer + "/token", basicHeader(), "actor_token=act" +
		"&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&audience=a&audience=b" +
		"&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange" +
		"&requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Asaml2&resource=https%3A%2F%2Fapi.example.com" +
		"&scope=x+y&subject_token=s%26t&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token"})
}

// A provider that calls another token Bearer does not get it sent to an API.
func TestExchangedTokenIsNotSentAsBearer(t *testing.T) {
	for _, requested := range []TokenType{TypeRefreshToken, TypeIDToken, TypeSAML1, TypeSAML2} {
		p := newOP(t)
		p.reply("/token", 200, "application/json", `{"access_token":"other-CANARY","token_type":"Bearer","issued_token_type":"`+string(requested)+`"}`)
		c := p.client(nil)
		got, err := c.ExchangeToken(t.Context(), TokenExchange{SubjectToken: "the-subject", Requested: requested}, nil)
		if err != nil || got.TokenType != "N_A" {
			t.Fatalf("%s: got %v, %v", requested, got.TokenType, err)
		}
		api := &fakeAPI{t: t}
		req, err := http.NewRequest("GET", apiURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Transport(api, oauth2.StaticTokenSource(got.OAuth2())).RoundTrip(req)
		const want = `client: an access token of type "N_A" is not understood`
		if err == nil || err.Error() != want || len(api.seen) != 0 {
			t.Errorf("%s: got %v, want %s", requested, err, want)
		}
	}
}
