package client

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
)

// A ClientAuth is a way in which the client proves who it is at the endpoints of
// the provider: [NoAuth], [SecretBasic] or [SecretPost]. The credentials of exactly
// one way are ever sent.
type ClientAuth interface {
	// method is the name in token_endpoint_auth_methods_supported.
	method() string
	// authenticate adds the credentials to a request.
	authenticate(cfg *Config, form url.Values, header http.Header)
}

// NoAuth is a public client, which has no secret and sends its client_id alone
// (RFC 6749 2.1, 3.2.1).
type NoAuth struct{}

func (NoAuth) method() string { return "none" }

func (NoAuth) authenticate(cfg *Config, form url.Values, _ http.Header) {
	form.Set("client_id", cfg.ClientID)
}

// SecretBasic sends Config.ClientSecret in the Authorization header, both halves
// form-encoded as RFC 6749 2.3.1 has it.
type SecretBasic struct{}

func (SecretBasic) method() string { return "client_secret_basic" }

func (SecretBasic) authenticate(cfg *Config, _ url.Values, header http.Header) {
	pair := url.QueryEscape(cfg.ClientID) + ":" + url.QueryEscape(cfg.ClientSecret)
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
}

// SecretPost sends Config.ClientSecret in the body (RFC 6749 2.3.1), for a provider
// that does not take SecretBasic.
type SecretPost struct{}

func (SecretPost) method() string { return "client_secret_post" }

func (SecretPost) authenticate(cfg *Config, form url.Values, _ http.Header) {
	form.Set("client_id", cfg.ClientID)
	form.Set("client_secret", cfg.ClientSecret)
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
