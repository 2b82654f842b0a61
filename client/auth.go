package client

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// A ClientAuth is a way in which the client proves who it is at the endpoints of
// the provider: [NoAuth], [SecretBasic] or [SecretPost]. The credentials of exactly
// one way are ever sent.
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
	cfg     *Config
	to      endpoint
	now     time.Time
	form    url.Values
	header  http.Header
	secrets []string // of form and header, to be kept out of errors
}

// NoAuth is a public client, which has no secret and sends its client_id alone
// (RFC 6749 2.1, 3.2.1).
type NoAuth struct{}

func (NoAuth) method() string { return "none" }

func (NoAuth) check(cfg *Config) error {
	if cfg.ClientSecret != "" {
		return errors.New("is for a client without Config.ClientSecret, and it is set")
	}
	return nil
}

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

// SecretPost sends Config.ClientSecret in the body (RFC 6749 2.3.1), for a provider
// that does not take SecretBasic.
type SecretPost struct{}

func (SecretPost) method() string { return "client_secret_post" }

func (SecretPost) check(cfg *Config) error { return cfg.needsSecret() }

func (SecretPost) authenticate(_ context.Context, r *attempt) error {
	r.form.Set("client_id", r.cfg.ClientID)
	r.form.Set("client_secret", r.cfg.ClientSecret)
	r.secrets = append(r.secrets, r.cfg.ClientSecret)
	return nil
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
	var other ClientAuth
	var name string
	switch used.method() { // a pointer to one is used like it
	case SecretBasic{}.method():
		other, name = SecretPost{}, "client.SecretPost{}"
	case SecretPost{}.method():
		other, name = SecretBasic{}, "client.SecretBasic{}"
	default:
		return ""
	}
	if len(methods) > 0 && !slices.Contains(methods, other.method()) {
		return ""
	}
	return used.method() + " was refused; if the secret is right, try Config.Auth: " + name
}
