package clienttest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

const longSecret = "a secret of the size of a SHA-512, that is to say of 64 bytes: ok"

var curveKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// registeredFor is a provider whose client is registered for ID tokens of a kind.
func registeredFor(change func(*clienttest.Client)) *clienttest.Options {
	c := clienttest.Client{ID: "web", Secret: longSecret}
	change(&c)
	return &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{c}}
}

// optionsFor is a provider that a fault can spoil.
func optionsFor(fault clienttest.Fault) *clienttest.Options {
	switch fault {
	case clienttest.WrongHSSecret, clienttest.KeyInsteadOfSecret:
		return registeredFor(func(c *clienttest.Client) { c.IDTokenSignedResponseAlg = "HS256" })
	case clienttest.PlainInsteadOfEncrypted, clienttest.UnsignedJWE, clienttest.WrongJWEKey, clienttest.ZippedJWE:
		return registeredFor(func(c *clienttest.Client) { c.IDTokenEncryptionKey = curveKey().Public() })
	}
	return fast()
}

// configFor is a client of such a provider.
func configFor(fault clienttest.Fault, op *clienttest.Provider) client.Config {
	cfg := op.Config(redirectURL)
	if optionsFor(fault).Clients != nil && cfg.IDTokenSignedResponseAlg == "" {
		cfg.Decrypt = []jwtverify.DecryptionKey{{Private: curveKey()}}
	}
	return cfg
}

func macBy(raw, secret string) bool {
	input, signature, _ := cutLast(raw)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(input))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) == signature
}

// opened is what is in a JWE.
func opened(raw string, key crypto.PrivateKey) (header jose.Header, plain string, err error) {
	jwe, err := jose.ParseEncryptedCompact(raw, []jose.KeyAlgorithm{jose.RSA_OAEP_256, jose.ECDH_ES}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return jose.Header{}, "", err
	}
	text, err := jwe.Decrypt(key)
	return jwe.Header, string(text), err
}

// encryptionFaults are checked twice: with the fault, and without.
func encryptionFaults() map[clienttest.Fault]check {
	spoils := func(ok func(header jose.Header, plain string, err error) bool) check {
		return func(t *testing.T, f *flow) {
			if header, plain, err := opened(f.tokens().IDToken, curveKey()); !ok(header, plain, err) {
				t.Errorf("got %v, %.100q, %v", header, plain, err)
			}
			f.op.SetFaults()
			header, plain, err := opened(f.tokens().IDToken, curveKey())
			if ok(header, plain, err) || err != nil || !signed(f, plain) || header.Algorithm != "ECDH-ES" {
				t.Errorf("without the fault: %v, %v", header, err)
			}
		}
	}
	return map[clienttest.Fault]check{
		clienttest.PlainInsteadOfEncrypted: func(t *testing.T, f *flow) {
			if !signed(f, f.tokens().IDToken) {
				t.Error("the ID token is not signed")
			}
		},
		clienttest.UnsignedJWE: spoils(func(_ jose.Header, plain string, err error) bool {
			return err == nil && strings.HasPrefix(plain, "{") && strings.Contains(plain, `"sub":"alice"`)
		}),
		clienttest.WrongJWEKey: spoils(func(_ jose.Header, _ string, err error) bool {
			return errors.Is(err, jose.ErrCryptoFailure)
		}),
		clienttest.ZippedJWE: spoils(func(header jose.Header, _ string, _ error) bool {
			return header.ExtraHeaders["zip"] == "DEF"
		}),
	}
}

// TestClientOfEveryRegistration takes the road with every kind of ID token.
func TestClientOfEveryRegistration(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change  func(*clienttest.Client)
		decrypt crypto.PrivateKey
	}{
		"HS256": {func(c *clienttest.Client) { c.IDTokenSignedResponseAlg = "HS256" }, nil},
		"HS384": {func(c *clienttest.Client) { c.IDTokenSignedResponseAlg = "HS384" }, nil},
		"HS512": {func(c *clienttest.Client) { c.IDTokenSignedResponseAlg = "HS512" }, nil},
		"RSA":   {func(c *clienttest.Client) { c.IDTokenEncryptionKey = rsaKey.Public() }, rsaKey},
		"ECDH":  {func(c *clienttest.Client) { c.IDTokenEncryptionKey = curveKey().Public() }, curveKey()},
		"HS256 and RSA": {func(c *clienttest.Client) {
			c.IDTokenSignedResponseAlg, c.IDTokenEncryptionKey = "HS256", rsaKey.Public()
		}, rsaKey},
	} {
		t.Run(name, func(t *testing.T) {
			op := clienttest.New(registeredFor(test.change))
			defer op.Close()
			cfg := op.Config(redirectURL)
			if test.decrypt != nil {
				cfg.Decrypt = []jwtverify.DecryptionKey{{Private: test.decrypt}}
			}
			rp, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := road(t.Context(), rp, op); err != nil {
				t.Error(err)
			}
		})
	}
}

// A client that does not know what it is registered for refuses what it gets.
func TestClientOfAnotherRegistration(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*clienttest.Client)
		config func(*client.Config)
		text   string
	}{
		{"a secret", func(c *clienttest.Client) { c.IDTokenSignedResponseAlg = "HS256" },
			func(cfg *client.Config) { cfg.IDTokenSignedResponseAlg = "" }, "alg is not an algorithm that may sign"},
		{"a longer hash", func(c *clienttest.Client) { c.IDTokenSignedResponseAlg = "HS256" },
			func(cfg *client.Config) { cfg.IDTokenSignedResponseAlg = "HS512" }, "alg is not an algorithm that may sign"},
		{"a key", func(*clienttest.Client) {},
			func(cfg *client.Config) { cfg.IDTokenSignedResponseAlg = "HS256" }, "alg is not an algorithm that may sign"},
		{"encryption", func(c *clienttest.Client) { c.IDTokenEncryptionKey = curveKey().Public() },
			func(*client.Config) {}, "encrypted, and"},
		{"none", func(*clienttest.Client) {},
			func(cfg *client.Config) { cfg.Decrypt = []jwtverify.DecryptionKey{{Private: curveKey()}} }, "not encrypted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			op := clienttest.New(registeredFor(test.change))
			defer op.Close()
			cfg := op.Config(redirectURL)
			test.config(&cfg)
			rp, err := client.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			outcome{jwtverify.ErrInvalid, test.text}.check(t, road(t.Context(), rp, op))
		})
	}
}

func TestNewRefusesRegistrations(t *testing.T) {
	for name, change := range map[string]func(*clienttest.Client){
		"short secret":    func(c *clienttest.Client) { c.IDTokenSignedResponseAlg, c.Secret = "HS256", longSecret[:31] },
		"no secret":       func(c *clienttest.Client) { c.IDTokenSignedResponseAlg, c.Secret = "HS256", "" },
		"another alg":     func(c *clienttest.Client) { c.IDTokenSignedResponseAlg = "RS256" },
		"a private key":   func(c *clienttest.Client) { c.IDTokenEncryptionKey = curveKey() },
		"a key that is 5": func(c *clienttest.Client) { c.IDTokenEncryptionKey = 5 },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "clienttest: ") {
					t.Errorf("got %q, want a panic of ours", text)
				}
			}()
			clienttest.New(registeredFor(change))
		})
	}
}
