package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of every request.
const (
	httpTimeout  = 10 * time.Second // from the first packet to the last byte of the body
	maxBody      = 1 << 20          // bytes; discovery documents have some 10 KiB
	maxRedirects = 3
	userAgent    = "postern (+https://github.com/postern-go/postern)"
)

// httpClients returns the two clients of a Client, on the transport of the program.
func (cfg *Config) httpClients() (call, fetch *http.Client) {
	base := http.Client{Timeout: httpTimeout}
	if user := cfg.HTTPClient; user != nil {
		base.Transport = user.Transport
		if user.Timeout > 0 {
			base.Timeout = min(user.Timeout, httpTimeout)
		}
	}
	forCalls, forFetches := base, base
	if cfg.hasCertificate() {
		forCalls.Transport = cfg.callTransport()
	}
	forCalls.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	forFetches.CheckRedirect = sameOrigin
	forCalls.Transport, forFetches.Transport = cfg.behind(forCalls.Transport), cfg.behind(forFetches.Transport)
	return &forCalls, &forFetches
}

// sameOrigin lets a public document move about on its host, and nowhere else: the
// issuer that was configured decides who may speak for it. Any other redirect is
// handed back as the answer.
func sameOrigin(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	if len(via) > maxRedirects || next.URL.Scheme != first.Scheme || next.URL.Host != first.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// An endpoint is a place at the provider, by the name that errors call it.
type endpoint struct {
	name, url string
	bound     bool   // requests carry a DPoP proof, where there is a key
	accept    string // media type of the answer; empty: application/json
}

// An answer is a response that has been read whole, within the bounds.
type answer struct {
	endpoint endpoint
	status   int
	header   http.Header
	body     string
	secrets  []string // of the request, to be kept out of errors
}

// A message is a request to an endpoint. The body of a POST is a form, where header does
// not say otherwise.
type message struct {
	method  string
	header  http.Header
	body    string
	secrets []string // that are in it
}

// send sends a message once, and reads the answer within the bounds. Every error is
// a *ResponseError.
func send(ctx context.Context, client *http.Client, to endpoint, m message) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, m.method, to.url, strings.NewReader(m.body))
	if err != nil {
		return nil, unavailable(to, err)
	}
	if m.header != nil {
		req.Header = m.header
	}
	if m.method == http.MethodPost && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Accept", cmp.Or(to.accept, "application/json"))
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return nil, unavailable(to, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, unavailable(to, err)
	}
	a := &answer{endpoint: to, status: resp.StatusCode, header: resp.Header, secrets: m.secrets}
	if len(body) > maxBody {
		return nil, a.refuse(fmt.Sprintf("the answer has more than %d bytes", maxBody))
	}
	a.body = string(body)
	return a, nil
}

// postForm sends form with the client's authentication; see post.
func (c *Client) postForm(ctx context.Context, s *snapshot, to endpoint, form url.Values) (*answer, error) {
	return c.post(ctx, s, to, func() (url.Values, error) { return form, nil })
}

// askJSON sends form to an endpoint that answers with 200 and JSON.
func (c *Client) askJSON(ctx context.Context, s *snapshot, to endpoint, form url.Values) (*answer, error) {
	a, err := c.postForm(ctx, s, to, form)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, s.oauthError(a)
	}
	if a.mediaType() != "application/json" {
		return nil, a.refuse(a.notJSON())
	}
	return a, nil
}

// post sends the form that compose makes, with the client's authentication. Where the
// provider asks for a nonce in the DPoP proof (RFC 9449 8), it sends once more, with
// everything that may be used once made anew.
func (c *Client) post(ctx context.Context, s *snapshot, to endpoint, compose func() (url.Values, error)) (*answer, error) {
	to = s.at(to)
	a, err := c.attempt(ctx, s, to, compose)
	if err != nil || !c.wantsNonce(a) {
		return a, err
	}
	return c.attempt(ctx, s, to, compose)
}

func (c *Client) attempt(ctx context.Context, s *snapshot, to endpoint, compose func() (url.Values, error)) (*answer, error) {
	form, err := compose()
	if err != nil {
		return nil, err
	}
	r := &attempt{cfg: &c.cfg, metadata: s.metadata, to: to, now: c.Now(), form: maps.Clone(form), header: http.Header{}, secrets: secretsOf(form)}
	if err := s.authAt(to.name).authenticate(ctx, r); err != nil {
		return nil, fmt.Errorf("client: %s endpoint: client authentication: %w", to.name, err)
	}
	if err := c.prove(r); err != nil {
		return nil, fmt.Errorf("client: %s endpoint: DPoP proof: %w", to.name, err)
	}
	for _, s := range r.secrets {
		r.secrets = append(r.secrets, url.QueryEscape(s))
	}
	// The longest first: one that is a part of another would leave the rest of it.
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	a, err := send(ctx, c.call, to, message{http.MethodPost, r.header, r.form.Encode(), r.secrets})
	if err == nil {
		c.rememberNonce(to.url, a.header)
	}
	return a, err
}

// secretsOf returns what is secret in a form.
func secretsOf(form url.Values) (secrets []string) {
	for _, name := range [...]string{
		"code", "code_verifier", "refresh_token", "token", "subject_token", "actor_token", "assertion",
		"device_code", "auth_req_id", "password", "state", "nonce", "request", "id_token_hint",
		"login_hint_token", "user_code", "client_notification_token",
	} {
		if s := form.Get(name); s != "" {
			secrets = append(secrets, s)
		}
	}
	return secrets
}

// mediaType is what the answer calls itself, in lower case.
func (a *answer) mediaType() string {
	t, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return t
}

// notJSON says what the answer is instead, where that is one of the usual things;
// any other media type is text that anybody may have written.
func (a *answer) notJSON() string {
	switch t := a.mediaType(); t {
	case "", "text/html", "text/plain", "application/x-www-form-urlencoded":
		return fmt.Sprintf("the content type is %q, not application/json", t)
	}
	return "the content type is not application/json"
}

// refuse makes the error of an answer that does not call itself one.
func (a *answer) refuse(reason string) *ResponseError {
	return &ResponseError{
		Endpoint: a.endpoint.name,
		Status:   a.status,
		Err:      classify(a.status, ""),
		reason:   scrub(reason, a.secrets),
	}
}

// classify says what to do about an answer. A word of RFC 6749 5.2 says more than
// the status: there are providers that send it with 200 or 500.
func classify(status int, code string) error {
	switch standardError(code) {
	case "invalid_grant", "expired_token": // RFC 8628 3.5, CIBA 11
		return ErrInvalidGrant
	case "temporarily_unavailable", "server_error":
		return ErrUnavailable
	}
	switch {
	case status >= 500, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return ErrUnavailable
	}
	return ErrRejected
}

// unavailable is the error where no answer came.
func unavailable(to endpoint, cause error) *ResponseError {
	return &ResponseError{
		Endpoint: to.name,
		Err:      fmt.Errorf("%w: %w", ErrUnavailable, &transportError{cause}),
	}
}

// A transportError keeps the chain of its cause, and of its text only what is known
// to come from the network layer: net/http quotes the bytes of a malformed answer,
// which may repeat the request.
type transportError struct{ cause error }

func (e *transportError) Unwrap() error { return e.cause }

func (e *transportError) Error() string {
	var (
		netErr  net.Error
		opErr   *net.OpError
		dnsErr  *net.DNSError
		certErr *tls.CertificateVerificationError
	)
	const maxText = 200
	switch {
	case errors.Is(e.cause, context.Canceled):
		return "canceled"
	case errors.As(e.cause, &netErr) && netErr.Timeout(), errors.Is(e.cause, context.DeadlineExceeded):
		return "timed out"
	case errors.As(e.cause, &certErr):
		return clean(certErr.Error(), maxText, nil)
	case errors.As(e.cause, &dnsErr):
		return clean(dnsErr.Error(), maxText, nil)
	case errors.As(e.cause, &opErr):
		return clean(opErr.Error(), maxText, nil)
	}
	return "no complete HTTP answer"
}
