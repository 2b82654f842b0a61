package client

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/postern-go/postern/internal/jwtcrypt"
	"github.com/postern-go/postern/internal/jwtsign"
)

// RequestObjectType is the media type of a request object (RFC 9101 9.4.1).
const RequestObjectType = "application/oauth-authz-req+jwt"

// requestLifetime is from the click of a user to the first answer of the provider, which
// is when an object is judged. FAPI allows an hour.
const requestLifetime = 5 * time.Minute

// maxRequestAddress bounds the URL of a request object in bytes (Core 6.2).
const maxRequestAddress = 512

// A RequestObject says how authorization requests are signed (RFC 9101), and perhaps
// encrypted, so that nobody on their way through the browser can change them. Key is
// required. It prints as [redacted].
type RequestObject struct {
	// Key signs: an RSA key of at least 2,048 bits, an ECDSA key on P-256, P-384 or P-521,
	// or an Ed25519 key, in memory or in a key management service. Its public half is
	// registered at the provider: [PrivateKeyJWT.JWKS] writes it down, whether or not the
	// client authenticates by it.
	Key crypto.Signer
	// KeyID is the kid by which the provider knows Key. Empty: none is named.
	KeyID string
	// Algorithm is request_object_signing_alg of the client's registration. Empty: RS256,
	// ES256, ES384, ES512 or EdDSA, as Key is.
	Algorithm string

	// EncryptionAlgorithm is request_object_encryption_alg of the client's registration:
	// RSA-OAEP, RSA-OAEP-256, ECDH-ES, ECDH-ES+A128KW, ECDH-ES+A192KW or ECDH-ES+A256KW.
	// The key is one of the provider's that is for encryption. Empty: not encrypted.
	EncryptionAlgorithm string
	// ContentEncryption is request_object_encryption_enc. Empty: A128CBC-HS256, the
	// default of a registration too.
	ContentEncryption string
}

// Format keeps the key out of every kind of printing.
func (RequestObject) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue keeps the key out of logs.
func (RequestObject) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (RequestObject) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// completed returns a copy with the algorithms filled in, for a profile. It is nil for nil.
func (o *RequestObject) completed(profile Profile) (*RequestObject, error) {
	if o == nil {
		return nil, nil
	}
	filled := *o
	var err error
	if filled.Algorithm, err = signAlgorithm(o.Key, o.Algorithm, profile.among(nil)); err != nil {
		return nil, err
	}
	if !isVisible(o.KeyID) {
		return nil, errors.New("KeyID must be visible ASCII")
	}
	if o.EncryptionAlgorithm == "" {
		if o.ContentEncryption != "" {
			return nil, errors.New("ContentEncryption is set, and EncryptionAlgorithm is empty")
		}
		return &filled, nil
	}
	if filled.ContentEncryption == "" {
		filled.ContentEncryption = "A128CBC-HS256"
	}
	return &filled, jwtcrypt.Check(filled.EncryptionAlgorithm, filled.ContentEncryption)
}

// objectClaims are claims of a request object that no parameter can be (RFC 9101 4,
// 10.8).
var objectClaims = [...]string{"iss", "aud", "sub", "exp", "nbf", "iat", "jti"}

// checkRequest refuses options that this configuration cannot honour.
func (cfg *Config) checkRequest(opts *AuthorizeOptions, want responseType) error {
	if want == asksIDToken|asksToken && cfg.DPoP != nil { // RFC 9449 10 binds codes
		return fmt.Errorf("AuthorizeOptions.ResponseType: the access token of %s cannot be bound to Config.DPoP", want)
	}
	if cfg.RequestObject != nil {
		for _, name := range objectClaims {
			if opts.Extra.Has(name) {
				return fmt.Errorf("AuthorizeOptions.Extra: the parameter %q is a claim of the request object", name)
			}
		}
	}
	if opts.RequestURI == "" {
		return nil
	}
	if cfg.RequestObject == nil {
		return errors.New("AuthorizeOptions.RequestURI is set, and Config.RequestObject is nil")
	}
	if cfg.PushedAuthorizationRequests {
		return errors.New("AuthorizeOptions.RequestURI is set, and Config.PushedAuthorizationRequests too: a pushed request is by value")
	}
	u, err := parseURL(opts.RequestURI)
	if err == nil {
		err = checkSecure(u)
	}
	if err == nil && len(opts.RequestURI) > maxRequestAddress {
		err = fmt.Errorf("has more than %d bytes", maxRequestAddress)
	}
	if err != nil {
		return fmt.Errorf("AuthorizeOptions.RequestURI %w", err)
	}
	return nil
}

// RequestObject returns the signed request, for a Login whose AuthorizeOptions had a
// RequestURI: give it out there, once or more, with [RequestObjectType] as its content
// type and "Cache-Control: no-store". It may hold what the user is asked, so that the
// address should be known to nobody but the provider. It is empty for every other Login,
// and for one that was restored from storage.
func (l *Login) RequestObject() string { return l.object }

// signRequest puts the parameters of a request into an object (RFC 9101 4, 6.1).
func (c *Client) signRequest(ctx context.Context, s *snapshot, form url.Values) (url.Values, error) {
	o := c.cfg.RequestObject
	offered := s.metadata.RequestObjectSigningAlgValuesSupported
	if len(offered) > 0 && !slices.Contains(offered, o.Algorithm) {
		return nil, notOffered("request_object_signing_alg_values_supported", o.Algorithm)
	}
	if len(offered) == 0 && !s.metadata.RequestParameterSupported {
		return nil, unsupported("request_parameter_supported")
	}
	header := map[string]any{"alg": o.Algorithm, "typ": "oauth-authz-req+jwt"}
	if o.KeyID != "" {
		header["kid"] = o.KeyID
	}
	object, err := jwtsign.Sign(o.Key, o.Algorithm, header, c.objectClaims(form))
	if err != nil {
		return nil, fmt.Errorf("client: request object: %w", err)
	}
	if o.EncryptionAlgorithm != "" {
		if object, err = c.encryptRequest(ctx, s, object); err != nil {
			return nil, err
		}
	}
	return url.Values{"request": {object}}, nil
}

// takesRequestURI tells whether the provider fetches request objects, which every provider
// does that says nothing (Discovery 3).
func (m *Metadata) takesRequestURI() bool {
	var said struct {
		Supported *bool `json:"request_uri_parameter_supported"`
	}
	return m.Claims(&said) == nil && (said.Supported == nil || *said.Supported)
}

// objectClaims are the parameters as the claims that they are in an object: text, but for
// what is JSON by itself, a number, or there several times (Core 6.1, RFC 9396 5).
func (c *Client) objectClaims(form url.Values) map[string]any {
	now := c.Now()
	claims := map[string]any{
		"iss": c.cfg.ClientID,
		"aud": c.cfg.Issuer,
		"iat": now.Unix(),
		"nbf": now.Unix(), // FAPI 1.0 Part 2 5.2.2
		"exp": now.Add(requestLifetime).Unix(),
		"jti": rand.Text(),
	}
	for name, values := range form {
		switch {
		case name == "max_age", name == "claims", name == "authorization_details":
			claims[name] = json.RawMessage(values[0])
		case len(values) > 1:
			claims[name] = values
		default:
			claims[name] = values[0]
		}
	}
	return claims
}
