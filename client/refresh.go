package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-go/postern/internal/strictjson"
	"github.com/postern-go/postern/jwtverify"
)

// Refresh trades the refresh token of t for new tokens (RFC 6749 6, Core 12). What
// the answer leaves out is kept: refresh token, scope, authorization details and ID token. Save the result
// before you use it, for the old refresh token may be used up; and refresh one at a
// time, or the provider may take a second use for theft. [Client.TokenSource] and
// package session do both.
//
// An ID token in the answer must be of the same user, issuer and audience as
// t.IDToken (Core 12.2). It is ignored where t has none to compare it with; and where
// its key cannot be had at the moment, or is not published yet, the old one is kept, if the new one names the
// same user, since the new tokens would be lost with it.
//
// The error wraps ErrInvalidGrant where the user has to sign in again: the provider
// said so, or t has no refresh token, or the answer's ID token was refused. Dead
// grants do not all say invalid_grant; so, once t.Expiry is past, every refusal is
// taken for one, unless it blames the client (invalid_client, invalid_dpop_proof). It wraps
// ErrUnavailable where the provider is in trouble and t is still good; and
// ErrRejected for every other answer.
//
// Tokens.Account and SessionState stay as they were: nobody is asked again.
func (c *Client) Refresh(ctx context.Context, t *Tokens) (*Tokens, error) {
	return c.refresh(ctx, t, nil)
}

// RefreshFor trades the refresh token of t for an access token for something else: another
// API (opts.Resource, RFC 8707 2.2; opts.Audience at Auth0, with its multi-resource refresh
// tokens), or less of the same (opts.Scopes, which may be no more than the user has granted,
// RFC 6749 6). The provider decides which it gives; where opts is nil, it is Refresh.
//
// The result is Tokens of its own, beside t, with the new access token, its Expiry, and as
// Scope what was granted or, where the answer does not say, what was asked for. Its
// RefreshToken is the one to go on with, for t too: where the provider rotates, that of t is
// used up from then on. So save it before anything else, in the place of the old one:
//
//	other, err := rp.RefreshFor(ctx, tokens, &client.GrantOptions{Resource: []string{"https://files.example.com"}})
//	if err != nil { ... }
//	tokens.RefreshToken = other.RefreshToken // and save tokens
//
// The access token of t stays good, but at providers which end it with its refresh token, such
// as GitHub. Everything that uses one refresh token takes turns: this, Refresh, and a
// TokenSource of the same tokens, or the provider may take the second use for theft.
//
// The error wraps ErrInvalidGrant only where the provider says so, or the answer's ID
// token was refused: it may not like opts alone (invalid_target, invalid_scope), which is
// ErrRejected. Otherwise it is as with [Client.Refresh].
func (c *Client) RefreshFor(ctx context.Context, t *Tokens, opts *GrantOptions) (*Tokens, error) {
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return c.refresh(ctx, t, opts)
}

// refresh is one token request, and the verification of what it brings. opts may be nil.
func (c *Client) refresh(ctx context.Context, t *Tokens, opts *GrantOptions) (*Tokens, error) {
	if err := c.checkOwn(t); err != nil {
		return nil, err
	}
	if t.RefreshToken == "" {
		return nil, fmt.Errorf("client: %w: there is no refresh token", ErrInvalidGrant)
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	sent := c.Now()
	a, err := c.token(ctx, s, opts.form(opts.scope(), url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {t.RefreshToken},
	}))
	if err != nil && opts == nil { // otherwise it may be these that are refused
		err = c.deadGrant(t, err)
	}
	if err != nil {
		return nil, err
	}
	next := a.tokens(sent)
	next.Account, next.SessionState = t.Account, t.SessionState
	if next.RefreshToken == "" {
		next.RefreshToken = t.RefreshToken
	}
	if next.Scope == nil && opts.scope() != "" {
		next.Scope = slices.Clone(opts.Scopes) // RFC 6749 5.1
	}
	if next.Scope == nil {
		next.Scope = slices.Clone(t.Scope)
	}
	if next.AuthorizationDetails == nil {
		next.AuthorizationDetails = slices.Clone(t.AuthorizationDetails)
	}
	next.IDToken, err = refreshedIDToken(ctx, s, a, t.IDToken)
	if err != nil {
		return nil, err
	}
	return next, nil
}

// refreshedIDToken returns the ID token to go on with (Core 12.2).
func refreshedIDToken(ctx context.Context, s *snapshot, a *tokenAnswer, old *jwtverify.IDToken) (*jwtverify.IDToken, error) {
	if a.idToken == "" || old == nil {
		return old, nil
	}
	id, err := s.verifier.IDToken(ctx, a.idToken, jwtverify.Expect{Previous: old, AccessToken: a.accessToken})
	if errors.Is(err, jwtverify.ErrKeys) || namesNoKey(err) {
		if !namesSameUser(a.idToken, old) {
			return nil, fmt.Errorf("client: %w: ID token: it is not of the same user", ErrInvalidGrant)
		}
		return old, nil // the refresh token has rotated: refusing now would lose the grant
	}
	if err != nil {
		return nil, a.idTokenError(err, ErrInvalidGrant)
	}
	return id, nil
}

// namesNoKey tells whether err is that the key set does not have the key: a provider
// may sign with a new key before its key set, or a cache before that, has it.
func namesNoKey(err error) bool {
	var e *jwtverify.ClaimError
	return errors.As(err, &e) && e.Claim == "kid"
}

// namesSameUser tells whether an ID token that could not be verified at least claims
// to be of the user of old. It proves nothing, and keeps an endpoint that mixes up
// its users from putting the tokens of one into the hands of another.
func namesSameUser(idToken string, old *jwtverify.IDToken) bool {
	_, rest, _ := strings.Cut(idToken, ".")
	segment, _, _ := strings.Cut(rest, ".")
	payload, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return false
	}
	var iss, sub string
	err = strictjson.Object(string(payload), []string{"iss", "sub"}, func(name string, v strictjson.Value) error {
		switch name {
		case "iss":
			iss, _ = v.String()
		case "sub":
			sub, _ = v.String()
		}
		return nil
	})
	return err == nil && iss == old.Issuer && sub == old.Subject
}

// deadGrant decides whether a failed refresh means that the user must sign in again.
// dex answers a used-up refresh token with invalid_request, and Glewlwyd with an
// empty 400: while the access token lives that may be a passing fault, and after
// that there is nothing left to keep.
func (c *Client) deadGrant(t *Tokens, err error) error {
	var e *ResponseError
	if t.Expiry.IsZero() || c.Now().Before(t.Expiry) || !errors.As(err, &e) {
		return err
	}
	refused := e.Status >= 400 && e.Status < 500 || e.Status == http.StatusOK && e.Code != ""
	if refused && !blamesClient(e.Code) && errors.Is(e, ErrRejected) {
		e.Err = ErrInvalidGrant
	}
	return e
}

// blamesClient tells an error of the request that would hit any grant: a key that changed,
// a clock that is wrong.
func blamesClient(code string) bool {
	return standardError(code) == "invalid_client" || code == "invalid_dpop_proof" || code == useNonce
}

// checkOwn keeps tokens from being sent to a provider that they are not of.
func (c *Client) checkOwn(t *Tokens) error {
	if t == nil {
		return fmt.Errorf("client: %w: there are no tokens", ErrInvalidGrant)
	}
	strange := t.IDToken != nil && (c.oauth != nil || !c.cfg.isIssuer(t.IDToken.Issuer))
	if strange || t.Account != nil && (c.oauth == nil || t.Account.Issuer != c.cfg.Issuer) {
		return fmt.Errorf("client: %w: the tokens are of another issuer", ErrRejected)
	}
	return nil
}
