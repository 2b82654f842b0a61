package client

import (
	"context"
	"errors"
	"net/url"
	"strings"
)

// JWTBearer trades an assertion for tokens (RFC 7523 2.1): a JWT by somebody whom the
// provider trusts, about whom the tokens are to be. opts may be nil; Config.Scopes are not
// asked for. What the assertion says is for the provider to judge; it is not looked at
// here. To prove who the client is by a JWT is another thing (RFC 7523 2.2), and stands in
// Config.Auth.
//
// There is a refresh token or an ID token only where the provider gave one, and the ID
// token has been verified.
//
// The error wraps ErrInvalidGrant where the provider does not take the assertion,
// ErrUnsupported where the metadata lists grants and not this one, ErrUnavailable where
// the provider is in trouble, and ErrRejected for any other answer.
func (c *Client) JWTBearer(ctx context.Context, assertion string, opts *GrantOptions) (*Tokens, error) {
	if !isVisible(assertion) || strings.Count(assertion, ".") < 2 {
		return nil, errors.New("client: the assertion is not a JWT in compact form")
	}
	s, err := c.offering(ctx, grantJWTBearer, opts)
	if err != nil {
		return nil, err
	}
	want := asked{scope: opts.scope()}
	return c.grant(ctx, s, opts.form(want.scope, url.Values{"grant_type": {grantJWTBearer}, "assertion": {assertion}}), want)
}
