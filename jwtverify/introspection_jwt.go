package jwtverify

import (
	"context"
	"fmt"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

// introspectionTypes: RFC 9701 5 demands the type, which no other token has.
var introspectionTypes = []string{"token-introspection+jwt"}

// maxIntrospectionAge is how long ago the answer may have been signed. It is asked for and
// comes at once; one that somebody kept says what was true then.
const maxIntrospectionAge = 5 * time.Minute

// IntrospectionJWT verifies the answer of an introspection endpoint that is a JWT (RFC
// 9701 5) and returns what it says of the token, its member token_introspection, as JSON.
// On an error, which wraps exactly one of ErrExpired, ErrInvalid and ErrKeys, that is nil.
//
// iss, aud and iat are mandatory: Audience is the client ID of whoever asked. The answer
// is at most five minutes old. It does not say which token it is about, and what it says
// of that is not looked at: [Verifier.Introspection] does, with the Audience that the
// token itself must have. Most programs want Introspector of package client.
func (v *Verifier) IntrospectionJWT(ctx context.Context, raw string) ([]byte, error) {
	answer, err := v.introspectionJWT(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return []byte(answer), nil
}

func (v *Verifier) introspectionJWT(ctx context.Context, raw string) (string, error) {
	token, c, err := v.read(ctx, raw, introspectionTypes)
	if err != nil {
		return "", err
	}
	if err := v.addressed(&c, token.key); err != nil {
		return "", err
	}
	if c.issuedAt.IsZero() {
		return "", invalidClaim("iat", "is missing")
	}
	answer, _ := strictjson.At(token.payload, []string{"token_introspection"})
	if !answer.IsObject() {
		return "", invalidClaim("token_introspection", "is not an object")
	}
	now := v.now()
	if err := v.begun(&c, now); err != nil {
		return "", err
	}
	if err := v.over(&c, now); err != nil { // RFC 9701 5 would rather have no exp
		return "", err
	}
	return answer.Raw(), v.issuedWithin(&c, now, maxIntrospectionAge, "is more than five minutes ago")
}
