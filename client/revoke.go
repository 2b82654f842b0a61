package client

import (
	"context"
	"net/http"
	"net/url"
)

// Revoke has the provider revoke the refresh token of t and then its access token
// (RFC 7009). That the provider cannot revoke access tokens
// (unsupported_token_type), or knows a token no more (invalid_token), is no error.
// It stops at the first error: where the refresh token could not be revoked, the
// access token was not tried.
//
// The error wraps ErrUnsupported where the provider has no such endpoint.
func (c *Client) Revoke(ctx context.Context, t *Tokens) error {
	if err := c.checkOwn(t); err != nil {
		return err
	}
	s, err := c.provider(ctx)
	if err != nil {
		return err
	}
	if s.metadata.RevocationEndpoint == "" {
		return unsupported("revocation_endpoint")
	}
	if t.RefreshToken != "" {
		if err := c.revoke(ctx, s, t.RefreshToken, "refresh_token"); err != nil {
			return err
		}
	}
	if t.AccessToken == "" {
		return nil
	}
	return c.revoke(ctx, s, t.AccessToken, "access_token")
}

// A typeHint is a token_type_hint (RFC 7009 2.1).
type typeHint string

func (c *Client) revoke(ctx context.Context, s *snapshot, token string, hint typeHint) error {
	to := endpoint{name: "revocation", url: s.metadata.RevocationEndpoint}
	a, err := c.postForm(ctx, s, to, url.Values{"token": {token}, "token_type_hint": {string(hint)}})
	if err != nil {
		return err
	}
	if a.status == http.StatusOK || a.status == http.StatusNoContent {
		return nil
	}
	e := s.oauthError(a)
	switch {
	case e.Code == "invalid_token": // 2.2 wants 200 for it; Google answers 400
		return nil
	case e.Code == "unsupported_token_type" && hint == "access_token":
		return nil
	}
	return e
}
