package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

// A TokenType says what kind of token something is (RFC 8693 3). There are others, which
// are URIs too.
type TokenType string

// The types that RFC 8693 3 names.
const (
	TypeAccessToken  TokenType = "urn:ietf:params:oauth:token-type:access_token"
	TypeRefreshToken TokenType = "urn:ietf:params:oauth:token-type:refresh_token"
	TypeIDToken      TokenType = "urn:ietf:params:oauth:token-type:id_token"
	TypeJWT          TokenType = "urn:ietf:params:oauth:token-type:jwt"
	TypeSAML1        TokenType = "urn:ietf:params:oauth:token-type:saml1"
	TypeSAML2        TokenType = "urn:ietf:params:oauth:token-type:saml2"
)

// notAccessToken is the token_type of what is issued and no access token (RFC 8693 2.2.1).
const notAccessToken = "N_A"

// A TokenExchange is what is traded (RFC 8693 2.1). SubjectToken is required. It prints as
// [redacted].
type TokenExchange struct {
	SubjectToken     string    // of whom the new token is about
	SubjectTokenType TokenType // empty: TypeAccessToken
	ActorToken       string    // of who acts for them; empty: nobody, the new token says nothing of it
	ActorTokenType   TokenType // empty: TypeAccessToken; must be empty without an ActorToken

	// Requested is the type of the new token. Empty: nothing is sent, and an access token
	// is expected.
	Requested TokenType
}

func (x *TokenExchange) validate() error {
	if x.SubjectToken == "" {
		return errors.New("TokenExchange.SubjectToken is empty")
	}
	if x.ActorToken == "" && x.ActorTokenType != "" { // 2.1
		return errors.New("TokenExchange.ActorTokenType is set, and ActorToken is empty")
	}
	for _, t := range []TokenType{x.SubjectTokenType, x.ActorTokenType, x.Requested} {
		if t == "" {
			continue
		}
		if u, err := url.Parse(string(t)); err != nil || !u.IsAbs() || !isVisible(string(t)) {
			return fmt.Errorf("TokenExchange: %q is not a token type, which is a URI", cut(string(t), quoted))
		}
	}
	return nil
}

// ExchangeToken trades a token for another one (RFC 8693): a service that was called with a user's
// access token gets one of its own for the next service. opts say where the new token is
// to be used; it may be nil. Verify a token that came from outside before it is traded here: the provider
// says nothing about who brought it.
//
// The new token is AccessToken of the result, whatever its type, and the type is the one
// that was asked for: any other answer is refused. Where it is no access token, and for TypeRefreshToken, TypeIDToken, TypeSAML1
// and TypeSAML2 in any case, TokenType is N_A: [Client.Transport] does not send it, and
// nothing has been verified of it. There is a refresh token only where the provider gave one, and an
// ID token, verified, only where it gave one beside the new token.
//
// The error wraps ErrUnsupported where the metadata lists grants and not this one,
// ErrInvalidGrant where the provider says that a token is no good (Keycloak and others say invalid_request,
// and RFC 8693 2.2.2 too: those are ErrRejected), ErrUnavailable where the provider is in trouble, and
// ErrRejected for any other answer, such as invalid_target.
func (c *Client) ExchangeToken(ctx context.Context, x TokenExchange, opts *GrantOptions) (*Tokens, error) {
	if err := x.validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	s, err := c.offering(ctx, grantExchange, opts)
	if err != nil {
		return nil, err
	}
	own := url.Values{
		"grant_type":           {grantExchange},
		"subject_token":        {x.SubjectToken},
		"subject_token_type":   {string(cmp.Or(x.SubjectTokenType, TypeAccessToken))},
		"requested_token_type": {string(x.Requested)},
	}
	if x.ActorToken != "" {
		own.Set("actor_token", x.ActorToken)
		own.Set("actor_token_type", string(cmp.Or(x.ActorTokenType, TypeAccessToken)))
	}
	sent := c.Now()
	a, err := c.token(ctx, s, opts.form(opts.scope(), own))
	if err != nil {
		return nil, err
	}
	if err := a.issued(cmp.Or(x.Requested, TypeAccessToken)); err != nil {
		return nil, fmt.Errorf("client: %w: token exchange: %w", ErrRejected, err)
	}
	t, err := s.granted(ctx, a, asked{scope: opts.scope()}, sent)
	if err != nil {
		return nil, err
	}
	if a.isNoAccessToken() || x.Requested.neverAccessToken() {
		t.TokenType = notAccessToken
	}
	return t, nil
}

// neverAccessToken tells the types that no API is called with, whatever token_type a
// provider writes beside them: they would be good for far more than the call.
func (t TokenType) neverAccessToken() bool {
	return t == TypeRefreshToken || t == TypeIDToken || t == TypeSAML1 || t == TypeSAML2
}

// issued checks what an exchange brought (RFC 8693 2.2.1).
func (t *tokenAnswer) issued(want TokenType) error {
	switch {
	case t.issuedTokenType == "":
		return errors.New("issued_token_type is missing")
	case t.issuedTokenType != string(want):
		return fmt.Errorf("issued_token_type is not %s", want)
	case want == TypeAccessToken && t.isNoAccessToken():
		return errors.New("token_type of an access token is N_A")
	}
	return nil
}

// isNoAccessToken tells whether the answer to an exchange says that its token is for
// something else. To any other grant, such an answer is not understood.
func (t *tokenAnswer) isNoAccessToken() bool {
	return t.grant == grantExchange && strings.EqualFold(t.tokenType, notAccessToken)
}

// Format prints [redacted], whatever the verb.
func (x TokenExchange) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (x TokenExchange) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (x TokenExchange) MarshalJSON() ([]byte, error) { return redactedJSON, nil }
