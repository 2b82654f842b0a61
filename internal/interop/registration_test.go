package interop

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

// registerSelf makes a client by the library.
func registerSelf(t *testing.T, m client.ClientMetadata) *client.Registration {
	t.Helper()
	reg, err := client.Register(t.Context(), op.Issuer, client.RegistrationRequest{Metadata: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { op.explain(t, reg.ClientID) })
	return reg
}

// A client that registers itself signs somebody in, with every method that needs no key.
func TestRegistrationSignsIn(t *testing.T) {
	for _, method := range []string{"", "client_secret_basic", "client_secret_post", "none"} {
		t.Run(method, func(t *testing.T) {
			reg := registerSelf(t, client.ClientMetadata{
				RedirectURIs:            []string{callbackURL},
				GrantTypes:              []string{"authorization_code", "refresh_token"},
				TokenEndpointAuthMethod: method,
			})
			if (reg.ClientSecret == "") != (method == "none") || !reg.ClientSecretExpiresAt.IsZero() || time.Since(reg.ClientIDIssuedAt).Abs() > time.Minute {
				t.Errorf("a secret: %t; it ends at %s; issued at %s", reg.ClientSecret != "", reg.ClientSecretExpiresAt, reg.ClientIDIssuedAt)
			}
			cfg, err := reg.Config(client.Config{})
			if err != nil {
				t.Fatal(err)
			}
			rp, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
			refresh(t, rp, tokens)
			if err := reg.Delete(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A client that registers itself signs somebody in with the keys that it brings.
func TestRegistrationSignsInWithAKey(t *testing.T) {
	key := client.PrivateKeyJWT{Key: ed25519Key(t), KeyID: "k1"}
	for _, c := range []struct {
		registered client.ClientMetadata
		base       client.Config
	}{
		{client.ClientMetadata{TokenEndpointAuthMethod: "client_secret_jwt"}, client.Config{}},
		{client.ClientMetadata{TokenEndpointAuthMethod: "client_secret_jwt", TokenEndpointAuthSigningAlg: "HS512"}, client.Config{}},
		{client.ClientMetadata{TokenEndpointAuthMethod: "private_key_jwt", JWKS: jwksOf(t, key)}, client.Config{Auth: key}},
		{client.ClientMetadata{RequirePushedAuthorizationRequests: true}, client.Config{}},
	} {
		t.Run(c.registered.TokenEndpointAuthMethod+c.registered.TokenEndpointAuthSigningAlg, func(t *testing.T) {
			c.registered.RedirectURIs = []string{callbackURL}
			c.registered.GrantTypes = []string{"authorization_code", "refresh_token"}
			cfg, err := registerSelf(t, c.registered).Config(c.base)
			if err != nil {
				t.Fatal(err)
			}
			rp, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			tokens, _ := newPerson(t, callbackURL).signIn(rp, "alice", nil)
			refresh(t, rp, tokens)
		})
	}
}

// With a certificate too, of an authority and of its own.
func TestRegistrationSignsInWithACertificate(t *testing.T) {
	p := startMTLS(t)
	mine, issued := newCertificate(t, "mine"), issueCertificate(t, p.trusts, "client.example.test")
	for _, c := range []struct {
		registered client.ClientMetadata
		shows      tls.Certificate
	}{
		{client.ClientMetadata{TokenEndpointAuthMethod: "tls_client_auth", TLSClientAuthSANDNS: "client.example.test", TLSClientCertificateBoundAccessTokens: true}, issued},
		{client.ClientMetadata{TokenEndpointAuthMethod: "self_signed_tls_client_auth", JWKS: certificateJWKS(t, mine)}, mine},
	} {
		t.Run(c.registered.TokenEndpointAuthMethod, func(t *testing.T) {
			c.registered.RedirectURIs = []string{callbackURL}
			reg, err := client.Register(t.Context(), p.Issuer, client.RegistrationRequest{Metadata: c.registered, HTTPClient: p.http})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.explain(t, reg.ClientID) })
			cfg, err := reg.Config(client.Config{Certificate: &c.shows})
			if err != nil {
				t.Fatal(err)
			}
			rp, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			p.person(t).signIn(rp, "alice", nil)
			if err := reg.Delete(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Without its key it signs nobody in.
func TestRegistrationForAKey(t *testing.T) {
	reg := registerSelf(t, client.ClientMetadata{
		RedirectURIs: []string{callbackURL}, TokenEndpointAuthMethod: "private_key_jwt", JWKSURI: "https://client.example.com/jwks",
	})
	_, err := reg.Config(client.Config{})
	if want := `client: registration: the client is registered for "private_key_jwt": Config.Auth must bring what that needs`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestRegistrationForHS256(t *testing.T) {
	reg := registerSelf(t, client.ClientMetadata{RedirectURIs: []string{callbackURL}, IDTokenSignedResponseAlg: "HS256"})
	cfg, err := reg.Config(client.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rp, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	newPerson(t, callbackURL).signIn(rp, "alice", nil)
}

// The provider changes the token with every update (rotateRegistrationAccessToken).
func TestRegistrationManagement(t *testing.T) {
	first := registerSelf(t, client.ClientMetadata{RedirectURIs: []string{callbackURL}, ClientName: "before"})
	read, err := first.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if read.ClientSecret != first.ClientSecret || read.RegistrationAccessToken != first.RegistrationAccessToken || !reflect.DeepEqual(read.Metadata, first.Metadata) {
		t.Errorf("read %+v, registered %+v", read.Metadata, first.Metadata)
	}

	data, err := read.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	stored := &client.Registration{}
	if err := stored.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	m := stored.Metadata
	m.ClientName = "after"
	m.Extra = map[string]json.RawMessage{"x_rotate": json.RawMessage("false")}
	second, err := stored.Update(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if second.Metadata.ClientName != "after" || string(second.Metadata.Extra["x_rotate"]) != "false" || second.ClientSecret != first.ClientSecret {
		t.Errorf("got %+v", second.Metadata)
	}
	if second.RegistrationAccessToken == first.RegistrationAccessToken {
		t.Error("the token is the one of before")
	}

	for name, err := range map[string]error{
		"read":   errOf(first.Read(t.Context())),
		"update": errOf(first.Update(t.Context(), m)),
		"delete": first.Delete(t.Context()),
	} {
		var refused *client.ResponseError
		if !errors.As(err, &refused) || refused.Status != 401 || refused.Code != "invalid_token" || !errors.Is(err, client.ErrRejected) {
			t.Errorf("%s with the token of before: %v", name, err)
		}
	}

	third, err := second.Read(t.Context())
	if err != nil || third.Metadata.ClientName != "after" {
		t.Fatalf("got %v", err)
	}
	if err := third.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Read(t.Context()); !errors.Is(err, client.ErrRejected) {
		t.Errorf("it can be read when it is deleted: %v", err)
	}
}

func errOf(_ *client.Registration, err error) error { return err }

// What is asked for is registered, as far as this provider knows it.
func TestRegistrationMetadata(t *testing.T) {
	hour := time.Hour
	asked := client.ClientMetadata{
		RedirectURIs:    []string{callbackURL, "https://app.example.com/cb"},
		ApplicationType: "web", GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"},
		Scope:      []string{"openid", "offline_access"},
		ClientName: "Name", ClientURI: "https://app.example.com/", LogoURI: "https://app.example.com/logo.png",
		PolicyURI: "https://app.example.com/policy", TOSURI: "https://app.example.com/tos", Contacts: []string{"dev@example.com"},
		TokenEndpointAuthMethod: "private_key_jwt", TokenEndpointAuthSigningAlg: "ES256", JWKSURI: "https://app.example.com/jwks",
		SubjectType: "public", IDTokenSignedResponseAlg: "PS256", IDTokenEncryptedResponseAlg: "ECDH-ES", IDTokenEncryptedResponseEnc: "A256GCM",
		UserInfoSignedResponseAlg: "ES256", UserInfoEncryptedResponseAlg: "ECDH-ES", UserInfoEncryptedResponseEnc: "A128GCM",
		AuthorizationSignedResponseAlg: "ES256", AuthorizationEncryptedResponseAlg: "ECDH-ES", AuthorizationEncryptedResponseEnc: "A128GCM",
		IntrospectionSignedResponseAlg: "ES256", IntrospectionEncryptedResponseAlg: "ECDH-ES", IntrospectionEncryptedResponseEnc: "A128GCM",
		DPoPBoundAccessTokens: true, AuthorizationDetailsTypes: []string{"payment"},
		DefaultMaxAge: &hour, RequireAuthTime: true, DefaultACRValues: []string{"phr"},
		InitiateLoginURI: "https://app.example.com/login", RequestObjectSigningAlg: "ES256", RequestObjectEncryptionAlg: "ECDH-ES", RequestObjectEncryptionEnc: "A128GCM",
		RequireSignedRequestObject: true, RequirePushedAuthorizationRequests: true,
		PostLogoutRedirectURIs: []string{"https://app.example.com/bye"}, BackchannelLogoutURI: "https://app.example.com/logout", BackchannelLogoutSessionRequired: true,
		Extra: map[string]json.RawMessage{"x_id_token_ttl": json.RawMessage("60")},
	}
	got := registerSelf(t, asked).Metadata
	for name := range got.Extra { // what the provider has beside it
		if asked.Extra[name] == nil {
			delete(got.Extra, name)
		}
	}
	if !reflect.DeepEqual(got, asked) {
		t.Errorf("got  %+v\nwant %+v", got, asked)
	}
}

func TestRegistrationRefused(t *testing.T) {
	for _, c := range []struct {
		name, code string
		m          client.ClientMetadata
	}{
		{"no redirect URI", "invalid_redirect_uri", client.ClientMetadata{}},
		{"a fragment", "invalid_redirect_uri", client.ClientMetadata{RedirectURIs: []string{"https://app.example.com/#a"}}},
		{"a method that nobody has", "invalid_client_metadata", client.ClientMetadata{RedirectURIs: []string{callbackURL}, TokenEndpointAuthMethod: "guessing"}},
		{"no key", "invalid_client_metadata", client.ClientMetadata{RedirectURIs: []string{callbackURL}, TokenEndpointAuthMethod: "private_key_jwt"}},
	} {
		_, err := client.Register(t.Context(), op.Issuer, client.RegistrationRequest{Metadata: c.m})
		var refused *client.ResponseError
		if !errors.As(err, &refused) || refused.Status != 400 || refused.Code != c.code {
			t.Errorf("%s: got %v, want %s", c.name, err, c.code)
		}
	}
}

func TestInitialAccessToken(t *testing.T) {
	const token = "the-permission-to-register~+/="
	p := startProvider(t, "OP_INITIAL_ACCESS_TOKEN="+token)
	register := func(token string) error {
		_, err := client.Register(t.Context(), p.Issuer, client.RegistrationRequest{
			Metadata: client.ClientMetadata{RedirectURIs: []string{callbackURL}}, InitialAccessToken: token,
		})
		return err
	}
	if err := register(token); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{"", "another"} {
		var refused *client.ResponseError
		if err := register(wrong); !errors.As(err, &refused) || !errors.Is(err, client.ErrRejected) || refused.Status != 401 || refused.Code != "invalid_token" {
			t.Errorf("%q: got %v", wrong, err)
		}
	}
}
