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
func (c *Client) Refresh(ctx context.Context, t *Tokens) (*Tokens, error) {
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
	a, err := c.token(ctx, s, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {t.RefreshToken},
	})
	if err != nil {
		return nil, c.deadGrant(t, err)
	}
	next := a.tokens(sent)
	if next.RefreshToken == "" {
		next.RefreshToken = t.RefreshToken
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
	return code == "invalid_client" || code == "invalid_dpop_proof" || code == useNonce
}

// checkOwn keeps tokens from being sent to a provider that they are not of.
func (c *Client) checkOwn(t *Tokens) error {
	if t == nil {
		return fmt.Errorf("client: %w: there are no tokens", ErrInvalidGrant)
	}
	if t.IDToken != nil && !c.cfg.isIssuer(t.IDToken.Issuer) {
		return fmt.Errorf("client: %w: the tokens are of another issuer", ErrRejected)
	}
	return nil
}
