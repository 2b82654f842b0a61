package interop

import (
	"crypto/elliptic"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// forKeycloak is the jwks of a registration. Keycloak passes over a key without an algorithm.
func (k encryptionKey) forKeycloak(algorithm string) metadata {
	public := metadata{"alg": algorithm}
	for name, value := range k.public {
		public[name] = value
	}
	return metadata{"keys": []any{public}}
}

// wantAliceSigned fails unless the tokens are alice's, a refresh brings new ones of hers, and
// userinfo knows her.
func wantAliceSigned(t *testing.T, rp *client.Client, tokens *client.Tokens) {
	t.Helper()
	next := refresh(t, rp, tokens)
	for _, tokens := range []*client.Tokens{tokens, next} {
		if got := claimsOf[keycloakRoles](t, tokens).Name; got != "alice" {
			t.Errorf("signed in as %q", got)
		}
	}
	info, err := rp.UserInfo(t.Context(), next)
	if err != nil {
		t.Fatal(err)
	}
	var claims keycloakRoles
	if err := info.Claims(&claims); err != nil || claims.Name != "alice" {
		t.Errorf("userinfo: %q, %v", claims.Name, err)
	}
}

func TestKeycloakPushedRequests(t *testing.T) {
	k := startKeycloak(t)
	reg := k.register(t, callbackURL, metadata{"require_pushed_authorization_requests": true})
	rp := k.client(t, reg, func(cfg *client.Config) { cfg.PushedAuthorizationRequests = true })
	login := authorize(t, rp, nil)
	if query := parse(t, login.URL()).Query(); len(query) != 2 || !strings.HasPrefix(query.Get("request_uri"), "urn:ietf:params:oauth:request_uri:") {
		t.Errorf("the address has %d parameters", len(query))
	}
	end, _ := k.person(t, callbackURL).open(login.URL()).signIn("alice")
	wantAliceSigned(t, rp, exchange(t, rp, login, end.callback()))

	open := k.client(t, reg, nil)
	login = authorize(t, open, nil)
	wantAuthError(t, open, login, k.person(t, callbackURL).open(login.URL()).callback(), "invalid_request")
}

func TestKeycloakDPoP(t *testing.T) {
	k := startKeycloak(t)
	for _, c := range []struct {
		name       string
		key        *client.DPoPKey
		registered metadata
	}{
		{"P-256", newDPoPKey(t, ecdsaKey(t, elliptic.P256())), nil},
		{"RSA", newDPoPKey(t, rsaKey(t)), nil},
		{"Ed25519", newDPoPKey(t, ed25519Key(t)), nil},
		{"public client", client.GenerateDPoPKey(), metadata{"token_endpoint_auth_method": "none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			registered := metadata{"dpop_bound_access_tokens": true}
			for name, value := range c.registered {
				registered[name] = value
			}
			reg := k.register(t, callbackURL, registered)
			if c.registered != nil {
				reg.Secret = ""
			}
			rp := k.client(t, reg, func(cfg *client.Config) { cfg.DPoP = c.key })
			tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
			if got := keyOf(t, tokens.AccessToken); got != c.key.Thumbprint() || tokens.TokenType != "DPoP" {
				t.Errorf("a %s token bound to %q, want %q", tokens.TokenType, got, c.key.Thumbprint())
			}
			if got := userInfoStatus(t, rp, tokens.AccessToken); got != http.StatusUnauthorized {
				t.Errorf("as a bearer token it gets %d, want 401", got)
			}
			if c.registered != nil {
				other := k.client(t, reg, func(cfg *client.Config) { cfg.DPoP = client.GenerateDPoPKey() })
				if _, err := other.Refresh(t.Context(), tokens); !errors.Is(err, client.ErrRejected) && !errors.Is(err, client.ErrInvalidGrant) {
					t.Errorf("a refresh with another key: %v", err)
				}
			}
			wantAliceSigned(t, rp, tokens)
		})
	}
}

func TestKeycloakPrivateKeyJWT(t *testing.T) {
	k := startKeycloak(t)
	for _, key := range []client.PrivateKeyJWT{
		{Key: rsaKey(t), KeyID: "RS256"},
		{Key: rsaKey(t), KeyID: "PS256", Algorithm: "PS256"},
		{Key: ecdsaKey(t, elliptic.P256()), KeyID: "ES256"},
		{Key: ed25519Key(t), KeyID: "EdDSA"},
	} {
		t.Run(key.KeyID, func(t *testing.T) {
			reg := k.register(t, callbackURL, metadata{
				"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": key.KeyID, "jwks": jwksOf(t, key),
			})
			reg.Secret = ""
			rp := k.client(t, reg, func(cfg *client.Config) { cfg.Auth, cfg.PushedAuthorizationRequests = key, true })
			tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
			wantAliceSigned(t, rp, tokens)
		})
	}
}

func TestKeycloakEncryptedIDTokens(t *testing.T) {
	k := startKeycloak(t)
	forRSA, forEC := newRSAKey(t, "rsa"), newECKey(t, "ec", elliptic.P256())
	for _, c := range []struct {
		algorithm, encryption string
		key                   encryptionKey
	}{
		{"RSA-OAEP-256", "A256GCM", forRSA},
		{"RSA-OAEP", "A128CBC-HS256", forRSA},
		{"ECDH-ES", "A256GCM", forEC},
		{"ECDH-ES+A256KW", "A256CBC-HS512", forEC},
	} {
		t.Run(c.algorithm, func(t *testing.T) {
			reg := k.encrypted(t, c.algorithm, c.encryption, c.key, metadata{"jwks": c.key.forKeycloak(c.algorithm)})
			rp := k.client(t, reg, func(cfg *client.Config) {
				cfg.Decrypt = []jwtverify.DecryptionKey{c.key.decryption(c.algorithm)}
			})
			tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
			wantAliceSigned(t, rp, tokens)

			login := authorize(t, rp, nil)
			end, _ := k.person(t, callbackURL).open(login.URL()).signIn("alice")
			if _, err := k.client(t, reg, nil).Exchange(t.Context(), login, end.callback()); !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), "encrypted") {
				t.Errorf("without the key: got %v, want ErrInvalid because it is encrypted", err)
			}
		})
	}
}

func TestKeycloakUserInfo(t *testing.T) {
	k := startKeycloak(t)
	forRSA, forEC := newRSAKey(t, "rsa"), newECKey(t, "ec", elliptic.P256())
	for _, c := range []struct {
		signed, algorithm, encryption string
		key                           encryptionKey
	}{
		{"RS256", "", "", encryptionKey{}},
		{"ES256", "", "", encryptionKey{}},
		{"RS256", "RSA-OAEP-256", "A256GCM", forRSA},
		{"PS256", "ECDH-ES", "A256GCM", forEC},
	} {
		t.Run(c.signed+" "+c.algorithm, func(t *testing.T) {
			registered := metadata{"userinfo_signed_response_alg": c.signed}
			if c.algorithm != "" {
				registered["userinfo_encrypted_response_alg"], registered["userinfo_encrypted_response_enc"] = c.algorithm, c.encryption
				registered["jwks"] = c.key.forKeycloak(c.algorithm)
			}
			reg := k.register(t, callbackURL, registered)
			rp := k.client(t, reg, func(cfg *client.Config) {
				cfg.UserInfoSignedResponseAlg = c.signed
				if c.algorithm != "" {
					cfg.UserInfoDecrypt = []jwtverify.DecryptionKey{c.key.decryption(c.algorithm)}
				}
			})
			tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
			wantAliceSigned(t, rp, tokens)
			if _, err := k.client(t, reg, nil).UserInfo(t.Context(), tokens); !errors.Is(err, client.ErrUnsupported) {
				t.Errorf("a client that wants JSON: got %v, want ErrUnsupported", err)
			}
		})
	}
}

// Keycloak writes iss into a signed answer twice, as JARM has it and as RFC 9207 has it, and
// what has two members of one name is refused: it has to be told to leave the second out.
func TestKeycloakSignedAnswers(t *testing.T) {
	k := startKeycloak(t)
	t.Run("iss twice", func(t *testing.T) {
		rp := k.client(t, k.register(t, callbackURL, nil), nil)
		login := authorize(t, rp, &client.AuthorizeOptions{ResponseMode: "jwt"})
		end, _ := k.person(t, callbackURL).open(login.URL()).signIn("alice")
		if _, err := rp.Exchange(t.Context(), login, end.callback()); !errors.Is(err, client.ErrRejected) || !strings.Contains(err.Error(), `duplicate member "iss"`) {
			t.Errorf("got %v, want iss refused", err)
		}
	})
	key := newRSAKey(t, "jarm")
	for _, c := range []struct {
		mode, signed string
		encrypted    bool
	}{
		{"jwt", "RS256", false},
		{"query.jwt", "PS256", false},
		{"fragment.jwt", "ES256", false},
		{"form_post.jwt", "EdDSA", false},
		{"jwt", "PS256", true},
	} {
		name := c.mode + " " + c.signed
		if c.encrypted {
			name += " encrypted"
		}
		t.Run(name, func(t *testing.T) {
			registered := metadata{"authorization_signed_response_alg": c.signed}
			if c.encrypted {
				registered["authorization_encrypted_response_alg"], registered["authorization_encrypted_response_enc"] = "RSA-OAEP-256", "A256GCM"
				registered["jwks"] = key.forKeycloak("RSA-OAEP-256")
			}
			reg := k.register(t, callbackURL, registered)
			k.change(t, reg.ID, map[string]string{"exclude.issuer.from.auth.response": "true"})
			rp := k.client(t, reg, func(cfg *client.Config) {
				cfg.AuthorizationSignedResponseAlg = c.signed
				if c.encrypted {
					cfg.AuthorizationDecrypt = []jwtverify.DecryptionKey{key.decryption("RSA-OAEP-256")}
				}
			})
			opts := &client.AuthorizeOptions{ResponseMode: c.mode}
			login := authorize(t, rp, opts)
			end, _ := k.person(t, callbackURL).open(login.URL()).signIn("alice")
			callback := end.callback()
			if !callback.Has("response") || callback.Has("code") {
				t.Errorf("the answer has a response: %t, a code: %t", callback.Has("response"), callback.Has("code"))
			}
			wantAliceSigned(t, rp, exchange(t, rp, login, callback))

			opts.Prompt = []string{"none"}
			login = authorize(t, rp, opts)
			end, _ = k.person(t, callbackURL).open(login.URL()).signIn("alice")
			wantAuthError(t, rp, login, end.callback(), "login_required")
		})
	}
}

func TestKeycloakRequestObject(t *testing.T) {
	k := startKeycloak(t)
	for _, key := range []client.PrivateKeyJWT{
		{Key: rsaKey(t), KeyID: "RS256"},
		{Key: rsaKey(t), KeyID: "PS256", Algorithm: "PS256"},
		{Key: ecdsaKey(t, elliptic.P256()), KeyID: "ES256"},
		{Key: ed25519Key(t), KeyID: "EdDSA"},
	} {
		t.Run(key.KeyID, func(t *testing.T) {
			reg := k.register(t, callbackURL, metadata{"request_object_signing_alg": key.KeyID, "jwks": jwksOf(t, key)})
			k.change(t, reg.ID, map[string]string{"request.object.required": "request or request_uri"})
			signs := func(cfg *client.Config) {
				cfg.RequestObject = &client.RequestObject{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm}
			}
			rp := k.client(t, reg, signs)
			tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
			wantAliceSigned(t, rp, tokens)
			pushes := k.client(t, reg, func(cfg *client.Config) {
				signs(cfg)
				cfg.PushedAuthorizationRequests = true
			})
			k.person(t, callbackURL).signIn(pushes, "alice", nil)

			open := k.client(t, reg, nil)
			login := authorize(t, open, nil)
			if end := k.person(t, callbackURL).open(login.URL()); end.has("password") {
				t.Error("Keycloak takes a request that is not signed")
			}
		})
	}
	t.Run("encrypted", func(t *testing.T) {
		k.admin(t, "POST /components", map[string]any{
			"name": "RSA-OAEP-256", "providerId": "rsa-enc-generated", "providerType": "org.keycloak.keys.KeyProvider",
			"config": map[string][]string{"priority": {"40"}, "algorithm": {"RSA-OAEP-256"}},
		}, nil)
		key := client.PrivateKeyJWT{Key: ecdsaKey(t, elliptic.P256()), KeyID: "ES256"}
		reg := k.register(t, callbackURL, metadata{
			"request_object_signing_alg": "ES256", "jwks": jwksOf(t, key),
			"request_object_encryption_alg": "RSA-OAEP-256", "request_object_encryption_enc": "A256GCM",
		})
		rp := k.client(t, reg, func(cfg *client.Config) {
			cfg.RequestObject = &client.RequestObject{Key: key.Key, KeyID: key.KeyID, EncryptionAlgorithm: "RSA-OAEP-256", ContentEncryption: "A256GCM"}
		})
		tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
		wantAliceSigned(t, rp, tokens)
	})
}

// Keycloak fetches the request from the relying party.
func TestKeycloakRequestByReference(t *testing.T) {
	k := startKeycloak(t)
	var object atomic.Value
	var fetched atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched.Add(1)
		w.Header().Set("Content-Type", client.RequestObjectType)
		w.Header().Set("Cache-Control", "no-store")
		io.WriteString(w, object.Load().(string))
	}))
	defer srv.Close()
	address := srv.URL + "/request/3b1e8c0a"
	key := client.PrivateKeyJWT{Key: ecdsaKey(t, elliptic.P256()), KeyID: "ES256"}
	reg := k.register(t, callbackURL, metadata{
		"request_object_signing_alg": "ES256", "jwks": jwksOf(t, key), "request_uris": []string{address},
	})
	k.change(t, reg.ID, map[string]string{"request.object.required": "request_uri only"})
	rp := k.client(t, reg, func(cfg *client.Config) {
		cfg.RequestObject = &client.RequestObject{Key: key.Key, KeyID: key.KeyID}
	})
	login := authorize(t, rp, &client.AuthorizeOptions{RequestURI: address})
	if query := parse(t, login.URL()).Query(); query.Get("request_uri") != address || query.Has("request") || query.Has("state") {
		t.Error("the address has more than the reference")
	}
	object.Store(login.RequestObject())
	end, _ := k.person(t, callbackURL).open(login.URL()).signIn("alice")
	wantAliceSigned(t, rp, exchange(t, rp, login, end.callback()))
	if n := fetched.Load(); n == 0 {
		t.Error("Keycloak did not fetch the request")
	}

	login = authorize(t, rp, &client.AuthorizeOptions{RequestURI: srv.URL + "/request/another"})
	object.Store(login.RequestObject())
	before := fetched.Load()
	if end := k.person(t, callbackURL).open(login.URL()); end.has("password") || fetched.Load() != before {
		t.Error("Keycloak fetches a request from where it is not registered")
	}
}

// Keycloak changes the token with every update.
func TestKeycloakRegistration(t *testing.T) {
	k := startKeycloak(t)
	first, err := client.Register(t.Context(), k.Issuer, client.RegistrationRequest{Metadata: client.ClientMetadata{
		RedirectURIs: []string{callbackURL}, GrantTypes: []string{"authorization_code", "refresh_token"}, ClientName: "before",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.explain(t, first.ClientID) })
	cfg, err := first.Config(client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rp, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tokens, _ := k.person(t, callbackURL).signIn(rp, "alice", nil)
	refresh(t, rp, tokens)

	second, err := first.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second.ClientSecret != first.ClientSecret || second.Metadata.ClientName != "before" || !slices.Equal(second.Metadata.RedirectURIs, []string{callbackURL}) {
		t.Errorf("read %+v", second.Metadata)
	}
	m := second.Metadata
	m.ClientName = "after"
	third, err := second.Update(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if third.Metadata.ClientName != "after" || third.ClientID != first.ClientID || third.ClientSecret != first.ClientSecret {
		t.Errorf("updated %+v", third.Metadata)
	}
	if second.RegistrationAccessToken == third.RegistrationAccessToken {
		t.Error("the token is the one of before")
	}
	for name, err := range map[string]error{
		"read": errOf(first.Read(t.Context())), "update": errOf(second.Update(t.Context(), m)), "delete": second.Delete(t.Context()),
	} {
		var refused *client.ResponseError
		if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized || !errors.Is(err, client.ErrRejected) {
			t.Errorf("%s with the token of before: %v", name, err)
		}
	}
	if err := third.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Read(t.Context()); !errors.Is(err, client.ErrRejected) {
		t.Errorf("it can be read when it is deleted: %v", err)
	}
}
