package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
)

// A Password is what somebody typed into the program (RFC 6749 4.3). It prints as
// [redacted].
type Password struct {
	Username string
	Password string
}

// InsecurePassword signs somebody in with the password that they gave to this program
// (RFC 6749 4.3). RFC 9700 2.4 forbids it: the program sees what only the provider should,
// people learn to type their password anywhere, and there is no second factor, no
// passkey and no other provider behind this one. Use [Client.Authorize], or [Client.Device] where there
// is no browser. It is here for a provider that offers nothing else.
//
// opts may be nil. The ID token has been verified and must have no nonce; it is nil
// only where the provider did not grant openid.
//
// Where the password is refused, the error wraps ErrInvalidGrant: providers say
// invalid_grant, dex says access_denied. It wraps ErrRejected where the provider wants
// what a password is not enough for (Auth0's mfa_required, Entra's interaction_required and
// consent_required), and the Hint of its [*ResponseError] says what to do; and for any
// other answer. It wraps ErrUnsupported where the metadata lists grants and not this one,
// and ErrUnavailable where the provider is in trouble.
func (c *Client) InsecurePassword(ctx context.Context, p Password, opts *GrantOptions) (*Tokens, error) {
	if p.Username == "" || p.Password == "" {
		return nil, errors.New("client: Password has an empty field")
	}
	if c.cfg.Profile.in(inFAPI2) { // 5.3.2.1-2
		return nil, fmt.Errorf("client: %v has no passwords (5.3.2.1-2): see Authorize and Device", c.cfg.Profile)
	}
	s, err := c.offering(ctx, grantPassword, opts)
	if err != nil {
		return nil, err
	}
	want := asked{scope: c.personScope(opts), person: true}
	form := opts.form(want.scope, url.Values{"grant_type": {grantPassword}, "username": {p.Username}, "password": {p.Password}})
	t, err := c.grant(ctx, s, form, want)
	if err != nil {
		return nil, passwordError(err)
	}
	return t, nil
}

// passwordError says what to do about words that providers have for this grant alone.
func passwordError(err error) error {
	var e *ResponseError
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case e.Code == "access_denied": // dex
		e.Err = ErrInvalidGrant
	case slices.Contains([]string{"mfa_required", "interaction_required", "consent_required"}, e.Code):
		e.Hint = "a password is not enough; sign the user in with Client.Authorize"
	}
	return e
}

// Format prints [redacted], whatever the verb.
func (p Password) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (p Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (p Password) MarshalJSON() ([]byte, error) { return redactedJSON, nil }
