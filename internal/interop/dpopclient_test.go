package interop

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
	"github.com/postern-go/postern/session"
)

func newDPoPKey(t *testing.T, signer crypto.Signer) *client.DPoPKey {
	t.Helper()
	key, err := client.NewDPoPKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The provider demands nonces. The first token request learns one, and the later ones
// have it; so has userinfo, which is at the same origin.
func TestDPoPSignIn(t *testing.T) {
	key := client.PrivateKeyJWT{Key: ecdsaKey(t, elliptic.P256())}
	for _, c := range []struct {
		name       string
		signer     crypto.Signer
		registered metadata
		auth       client.ClientAuth
	}{
		{"RSA", rsaKey(t), nil, nil},
		{"P-256", ecdsaKey(t, elliptic.P256()), nil, nil},
		{"P-384", ecdsaKey(t, elliptic.P384()), nil, nil},
		{"P-521", ecdsaKey(t, elliptic.P521()), nil, nil},
		{"Ed25519", ed25519Key(t), nil, nil},
		{"public client", ecdsaKey(t, elliptic.P256()), metadata{"token_endpoint_auth_method": "none"}, client.NoAuth{}},
		{"private_key_jwt", ecdsaKey(t, elliptic.P256()), metadata{"token_endpoint_auth_method": "private_key_jwt", "jwks": jwksOf(t, key)}, key},
	} {
		t.Run(c.name, func(t *testing.T) {
			registered := metadata{"x_dpop_nonce": true, "dpop_bound_access_tokens": true}
			for name, value := range c.registered {
				registered[name] = value
			}
			reg := op.register(t, callbackURL, registered)
			dpop := newDPoPKey(t, c.signer)
			rp := op.client(t, reg, func(cfg *client.Config) { cfg.Auth, cfg.DPoP = c.auth, dpop })
			before := op.requests(t, "/token")
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
			if tokens.TokenType != "DPoP" {
				t.Errorf("token type %s", tokens.TokenType)
			}
			tokens = refresh(t, rp, tokens)
			if n := op.requests(t, "/token") - before; n != 3 {
				t.Errorf("%d token requests, want the code's two and the refresh", n)
			}
			if info, err := rp.UserInfo(t.Context(), tokens); err != nil || info.Subject != "alice" {
				t.Errorf("userinfo: %v", err)
			}
			if got := userInfoStatus(t, rp, tokens.AccessToken); got != http.StatusUnauthorized {
				t.Errorf("as a bearer token it gets %d", got)
			}
			wantBound(t, rp, tokens.AccessToken, dpop.Thumbprint())
		})
	}
}

func wantBound(t *testing.T, rp *client.Client, token, thumbprint string) {
	t.Helper()
	said, err := rp.Introspect(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Confirmation map[string]string `json:"cnf"`
	}
	if err := said.Claims(&claims); err != nil || claims.Confirmation["jkt"] != thumbprint {
		t.Errorf("bound to %v, %v", claims.Confirmation, err)
	}
}

// A refresh token of a public client is of no use with another key, and a code with
// another one than the authorization request named.
func TestDPoPOtherKey(t *testing.T) {
	reg := op.register(t, callbackURL, metadata{"token_endpoint_auth_method": "none", "dpop_bound_access_tokens": true})
	mine := op.client(t, reg, func(cfg *client.Config) { cfg.DPoP = client.GenerateDPoPKey() })
	other := op.client(t, reg, func(cfg *client.Config) { cfg.DPoP = client.GenerateDPoPKey() })
	tokens, _ := newPerson(t, callbackURL).signIn(mine, "alice", nil)
	if _, err := other.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("refresh with another key: %v", err)
	}
	login := authorize(t, mine, nil)
	end, _ := newPerson(t, callbackURL).open(login.URL()).signIn("alice")
	if _, err := other.Exchange(t.Context(), login, end.callback()); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("code with another key: %v", err)
	}
}

// A program calls an API of jwtverify, which wants nonces of its own, through Transport.
func TestDPoPTransport(t *testing.T) {
	reg := op.register(t, callbackURL, metadata{"dpop_bound_access_tokens": true, "x_access_token_ttl": 600})
	key := newDPoPKey(t, ed25519Key(t))
	rp := op.client(t, reg, func(cfg *client.Config) { cfg.Scopes, cfg.DPoP = []string{"api:read"}, key })
	refused := &lockedBuffer{}
	resource := serveAPI(t, func(resource string) *jwtverify.Bearer {
		return &jwtverify.Bearer{
			Tokens: &jwtverify.Verifier{Issuer: op.Issuer, Audience: resource, Keys: op.keys(t)}, Resource: resource,
			DPoP: &jwtverify.DPoP{RequireNonce: true}, RequireBound: true,
			Logger: slog.New(slog.DiscardHandler),
			OnError: func(w http.ResponseWriter, _ *http.Request, err *jwtverify.BearerError) {
				io.WriteString(refused, err.Code+" ")
				w.WriteHeader(err.Status)
			},
		}
	})
	op.control(t, "resource", api{URI: resource})
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", &client.AuthorizeOptions{Resource: []string{resource}})
	source := rp.TokenSource(tokens, func(context.Context, *client.Tokens) error { return nil })
	hc := &http.Client{Transport: rp.Transport(nil, source)}
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodGet} {
		if got := request(t, hc, method, resource+"/read?x=y"); got != "200 hello, "+reg.ID {
			t.Errorf("%s: %s, refused: %s", method, got, refused)
		}
	}
	if got := request(t, hc, http.MethodGet, resource+"/write"); !strings.HasPrefix(got, "403") {
		t.Errorf("without the scope: %s", got)
	}
	if got := refused.String(); got != "use_dpop_nonce insufficient_scope " {
		t.Errorf("refused: %s", got)
	}
	stolen := &http.Client{Transport: op.client(t, reg, func(cfg *client.Config) { cfg.DPoP = client.GenerateDPoPKey() }).Transport(nil, oauth2.StaticTokenSource(tokens.OAuth2()))}
	if got := request(t, stolen, http.MethodGet, resource+"/read"); !strings.HasPrefix(got, "401") {
		t.Errorf("with the key of somebody else: %s", got)
	}
}

func request(t *testing.T, hc *http.Client, method, address string) string {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader("text"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status[:3] + " " + string(body)
}

// A site whose sessions hold DPoP tokens: the session's client proves the key.
func TestDPoPSession(t *testing.T) {
	srv := httptest.NewUnstartedServer(nil)
	defer srv.Close()
	address := "http://" + srv.Listener.Addr().String()
	reg := op.register(t, address+"/auth/callback", metadata{"dpop_bound_access_tokens": true, "x_dpop_nonce": true})
	rp := op.client(t, reg, func(cfg *client.Config) { cfg.DPoP = client.GenerateDPoPKey() })
	auth, err := session.New(rp, session.Config{Secrets: []string{"0123456789abcdef-interop-0123456789ABCDEF"}, Name: "interop", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	userinfo := op.endpoint(t, "userinfo_endpoint")
	mux := http.NewServeMux()
	auth.Routes(mux)
	mux.Handle("/", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := session.From(r.Context()).HTTPClient().Get(userinfo)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body)
	})))
	srv.Config.Handler = mux
	srv.Start()
	someone := newPerson(t, "")
	for range 2 {
		end, _ := someone.open(address + "/").signIn("alice")
		if end.status != http.StatusOK || !strings.Contains(end.body, `"sub":"alice"`) {
			t.Errorf("status %d: %s", end.status, end.body)
		}
		// The next call is answered with a 401, and goes through with a new token.
		op.control(t, "forget-access-tokens", map[string]string{"client": reg.ID})
	}
	if n := op.count(t, reg.ID, "grant.success", "refresh_token"); n != 1 {
		t.Errorf("%d refreshes, want 1", n)
	}
}
