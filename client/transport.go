package client

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/internal/loopback"
	"github.com/postern-go/postern/internal/origin"
)

// Transport returns a transport for calling APIs: it sends the access token of source with
// every request, as a bearer token (RFC 6750 2.1), or where its type is DPoP with a proof
// by Config.DPoP (RFC 9449 7). base carries the requests; nil: the transport of
// Config.HTTPClient, with Config.Certificate where there is one, as tokens that are bound
// to it need.
//
// The token goes to whatever host the program asks: give it addresses of your own
// configuration, never one that a user or a response has named. It goes to https and to
// loopback hosts only, and where a redirect leads to another origin it stays behind, as
// Config.Certificate does: whoever answers must not choose where the client proves itself. A
// request with an Authorization header of its own is sent as it is.
//
// An API that wants a nonce in the proof (use_dpop_nonce) gets the request once more, if
// its body can be sent again: it has none, or has GetBody, as those of http.NewRequest
// from a buffer have. Otherwise its answer is the answer, and the next request has the
// nonce.
//
// It does not refresh: [Client.TokenSource] does. [oauth2.NewClient] does not know DPoP.
func (c *Client) Transport(base http.RoundTripper, source oauth2.TokenSource) http.RoundTripper {
	t := &transport{client: c, base: base, source: source}
	if base == nil {
		t.base = c.cfg.baseTransport()
		if c.cfg.hasCertificate() {
			t.base, t.outside = c.call.Transport, t.base
		}
	}
	return t
}

type transport struct {
	client  *Client
	base    http.RoundTripper
	outside http.RoundTripper // base without Config.Certificate; nil: base shows none
	source  oauth2.TokenSource
}

// Format prints [redacted], whatever the verb: the source may hold tokens.
func (t *transport) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

var errNoSource = errors.New("client: Transport needs a token source")

// RoundTrip sends r with the token.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	left := origin.Left(r)
	if r.Header.Get("Authorization") != "" || left {
		base := t.base
		if left && t.outside != nil {
			base = t.outside
		}
		resp, err := base.RoundTrip(r)
		if resp != nil {
			resp.Request = r // a RoundTripper need not say it, and Left follows it
		}
		return resp, err
	}
	token, err := t.token(r)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := t.send(r, token)
	if err != nil || !wantsOtherProof(resp, token) {
		return resp, err
	}
	again := replay(r)
	if again == nil {
		return resp, nil
	}
	// Read to the end, as far as that is not far, the connection can be used again.
	const drain = 64 << 10
	io.CopyN(io.Discard, resp.Body, drain)
	resp.Body.Close()
	return t.send(again, token)
}

// CloseIdleConnections is for http.Client.CloseIdleConnections.
func (t *transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
	if outside, ok := t.outside.(interface{ CloseIdleConnections() }); ok {
		outside.CloseIdleConnections()
	}
}

func (t *transport) token(r *http.Request) (*oauth2.Token, error) {
	if r.URL.Scheme != "https" && !loopback.Host(r.URL.Hostname()) {
		return nil, errors.New("client: an access token is not sent over http to another host")
	}
	if t.source == nil {
		return nil, errNoSource
	}
	return t.source.Token()
}

// send sends a copy of r: a RoundTripper must not change the request it is given, and the
// token must not show where the request of a response is printed.
func (t *transport) send(r *http.Request, token *oauth2.Token) (*http.Response, error) {
	sent := r.Clone(r.Context())
	if sent.Header == nil {
		sent.Header = http.Header{}
	}
	method, target := r.Method, *r.URL
	if method == "" {
		method = http.MethodGet
	}
	if r.Host != "" {
		target.Host = r.Host // what the API takes itself for
	}
	if err := t.client.present(sent.Header, method, &target, token.TokenType, token.AccessToken); err != nil {
		closeBody(sent)
		return nil, fmt.Errorf("client: %w", err)
	}
	resp, err := t.base.RoundTrip(sent)
	if resp != nil {
		resp.Request = r
		if sent.Header.Get("DPoP") != "" {
			t.client.rememberNonce(target.String(), resp.Header)
		}
	}
	return resp, err
}

// wantsOtherProof tells whether the API asks for a proof with the nonce that it brings
// (RFC 9449 9).
func wantsOtherProof(resp *http.Response, token *oauth2.Token) bool {
	return strings.EqualFold(token.TokenType, typeDPoP) && resp.StatusCode == http.StatusUnauthorized &&
		nonceOf(resp.Header) != "" && challengesNonce(resp.Header)
}

// replay makes r once more; nil: there is no way.
func replay(r *http.Request) *http.Request {
	again := r.Clone(r.Context())
	if r.Body == nil || r.Body == http.NoBody {
		return again
	}
	if r.GetBody == nil {
		return nil
	}
	var err error
	if again.Body, err = r.GetBody(); err != nil {
		return nil
	}
	return again
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}
