package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// ClientCredentials gets tokens for the client itself, where no user is involved (RFC
// 6749 4.4): for a job that calls an API. opts may be nil; Config.Scopes, which are for
// people, are not asked for. Every call is a request:
// [Client.ClientCredentialsSource] keeps the token while it lives.
//
// The tokens have no refresh token, even where a provider sends one, for the same request
// brings new ones (4.4.3); and no ID token, unless the provider has one for the client too (Keycloak, for
// the scope openid), which is then verified.
//
// A client without a way to authenticate is refused here. The error wraps ErrUnsupported
// where the metadata lists grants and not this one, ErrUnavailable where the provider is
// in trouble, and ErrRejected for any other answer.
func (c *Client) ClientCredentials(ctx context.Context, opts *GrantOptions) (*Tokens, error) {
	s, err := c.offering(ctx, grantClientCredentials, opts)
	if err != nil {
		return nil, err
	}
	if err := s.authenticates("client_credentials are"); err != nil { // RFC 6749 4.4
		return nil, err
	}
	want := asked{scope: opts.scope()}
	t, err := c.grant(ctx, s, opts.form(want.scope, url.Values{"grant_type": {grantClientCredentials}}), want)
	if err != nil {
		return nil, err
	}
	t.RefreshToken = ""
	return t, nil
}

// unsaidLifetime is how long a token is used whose life the provider does not tell.
const unsaidLifetime = 5 * time.Minute

// ClientCredentialsSource returns a source that keeps the access token of
// [Client.ClientCredentials] and gets the next one when it is due (see
// [Tokens.RefreshAt]; every five minutes where the provider does not say how long it
// lives). opts is copied. Make one source for each set of options, and keep it: two of them do
// not know of each other. [Client.Transport] calls an API with it.
//
// There is one request at a time, in the goroutine of a caller, and the others wait for
// it; without callers nothing is sent. While the provider is in trouble the old token is
// given out until it expires, and it is asked again after one second at first and one
// minute at most; until then callers without a token get the last error, which is that of
// ClientCredentials. The source is safe for concurrent use.
func (c *Client) ClientCredentialsSource(opts *GrantOptions) oauth2.TokenSource {
	return &credentialsSource{client: c, opts: opts.clone()}
}

type credentialsSource struct {
	client *Client
	opts   *GrantOptions

	renewals
	token    *oauth2.Token // nil: none yet
	due      time.Time     // when it is to be replaced
	end      time.Time     // when it is no good any more
	failure  error         // of the last request; nil: it succeeded
	failures int           // in a row
	retryAt  time.Time
}

var errNoAnswer = errors.New("client: the request for a token did not return")

// Token implements oauth2.TokenSource.
func (s *credentialsSource) Token() (*oauth2.Token, error) {
	now := s.client.Now() // it may panic: not while the lock is held
	return s.once(func() (*oauth2.Token, error, bool) { return s.held(now) }, s.renew, errNoAnswer)
}

// renew asks for a token, and says what to give out.
func (s *credentialsSource) renew() (*oauth2.Token, error) {
	tokens, err := s.client.ClientCredentials(context.Background(), s.opts)
	return s.keep(tokens, err, s.client.Now())
}

// held answers from what the source holds, where it can. s.mu is held.
func (s *credentialsSource) held(now time.Time) (token *oauth2.Token, err error, ok bool) {
	switch resting := s.failure != nil && now.Before(s.retryAt); {
	case s.token != nil && now.Before(s.due), s.token != nil && resting && now.Before(s.end):
		return s.token, nil, true
	case resting:
		return nil, s.failure, true
	}
	return nil, nil, false
}

// keep remembers how a request ended, and says what to give out.
func (s *credentialsSource) keep(t *Tokens, err error, now time.Time) (*oauth2.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failure, s.retryAt = err, now.Add(min(firstBackoff<<min(s.failures, 10), maxBackoff))
		s.failures++
		if s.token != nil && now.Before(s.end) {
			return s.token, nil
		}
		return nil, err
	}
	s.token, s.failure, s.failures = t.OAuth2(), nil, 0
	s.due, s.end = t.RefreshAt(), t.Expiry
	if t.Expiry.IsZero() {
		s.due = now.Add(unsaidLifetime)
		s.end = s.due
	}
	return s.token, nil
}

// Format prints [redacted], whatever the verb.
func (s *credentialsSource) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
