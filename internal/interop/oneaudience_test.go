package interop

import (
	"bytes"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// Everything that this provider signs is for one audience here, and each of it passes
// for what it is and for nothing else: not even where typ decides nothing, as it does
// with many providers.
func TestOneAudience(t *testing.T) {
	key := newECKey(t, "enc", elliptic.P256())
	for name, encrypted := range map[string]bool{"signed": false, "signed and encrypted": true} {
		t.Run(name, func(t *testing.T) {
			verifier := jwtverify.Verifier{Issuer: op.Issuer, Keys: op.keys(t)}
			change, resource := metadata{}, api{URI: "https://api.example.test/one", Alg: "RS256"}
			for _, kind := range []string{"id_token", "userinfo", "authorization"} {
				change[kind+"_signed_response_alg"] = "RS256"
			}
			if encrypted {
				verifier.Decrypt = []jwtverify.DecryptionKey{key.decryption("ECDH-ES+A256KW")}
				change["jwks"] = map[string]any{"keys": []any{key.public}}
				resource.URI += "/encrypted"
				resource.Encrypt = map[string]any{"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "jwk": key.public}
				for _, kind := range []string{"id_token", "userinfo", "authorization"} {
					change[kind+"_encrypted_response_alg"] = "ECDH-ES+A256KW"
					change[kind+"_encrypted_response_enc"] = "A256GCM"
				}
			}
			all := everyKind(t, change, resource, &verifier)
			for kind, raw := range all.raw {
				t.Run(kind, func(t *testing.T) { all.passesForItselfAlone(t, kind, raw, verifier) })
			}
		})
	}
}

// tokenKinds are tokens of one user, client and provider.
type tokenKinds struct {
	raw   map[string]string
	nonce string
}

func everyKind(t *testing.T, change metadata, resource api, verifier *jwtverify.Verifier) tokenKinds {
	t.Helper()
	logout := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { logout <- r.FormValue("logout_token") }))
	defer receiver.Close()
	change["backchannel_logout_uri"] = receiver.URL
	reg := op.register(t, callbackURL, change)
	verifier.Audience, resource.Audience = reg.ID, reg.ID
	op.control(t, "resource", resource)

	seen := &tokenResponses{}
	rp := op.client(t, reg, func(cfg *client.Config) {
		cfg.Scopes = []string{"api:read"}
		cfg.Decrypt = verifier.Decrypt
		cfg.HTTPClient = &http.Client{Transport: seen}
	})
	person := newPerson(t, "http://127.0.0.1:9/")
	plain, _ := person.signIn(rp, "alice", nil) // whose access token is for userinfo
	tokens, _ := person.signIn(rp, "alice", &client.AuthorizeOptions{Resource: []string{resource.URI}})
	all := tokenKinds{nonce: tokens.IDToken.Nonce, raw: map[string]string{
		"access token":           tokens.AccessToken,
		"ID token":               seen.idToken,
		"userinfo":               signedUserInfo(t, rp, plain.AccessToken),
		"authorization response": signedResponse(t, rp, person),
	}}
	refresh(t, rp, tokens)
	all.raw["ID token, refreshed"] = seen.idToken

	address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken})
	if err != nil {
		t.Fatal(err)
	}
	person.open(address).submit("logout", "yes")
	select {
	case all.raw["logout token"] = <-logout:
	case <-time.After(startTimeout):
		t.Fatal("no logout token came")
	}
	return all
}

// passesForItselfAlone shows a token to every method that verifies one.
func (all tokenKinds) passesForItselfAlone(t *testing.T, kind, raw string, strict jwtverify.Verifier) {
	t.Helper()
	lenient := strict
	lenient.AccessTokenTypes = []string{"at+jwt", "JWT", ""}
	ctx := t.Context()
	for _, c := range []struct {
		method, takes string
		verify        func() (sub string, err error)
	}{
		{"AccessToken", "access token", func() (string, error) {
			token, err := strict.AccessToken(ctx, raw)
			return textOf(err, func() string { return token.Subject })
		}},
		{"AccessToken of any type", "access token", func() (string, error) {
			token, err := lenient.AccessToken(ctx, raw)
			return textOf(err, func() string { return token.Subject })
		}},
		{"IDToken", "ID token", func() (string, error) {
			token, err := strict.IDToken(ctx, raw, jwtverify.Expect{Nonce: all.nonce})
			return textOf(err, func() string { return token.Subject })
		}},
		{"LogoutToken", "logout token", func() (string, error) {
			token, err := strict.LogoutToken(ctx, raw, &jwtverify.ReplayCache{})
			return textOf(err, func() string { return token.Subject })
		}},
		{"UserInfo", "userinfo", func() (string, error) {
			_, err := strict.UserInfo(ctx, raw, "alice") // which compares it
			return textOf(err, func() string { return "alice" })
		}},
		{"AuthorizationResponse", "authorization response", func() (string, error) {
			values, err := strict.AuthorizationResponse(ctx, raw)
			if err == nil && (values.Get("code") == "" || values.Get("state") == "") {
				t.Error("no code or no state")
			}
			return textOf(err, func() string { return "alice" }) // it names nobody
		}},
	} {
		subject, err := c.verify()
		if strings.HasPrefix(kind, c.takes) {
			if err != nil || subject != "alice" {
				t.Errorf("%s: subject %q, %v, want alice", c.method, subject, err)
			}
		} else if !errors.Is(err, jwtverify.ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", c.method, err)
		}
	}
}

func textOf(err error, text func() string) (string, error) {
	if err != nil {
		return "", err
	}
	return text(), nil
}

// tokenResponses remembers the last ID token as it came, encrypted or not.
type tokenResponses struct{ idToken string }

func (s *tokenResponses) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil || req.URL.Path != "/token" {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	s.idToken = answer.IDToken
	return resp, nil
}

// signedUserInfo is what the provider says of a user, as a JWT (Core 5.3.2).
func signedUserInfo(t *testing.T, rp *client.Client, accessToken string) string {
	t.Helper()
	document, err := rp.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, document.UserInfoEndpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/jwt") {
		t.Fatalf("userinfo is %s: %s", got, body)
	}
	return string(body)
}

// signedResponse is an answer to an authorization request, as a JWT (JARM).
func signedResponse(t *testing.T, rp *client.Client, p *person) string {
	t.Helper()
	start, err := url.Parse(authorize(t, rp, nil).URL())
	if err != nil {
		t.Fatal(err)
	}
	query := start.Query()
	query.Set("response_mode", "query.jwt")
	start.RawQuery = query.Encode()
	end, _ := p.open(start.String()).signIn("alice")
	raw := end.callback().Get("response")
	if raw == "" {
		t.Fatalf("no response in %s", end.url)
	}
	return raw
}
