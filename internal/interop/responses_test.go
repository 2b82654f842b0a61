package interop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// farURL is a redirect URL on another host: this provider gives web clients no tokens in
// an answer to a loopback address.
const farURL = "https://rp.example.test/auth/callback"

// answering registers a client for one response type.
func (p *provider) answering(t *testing.T, responseType string, change metadata) registration {
	t.Helper()
	all := metadata{
		"response_types": []string{responseType},
		"grant_types":    []string{"authorization_code", "refresh_token", "implicit"},
	}
	for name, value := range change {
		all[name] = value
	}
	return p.register(t, farURL, all)
}

// signInFor signs alice in and returns the login and what comes back for it.
func signInFor(t *testing.T, rp *client.Client, opts *client.AuthorizeOptions) (*client.Login, *page) {
	t.Helper()
	login := authorize(t, rp, opts)
	end, _ := newPerson(t, farURL).open(login.URL()).signIn("alice")
	return login, end
}

var responseTypes = []string{"code", "id_token", "code id_token", "code token", "code id_token token", "id_token token"}

func TestResponseTypes(t *testing.T) {
	for _, responseType := range responseTypes {
		reg := op.answering(t, responseType, nil)
		for _, mode := range []string{"", "form_post", "fragment", "jwt", "form_post.jwt", "fragment.jwt"} {
			t.Run(responseType+" "+mode, func(t *testing.T) {
				rp := op.client(t, reg, func(cfg *client.Config) { cfg.AuthorizationSignedResponseAlg = "RS256" })
				before := op.requests(t, "/token")
				login, end := signInFor(t, rp, &client.AuthorizeOptions{ResponseType: responseType, ResponseMode: mode})
				callback := end.callback()
				if signed := strings.Contains(mode, "jwt"); callback.Has("response") != signed {
					t.Errorf("the answer is signed: %t", callback.Has("response"))
				}
				if posted := strings.HasPrefix(login.ResponseMode(), "form_post"); (end.post != nil) != posted {
					t.Errorf("the answer was posted: %t, and the mode is %s", end.post != nil, login.ResponseMode())
				}
				tokens := exchange(t, rp, login, callback)
				if tokens.IDToken.Subject != "alice" {
					t.Errorf("signed in as %q", tokens.IDToken.Subject)
				}
				words := strings.Fields(responseType)
				want := 0
				if slices.Contains(words, "code") {
					want = 1
				}
				if n := op.requests(t, "/token") - before; n != want {
					t.Errorf("%d token requests, want %d", n, want)
				}
				if has := tokens.AccessToken != ""; has != (responseType != "id_token") {
					t.Errorf("an access token: %t", has)
				}
				if front := callback.Get("access_token"); front != "" && want == 1 && front == tokens.AccessToken {
					t.Error("the access token of the callback is used")
				}
				if tokens.AccessToken == "" {
					return
				}
				if info, err := rp.UserInfo(t.Context(), tokens); err != nil || info.Subject != "alice" {
					t.Errorf("userinfo: %v", err)
				}
			})
		}
	}
}

// A client without a secret signs in with the ID token alone (the Implicit Flow with Form Post).
func TestImplicitWithoutSecret(t *testing.T) {
	reg := op.answering(t, "id_token", metadata{"token_endpoint_auth_method": "none", "grant_types": []string{"implicit"}})
	rp := op.client(t, reg, nil)
	login, end := signInFor(t, rp, &client.AuthorizeOptions{ResponseType: "id_token"})
	tokens := exchange(t, rp, login, end.callback())
	if tokens.IDToken.Subject != "alice" || tokens.AccessToken != "" || tokens.RefreshToken != "" {
		t.Errorf("got %q and more than an ID token", tokens.IDToken.Subject)
	}
	if _, err := rp.Exchange(t.Context(), login, end.callback()); !errors.Is(err, client.ErrRejected) {
		t.Errorf("the same answer again: got %v, want ErrRejected", err)
	}
}

// Real answers, changed in one thing on their way.
func TestTamperedAnswers(t *testing.T) {
	const all = "code id_token token"
	rp := op.client(t, op.answering(t, all, nil), nil)
	_, other := signInFor(t, rp, &client.AuthorizeOptions{ResponseType: all})
	for name, c := range map[string]struct {
		reason string
		change func(mine, others url.Values)
	}{
		"code of another sign-in":     {"c_hash", func(mine, others url.Values) { mine["code"] = others["code"] }},
		"token of another sign-in":    {"at_hash", func(mine, others url.Values) { mine["access_token"] = others["access_token"] }},
		"ID token of another sign-in": {"nonce", func(mine, others url.Values) { mine["id_token"] = others["id_token"] }},
		"no ID token":                 {"iss is missing", func(mine, _ url.Values) { mine.Del("id_token") }},
		"issuer of another provider":  {"iss is not the issuer", func(mine, _ url.Values) { mine.Set("iss", "https://evil.example") }},
	} {
		t.Run(name, func(t *testing.T) {
			login, end := signInFor(t, rp, &client.AuthorizeOptions{ResponseType: all})
			callback := end.callback()
			c.change(callback, other.callback())
			before := op.requests(t, "/token")
			_, err := rp.Exchange(t.Context(), login, callback)
			if !errors.Is(err, client.ErrRejected) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("got %v, want %s refused", err, c.reason)
			}
			if n := op.requests(t, "/token") - before; n != 0 {
				t.Errorf("%d token requests after a forged answer", n)
			}
		})
	}
}

func TestSignedAnswers(t *testing.T) {
	for _, algorithm := range []string{"RS256", "PS256", "ES256", "EdDSA", "HS256"} {
		t.Run(algorithm, func(t *testing.T) {
			reg := op.answering(t, "code", metadata{"authorization_signed_response_alg": algorithm})
			rp := op.client(t, reg, func(cfg *client.Config) { cfg.AuthorizationSignedResponseAlg = algorithm })
			login, end := signInFor(t, rp, &client.AuthorizeOptions{ResponseMode: "query.jwt"})
			callback := end.callback()
			state, err := rp.CallbackState(t.Context(), callback)
			if err != nil || state != login.State() {
				t.Errorf("CallbackState: another state, or %v", err)
			}
			pinned := op.client(t, reg, func(cfg *client.Config) { cfg.AuthorizationSignedResponseAlg = "ES512" })
			if _, err := pinned.Exchange(t.Context(), login, callback); !errors.Is(err, jwtverify.ErrInvalid) || !strings.Contains(err.Error(), "alg") {
				t.Errorf("another algorithm: got %v", err)
			}
			exchange(t, rp, login, callback)
		})
	}
	t.Run("refusal", func(t *testing.T) {
		rp := op.client(t, op.answering(t, "code", nil), nil)
		login := authorize(t, rp, &client.AuthorizeOptions{ResponseMode: "jwt", Prompt: []string{"none"}})
		wantAuthError(t, rp, login, newPerson(t, farURL).open(login.URL()).callback(), "login_required")
	})
}

func TestEncryptedAnswers(t *testing.T) {
	key := newECKey(t, "jarm", elliptic.P256())
	reg := op.answering(t, "code", metadata{
		"authorization_encrypted_response_alg": "ECDH-ES+A256KW", "authorization_encrypted_response_enc": "A256GCM",
		"jwks": map[string]any{"keys": []any{key.public}},
	})
	rp := op.client(t, reg, func(cfg *client.Config) {
		cfg.AuthorizationDecrypt = []jwtverify.DecryptionKey{key.decryption("ECDH-ES+A256KW")}
	})
	login, end := signInFor(t, rp, &client.AuthorizeOptions{ResponseMode: "form_post.jwt"})
	callback := end.callback()
	if n := strings.Count(callback.Get("response"), "."); n != 4 {
		t.Fatalf("%d dots in the answer, want 4", n)
	}
	if _, err := op.client(t, reg, nil).Exchange(t.Context(), login, callback); !errors.Is(err, client.ErrRejected) {
		t.Errorf("without the key: got %v, want ErrRejected", err)
	}
	exchange(t, rp, login, callback)
}

func newSigner(t *testing.T) (crypto.Signer, map[string]any) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return private, map[string]any{
		"kty": "EC", "use": "sig", "kid": "requests", "crv": "P-256", "x": base64url(point[1:33]), "y": base64url(point[33:]),
	}
}

func TestPushedRequests(t *testing.T) {
	reg := op.answering(t, "code", metadata{"require_pushed_authorization_requests": true})
	t.Run("not pushed", func(t *testing.T) {
		rp := op.client(t, reg, nil)
		login := authorize(t, rp, nil)
		wantAuthError(t, rp, login, newPerson(t, farURL).open(login.URL()).callback(), "invalid_request")
	})
	for _, auth := range []client.ClientAuth{client.SecretBasic{}, client.SecretPost{}} {
		rp := op.client(t, reg, func(cfg *client.Config) { cfg.PushedAuthorizationRequests, cfg.Auth = true, auth })
		login, end := signInFor(t, rp, &client.AuthorizeOptions{LoginHint: "alice", UILocales: []string{"fr"}})
		query := parse(t, login.URL()).Query()
		if len(query) != 2 || query.Get("client_id") != reg.ID || !strings.HasPrefix(query.Get("request_uri"), "urn:ietf:params:oauth:request_uri:") {
			t.Errorf("the address has %d parameters", len(query))
		}
		exchange(t, rp, login, end.callback())
	}
	t.Run("refused", func(t *testing.T) {
		rp := op.client(t, reg, func(cfg *client.Config) {
			cfg.PushedAuthorizationRequests, cfg.RedirectURL = true, "https://other.example.test/"
		})
		_, err := rp.Authorize(t.Context(), nil)
		var refusal *client.ResponseError
		if !errors.As(err, &refusal) || refusal.Code != "invalid_request" || !errors.Is(err, client.ErrRejected) {
			t.Errorf("got %v, want invalid_request", err)
		}
	})
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestRequestObjects(t *testing.T) {
	signer, public := newSigner(t)
	reg := op.answering(t, "code id_token", metadata{
		"require_signed_request_object": true, "request_object_signing_alg": "ES256",
		"jwks": map[string]any{"keys": []any{public}},
	})
	opts := &client.AuthorizeOptions{
		ResponseType: "code id_token", LoginHint: "alice", ACRValues: []string{"urn:op:2fa"},
		Claims: json.RawMessage(`{"id_token":{"nickname":null}}`),
	}
	for _, c := range []struct {
		name   string
		object client.RequestObject
		push   bool
	}{
		{"by value", client.RequestObject{}, false},
		{"with a key ID", client.RequestObject{KeyID: "requests", Algorithm: "ES256"}, false},
		{"pushed", client.RequestObject{}, true},
		{"encrypted by RSA", client.RequestObject{EncryptionAlgorithm: "RSA-OAEP-256", ContentEncryption: "A256GCM"}, false},
		{"encrypted by ECDH", client.RequestObject{EncryptionAlgorithm: "ECDH-ES+A128KW"}, false},
		{"encrypted and pushed", client.RequestObject{EncryptionAlgorithm: "ECDH-ES"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.object.Key = signer
			rp := op.client(t, reg, func(cfg *client.Config) {
				cfg.RequestObject, cfg.PushedAuthorizationRequests = &c.object, c.push
			})
			login, end := signInFor(t, rp, opts)
			if query := parse(t, login.URL()).Query(); query.Has("state") || query.Has("nonce") || query.Has("redirect_uri") {
				t.Error("the address has what is in the object")
			}
			tokens := exchange(t, rp, login, end.callback())
			var claims struct{ Nickname string }
			if err := tokens.IDToken.Claims(&claims); err != nil || claims.Nickname != "al" || tokens.IDToken.ACR != "urn:op:2fa" {
				t.Errorf("nickname %q, acr %q, %v", claims.Nickname, tokens.IDToken.ACR, err)
			}
		})
	}
	t.Run("by reference", func(t *testing.T) { // this provider fetches nothing, and says so
		rp := op.client(t, reg, func(cfg *client.Config) { cfg.RequestObject = &client.RequestObject{Key: signer} })
		_, err := rp.Authorize(t.Context(), &client.AuthorizeOptions{ResponseType: "code id_token", RequestURI: "https://rp.example.test/r/1"})
		if !errors.Is(err, client.ErrUnsupported) || !strings.Contains(err.Error(), "request_uri_parameter_supported") {
			t.Errorf("got %v, want ErrUnsupported", err)
		}
	})
	t.Run("by another key", func(t *testing.T) {
		other, _ := newSigner(t)
		rp := op.client(t, reg, func(cfg *client.Config) {
			cfg.RequestObject, cfg.PushedAuthorizationRequests = &client.RequestObject{Key: other}, true
		})
		_, err := rp.Authorize(t.Context(), opts)
		var refusal *client.ResponseError
		if !errors.As(err, &refusal) || refusal.Code != "invalid_request_object" {
			t.Errorf("got %v, want invalid_request_object", err)
		}
	})
}

// Rich authorization requests (RFC 9396), by address and pushed, and what was granted.
func TestAuthorizationDetails(t *testing.T) {
	const resource = "https://api.example.test/payments"
	op.control(t, "resource", api{URI: resource, Alg: "ES256"})
	reg := op.answering(t, "code", metadata{"authorization_details_types": []string{"payment"}})
	for _, push := range []bool{false, true} {
		rp := op.client(t, reg, func(cfg *client.Config) { cfg.PushedAuthorizationRequests = push })
		login, end := signInFor(t, rp, &client.AuthorizeOptions{
			Resource:             []string{resource},
			AuthorizationDetails: json.RawMessage(`[{"type":"payment","amount":"12.50","locations":["` + resource + `"]}]`),
		})
		tokens := exchange(t, rp, login, end.callback())
		var granted []struct{ Type, Amount string }
		if err := json.Unmarshal(tokens.AuthorizationDetails, &granted); err != nil || len(granted) != 1 || granted[0].Amount != "12.50" {
			t.Fatalf("granted %+v, %v", granted, err)
		}
		verifier := jwtverify.Verifier{Issuer: op.Issuer, Audience: resource, Keys: op.keys(t)}
		if _, err := verifier.AccessToken(t.Context(), tokens.AccessToken); err != nil {
			t.Errorf("the access token is not for the resource: %v", err)
		}
		next := refresh(t, rp, tokens)
		if len(next.AuthorizationDetails) == 0 {
			t.Error("what was granted is lost at the refresh")
		}
	}
	rp := op.client(t, reg, nil)
	_, err := rp.Authorize(t.Context(), &client.AuthorizeOptions{AuthorizationDetails: json.RawMessage(`[{"type":"unheard-of"}]`)})
	if !errors.Is(err, client.ErrUnsupported) || !strings.Contains(err.Error(), "authorization_details_types_supported") {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}
