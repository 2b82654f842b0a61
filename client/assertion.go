package client

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha1" // x5t is made of it (RFC 7515 4.1.7), and nothing rests on it
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/jwtsign"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" // RFC 7523 2.2

	// assertionLife is for a request that is sent at once, and for a clock of ours that is
	// behind the provider's.
	assertionLife = time.Minute
)

// SecretJWT proves that the client has Config.ClientSecret without sending it
// (client_secret_jwt, Core 9): with a JWT of one minute under it, made for each attempt.
// The secret needs 32 bytes, 48 for HS384 and 64 for HS512 (RFC 7518 3.2).
type SecretJWT struct {
	Algorithm string // HS256, HS384 or HS512; empty: the first of them that the metadata lists and the secret is long enough for, HS256 where it lists nothing
	Audience  string // aud, for a provider that wants the URL of its token endpoint there, as Okta does; empty: the issuer (RFC 7523bis)
	Type      string // typ, for a provider that knows no other than JWT; empty: client-authentication+jwt (RFC 7523bis)
}

func (SecretJWT) method() string { return "client_secret_jwt" }

func (a SecretJWT) check(cfg *Config) error {
	if err := cfg.needsSecret(); err != nil {
		return err
	}
	if a.Algorithm != "" && macBytes(a.Algorithm) == 0 {
		return fmt.Errorf("has the Algorithm %q, which is not one of HS256, HS384, HS512", cut(a.Algorithm, quoted))
	}
	least := max(macBytes(a.Algorithm), macBytes("HS256"))
	if len(cfg.ClientSecret) < least {
		return fmt.Errorf("needs a Config.ClientSecret of at least %d bytes", least)
	}
	return cfg.needsAudience(a.Audience)
}

func (a SecretJWT) authenticate(_ context.Context, r *attempt) error {
	alg, err := a.algorithm(r)
	if err != nil {
		return err
	}
	token, err := jwtsign.MAC([]byte(r.cfg.ClientSecret), alg, assertionHeader{Algorithm: alg, Type: typeOf(a.Type)}, r.assertion(a.Audience))
	if err != nil {
		return err
	}
	r.setAssertion(token)
	return nil
}

func (a SecretJWT) algorithm(r *attempt) (string, error) {
	supported := r.signingAlgorithms()
	if a.Algorithm != "" {
		return a.Algorithm, nil
	}
	if len(supported) == 0 {
		return "HS256", nil
	}
	for _, alg := range [...]string{"HS256", "HS384", "HS512"} {
		if slices.Contains(supported, alg) && len(r.cfg.ClientSecret) >= macBytes(alg) {
			return alg, nil
		}
	}
	return "", fmt.Errorf("%w: its token_endpoint_auth_signing_alg_values_supported has no HMAC that the secret is long enough for: if it takes one, name it in SecretJWT.Algorithm", ErrUnsupported)
}

// PrivateKeyJWT proves that the client has a private key (private_key_jwt, Core 9, RFC
// 7523): with a JWT of one minute, signed for each attempt. The provider knows the public
// key from the client's registration; JWKS writes it down. It prints as [redacted].
type PrivateKeyJWT struct {
	// Key signs. It may be in a key management service, which is then asked once for every
	// request to the provider. RSA from 2,048 bits, P-256, P-384, P-521 or Ed25519.
	// Required.
	Key crypto.Signer

	// KeyID is kid, by which the provider finds the key. Empty: none is sent.
	KeyID string

	// Algorithm is token_endpoint_auth_signing_alg of the registration. Empty: the first
	// that the key can sign with and that the metadata lists, in the order RS256, RS384,
	// RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519.
	Algorithm string

	// Certificate is one of Key, for a provider that knows the key by that: Entra, AD FS. Its
	// thumbprints are sent, as x5t and x5t#S256. Nil: none are.
	Certificate *x509.Certificate

	Audience string // aud, for a provider that wants the URL of its token endpoint there, as Okta and Entra do; empty: the issuer (RFC 7523bis, FAPI 2.0)
	Type     string // typ, for a provider that knows no other than JWT; empty: client-authentication+jwt (RFC 7523bis)
}

// JWKS returns the JWK set of the public key, with KeyID, Algorithm and Certificate: what
// the client is registered with as jwks, or serves at its jwks_uri. With a Certificate it
// is what SelfSignedTLSClientAuth is registered with, too.
func (a PrivateKeyJWT) JWKS() ([]byte, error) {
	if _, err := jwtsign.Algorithm(a.Key, a.Algorithm); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	key, err := newJWK(a.Key.Public())
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	key.Use, key.KeyID, key.Algorithm = "sig", a.KeyID, a.Algorithm
	if a.Certificate != nil {
		key.Certificates = [][]byte{a.Certificate.Raw}
	}
	return json.Marshal(map[string][]*jwk{"keys": {key}})
}

func (PrivateKeyJWT) method() string { return "private_key_jwt" }

func (a PrivateKeyJWT) check(cfg *Config) error {
	if _, err := jwtsign.Algorithm(a.Key, a.Algorithm); err != nil {
		return fmt.Errorf("cannot sign: %w", err)
	}
	if err := cfg.needsAudience(a.Audience); err != nil {
		return err
	}
	if a.Certificate == nil {
		return nil
	}
	pub, ok := a.Key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(a.Certificate.PublicKey) {
		return errors.New("has a Certificate that is not of its Key")
	}
	return nil
}

func (a PrivateKeyJWT) authenticate(_ context.Context, r *attempt) error {
	alg, err := signAlgorithm(a.Key, a.Algorithm, r.cfg.Profile.among(r.signingAlgorithms()))
	if err != nil {
		return fmt.Errorf("token_endpoint_auth_signing_alg_values_supported: %w", err)
	}
	header := assertionHeader{Algorithm: alg, KeyID: a.KeyID, Type: typeOf(a.Type)}
	if a.Certificate != nil {
		thumb, thumb256 := sha1.Sum(a.Certificate.Raw), sha256.Sum256(a.Certificate.Raw)
		header.Thumbprint = base64.RawURLEncoding.EncodeToString(thumb[:])
		header.Thumbprint256 = base64.RawURLEncoding.EncodeToString(thumb256[:])
	}
	token, err := jwtsign.Sign(a.Key, alg, header, r.assertion(a.Audience))
	if err != nil {
		return err
	}
	r.setAssertion(token)
	return nil
}

// signAlgorithm chooses what key signs with: alg, where that is said, and else the first
// that the provider lists, where it lists any.
func signAlgorithm(key crypto.Signer, alg string, supported []string) (string, error) {
	if alg != "" || len(supported) == 0 {
		return jwtsign.Algorithm(key, alg)
	}
	for _, name := range algorithms {
		if !slices.Contains(supported, name) {
			continue
		}
		if alg, err := jwtsign.Algorithm(key, name); err == nil {
			return alg, nil
		}
	}
	return "", fmt.Errorf("%w: none of these is one that the key signs with", ErrUnsupported)
}

type assertionHeader struct {
	Algorithm     string `json:"alg"`
	Type          string `json:"typ"`
	KeyID         string `json:"kid,omitempty"`
	Thumbprint    string `json:"x5t,omitempty"`
	Thumbprint256 string `json:"x5t#S256,omitempty"`
}

func typeOf(typ string) string {
	if typ == "" {
		return "client-authentication+jwt"
	}
	return typ
}

type assertionClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub,omitempty"`
	Audience string `json:"aud"`
	ID       string `json:"jti,omitempty"`
	IssuedAt int64  `json:"iat"`
	Expiry   int64  `json:"exp"`
}

// assertion is what a client says of itself in this attempt. aud is one text, and the
// issuer unless the configuration says otherwise: what a provider calls its endpoints is
// nothing to go by, for it might name those of another one.
func (r *attempt) assertion(audience string) assertionClaims {
	if audience == "" {
		audience = r.cfg.Issuer
	}
	return assertionClaims{
		Issuer:   r.cfg.ClientID,
		Subject:  r.cfg.ClientID,
		Audience: audience,
		ID:       rand.Text(), // 130 bits
		IssuedAt: r.now.Unix(),
		Expiry:   r.now.Add(assertionLife).Unix(),
	}
}

// setAssertion sends token. client_id is there for providers that look the client up by
// it (Entra): RFC 7521 4.2 leaves that open.
func (r *attempt) setAssertion(token string) {
	r.form.Set("client_id", r.cfg.ClientID)
	r.form.Set("client_assertion_type", assertionType)
	r.form.Set("client_assertion", token)
	r.secrets = append(r.secrets, token)
}

// An AssertionFunc gives an assertion that somebody else makes for the client (RFC 7523
// 2.2), such as a platform for the workloads that run on it. It is called for every
// attempt of a request, by several goroutines at once, and should keep what is still good.
// Its error shows in ours as that of a SecretFunc does.
type AssertionFunc func(ctx context.Context) (string, error)

func (AssertionFunc) method() string { return "private_key_jwt" }

func (f AssertionFunc) check(cfg *Config) error {
	if f == nil {
		return errors.New("needs an AssertionFunc, and it is nil")
	}
	return cfg.needsNoSecret()
}

func (f AssertionFunc) authenticate(ctx context.Context, r *attempt) error {
	token, err := f(ctx)
	if err != nil {
		return &borrowedError{err}
	}
	if err := checkCredential(token); err != nil {
		return fmt.Errorf("the assertion %w", err)
	}
	if !isVisible(token) {
		return errors.New("the assertion has characters other than visible ASCII")
	}
	r.setAssertion(token)
	return nil
}

// An AssertionFile is the name of a file with such an assertion, which the platform
// renews: that of a Kubernetes service account, AZURE_FEDERATED_TOKEN_FILE. It is read
// for every attempt of a request, and may have a line break at its end. It is not opened
// before.
type AssertionFile string

func (AssertionFile) method() string { return "private_key_jwt" }

func (f AssertionFile) check(cfg *Config) error {
	if f == "" {
		return errors.New("needs the name of an AssertionFile, and it is empty: is the environment variable set?")
	}
	return cfg.needsNoSecret()
}

func (f AssertionFile) authenticate(ctx context.Context, r *attempt) error {
	return AssertionFunc(f.read).authenticate(ctx, r)
}

func (f AssertionFile) read(context.Context) (string, error) {
	file, err := os.Open(string(f))
	if err != nil {
		return "", err
	}
	defer file.Close()
	token, err := io.ReadAll(io.LimitReader(file, maxToken+2)) // and a line break
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(token)), nil
}

// checkCredential applies to what somebody else made. Its errors complete a sentence, and
// quote nothing.
func checkCredential(s string) error {
	switch {
	case s == "":
		return errors.New("is empty")
	case len(s) > maxToken:
		return fmt.Errorf("has more than %d bytes", maxToken)
	}
	return nil
}
