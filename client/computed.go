package client

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"

	"github.com/postern-go/postern/internal/jwtsign"
)

// A SecretFunc gives the client secret, for one that is not the same for ever: from a
// vault that rotates it, or computed. It is sent in the body, as SecretPost sends it.
// The function is called for every attempt of a request, by several goroutines at once.
// The text of its error shows in ours, and what that wraps is found in ours, but for the
// errors of this package and of jwtverify: those of another provider say nothing of this one.
type SecretFunc func(ctx context.Context) (string, error)

func (SecretFunc) method() string { return "client_secret_post" }

func (f SecretFunc) check(cfg *Config) error {
	if f == nil {
		return errors.New("needs a SecretFunc, and it is nil")
	}
	return cfg.needsNoSecret()
}

func (f SecretFunc) authenticate(ctx context.Context, r *attempt) error {
	secret, err := f(ctx)
	if err != nil {
		return &borrowedError{err}
	}
	if err := checkCredential(secret); err != nil {
		return fmt.Errorf("the secret %w", err)
	}
	if !isVSChar(secret) { // RFC 6749 appendix A.2
		return errors.New("the secret has characters other than printable ASCII")
	}
	r.setSecret(secret)
	return nil
}

// AppleSecret is for Sign in with Apple, where the client secret is a JWT that the client
// signs itself: one of a minute for each attempt. ClientID is the Services ID. It prints as
// [redacted].
//
// Where Config.Scopes has name or email, Apple wants AuthorizeOptions.ResponseMode form_post.
// The name comes at the first sign-in alone, in the parameter user of the callback, which is
// JSON that nobody signed and that [Client.Exchange] does not look at.
type AppleSecret struct {
	TeamID string        // of the developer account
	KeyID  string        // of Key
	Key    crypto.Signer // P-256: what x509.ParsePKCS8PrivateKey makes of the .p8 file
}

const appleAudience = "https://appleid.apple.com"

func (AppleSecret) method() string { return "client_secret_post" }

func (a AppleSecret) check(cfg *Config) error {
	if a.TeamID == "" || a.KeyID == "" || a.Key == nil {
		return errors.New("needs TeamID, KeyID and Key of the AppleSecret")
	}
	if pub, ok := a.Key.Public().(*ecdsa.PublicKey); !ok || pub.Curve != elliptic.P256() {
		return errors.New("needs a Key on the curve P-256 in the AppleSecret")
	}
	return cfg.needsNoSecret()
}

func (a AppleSecret) authenticate(_ context.Context, r *attempt) error {
	secret, err := jwtsign.Sign(a.Key, "ES256", struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}{"ES256", a.KeyID}, assertionClaims{
		Issuer:   a.TeamID,
		Subject:  r.cfg.ClientID,
		Audience: appleAudience,
		IssuedAt: r.now.Unix(),
		Expiry:   r.now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return err
	}
	r.setSecret(secret)
	return nil
}
