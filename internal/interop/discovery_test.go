package interop

import (
	"context"
	"crypto/elliptic"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// Userinfo comes as the client is registered for it, and in no other way.
func TestSignedUserInfo(t *testing.T) {
	key := newECKey(t, "enc", elliptic.P256())
	for _, test := range []struct {
		name, alg string
		change    metadata
		configure func(*client.Config)
	}{
		{"RS256", "RS256", nil, nil},
		{"PS256", "PS256", nil, nil},
		{"ES256", "ES256", nil, nil},
		{"EdDSA", "EdDSA", nil, nil},
		{"HS256", "HS256", nil, nil},
		{"HS512", "HS512", nil, nil},
		{"encrypted", "ES256", metadata{
			"userinfo_encrypted_response_alg": "ECDH-ES+A256KW", "userinfo_encrypted_response_enc": "A256GCM",
			"jwks": map[string]any{"keys": []any{key.public}},
		}, func(cfg *client.Config) {
			cfg.UserInfoDecrypt = []jwtverify.DecryptionKey{key.decryption("ECDH-ES+A256KW")}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			change := metadata{"userinfo_signed_response_alg": test.alg}
			for name, value := range test.change {
				change[name] = value
			}
			reg := op.register(t, callbackURL, change)
			rp := op.client(t, reg, func(cfg *client.Config) {
				cfg.UserInfoSignedResponseAlg = test.alg
				if test.configure != nil {
					test.configure(cfg)
				}
			})
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
			u, err := rp.UserInfo(t.Context(), tokens)
			if err != nil {
				t.Fatal(err)
			}
			if email, ok := u.Texts("email"); !ok || u.Subject != "alice" || len(email) != 1 {
				t.Errorf("got %q of %q", email, u.Subject)
			}
			for _, refuse := range []struct {
				name   string
				change func(*client.Config)
				want   error
				text   string
			}{
				{"not registered", func(cfg *client.Config) {}, client.ErrUnsupported, "the answer is a JWT"},
				{"registered for another", func(cfg *client.Config) { cfg.UserInfoSignedResponseAlg = "ES512" }, client.ErrRejected, ""},
			} {
				_, err := op.client(t, reg, refuse.change).UserInfo(t.Context(), tokens)
				if !errors.Is(err, refuse.want) || !strings.Contains(err.Error(), refuse.text) {
					t.Errorf("%s: got %v", refuse.name, err)
				}
			}
		})
	}
}

// A plain answer is no answer where a signed one was agreed on.
func TestUserInfoDowngrade(t *testing.T) {
	reg := op.register(t, callbackURL, nil)
	tokens, _ := newPerson(t, callbackURL).signIn(op.client(t, reg, nil), "alice", nil)
	rp := op.client(t, reg, func(cfg *client.Config) { cfg.UserInfoSignedResponseAlg = "RS256" })
	if _, err := rp.UserInfo(t.Context(), tokens); !errors.Is(err, client.ErrRejected) || !strings.Contains(err.Error(), "the answer is not signed") {
		t.Errorf("got %v", err)
	}
}

func TestUserInfoByForm(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), func(cfg *client.Config) { cfg.UserInfoByForm = true })
	tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
	if u, err := rp.UserInfo(t.Context(), tokens); err != nil || u.Subject != "alice" {
		t.Errorf("got %v", err)
	}
}

// Answers about tokens as JWTs (RFC 9701).
func TestSignedIntrospection(t *testing.T) {
	const resource = "https://api.example.test/signed"
	op.control(t, "resource", api{URI: resource, Format: "opaque"})
	key := newRSAKey(t, "enc")
	raw := op.accessToken(t, op.machine(t, nil), resource)
	for _, test := range []struct {
		name, alg string
		encrypted bool
	}{{"RS256", "RS256", false}, {"ES256", "ES256", false}, {"HS256", "HS256", false}, {"encrypted", "PS256", true}} {
		t.Run(test.name, func(t *testing.T) {
			change := metadata{"introspection_signed_response_alg": test.alg}
			if test.encrypted {
				change["introspection_encrypted_response_alg"], change["introspection_encrypted_response_enc"] = "RSA-OAEP-256", "A128CBC-HS256"
				change["jwks"] = map[string]any{"keys": []any{key.public}}
			}
			reg := op.machine(t, change)
			configure := func(cfg *client.Config) {
				cfg.IntrospectionSignedResponseAlg = test.alg
				if test.encrypted {
					cfg.IntrospectionDecrypt = []jwtverify.DecryptionKey{key.decryption("RSA-OAEP-256")}
				}
			}
			introspector := &client.Introspector{Client: op.client(t, reg, configure), Audience: resource}
			token, err := introspector.AccessToken(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(token.Scope, "api:read") {
				t.Errorf("the scope is %q", token.Scope)
			}
			if _, err := introspector.AccessToken(t.Context(), "made.up-by_nobody"); !errors.Is(err, jwtverify.ErrInvalid) {
				t.Errorf("got %v", err)
			}
			another := &client.Introspector{Client: introspector.Client, Audience: "https://api.example.test/another"}
			_, err = another.AccessToken(t.Context(), raw)
			wantRefused(t, err, "aud")
		})
	}
}

// The provider has its metadata in the place of RFC 8414 too.
func TestOAuthMetadata(t *testing.T) {
	rp := op.client(t, op.register(t, callbackURL, nil), func(cfg *client.Config) { cfg.MetadataURL = client.OAuthMetadataURL(op.Issuer) })
	before := op.requests(t, "/.well-known/oauth-authorization-server")
	newPerson(t, callbackURL).signIn(rp, "alice", nil)
	if n := op.requests(t, "/.well-known/oauth-authorization-server") - before; n != 1 {
		t.Errorf("asked for %d times", n)
	}
}

// The browser knows the provider by one name and the program by another, as in a network
// of containers: here the issuer's own address cannot be reached by the program at all.
func TestSplitHorizon(t *testing.T) {
	target, err := url.Parse(op.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]bool{}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		mu.Lock()
		seen[r.In.URL.Path] = true
		mu.Unlock()
		if r.In.Host != target.Host {
			t.Errorf("%s: the host is %q", r.In.URL, r.In.Host)
		}
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
		r.Out.Host = r.In.Host
	}})
	defer proxy.Close()
	inside := strings.TrimPrefix(proxy.URL, "http://")
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != inside {
			t.Errorf("the program called %s", address)
			return nil, errors.New("no way to this host")
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	for name, configure := range map[string]func(*client.Config){
		"bearer":      func(*client.Config) {},
		"DPoP pushed": func(cfg *client.Config) { cfg.DPoP, cfg.PushedAuthorizationRequests = client.GenerateDPoPKey(), true },
	} {
		t.Run(name, func(t *testing.T) {
			reg := op.register(t, callbackURL, metadata{"x_dpop_nonce": true, "introspection_signed_response_alg": "RS256"})
			rp := op.client(t, reg, func(cfg *client.Config) {
				cfg.BackChannelURL, cfg.HTTPClient = proxy.URL, &http.Client{Transport: transport}
				cfg.IntrospectionSignedResponseAlg = "RS256"
				configure(cfg)
			})
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
			if tokens.IDToken.Issuer != op.Issuer {
				t.Errorf("the issuer is %s", tokens.IDToken.Issuer)
			}
			if _, err := rp.UserInfo(t.Context(), tokens); err != nil {
				t.Error(err)
			}
			next := refresh(t, rp, tokens)
			if i, err := rp.Introspect(t.Context(), next.AccessToken); err != nil || !i.Active {
				t.Errorf("introspection: %v", err)
			}
			if err := rp.Revoke(t.Context(), next); err != nil {
				t.Error(err)
			}
			if to, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: next.IDToken}); err != nil || !strings.HasPrefix(to, op.Issuer+"/") {
				t.Errorf("the browser is sent to %s, %v", to, err)
			}
		})
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/request", "/token", "/me", "/token/introspection", "/token/revocation"} {
		if !seen[path] {
			t.Errorf("nothing went to %s by the other way", path)
		}
	}
}
