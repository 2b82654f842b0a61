package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/internal/loopback"
	"github.com/postern-go/postern/internal/origin"
)

// Token gives the access token, refreshed if it is near its end and there is a
// refresh token. Most often that has happened before the handler ran.
//
// It fails with ErrSignIn if only a new sign-in helps, and with ErrHeadersSent
// if the token has expired and the response has begun: a refresh token that
// rotates and cannot be saved is a lost session, so nothing is sent then. It always fails
// where there is none: the response type was id_token, or Config.IdentityOnly is set. Any
// other error is temporary, such as one that wraps client.ErrUnavailable.
func (s *Session) Token(ctx context.Context) (*oauth2.Token, error) {
	return s.token(ctx, "")
}

var errNoAccessToken = errors.New("session: there is no access token: the response type is id_token, or Config.IdentityOnly is set")

// token gives another access token than the one that an API rejected, if one was.
func (s *Session) token(ctx context.Context, rejected string) (*oauth2.Token, error) {
	return s.tokenFor(ctx, "", rejected)
}

func (s *Session) tokenFor(ctx context.Context, resource, rejected string) (*oauth2.Token, error) {
	if !s.SignedIn() {
		return nil, ErrSignIn
	}
	g, want, err := s.usable(resource, rejected)
	if err != nil {
		return nil, err
	}
	if !want {
		return g.of(resource).OAuth2(), nil
	}
	fresh, err := s.refresh(ctx, g, resource, rejected)
	if err == nil {
		return fresh.of(resource).OAuth2(), nil
	}
	if rejected == "" && !errors.Is(err, ErrSignIn) && !g.over(resource, s.m.cfg.Now()) {
		return g.of(resource).OAuth2(), nil // near its end, but good
	}
	return nil, fmt.Errorf("session: refreshing the access token: %w", err)
}

// refresh waits for a newer grant than g, and not for long while g is good.
func (s *Session) refresh(ctx context.Context, g grant, resource, rejected string) (grant, error) {
	if rejected == "" && !g.over(resource, s.m.cfg.Now()) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, refreshPatience)
		defer cancel()
	}
	fresh, err := s.m.refresher.refresh(ctx, renewal{
		rp: s.provider.rp, rec: s.presented, begins: s.begins, grant: g, resource: resource, rejected: rejected,
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed *failure
	switch {
	case err == nil:
		s.grant = fresh
	case errors.As(err, &failed) && failed.dead:
		s.over = failed.reason
	default:
		s.tired = true
	}
	return fresh, err
}

// usable gives the newest grant, and says whether it should be refreshed. With
// an error it is of no use and cannot be refreshed.
func (s *Session) usable(resource, rejected string) (g grant, refresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.m.cfg.Now()
	if e, ended := s.m.endingOf(s.presented, now); ended && !now.Before(e.at) {
		return grant{}, false, ErrSignIn
	}
	g = s.m.refresher.newest(s.presented.id, s.grant, now)
	s.grant = g
	if g.tokens.AccessToken == "" {
		return g, false, errNoAccessToken
	}
	good := !g.over(resource, now) && (rejected == "" || g.of(resource).AccessToken != rejected)
	switch {
	case s.over != "":
		return g, false, ErrSignIn
	case good && (s.out || s.tired || !g.due(resource, now)):
		return g, false, nil
	case g.tokens.RefreshToken == "":
		return g, false, fmt.Errorf("%w: the access token is over and there is no refresh token", ErrSignIn)
	case s.out:
		return g, false, ErrHeadersSent
	case g.of(resource) == nil && len(g.others) >= maxResources:
		return g, false, errTooManyResources
	}
	return g, true, nil
}

// TokenSource is Token for code that takes an oauth2.TokenSource. It belongs to
// this request as the session does. It knows no context: a refresh in it takes at
// most 20 s. (For work that outlives a request use client.Client.TokenSource.)
func (s *Session) TokenSource() oauth2.TokenSource { return tokenSource{s} }

type tokenSource struct{ s *Session }

func (t tokenSource) Token() (*oauth2.Token, error) { return t.s.Token(context.Background()) }

// HTTPClient sends the access token with every request, as a bearer token (RFC
// 6750 section 2.1) or with a DPoP proof (RFC 9449 section 7, see
// client.Config.DPoP), and so to whatever host the app asks: give it addresses of
// your own configuration, never one that a user or a response has named. It goes
// to https and to loopback hosts only, and where a redirect leads to another
// origin the token stays behind. A request with an Authorization header of its
// own is sent as it is.
//
// When an API answers 401 the token is refreshed and the request sent once more,
// if its body can be: it has none, or has GetBody, as those of http.NewRequest
// from a buffer have. Otherwise, or if there is no new token to be had, or if the API
// asks for another sign-in (see [Challenge]), the 401 is the answer.
//
// The client has no timeout; contexts do. It belongs to this request as the
// session does, and fails as Token does.
func (s *Session) HTTPClient() *http.Client {
	return &http.Client{Transport: &bearerTransport{session: s}}
}

type bearerTransport struct {
	session  *Session
	resource string // empty: the usual one
}

// RoundTrip sends r with the token of the session.
func (t *bearerTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	base := t.base()
	if r.Header.Get("Authorization") != "" || origin.Left(r) {
		resp, err := base.RoundTrip(r)
		if resp != nil {
			resp.Request = r // a RoundTripper need not say it, and Left follows it
		}
		return resp, err
	}
	if r.URL.Scheme != "https" && !loopback.Host(r.URL.Hostname()) {
		closeBody(r)
		return nil, errors.New("session: an access token is not sent over http to another host; use Session.Token if you must")
	}
	token, err := t.session.tokenFor(r.Context(), t.resource, "")
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := t.send(r, token)
	// A challenge wants another sign-in, which no refresh is (RFC 9470 3).
	if err != nil || resp.StatusCode != http.StatusUnauthorized || Challenge(resp) != nil {
		return resp, err
	}
	again, fresh := t.replay(r, token)
	if again == nil {
		return resp, nil
	}
	// Read to the end, as far as that is not far, the connection can be used again.
	const drain = 64 << 10
	io.CopyN(io.Discard, resp.Body, drain)
	resp.Body.Close()
	return t.send(again, fresh)
}

func (t *bearerTransport) base() http.RoundTripper {
	if t.session.m == nil {
		return http.DefaultTransport
	}
	return t.session.m.cfg.Transport
}

// replay makes r once more, and gives a token for it that is not the rejected
// one; nil: there is no way.
func (t *bearerTransport) replay(r *http.Request, rejected *oauth2.Token) (*http.Request, *oauth2.Token) {
	if r.Body != nil && r.Body != http.NoBody && r.GetBody == nil {
		return nil, nil
	}
	fresh, err := t.session.tokenFor(r.Context(), t.resource, rejected.AccessToken)
	if err != nil {
		return nil, nil
	}
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, nil
		}
	}
	return again, fresh
}

// send sends r with a token, and with a proof where the token wants one.
func (t *bearerTransport) send(r *http.Request, token *oauth2.Token) (*http.Response, error) {
	return t.session.provider.rp.Transport(t.base(), oauth2.StaticTokenSource(token)).RoundTrip(r)
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}
