package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/oauth2"
)

const (
	saveTimeout     = 10 * time.Second
	refreshCooldown = 5 * time.Second // after a refresh that failed: a provider in trouble is not asked by every call
)

// TokenSource returns a source of access tokens for work outside a session: a job
// that acts for a user who is not there. It refreshes when it is due (see
// [Tokens.RefreshAt]), one refresh at a time for all callers, and calls save with
// the new tokens before it gives them out. When save fails, the source keeps the
// tokens, gives out the error instead, and calls save with them again at the next
// call: a refresh token that rotated is not lost while the program runs.
//
// save is required; a nil one makes every call fail. Its ctx ends after ten
// seconds. save must not call the source.
//
// While the provider is in trouble the old token is given out until it expires. The
// errors are those of [Client.Refresh]; once one wraps ErrInvalidGrant the source is
// at its end and sends nothing more. It is safe for concurrent use, but two sources
// on the same tokens use up each other's refresh token.
func (c *Client) TokenSource(t *Tokens, save func(context.Context, *Tokens) error) oauth2.TokenSource {
	s := &tokenSource{client: c, save: save}
	switch {
	case save == nil:
		s.dead = errors.New("client: TokenSource needs a save function, or rotated refresh tokens would be lost")
	case t == nil:
		s.dead = fmt.Errorf("client: %w: there are no tokens", ErrInvalidGrant)
	default:
		s.tokens = t.clone()
	}
	return s
}

type tokenSource struct {
	client *Client
	save   func(context.Context, *Tokens) error

	renewals
	tokens  *Tokens   // the last that were saved
	unsaved *Tokens   // that came after them; nil: none
	dead    error     // every further call fails with it
	failure error     // of the last refresh; nil: it succeeded
	retryAt time.Time // not to be refreshed before, after a failure
}

// Token implements oauth2.TokenSource.
func (s *tokenSource) Token() (*oauth2.Token, error) {
	now := s.client.Now() // it may panic: not while the lock is held
	return s.once(func() (*oauth2.Token, error, bool) { return s.held(now) }, s.renew, errAbandoned)
}

var errAbandoned = errors.New("client: the save function did not return")

// held answers from what the source holds, where it can. s.mu is held.
func (s *tokenSource) held(now time.Time) (token *oauth2.Token, err error, ok bool) {
	if s.dead != nil {
		return nil, s.dead, true
	}
	t := s.tokens
	switch {
	case t.Expiry.IsZero(), now.Before(t.RefreshAt()), t.RefreshToken == "" && now.Before(t.Expiry):
		return t.OAuth2(), nil, true
	case s.failure == nil || !now.Before(s.retryAt):
		return nil, nil, false
	case now.Before(t.Expiry):
		return t.OAuth2(), nil, true
	}
	return nil, s.failure, true
}

// renew refreshes the tokens, unless that has been done and was not saved, and saves.
// What could not be saved for so long that it is due again is refreshed once more.
func (s *tokenSource) renew() (*oauth2.Token, error) {
	s.mu.Lock()
	tokens, unsaved := s.tokens, s.unsaved
	s.mu.Unlock()
	delayed := unsaved != nil
	if !delayed {
		var err error
		unsaved, err = s.client.Refresh(context.Background(), tokens)
		if err != nil {
			return s.failed(tokens, err)
		}
		s.mu.Lock()
		s.unsaved, s.failure = unsaved, nil
		s.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	if err := s.save(ctx, unsaved.clone()); err != nil {
		return nil, fmt.Errorf("client: the new tokens could not be saved: %w", err)
	}
	s.mu.Lock()
	s.tokens, s.unsaved = unsaved, nil
	s.mu.Unlock()
	if delayed && unsaved.RefreshToken != "" && !unsaved.Expiry.IsZero() && !s.client.Now().Before(unsaved.RefreshAt()) {
		return s.renew()
	}
	return unsaved.OAuth2(), nil
}

// failed remembers why a refresh failed, and gives out the old token while it lives
// and the grant is not dead.
func (s *tokenSource) failed(tokens *Tokens, err error) (*oauth2.Token, error) {
	now := s.client.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if errors.Is(err, ErrInvalidGrant) {
		s.dead = err
		return nil, err
	}
	s.failure, s.retryAt = err, now.Add(refreshCooldown)
	if now.Before(tokens.Expiry) {
		return tokens.OAuth2(), nil
	}
	return nil, err
}

func (t *Tokens) clone() *Tokens {
	n := *t
	n.Scope, n.AuthorizationDetails = slices.Clone(t.Scope), slices.Clone(t.AuthorizationDetails)
	return &n
}
