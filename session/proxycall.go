package session

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/postern-go/postern/client"
)

const (
	// maxReplay is how much of a body is held for a second try after a 401, in bytes.
	maxReplay = 64 << 10
	// maxAnswerHeader bounds the headers of an answer that is passed on, in bytes.
	maxAnswerHeader = 64 << 10
)

// A proxyCall is one request on its way through a proxy.
type proxyCall struct {
	*proxy
	r         *http.Request
	session   *Session
	transport http.RoundTripper
	ofUser    bool        // it has the user's token
	body      []byte      // nil: it is streamed
	patience  *time.Timer // ends the context of r
}

// authorize decides on the token. It gets one beforehand, so that what fails later is the
// API and not the provider.
func (c *proxyCall) authorize() *Error {
	c.ofUser = c.Token.ofUser() && c.session.SignedIn()
	switch {
	case c.ofUser && c.Resource != "":
		c.transport = c.session.HTTPClientFor(c.Resource).Transport
		_, err := c.session.TokenFor(c.r.Context(), c.Resource)
		return c.noToken(err)
	case c.ofUser:
		c.transport = c.session.HTTPClient().Transport
		_, err := c.session.Token(c.r.Context())
		return c.noToken(err)
	case c.Token.ofClient():
		c.transport = c.own
		_, err := c.source.Token()
		return c.noToken(err)
	}
	c.transport = c.m.cfg.Transport
	return nil
}

func (c *proxyCall) noToken(err error) *Error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrSignIn):
		return &Error{Status: http.StatusUnauthorized, Reason: or(c.session.ending(), ReasonRefreshFailed), Err: err, StartAgain: c.m.cfg.LoginPath}
	case errors.Is(err, errNoAccessToken):
		return &Error{Status: http.StatusInternalServerError, Reason: ReasonInternal, Err: err}
	case errors.Is(err, client.ErrUnavailable):
		return &Error{Status: http.StatusServiceUnavailable, Reason: ReasonUnavailable, Err: err}
	}
	return &Error{Status: http.StatusBadGateway, Reason: ReasonTokenRefused, Err: err}
}

// ending is why the session ends with this request; empty: it does not.
func (s *Session) ending() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// keepBody reads a small body, so that it can be sent again.
func (c *proxyCall) keepBody() (err error) {
	if !c.ofUser && !c.Token.ofClient() || c.r.ContentLength <= 0 || c.r.ContentLength > maxReplay {
		return nil
	}
	// A middleware that decompresses need not have changed the length.
	c.body, err = io.ReadAll(io.LimitReader(c.r.Body, maxReplay+1))
	if err == nil && len(c.body) > maxReplay {
		err = errLongerThanStated
	}
	return err
}

var errLongerThanStated = errors.New("the body is longer than its stated length")

// unreadable is for a request whose body ends too early, or is larger than a handler in front
// allows.
func unreadable(err error) *Error {
	status := http.StatusBadRequest
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		status = http.StatusRequestEntityTooLarge
	}
	return &Error{Status: status, Reason: ReasonBody, Err: err}
}

func (c *proxyCall) reverse() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: c.rewrite, Transport: c, ModifyResponse: c.judge, ErrorHandler: c.fail, ErrorLog: c.quiet,
	}
}

func (c *proxyCall) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	if pr.In.URL.Path == "" { // a prefix was all there was
		out.URL.Path, out.URL.RawPath = c.target.Path, c.target.RawPath
		out.URL.Scheme, out.URL.Host, out.Host = c.target.Scheme, c.target.Host, ""
	} else {
		pr.SetURL(c.target)
	}
	out.Trailer = nil
	c.m.cleanRequest(out.Header, pr.In)
	if c.body != nil {
		out.Body, _ = c.bodyAgain()
		out.GetBody = c.bodyAgain
	}
}

func (c *proxyCall) bodyAgain() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(c.body)), nil
}

// RoundTrip sends what rewrite made. The context is the call's own: that of out would hand
// on 1xx answers, whose headers nobody has looked at. Nor has anybody looked at trailers when
// they come: they go into the answer as the transport made it, and not into the copy.
func (c *proxyCall) RoundTrip(out *http.Request) (*http.Response, error) {
	resp, err := c.transport.RoundTrip(out.WithContext(c.r.Context()))
	if resp == nil {
		return nil, err
	}
	silent := *resp
	silent.Trailer = nil
	return &silent, err
}

var (
	errAPISlow   = errors.New("the API has not answered in time")
	errAPIAnswer = errors.New("the API's answer has a status or a header that is not passed on")
	errAPIToken  = errors.New("the API answers 401")
	errAPIFailed = errors.New("the API could not be called, or its answer not be read")
)

// judge decides about an answer. An error is for fail to answer with.
func (c *proxyCall) judge(resp *http.Response) error {
	c.limitStream()
	if resp.StatusCode < 200 || resp.StatusCode > 599 || headerBytes(resp.Header) > maxAnswerHeader {
		return errAPIAnswer
	}
	if c.ofUser {
		if d := Challenge(resp); d != nil {
			return d
		}
	}
	if resp.StatusCode == http.StatusUnauthorized {
		return c.rejected()
	}
	cleanAnswer(resp.Header)
	return nil
}

// limitStream lets the rest of the answer take as long as the session lasts.
func (c *proxyCall) limitStream() {
	c.patience.Stop()
	if c.session.SignedIn() {
		c.patience.Reset(c.session.Expires().Sub(c.m.cfg.Now()))
	}
}

// rejected is for a 401 that says nothing in particular. A page that signs in again because
// of it must not be told to do so for ever: a token of this very minute is not the reason.
func (c *proxyCall) rejected() *Error {
	if c.Token.forAnybody() && !c.session.SignedIn() && !c.Token.ofClient() {
		return &Error{Status: http.StatusUnauthorized, Reason: c.session.reason, Err: errAPIToken, StartAgain: c.m.cfg.LoginPath}
	}
	if c.ofUser && c.m.cfg.Now().Sub(c.session.since()) >= stepUpPause {
		return &Error{Status: http.StatusUnauthorized, Reason: ReasonTokenRejected, Err: errAPIToken, StartAgain: c.m.cfg.LoginPath}
	}
	return &Error{Status: http.StatusBadGateway, Reason: ReasonTokenRejected, Err: errAPIToken}
}

// since is when the session got its tokens.
func (s *Session) since() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grant.saved
}

// fail answers in place of the API.
func (c *proxyCall) fail(w http.ResponseWriter, _ *http.Request, err error) {
	var d *Demand
	var e *Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &d):
		c.m.tellStepUp(w, c.r, c.session, c.session.complete(d))
	case errors.As(err, &e):
		c.m.fail(w, c.r, e)
	case errors.As(err, &tooLarge):
		c.m.fail(w, c.r, unreadable(err))
	case errors.Is(context.Cause(c.r.Context()), errAPISlow):
		c.m.fail(w, c.r, &Error{Status: http.StatusGatewayTimeout, Reason: ReasonAPIUnavailable, Err: errAPISlow})
	case c.r.Context().Err() != nil: // nobody is there any more
		w.WriteHeader(http.StatusBadGateway)
	default:
		c.m.fail(w, c.r, &Error{Status: http.StatusBadGateway, Reason: ReasonAPIUnavailable, Err: withoutAnswer(err)})
	}
}

// withoutAnswer keeps of an error what was no part of an answer: an API that repeats the
// token in a broken header would otherwise write it into our log.
func withoutAnswer(err error) error {
	var connection *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errAPIAnswer), errors.As(err, &connection), errors.As(err, &certificate):
		return err
	}
	return errAPIFailed
}
