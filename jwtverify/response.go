package jwtverify

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/postern-go/postern/internal/strictjson"
)

// AuthorizationResponse verifies an authorization response that is a JWT (the parameter
// response of JARM, 2.4) and returns the parameters in it. On an error, which wraps
// exactly one of ErrExpired, ErrInvalid and ErrKeys, they are nil.
//
// iss, aud and exp are mandatory. Whether the state is the right one, and everything
// else of the answer, is for the caller to check: most programs want package client.
func (v *Verifier) AuthorizationResponse(ctx context.Context, raw string) (url.Values, error) {
	params, err := v.authorizationResponse(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return params, nil
}

// jwtTypes are those of a JWT that its specification gives no type of its own.
var jwtTypes = []string{"", "JWT"}

// responseEnvelope are the claims of a response that are no parameters of it. iss is
// both (RFC 9207 2.4).
var responseEnvelope = []string{"aud", "exp", "iat", "nbf", "jti"}

func (v *Verifier) authorizationResponse(ctx context.Context, raw string) (url.Values, error) {
	token, c, err := v.read(ctx, raw, jwtTypes)
	if err != nil {
		return nil, err
	}
	if c.subject != "" { // a token about a user is none about a request
		return nil, invalidClaim("sub", "is that of another kind of token")
	}
	if err := v.addressed(&c, token.key); err != nil {
		return nil, err
	}
	now := v.now()
	if c.expiry.IsZero() {
		return nil, invalidClaim("exp", "is missing")
	}
	if err := v.begun(&c, now); err != nil {
		return nil, err
	}
	params := url.Values{}
	err = strictjson.Object(token.payload, nil, func(name string, value strictjson.Value) error {
		if slices.Contains(responseEnvelope, name) {
			return nil
		}
		text, ok := value.String()
		if !ok { // expires_in is a number
			text, ok = value.Number()
		}
		if !ok {
			return invalidClaim(name, "is neither a string nor a number")
		}
		params.Set(name, text)
		return nil
	})
	if err != nil {
		return nil, unreadable("payload", err)
	}
	if err := v.over(&c, now); err != nil {
		return nil, err
	}
	return params, nil
}
