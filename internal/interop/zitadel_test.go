package interop

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// startZitadel runs the example provider of zitadel/oidc, the package that Zitadel is
// built on, with two people: alice, who may impersonate, and bob, who may not.
func startZitadel(t *testing.T) (issuer string) {
	t.Helper()
	return serve(t, "", func(issuer string) http.Handler {
		clients := map[string]*storage.Client{"web": storage.WebClient("web", "secret", callbackURL)}
		store := storage.NewStorageWithClients(zitadelUsers{
			"alice": {ID: "alice", Username: "alice", Password: "pw", FirstName: "Alice", LastName: "Doe", Email: "alice@example.com", IsAdmin: true},
			"bob":   {ID: "bob", Username: "bob", Password: "pw", FirstName: "Bob", LastName: "Roe"},
		}, clients)
		return exampleop.SetupServer(issuer, store, slog.New(slog.NewTextHandler(testLog{t}, nil)), false)
	})
}

type zitadelUsers map[string]*storage.User

func (u zitadelUsers) GetUserByID(id string) *storage.User         { return u[id] }
func (u zitadelUsers) GetUserByUsername(name string) *storage.User { return u[name] }
func (u zitadelUsers) ExampleClientID() string                     { return storage.ServiceUserID }

func zitadelClient(t *testing.T, issuer string) *client.Client {
	t.Helper()
	return relyingParty(t, client.Config{
		Issuer: issuer, ClientID: "web", ClientSecret: "secret", RedirectURL: callbackURL, Scopes: []string{"profile", "email", "offline_access"},
	})
}

func TestZitadelFormPost(t *testing.T) {
	rp := zitadelClient(t, startZitadel(t))
	login := authorize(t, rp, formPost)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	if end.post == nil {
		t.Error("the answer did not come by a form")
	}
	tokens := exchange(t, rp, login, end.callback())
	if tokens.IDToken.Subject != "alice" || tokens.RefreshToken == "" {
		t.Errorf("got %q", tokens.IDToken.Subject)
	}
	info, err := rp.UserInfo(t.Context(), tokens)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Email string }
	if err := info.Claims(&claims); err != nil || claims.Email != "alice@example.com" {
		t.Errorf("userinfo: %q, %v", claims.Email, err)
	}

	renewed, err := rp.Refresh(t.Context(), tokens)
	if err != nil || renewed.RefreshToken == tokens.RefreshToken || renewed.IDToken.Subject != "alice" {
		t.Fatalf("refresh: %v", err)
	}
	if _, err := rp.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("the old refresh token: %v", err)
	}
}

func TestZitadelClientCredentials(t *testing.T) {
	issuer := startZitadel(t)
	cfg := client.Config{Issuer: issuer, ClientID: "sid1", ClientSecret: "verysecret"} // the example's service
	tokens, err := relyingParty(t, cfg).ClientCredentials(t.Context(), &client.GrantOptions{Scopes: []string{"custom_scope"}})
	if err != nil {
		t.Fatal(err)
	}
	if tokens.AccessToken == "" || tokens.TokenType != "Bearer" || tokens.IDToken != nil || tokens.RefreshToken != "" || tokens.Expiry.IsZero() {
		t.Errorf("got a %s token until %v", tokens.TokenType, tokens.Expiry)
	}
	cfg.ClientSecret = "wrong"
	if _, err := relyingParty(t, cfg).ClientCredentials(t.Context(), nil); !errors.Is(err, client.ErrRejected) {
		t.Errorf("a wrong secret: %v", err)
	}
}

func TestZitadelTokenExchange(t *testing.T) {
	issuer := startZitadel(t)
	rp := zitadelClient(t, issuer)
	alice, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	bob, _ := newPerson(t, callbackURL).signIn(rp, "bob", nil)
	opts := &client.GrantOptions{Scopes: []string{"openid", "profile"}}

	x := client.TokenExchange{SubjectToken: alice.IDToken.Raw(), SubjectTokenType: client.TypeIDToken, Requested: client.TypeAccessToken}
	tokens, err := rp.ExchangeToken(t.Context(), x, opts)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.TokenType != "Bearer" || tokens.Expiry.IsZero() || !slices.Equal(tokens.Scope, opts.Scopes) {
		t.Errorf("got a %s token until %v for %q", tokens.TokenType, tokens.Expiry, tokens.Scope)
	}
	if status := userInfoStatus(t, rp, tokens.AccessToken); status != http.StatusOK {
		t.Errorf("the new token at userinfo: %d", status)
	}

	x = client.TokenExchange{SubjectToken: alice.RefreshToken, SubjectTokenType: client.TypeRefreshToken, Requested: client.TypeIDToken}
	// The scope is the example's way to say for whom.
	tokens, err = rp.ExchangeToken(t.Context(), x, &client.GrantOptions{Scopes: []string{"openid", "custom_scope:impersonate:bob"}})
	if err != nil {
		t.Fatal(err)
	}
	document, err := rp.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys := &jwtverify.RemoteKeys{URL: document.JWKSURI}
	payload, err := client.KeySet(keys).VerifySignature(t.Context(), tokens.AccessToken)
	if err != nil || tokens.TokenType != "N_A" {
		t.Fatalf("an ID token of type %s: %v", tokens.TokenType, err)
	}
	var claims struct {
		Sub string
		Act struct{ Sub string }
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Sub != "bob" || claims.Act.Sub != "alice" {
		t.Errorf("got %+v, %v", claims, err)
	}
	// It has a client_id, and neither nonce nor at_hash: nothing tells it from an access
	// token, so a verifier of ID tokens does not take it.
	verifier := &jwtverify.Verifier{Issuer: issuer, Audience: "web", Keys: keys}
	if _, err := verifier.IDToken(t.Context(), tokens.AccessToken, jwtverify.Expect{}); !errors.Is(err, jwtverify.ErrInvalid) {
		t.Errorf("as an ID token: %v", err)
	}

	for name, test := range map[string]struct {
		x    client.TokenExchange
		want error
	}{
		// Its word is server_error.
		"who may not": {client.TokenExchange{SubjectToken: bob.IDToken.Raw(), SubjectTokenType: client.TypeIDToken, Requested: client.TypeAccessToken}, client.ErrUnavailable},
		"another type than was asked for, which is a refresh token here": {client.TokenExchange{SubjectToken: alice.RefreshToken, SubjectTokenType: client.TypeRefreshToken}, client.ErrRejected},
		"no token": {client.TokenExchange{SubjectToken: "nonsense", SubjectTokenType: client.TypeIDToken, Requested: client.TypeAccessToken}, client.ErrRejected},
		// The provider panics: the connection ends without an answer.
		"an opaque token": {client.TokenExchange{SubjectToken: alice.AccessToken, Requested: client.TypeAccessToken}, client.ErrUnavailable},
	} {
		tokens, err := rp.ExchangeToken(t.Context(), test.x, opts)
		if tokens != nil || !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
}
