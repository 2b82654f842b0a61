package jwtverify

import (
	"context"
	"fmt"
	"strings"
)

// UserInfo verifies a userinfo answer that is a JWT (Core 5.3.2) and returns its claims
// as JSON. On an error, which wraps exactly one of ErrExpired, ErrInvalid and ErrKeys,
// they are nil.
//
// iss, aud and sub are mandatory, and sub must be subject, that of the ID token
// (5.3.2); an empty subject fails. Times are compared where they are there. An answer
// that is encrypted and not signed is refused, for anybody could have encrypted it.
func (v *Verifier) UserInfo(ctx context.Context, raw, subject string) ([]byte, error) {
	payload, err := v.userInfo(ctx, raw, subject)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return []byte(payload), nil
}

func (v *Verifier) userInfo(ctx context.Context, raw, subject string) (string, error) {
	if err := v.ready(); err != nil {
		return "", err
	}
	token, err := v.open(ctx, raw, jwtTypes)
	if err != nil {
		return "", err
	}
	c, err := readClaims(token.payload)
	if err != nil {
		return "", err
	}
	if err := c.isNoToken(); err != nil {
		return "", err
	}
	if err := v.addressed(&c, token.key); err != nil {
		return "", err
	}
	if err := checkSubject(c.subject); err != nil {
		return "", err
	}
	if c.subject != subject {
		return "", invalidClaim("sub", "is not that of the ID token")
	}
	now := v.now()
	if err := v.begun(&c, now); err != nil {
		return "", err
	}
	if err := v.over(&c, now); err != nil {
		return "", err
	}
	return token.payload, nil
}

// isNoToken refuses ID, access and logout tokens where claims about a user are wanted:
// the same issuer signs them, perhaps for the same audience.
func (c *claims) isNoToken() error {
	if c.events.Exists() {
		return invalidClaim("events", "is that of a logout token")
	}
	if c.nonce != "" {
		return invalidClaim("nonce", "is that of an ID token")
	}
	if c.accessTokenHash != "" {
		return invalidClaim("at_hash", "is that of an ID token")
	}
	if c.codeHash != "" {
		return invalidClaim("c_hash", "is that of an ID token")
	}
	if c.kind != "" && !strings.EqualFold(c.kind, "JWT") { // Keycloak
		return &ClaimError{Claim: "typ", Reason: "is that of another kind of token", Got: c.kind, Err: ErrInvalid}
	}
	if c.use != "" { // Cognito
		return &ClaimError{Claim: "token_use", Reason: "is that of another kind of token", Got: c.use, Err: ErrInvalid}
	}
	if c.grantsScope() {
		return invalid("claims are those of an access token")
	}
	return nil
}
