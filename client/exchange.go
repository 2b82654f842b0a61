package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
	"github.com/postern-go/postern/jwtverify"
)

// Exchange is the only road from a callback to tokens. callback is all parameters of
// the callback request, its query or its form, as the browser brought them.
//
// It checks that the Login is this client's and at most an hour old; that no
// protocol parameter is there twice; the signature, where a signed answer was asked for
// (JARM), and that nothing stands beside it; state, in constant time; iss (RFC 9207),
// where it is there or the metadata promises it; that everything is there which the
// response type asks for, and nothing that it does not. An ID token in the callback
// is checked next, with the hashes of the code and access token beside it, which must be
// there. Only then it trades the code, with the Login's redirect URL and PKCE verifier, in
// one attempt that is never repeated; and requires an ID token, which
// [jwtverify.Verifier.IDToken] checks against the Login's nonce, max_age and acr
// and the hashes of access token and code, and which must be of the same user as the one
// of the callback (Core 3.3.3.6). An access token of the callback is not used where
// there is a code. With Config.Tenants the iss of the callback, where there is one, must be
// that of the ID token. It does not check that the browser of
// the callback is the one of the Login: that is the job of whoever
// stores Logins.
//
// Without a code in the response type nothing is sent. Tokens then has the ID token of the
// callback, and with id_token token its access token, but no refresh token.
//
// With a client of [NewOAuth] there is no ID token, and an id_token is refused: the user
// endpoint is asked who signed in, after the code was traded.
//
// The error is an [*AuthError] where the provider refused; it wraps ErrRejected
// (and a [*CallbackError] says why) where a check failed, ErrInvalidGrant where the
// code was not good, and ErrUnavailable where the provider or its keys could not be
// reached. Begin a new sign-in after any error. Only a Login whose code was sent, or whose
// ID token was accepted, is refused here; remove a stored one in any case.
func (c *Client) Exchange(ctx context.Context, login *Login, callback url.Values) (*Tokens, error) {
	a, err := c.checkCallback(ctx, login, callback)
	if err != nil {
		return nil, err
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	received := c.Now()
	var front *jwtverify.IDToken
	if login.want.has(asksIDToken) { // Core 3.3.2.12: before the code is sent
		want := login.expect(a.code, a.accessToken)
		want.FrontChannel = true
		if front, err = s.verifier.IDToken(ctx, a.idToken, want); err != nil {
			return nil, tokenError("ID token of the callback", err, ErrRejected)
		}
		if err := a.speaksFor(front); err != nil {
			return nil, err
		}
		if err := c.cfg.Profile.checkDetached(front); err != nil {
			return nil, err
		}
	}
	// A code that is sent twice has the provider revoke what the first one gave (RFC 6749 4.1.2).
	if !login.sent.raise() {
		return nil, reject("login", "was used already")
	}
	if !login.want.has(asksCode) {
		return a.tokens(login, front, received), nil
	}
	return c.trade(ctx, s, login, a, front)
}

// expect is what the ID tokens of a login must fit.
func (l *Login) expect(code, accessToken string) jwtverify.Expect {
	return jwtverify.Expect{
		Nonce:       l.nonce,
		AccessToken: accessToken,
		Code:        code,
		State:       l.state,
		Since:       l.created,
		MaxAge:      l.maxAge,
		ACR:         l.acr,
	}
}

// speaksFor refuses an ID token of another tenant than the callback named (RFC 9207 2.4).
// Without Config.Tenants there is one issuer, and both are known to be of it.
func (a *arrival) speaksFor(id *jwtverify.IDToken) error {
	if a.issuer != "" && a.issuer != id.Issuer {
		return reject("iss", "is not the issuer of the ID token")
	}
	return nil
}

// tokens are what a callback without a code brought (Core 3.2.2.5).
func (a *arrival) tokens(login *Login, id *jwtverify.IDToken, received time.Time) *Tokens {
	t := &Tokens{TokenType: "Bearer", IDToken: id, SessionState: a.sessionState, received: received.Truncate(time.Second)}
	if a.accessToken == "" {
		return t
	}
	t.AccessToken = a.accessToken
	t.Scope = splitScopes(login.scope)
	if a.scope != "" {
		t.Scope = splitScopes(a.scope)
	}
	number, _ := strictjson.Parse(a.expiresIn)
	if life, ok := lifetime(number); ok && life > 0 {
		t.Expiry = t.received.Add(life)
	}
	return t
}

// trade sends the code. front is the ID token of the callback; nil: there was none.
func (c *Client) trade(ctx context.Context, s *snapshot, login *Login, got *arrival, front *jwtverify.IDToken) (*Tokens, error) {
	form := url.Values{ // RFC 6749 4.1.3, RFC 7636 4.5
		"grant_type":    {"authorization_code"},
		"code":          {got.code},
		"redirect_uri":  {login.redirectURL},
		"code_verifier": {string(login.verifier)},
	}
	if len(login.resource) > 0 { // RFC 8707 2.2
		form["resource"] = login.resource
	}
	sent := c.Now()
	a, err := c.token(ctx, s, form)
	if err != nil {
		return nil, err
	}
	if c.oauth != nil {
		return c.signedIn(ctx, s, login, a.tokens(sent))
	}
	if a.idToken == "" { // Core 3.1.3.3
		return nil, fmt.Errorf("client: %w: the token answer has no id_token, although openid was asked for", ErrRejected)
	}
	id, err := s.verifier.IDToken(ctx, a.idToken, login.expect(got.code, a.accessToken))
	if err != nil {
		return nil, a.idTokenError(err, ErrRejected)
	}
	if err := got.speaksFor(id); err != nil {
		return nil, err
	}
	if front != nil && (front.Issuer != id.Issuer || front.Subject != id.Subject) { // Core 3.3.3.6
		return nil, fmt.Errorf("client: %w: the ID tokens of the callback and of the token answer are of different users", ErrRejected)
	}
	t := a.tokens(sent)
	t.IDToken, t.SessionState = id, got.sessionState
	if t.Scope == nil {
		t.Scope = splitScopes(login.scope)
	}
	return t, nil
}

// idTokenError says what to do about an ID token that was not accepted.
func (t *tokenAnswer) idTokenError(err, refused error) error {
	return tokenError("ID token", newVerdict(err, t.secrets), refused)
}

// tokenError says what to do about what was not verified: try later where its keys could
// not be had, otherwise what refused says.
func tokenError(what string, err, refused error) error {
	if errors.Is(err, jwtverify.ErrKeys) {
		refused = ErrUnavailable
	}
	return fmt.Errorf("client: %w: %s: %w", refused, what, err)
}
