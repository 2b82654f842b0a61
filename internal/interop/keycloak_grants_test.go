package interop

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

func (k *keycloakServer) password(t *testing.T, rp *client.Client) *client.Tokens {
	t.Helper()
	tokens, err := rp.InsecurePassword(t.Context(), client.Password{Username: "alice", Password: "pw"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestKeycloakPassword(t *testing.T) {
	k := startKeycloak(t)
	rp := k.client(t, k.known(t, "web"), nil)
	tokens := k.password(t, rp)
	claims := claimsOf[keycloakRoles](t, tokens)
	if claims.Name != "alice" || tokens.RefreshToken == "" {
		t.Errorf("got %q", claims.Name)
	}
	_, err := rp.InsecurePassword(t.Context(), client.Password{Username: "alice", Password: "wrong"}, nil)
	if !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("a wrong password: %v", err)
	}
	public := k.client(t, registration{ID: "public", redirectURL: callbackURL}, nil)
	if _, err := public.InsecurePassword(t.Context(), client.Password{Username: "alice", Password: "pw"}, nil); !errors.Is(err, client.ErrRejected) {
		t.Errorf("a client that may not: %v", err)
	}
}

func TestKeycloakClientCredentials(t *testing.T) {
	k := startKeycloak(t)
	rp := k.client(t, k.known(t, "exchange"), nil)
	tokens, err := rp.ClientCredentials(t.Context(), nil)
	if err != nil || tokens.IDToken != nil || tokens.RefreshToken != "" {
		t.Fatal(err)
	}
	// Keycloak has a user for each such client, and an ID token about it.
	tokens, err = rp.ClientCredentials(t.Context(), &client.GrantOptions{Scopes: []string{"openid"}})
	if err != nil || tokens.IDToken == nil || tokens.IDToken.Subject == "" {
		t.Errorf("with openid: %v", err)
	}
}

func TestKeycloakTokenExchange(t *testing.T) {
	k := startKeycloak(t)
	user := k.password(t, k.client(t, k.known(t, "web"), nil))
	rp := k.client(t, k.known(t, "exchange"), nil)
	x := client.TokenExchange{SubjectToken: user.AccessToken}
	tokens, err := rp.ExchangeToken(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tokens.TokenType != "Bearer" || tokens.RefreshToken != "" || tokens.AccessToken == user.AccessToken || tokens.Expiry.IsZero() {
		t.Errorf("got a %s token until %v", tokens.TokenType, tokens.Expiry)
	}

	x.Requested = client.TypeIDToken
	tokens, err = rp.ExchangeToken(t.Context(), x, &client.GrantOptions{Scopes: []string{"openid"}})
	if err != nil {
		t.Fatal(err)
	}
	verifier := &jwtverify.Verifier{Issuer: k.Issuer, Audience: "exchange", Keys: &jwtverify.RemoteKeys{URL: k.endpoint(t, "jwks_uri")}}
	id, err := verifier.IDToken(t.Context(), tokens.AccessToken, jwtverify.Expect{})
	if tokens.TokenType != "N_A" || err != nil || id.Subject != user.IDToken.Subject {
		t.Errorf("an ID token of type %s: %v", tokens.TokenType, err)
	}

	x = client.TokenExchange{SubjectToken: user.IDToken.Raw()}
	if _, err := rp.ExchangeToken(t.Context(), x, nil); !errors.Is(err, client.ErrRejected) {
		t.Errorf("an ID token for an access token: %v", err)
	}
	x = client.TokenExchange{SubjectToken: user.AccessToken}
	if _, err := rp.ExchangeToken(t.Context(), x, &client.GrantOptions{Audience: []string{"nobody"}}); !errors.Is(err, client.ErrRejected) {
		t.Errorf("for nobody: %v", err)
	}
}

func TestKeycloakCIBA(t *testing.T) {
	k := startKeycloak(t)
	reg := k.register(t, callbackURL, metadata{
		"grant_types": []string{"urn:openid:params:grant-type:ciba"}, "backchannel_token_delivery_mode": "poll",
	})
	rp := k.client(t, reg, nil)
	begin := func(status string) (*client.Tokens, error) {
		t.Helper()
		login, err := rp.CIBA(t.Context(), client.CIBARequest{LoginHint: "alice", BindingMessage: "W4SCT"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		k.answer(t, k.phone.next(t), status)
		return rp.WaitCIBA(t.Context(), login)
	}
	tokens, err := begin("SUCCEED")
	if err != nil {
		t.Fatal(err)
	}
	if claims := claimsOf[keycloakRoles](t, tokens); claims.Name != "alice" {
		t.Errorf("got %q", claims.Name)
	}
	var e *client.AuthError
	if _, err := begin("CANCELLED"); !errors.As(err, &e) || e.Code != "access_denied" {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := rp.CIBA(t.Context(), client.CIBARequest{LoginHint: "nobody"}, nil); !errors.Is(err, client.ErrRejected) {
		t.Errorf("an unknown user: %v", err)
	}
}

func TestKeycloakDevice(t *testing.T) {
	k := startKeycloak(t)
	reg := k.register(t, callbackURL, metadata{"grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code"}})
	rp := k.client(t, reg, nil)
	begin := func(button string) (*client.Tokens, error) {
		t.Helper()
		login, err := rp.Device(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		consent, _ := k.person(t, callbackURL).open(login.VerificationURIComplete).signIn("alice")
		_, action, form := consent.form()
		target, err := consent.url.Parse(action)
		if err != nil || !form.Has("accept") || !form.Has("cancel") {
			t.Fatalf("no question on %s: %v", consent.url, err)
		}
		fields := url.Values{"code": form["code"], button: {"pressed"}}
		req, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(fields.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		consent.person.do(req)
		return rp.WaitDevice(t.Context(), login)
	}
	tokens, err := begin("accept")
	if err != nil {
		t.Fatal(err)
	}
	if claims := claimsOf[keycloakRoles](t, tokens); claims.Name != "alice" {
		t.Errorf("got %q", claims.Name)
	}
	var e *client.AuthError
	if _, err := begin("cancel"); !errors.As(err, &e) || e.Code != "access_denied" {
		t.Errorf("cancelled: %v", err)
	}
}

// trust makes Keycloak trust somebody, called alias, whose assertions this returns: for
// alice, sub is 42.
func (k *keycloakServer) trust(t *testing.T, alias string) (assertion func(sub string) string) {
	t.Helper()
	issuer := "https://" + alias + ".example.test"
	key := rsaKey(t)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	k.admin(t, "POST /identity-provider/instances", map[string]any{
		"alias": alias, "providerId": "jwt-authorization-grant", "enabled": true,
		"config": map[string]string{
			"issuer": issuer, "useJwksUrl": "false", "jwtAuthorizationGrantEnabled": "true",
			"publicKeySignatureVerifier": base64.StdEncoding.EncodeToString(der), "jwtAuthorizationGrantAssertionSignatureAlg": "RS256",
		},
	}, nil)
	var users []struct{ ID string }
	k.admin(t, "GET /users?username=alice&exact=true", nil, &users)
	k.admin(t, "POST /users/"+users[0].ID+"/federated-identity/"+alias, map[string]string{"userId": "42", "userName": "alice"}, nil)
	return func(sub string) string {
		t.Helper()
		now := time.Now()
		var parts []string
		for _, v := range []map[string]any{
			{"alg": "RS256", "typ": "JWT"},
			{"iss": issuer, "sub": sub, "aud": k.Issuer, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text()},
		} {
			text, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, base64.RawURLEncoding.EncodeToString(text))
		}
		sum := sha256.Sum256([]byte(strings.Join(parts, ".")))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), ".")
	}
}

// Somebody whom Keycloak trusts says by an assertion who the token is to be about.
func TestKeycloakJWTBearer(t *testing.T) {
	k := startKeycloak(t)
	assertion := k.trust(t, "trusted")
	reg := k.register(t, callbackURL, nil)
	k.change(t, reg.ID, map[string]string{"oauth2.jwt.authorization.grant.enabled": "true", "oauth2.jwt.authorization.grant.idp": "trusted"})
	rp := k.client(t, reg, nil)
	tokens, err := rp.JWTBearer(t.Context(), assertion("42"), &client.GrantOptions{Scopes: []string{"openid"}})
	if err != nil {
		t.Fatal(err)
	}
	if claims := claimsOf[keycloakRoles](t, tokens); claims.Name != "alice" {
		t.Errorf("got %q", claims.Name)
	}
	if _, err := rp.JWTBearer(t.Context(), assertion("43"), nil); !errors.Is(err, client.ErrInvalidGrant) {
		t.Errorf("about a stranger: %v", err)
	}
}

// claimsOf reads an ID token's claims.
func claimsOf[T any](t *testing.T, tokens *client.Tokens) (claims T) {
	t.Helper()
	if tokens.IDToken == nil {
		t.Fatal("no ID token")
	}
	if err := tokens.IDToken.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims
}
