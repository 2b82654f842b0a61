package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// A ClientAuth is a way in which the client proves who it is at the endpoints of
// the provider:
//
//   - [NoAuth]: it does not; a public client
//   - [SecretBasic], [SecretPost], [SecretJWT]: with Config.ClientSecret
//   - [SecretFunc], [AppleSecret]: with a secret that is computed
//   - [PrivateKeyJWT]: with a private key
//   - [AssertionFunc], [AssertionFile]: with what its platform says of it
//   - [TLSClientAuth], [SelfSignedTLSClientAuth]: with Config.Certificate
//
// The credentials of exactly one way are ever sent, and no way is tried after another.
type ClientAuth interface {
	// method is the name in token_endpoint_auth_methods_supported.
	method() string
	// check refuses a configuration that the way cannot work with, in words that
	// complete a sentence which begins with its name.
	check(cfg *Config) error
	// authenticate adds the credentials to one attempt of a request. What it adds that is
	// secret goes to r.secrets.
	authenticate(ctx context.Context, r *attempt) error
}

// An attempt is one request to the provider before it is sent. A second attempt of the
// same request begins anew: what may be used once (an assertion, a proof) is made again.
type attempt struct {
	cfg      *Config
	metadata *Metadata
	to       endpoint
	now      time.Time
	form     url.Values
	header   http.Header
	secrets  []string // of form and header, to be kept out of errors
}

// NoAuth is a public client, which has no secret and sends its client_id alone
// (RFC 6749 2.1, 3.2.1).
type NoAuth struct{}

func (NoAuth) method() string { return "none" }

func (NoAuth) check(cfg *Config) error { return cfg.needsNoSecret() }

func (NoAuth) authenticate(_ context.Context, r *attempt) error {
	r.form.Set("client_id", r.cfg.ClientID)
	return nil
}

// SecretBasic sends Config.ClientSecret in the Authorization header, both halves
// form-encoded as RFC 6749 2.3.1 has it.
type SecretBasic struct{}

func (SecretBasic) method() string { return "client_secret_basic" }

func (SecretBasic) check(cfg *Config) error { return cfg.needsSecret() }

func (SecretBasic) authenticate(_ context.Context, r *attempt) error {
	pair := url.QueryEscape(r.cfg.ClientID) + ":" + url.QueryEscape(r.cfg.ClientSecret)
	basic := base64.StdEncoding.EncodeToString([]byte(pair))
	r.header.Set("Authorization", "Basic "+basic)
	r.secrets = append(r.secrets, basic, r.cfg.ClientSecret)
	return nil
}

func (cfg *Config) needsSecret() error {
	if cfg.ClientSecret == "" {
		return errors.New("needs Config.ClientSecret, and it is empty")
	}
	return nil
}

func (cfg *Config) needsNoSecret() error {
	if cfg.ClientSecret != "" {
		return errors.New("is for a client without Config.ClientSecret, and it is set")
	}
	return nil
}

// SecretPost sends Config.ClientSecret in the body (RFC 6749 2.3.1), for a provider
// that does not take SecretBasic.
type SecretPost struct{}

func (SecretPost) method() string { return "client_secret_post" }

func (SecretPost) check(cfg *Config) error { return cfg.needsSecret() }

func (SecretPost) authenticate(_ context.Context, r *attempt) error {
	r.setSecret(r.cfg.ClientSecret)
	return nil
}

func (r *attempt) setSecret(secret string) {
	r.form.Set("client_id", r.cfg.ClientID)
	r.form.Set("client_secret", secret)
	r.secrets = append(r.secrets, secret)
}

// public tells whether the client can prove nothing of itself.
func (cfg *Config) public() bool {
	return cfg.chooseAuth(nil).method() == NoAuth{}.method()
}

// chooseAuth returns the way for a provider that offers methods. It never tries
// one after the other: a refused attempt may consume the code.
func (cfg *Config) chooseAuth(methods []string) ClientAuth {
	switch {
	case cfg.Auth != nil:
		return cfg.Auth
	case cfg.ClientSecret == "":
		return NoAuth{}
	case slices.Contains(methods, SecretPost{}.method()) && !slices.Contains(methods, SecretBasic{}.method()):
		return SecretPost{}
	}
	return SecretBasic{} // RFC 8414 2: the default where the metadata says nothing
}

// authHint names what to try after an invalid_client answer, if there is anything.
func authHint(used ClientAuth, methods []string) string {
	refused := used.method() + " was refused; "
	switch used.method() { // a pointer to one is used like it
	case SecretBasic{}.method():
		return hintOther(refused, methods, SecretPost{})
	case SecretPost{}.method():
		return hintOther(refused, methods, SecretBasic{})
	case SecretJWT{}.method():
		return hintOther(refused, methods, SecretBasic{})
	case PrivateKeyJWT{}.method():
		return refused + "does the provider have the public key, want another audience than its issuer, or have another time?"
	case TLSClientAuth{}.method(), SelfSignedTLSClientAuth{}.method():
		return refused + "does the provider know the certificate, and does its metadata have mtls_endpoint_aliases?"
	}
	return ""
}

func hintOther(refused string, methods []string, other ClientAuth) string {
	if len(methods) > 0 && !slices.Contains(methods, other.method()) {
		return ""
	}
	return fmt.Sprintf("%sif the secret is right, try Config.Auth: %T{}", refused, other)
}
