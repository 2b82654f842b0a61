package jwtverify

import (
	"context"
	"fmt"
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
	token, c, err := v.read(ctx, raw, jwtTypes)
	if err != nil {
		return "", err
	}
	if err := c.isStatement(); err != nil {
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
