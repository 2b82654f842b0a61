package session

import (
	"context"
	"errors"
	"net/http"

	"golang.org/x/oauth2"
)

var errNoResource = errors.New("session: TokenFor: no token for a resource can be had yet")

// TokenFor is Token for another API than the usual one. It fails.
func (s *Session) TokenFor(context.Context, string) (*oauth2.Token, error) {
	return nil, errNoResource
}

// HTTPClientFor is HTTPClient with the tokens of TokenFor. It sends nothing.
func (s *Session) HTTPClientFor(string) *http.Client {
	return &http.Client{Transport: failingTransport{errNoResource}}
}

type failingTransport struct{ err error }

// RoundTrip sends nothing.
func (t failingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	closeBody(r)
	return nil, t.err
}
