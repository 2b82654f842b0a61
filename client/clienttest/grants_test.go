package clienttest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

const (
	exchangeGrant   = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessTokenType = "urn:ietf:params:oauth:token-type:access_token"
)

func (f *flow) client() *client.Client {
	f.t.Helper()
	rp, err := client.New(f.op.Config(redirectURL))
	if err != nil {
		f.t.Fatal(err)
	}
	return rp
}

func TestClientCredentials(t *testing.T) {
	f := newFlow(t, fast())
	tokens, err := f.client().ClientCredentials(context.Background(), &client.GrantOptions{Scopes: []string{"read"}, Resource: []string{"https://api.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	_, claims := parts(t, tokens.AccessToken)
	if claims["sub"] != f.id || claims["client_id"] != f.id || claims["aud"] != "https://api.example.com" || claims["scope"] != "read" || claims["auth_time"] != nil {
		t.Errorf("the claims are %v", claims)
	}
	if tokens.IDToken != nil || tokens.RefreshToken != "" || !slices.Equal(tokens.Scope, []string{"read"}) {
		t.Errorf("got scope %q", tokens.Scope)
	}
	if status, _ := f.userInfo(tokens.AccessToken); status != http.StatusUnauthorized {
		t.Errorf("userinfo about a client: %d", status)
	}
	refused(t, f.token(url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}}), "invalid_scope", "no user")
	several := f.token(url.Values{"grant_type": {"client_credentials"}, "resource": {"urn:a", "urn:b"}})
	if _, claims := parts(t, several.AccessToken); len(claims["aud"].([]any)) != 2 {
		t.Errorf("aud is %v", claims["aud"])
	}
}

func TestMachineGrantsOfPublicClient(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{{ID: "app"}}})
	refused(t, f.token(url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}}), "unauthorized_client", "public")
	refused(t, f.token(url.Values{"grant_type": {exchangeGrant}, "client_id": {"app"}}), "unauthorized_client", "public")
}

func TestTokenExchange(t *testing.T) {
	f := newFlow(t, fast())
	user := f.tokens()
	rp := f.client()
	ctx := context.Background()
	service, err := rp.ClientCredentials(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	x := client.TokenExchange{SubjectToken: user.AccessToken, ActorToken: service.AccessToken}
	tokens, err := rp.ExchangeToken(ctx, x, &client.GrantOptions{Scopes: []string{"profile"}, Audience: []string{"next"}})
	if err != nil {
		t.Fatal(err)
	}
	_, claims := parts(t, tokens.AccessToken)
	act, _ := json.Marshal(claims["act"])
	if claims["sub"] != "alice" || claims["aud"] != "next" || claims["scope"] != "profile" || string(act) != `{"sub":"`+f.id+`"}` {
		t.Errorf("the claims are %v", claims)
	}
	if tokens.TokenType != "Bearer" || tokens.RefreshToken != "" || tokens.IDToken != nil {
		t.Errorf("got %q", tokens.TokenType)
	}
	if f.op.RevokeGrants("alice"); f.alive(tokens.AccessToken) {
		t.Error("the new token survives the end of the user's grants")
	}
}

// Each differs by one thing from the exchange that works.
func TestTokenExchangeRefuses(t *testing.T) {
	f := newFlow(t, fast())
	user := f.tokens()
	for _, test := range []struct {
		name, set, value string
		code, why        string
	}{
		{"good", "scope", "profile", "", ""},
		{"more scope", "scope", "profile admin", "invalid_scope", "more than"},
		{"unknown token", "subject_token", "x", "invalid_request", "no live access token"},
		{"another type", "subject_token_type", "urn:ietf:params:oauth:token-type:id_token", "invalid_request", "no live access token"},
		{"unknown actor", "actor_token", "x", "invalid_request", "actor_token is no live"},
		{"an ID token wanted", "requested_token_type", "urn:ietf:params:oauth:token-type:id_token", "invalid_request", "only access tokens"},
	} {
		form := url.Values{
			"grant_type": {exchangeGrant}, "subject_token": {user.AccessToken}, "subject_token_type": {accessTokenType},
			"scope": {"profile"},
		}
		form.Set(test.set, test.value)
		got := f.token(form)
		if test.code == "" {
			if got.AccessToken == "" {
				t.Errorf("%s: %s %s", test.name, got.Error, got.Description)
			}
			continue
		}
		refused(t, got, test.code, test.why)
	}
}
