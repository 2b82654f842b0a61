package client

import (
	"context"

	"github.com/postern-go/postern/jwtverify"
)

// VerifyLogout verifies a logout token, by which the provider says that a session, or every
// session of a user, has ended (OpenID Connect Back-Channel Logout 1.0 2.6): raw is the form
// parameter logout_token of a POST to the client's backchannel_logout_uri. It is checked as
// [jwtverify.Verifier.LogoutToken] says, with the issuer, keys and algorithms of the ID
// tokens of this client, and where they come encrypted, it must too (2.4). With
// Config.Tenants the Issuer of the result is that of the tenant.
//
// seen is told the jti of a token that all else is right with, and a token that it has seen
// is refused; it is required. A [jwtverify.ReplayCache] does for one process.
//
// Which sessions that are is for the caller, who must end those of this issuer alone, and
// answers 200 then. The error wraps ErrRejected where the token is not good: answer 400 (2.8).
// It wraps ErrUnavailable where metadata, keys or seen cannot be had at the moment: nothing
// is known of the token, and 503 lets the provider try again. It wraps ErrUnsupported for a
// client of NewOAuth. Package session has a handler that does all of it.
func (c *Client) VerifyLogout(ctx context.Context, raw string, seen jwtverify.ReplayGuard) (*jwtverify.LogoutToken, error) {
	if err := c.onlyOpenID("a logout token"); err != nil {
		return nil, err
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.verifier.LogoutToken(ctx, raw, seen)
	if err != nil {
		return nil, tokenError("logout token", err, ErrRejected)
	}
	return t, nil
}
