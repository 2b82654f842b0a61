package client

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// Config turns the registration into a configuration for [New]. base has what a
// registration does not: Scopes, the keys of the client (PrivateKeyJWT in Auth,
// Certificate, DPoP, Decrypt and the three like it, RequestObject), a RedirectURL where
// several are registered. The rest is filled in: Issuer, ClientID, ClientSecret,
// RedirectURL where one is registered, the four fields that end in SignedResponseAlg,
// PushedAuthorizationRequests where they are required, and Auth for a client that has a
// secret, a certificate or nothing to authenticate with.
// HTTPClient and Now are those of r where base has none.
//
// The method of authentication is what the provider answered, else what it was asked for,
// else what its documentation says, else client_secret_basic (RFC 7591 2); a client that
// got no secret, and about which nobody said anything, is public. Nothing is tried out.
//
// It is an error for base to contradict the registration, and for a key to be missing
// that the client is registered to have. The error wraps ErrRejected where the secret has
// expired.
func (r *Registration) Config(base Config) (Config, error) {
	cfg := base
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = r.HTTPClient
	}
	if cfg.Now == nil {
		cfg.Now = r.Now
	}
	for _, take := range []func(*Config) error{r.identify, r.algorithms, r.authentication, r.keys, r.redirect} {
		if err := take(&cfg); err != nil {
			return Config{}, fmt.Errorf("client: registration: %w", err)
		}
	}
	return cfg, nil
}

func (r *Registration) identify(cfg *Config) error {
	for _, same := range [...]struct {
		name  string
		field *string
		value string
	}{
		{"Config.Issuer", &cfg.Issuer, r.Issuer},
		{"Config.ClientID", &cfg.ClientID, r.ClientID},
	} {
		if *same.field != "" && *same.field != same.value {
			return fmt.Errorf("%s is set, and it is another one than the client has", same.name)
		}
		*same.field = same.value
	}
	if cfg.ClientSecret != "" {
		return errors.New("Config.ClientSecret is set, and it is for the registration to say")
	}
	return nil
}

// A registeredAlgorithm is that of one kind of answer, and the field of a Config for it.
type registeredAlgorithm struct {
	name              string
	field             *string
	registered, asked string
}

func (r *Registration) signed(cfg *Config) []registeredAlgorithm {
	m, a := &r.Metadata, &r.asked
	return []registeredAlgorithm{
		{"IDTokenSignedResponseAlg", &cfg.IDTokenSignedResponseAlg, m.IDTokenSignedResponseAlg, a.IDTokenSignedResponseAlg},
		{"AuthorizationSignedResponseAlg", &cfg.AuthorizationSignedResponseAlg, m.AuthorizationSignedResponseAlg, a.AuthorizationSignedResponseAlg},
		{"UserInfoSignedResponseAlg", &cfg.UserInfoSignedResponseAlg, m.UserInfoSignedResponseAlg, a.UserInfoSignedResponseAlg},
		{"IntrospectionSignedResponseAlg", &cfg.IntrospectionSignedResponseAlg, m.IntrospectionSignedResponseAlg, a.IntrospectionSignedResponseAlg},
	}
}

// algorithms takes over how ID tokens and answers are signed. Where nobody said it, the
// metadata decides as for every other client.
func (r *Registration) algorithms(cfg *Config) error {
	for _, same := range r.signed(cfg) {
		alg := cmp.Or(same.registered, same.asked)
		if alg != "" && *same.field != "" && *same.field != alg {
			return fmt.Errorf("%s is %q, and the client is registered for %q", "Config."+same.name, cut(*same.field, quoted), cut(alg, quoted))
		}
		*same.field = cmp.Or(alg, *same.field)
	}
	return nil
}

func (r *Registration) authentication(cfg *Config) error {
	said := cmp.Or(r.Metadata.TokenEndpointAuthMethod, r.asked.TokenEndpointAuthMethod)
	method := cmp.Or(said, r.defaultMethod, SecretBasic{}.method())
	switch {
	case cfg.Auth != nil && said != "" && cfg.Auth.method() != said:
		return fmt.Errorf("Config.Auth is %s, and the client is registered for %q", cfg.Auth.method(), cut(said, quoted))
	case cfg.Auth != nil:
		method = cfg.Auth.method()
	case said == "" && r.ClientSecret == "":
		method = NoAuth{}.method()
	}
	// A secret that is used for nothing stays here: Auth0 gives one to public clients.
	signs := slices.ContainsFunc(r.signed(cfg), func(a registeredAlgorithm) bool { return macBytes(*a.field) > 0 })
	if !strings.HasPrefix(method, "client_secret_") && !signs {
		return r.authenticateBy(cfg, method)
	}
	if at := r.ClientSecretExpiresAt; r.ClientSecret != "" && !at.IsZero() && !r.clock(cfg).Before(at) {
		return fmt.Errorf("%w: the client secret expired at %s: Read or Update may give another one, or register again", ErrRejected, at.UTC().Format(time.RFC3339))
	}
	if r.ClientSecret == "" && cfg.Auth == nil {
		return fmt.Errorf("the client is registered for %q, and got no secret", cut(method, quoted))
	}
	cfg.ClientSecret = r.ClientSecret
	return r.authenticateBy(cfg, method)
}

// authenticateBy chooses the way that needs nothing but what the registration and
// Config.Certificate have.
func (r *Registration) authenticateBy(cfg *Config, method string) error {
	if cfg.Auth != nil {
		return nil
	}
	alg := cmp.Or(r.Metadata.TokenEndpointAuthSigningAlg, r.asked.TokenEndpointAuthSigningAlg)
	for _, auth := range [...]ClientAuth{
		NoAuth{}, SecretBasic{}, SecretPost{}, SecretJWT{Algorithm: alg}, TLSClientAuth{}, SelfSignedTLSClientAuth{},
	} {
		if auth.method() == method {
			cfg.Auth = auth
			return nil
		}
	}
	return fmt.Errorf("the client is registered for %q: Config.Auth must bring what that needs", cut(method, quoted))
}

func (r *Registration) clock(cfg *Config) time.Time {
	if cfg.Now == nil {
		return time.Now()
	}
	return cfg.Now()
}

// keys are the caller's.
func (r *Registration) keys(cfg *Config) error {
	cfg.PushedAuthorizationRequests = cfg.PushedAuthorizationRequests || r.Metadata.RequirePushedAuthorizationRequests
	m, asked := &r.Metadata, &r.asked
	for _, encrypted := range [...]struct {
		what, field string
		alg         string
		keys        []jwtverify.DecryptionKey
	}{
		{"ID tokens", "Decrypt", cmp.Or(m.IDTokenEncryptedResponseAlg, asked.IDTokenEncryptedResponseAlg), cfg.Decrypt},
		{"answers", "AuthorizationDecrypt", cmp.Or(m.AuthorizationEncryptedResponseAlg, asked.AuthorizationEncryptedResponseAlg), cfg.AuthorizationDecrypt},
		{"userinfo", "UserInfoDecrypt", cmp.Or(m.UserInfoEncryptedResponseAlg, asked.UserInfoEncryptedResponseAlg), cfg.UserInfoDecrypt},
		{"answers about tokens", "IntrospectionDecrypt", cmp.Or(m.IntrospectionEncryptedResponseAlg, asked.IntrospectionEncryptedResponseAlg), cfg.IntrospectionDecrypt},
	} {
		if encrypted.alg != "" && len(encrypted.keys) == 0 {
			return fmt.Errorf("the client is registered for encrypted %s: Config.%s must have the key", encrypted.what, encrypted.field)
		}
	}
	if r.Metadata.RequireSignedRequestObject && cfg.RequestObject == nil {
		return errors.New("the client is registered with require_signed_request_object: Config.RequestObject must have the key")
	}
	if r.Metadata.TLSClientCertificateBoundAccessTokens && !cfg.hasCertificate() {
		return errors.New("the client is registered with tls_client_certificate_bound_access_tokens: Config.Certificate must be there")
	}
	if r.Metadata.DPoPBoundAccessTokens && cfg.DPoP == nil {
		return errors.New("the client is registered with dpop_bound_access_tokens: Config.DPoP must have the key")
	}
	return nil
}

// redirect takes the redirect URL that is registered. A client without one signs nobody in.
func (r *Registration) redirect(cfg *Config) error {
	registered := r.Metadata.RedirectURIs
	if registered == nil {
		registered = r.asked.RedirectURIs
	}
	if cfg.RedirectURL == "" {
		if len(registered) > 1 {
			return fmt.Errorf("%d redirect URIs are registered: choose one in Config.RedirectURL", len(registered))
		}
		cfg.RedirectURL = strings.Join(registered, "")
		return nil
	}
	if registered == nil { // put together by hand: the provider has the last word
		return nil
	}
	for _, uri := range registered {
		if cfg.RedirectURL == uri || onAnotherPort(cfg.RedirectURL, uri) {
			return nil
		}
	}
	return fmt.Errorf("Config.RedirectURL is none of the %d that are registered", len(registered))
}

// onAnotherPort tells whether two URLs are one but for the port of a loopback address,
// which a native app may choose anew every time (RFC 8252 7.3).
func onAnotherPort(a, b string) bool {
	one, err := parseURL(a)
	if err != nil {
		return false
	}
	other, err := parseURL(b)
	if err != nil || one.Scheme != "http" || checkSecure(one) != nil {
		return false
	}
	one.Host, other.Host = one.Hostname(), other.Hostname()
	return one.String() == other.String()
}
