package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/postern-go/postern/jwtverify"
)

// Exchange is the only road from a callback to tokens. callback is all parameters of
// the callback request, its query or its form, as the browser brought them.
//
// It checks that the Login is this client's and at most an hour old; that no
// protocol parameter is there twice; state, in constant time; iss (RFC 9207), where
// it is there or the metadata promises it; and refuses tokens that were not asked
// for. Then it trades the code, with the Login's redirect URL and PKCE verifier, in
// one attempt that is never repeated; and requires an ID token, which
// [jwtverify.Verifier.IDToken] checks against the Login's nonce, max_age and acr
// and the hashes of access token and code. It does not check that the browser of
// the callback is the one of the Login: that is the job of whoever
// stores Logins.
//
// The error is an [*AuthError] where the provider refused; it wraps ErrRejected
// (and a [*CallbackError] says why) where a check failed, ErrInvalidGrant where the
// code was not good, and ErrUnavailable where the provider or its keys could not be
// reached. Begin a new sign-in after any error. Only a Login whose code was sent is
// refused here; remove a stored one in any case.
func (c *Client) Exchange(ctx context.Context, login *Login, callback url.Values) (*Tokens, error) {
	code, err := c.checkCallback(ctx, login, callback)
	if err != nil {
		return nil, err
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	// A code that is sent twice has the provider revoke what the first one gave (RFC 6749 4.1.2).
	if !login.sent.raise() {
		return nil, reject("login", "was used already")
	}
	received := c.Now()
	a, err := c.token(ctx, s, url.Values{ // RFC 6749 4.1.3, RFC 7636 4.5
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {login.redirectURL},
		"code_verifier": {string(login.verifier)},
	})
	if err != nil {
		return nil, err
	}
	if a.idToken == "" { // Core 3.1.3.3
		return nil, fmt.Errorf("client: %w: the token answer has no id_token, although openid was asked for", ErrRejected)
	}
	id, err := s.verifier.IDToken(ctx, a.idToken, jwtverify.Expect{
		Nonce:       login.nonce,
		AccessToken: a.accessToken,
		Code:        code,
		Since:       login.created,
		MaxAge:      login.maxAge,
		ACR:         login.acr,
	})
	if err != nil {
		return nil, idTokenError(err, ErrRejected)
	}
	t := a.tokens(received)
	t.IDToken = id
	if t.Scope == nil {
		t.Scope = strings.Fields(login.scope)
	}
	return t, nil
}

// idTokenError says what to do about an ID token that was not accepted: try later
// where its keys could not be had, otherwise what refused says.
func idTokenError(err, refused error) error {
	if errors.Is(err, jwtverify.ErrKeys) {
		refused = ErrUnavailable
	}
	return fmt.Errorf("client: %w: ID token: %w", refused, err)
}
