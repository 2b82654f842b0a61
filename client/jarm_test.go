package client

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/jwtverify"
)

// signedAnswer is a good answer to a login, signed as a whole.
func (p *op) signedAnswer(login *Login) string {
	return sign(p.key, map[string]any{"alg": "ES256", "kid": "k1"}, p.answerClaims(login))
}

func (p *op) answerClaims(login *Login) map[string]any {
	return map[string]any{
		"iss": testIssuer, "aud": testClientID, "exp": p.clock().Add(time.Minute).Unix(), "state": login.state, "code": "code-CANARY-1",
	}
}

func TestCallbackState(t *testing.T) {
	ctx := context.Background()
	p := newOP(t)
	c := p.client(nil)
	login := p.authorize(c, &AuthorizeOptions{ResponseMode: "jwt"})
	signed := p.signedAnswer(login)
	for name, callback := range map[string]url.Values{
		"plain":  callbackOf(login),
		"signed": {"response": {signed}, "x": {"1", "2"}},
	} {
		if state, err := c.CallbackState(ctx, callback); err != nil || state != login.state {
			t.Errorf("%s: another state, or %v", name, err)
		}
	}
	for _, test := range []struct {
		name, want string
		callback   url.Values
	}{
		{"none", "client: callback rejected: state is missing", url.Values{}},
		{"empty", "client: callback rejected: state is missing", url.Values{"state": {""}}},
		{"twice", "client: callback rejected: state is there more than once", url.Values{"state": {"a", "a"}}},
		{"answer twice", "client: callback rejected: response is there more than once", url.Values{"response": {signed, signed}}},
		{"state beside the answer", "client: callback rejected: state stands beside the signed answer", url.Values{"response": {signed}, "state": {login.state}}},
		{"no signature", "client: rejected: authorization response: jwtverify: token invalid: not signed", url.Values{"response": {signed[:strings.LastIndex(signed, ".")+1]}}},
	} {
		state, err := c.CallbackState(ctx, test.callback)
		if state != "" || !errors.Is(err, ErrRejected) || err.Error() != test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	p = newOP(t)
	p.reply("/jwks", 503, "", "")
	if _, err := p.client(nil).CallbackState(ctx, url.Values{"response": {signed}}); !errors.Is(err, ErrUnavailable) || !errors.Is(err, jwtverify.ErrKeys) {
		t.Errorf("without keys: got %v, want unavailable", err)
	}
}

// The algorithm is what the registration says, or what the metadata lists and has a
// public key.
func TestSignedAnswerAlgorithm(t *testing.T) {
	const refused = `alg is not an algorithm that may sign: got "ES256"`
	for _, test := range []struct {
		name   string
		config func(*Config)
		listed any
		want   string // empty: accepted
	}{
		{"nothing said", nil, nil, ""},
		{"listed", nil, []string{"HS256", "ES256"}, ""},
		{"not listed", nil, []string{"HS256", "RS256"}, refused},
		{"only secrets listed", nil, []string{"HS256", "none"}, refused},
		{"registered", func(cfg *Config) { cfg.AuthorizationSignedResponseAlg = "ES256" }, []string{"RS256"}, ""},
		{"registered for another", func(cfg *Config) { cfg.AuthorizationSignedResponseAlg = "RS256" }, []string{"ES256"}, refused},
		{"registered for the secret", func(cfg *Config) {
			cfg.AuthorizationSignedResponseAlg, cfg.ClientSecret = "HS256", secretOf(32)
		}, []string{"ES256"}, refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.metadata["authorization_signing_alg_values_supported"] = test.listed
			c := p.client(test.config)
			login := p.authorize(c, &AuthorizeOptions{ResponseMode: "jwt"})
			_, err := c.Exchange(context.Background(), login, url.Values{"response": {p.signedAnswer(login)}})
			if test.want == "" && err != nil {
				t.Error(err)
			}
			if test.want != "" && (!errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), test.want) || len(p.seen("/token")) > 0) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestSignedAnswerBySecret(t *testing.T) {
	p := newOP(t)
	secret := secretOf(32)
	c := p.client(func(cfg *Config) { cfg.AuthorizationSignedResponseAlg, cfg.ClientSecret = "HS256", secret })
	for name, key := range map[string]string{"right": secret, "other": strings.Repeat("t", 32)} {
		login := p.authorize(c, &AuthorizeOptions{ResponseMode: "jwt"})
		claims, err := json.Marshal(p.answerClaims(login))
		if err != nil {
			t.Fatal(err)
		}
		input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(input))
		_, err = c.Exchange(context.Background(), login, url.Values{"response": {input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))}})
		if name == "right" && err != nil {
			t.Error(err)
		}
		if name == "other" && (!errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), "signature does not verify")) {
			t.Errorf("another secret: got %v", err)
		}
	}
}

// Whoever is registered for encryption takes nothing else, and nobody else takes it.
func TestSignedAnswerEncrypted(t *testing.T) {
	p := newOP(t)
	key := p.encrypting()
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: key.Public()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	with := p.client(func(cfg *Config) { cfg.AuthorizationDecrypt = []jwtverify.DecryptionKey{{Private: key}} })
	without := p.client(nil)
	for _, test := range []struct {
		name      string
		client    *Client
		encrypted bool
		want      string // empty: accepted
	}{
		{"encrypted", with, true, ""},
		{"plain", without, false, ""},
		{"plain for encrypted", with, false, "not encrypted, and Verifier.Decrypt demands it"},
		{"encrypted for plain", without, true, "encrypted, and Verifier.Decrypt is nil"},
	} {
		login := p.authorize(test.client, &AuthorizeOptions{ResponseMode: "jwt"})
		answer := p.signedAnswer(login)
		if test.encrypted {
			jwe, err := encrypter.Encrypt([]byte(answer))
			if err != nil {
				t.Fatal(err)
			}
			if answer, err = jwe.CompactSerialize(); err != nil {
				t.Fatal(err)
			}
		}
		_, err := test.client.Exchange(context.Background(), login, url.Values{"response": {answer}})
		if test.want == "" && err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.want != "" && (!errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}

func TestSignedAnswerConfig(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"none", func(cfg *Config) { cfg.AuthorizationSignedResponseAlg = "none" }, `AuthorizationSignedResponseAlg: "none" is no signature algorithm`},
		{"short secret", func(cfg *Config) { cfg.AuthorizationSignedResponseAlg, cfg.ClientSecret = "HS512", secretOf(63) },
			"AuthorizationSignedResponseAlg is HS512, and Config.ClientSecret has fewer than 64 bytes"},
		{"no keys", func(cfg *Config) { cfg.AuthorizationDecrypt = []jwtverify.DecryptionKey{} }, "AuthorizationDecrypt has no keys: leave it nil if answers are not encrypted"},
		{"a key without one", func(cfg *Config) { cfg.AuthorizationDecrypt = []jwtverify.DecryptionKey{{}} },
			"AuthorizationDecrypt[0]: jwtverify: <nil> is no private key of a supported type"},
	} {
		if _, err := New(changed(test.change)); err == nil || err.Error() != "client: Config."+test.want {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
}
