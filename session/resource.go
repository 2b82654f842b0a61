package session

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/client"
)

// maxResources bounds the access tokens of a session beside the usual one. Each takes its
// place in the cookie, or in the Store.
const maxResources = 8

var (
	errNoResource       = errors.New("session: TokenFor: the resource is missing")
	errTooManyResources = errors.New("session: a session has access tokens for at most 8 other resources")
)

// TokenFor is Token for another API than the usual one, at a provider that gives a session
// several access tokens (RFC 8707 section 2.2): resource is the absolute URI that the
// provider knows the API by. The first call, and each one near the end of that token, is a
// refresh that names it; the token is kept in the session until it is over. At most eight
// resources are kept. What the provider demands for it, such as the resource in
// client.AuthorizeOptions at the sign-in, is for the app to see to.
//
// The refresh token is one, so this takes turns with all other refreshes of the session. It
// fails as Token does; and with an error that wraps client.ErrRejected where the provider
// does not give a token for the resource, which leaves the session as it was.
func (s *Session) TokenFor(ctx context.Context, resource string) (*oauth2.Token, error) {
	if resource == "" {
		return nil, errNoResource
	}
	return s.tokenFor(ctx, resource, "")
}

// HTTPClientFor is HTTPClient with the tokens of TokenFor. The resource is for the provider:
// it does not limit where requests go.
func (s *Session) HTTPClientFor(resource string) *http.Client {
	if resource == "" {
		return &http.Client{Transport: failingTransport{errNoResource}}
	}
	return &http.Client{Transport: &bearerTransport{session: s, resource: resource}}
}

type failingTransport struct{ err error }

// RoundTrip sends nothing.
func (t failingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	closeBody(r)
	return nil, t.err
}

// send sends the token request that the wish is for.
func (want *renewal) send(ctx context.Context) (*client.Tokens, error) {
	if want.resource == "" {
		return want.rp.Refresh(ctx, want.grant.tokens)
	}
	return want.rp.RefreshFor(ctx, want.grant.tokens, &client.GrantOptions{Resource: []string{want.resource}})
}

// with is the grant after a refresh. The refresh token is that of the usual tokens, whatever
// it was used for.
func (g grant) with(resource string, fresh *client.Tokens, saved time.Time) grant {
	if resource == "" {
		return grant{tokens: fresh, others: g.others, saved: saved}
	}
	usual, other := *g.tokens, *fresh
	usual.RefreshToken = fresh.RefreshToken
	other.RefreshToken, other.IDToken, other.Account, other.SessionState = "", nil, nil, ""
	others := maps.Clone(g.others)
	if others == nil {
		others = make(map[string]*client.Tokens, 1)
	}
	others[resource] = &other
	return grant{tokens: &usual, others: others, saved: saved}
}

// same compares all tokens.
func (g grant) same(other grant) bool {
	return g.tokens.AccessToken == other.tokens.AccessToken && g.tokens.RefreshToken == other.tokens.RefreshToken &&
		maps.EqualFunc(g.others, other.others, func(a, b *client.Tokens) bool { return a.AccessToken == b.AccessToken })
}
