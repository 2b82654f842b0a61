package session

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/client"
)

// A ProxyToken says whose access token a Proxy sends. Those without Or are for requests of
// people who are signed in, and answer all others with 401.
type ProxyToken int

const (
	UserToken         ProxyToken = iota // that of the session
	ClientToken                         // the client's own (client credentials)
	NoToken                             // none
	UserOrClientToken                   // that of the session; the client's own for who is not signed in
	UserOrNoToken                       // that of the session; none for who is not signed in
)

func (t ProxyToken) ofUser() bool   { return t == UserToken || t.forAnybody() }
func (t ProxyToken) ofClient() bool { return t == ClientToken || t == UserOrClientToken }
func (t ProxyToken) forAnybody() bool {
	return t == UserOrClientToken || t == UserOrNoToken
}

// DefaultProxyTimeout is for Proxy.Timeout.
const DefaultProxyTimeout = 30 * time.Second

// A Proxy is an API that the scripts of the app's own pages may call, with an access token
// that they never see: see [Manager.Proxy].
type Proxy struct {
	// Target is the address of the API, https or on a loopback host, without a query. The path
	// of a request is put behind its path. Required.
	Target string

	// Token says whose access token is sent. Zero: UserToken.
	Token ProxyToken
	// Resource is the API, where the user's token is to be for it alone (RFC 8707): see
	// Session.TokenFor. Zero: the token of the sign-in.
	Resource string
	// Client is whose own token is sent, where Token says so. nil: the client of the Manager,
	// which must be the only one.
	Client *client.Client
	// Grant says what the client's own token is to be for. nil: see client.GrantOptions.
	Grant *client.GrantOptions

	// Timeout is how long the API may take until its answer begins, a second try after a 401
	// included. How long the rest may take is not limited. Zero: DefaultProxyTimeout.
	Timeout time.Duration

	// InsecureNoHeader lets requests pass without Config.AntiForgeryHeader, for images and
	// for EventSource, which send none. Then only Sec-Fetch-Site and Origin keep other sites
	// out, which browsers before 2023 do not send with a GET. What is better: a script that
	// fetches, which can read a stream too.
	InsecureNoHeader bool
}

// Proxy makes a handler that passes requests on to an API, with an access token that the
// browser never gets. Where it is not at the root, http.StripPrefix stands around it:
//
//	notes, err := auth.Proxy(session.Proxy{Target: "https://api.example.com/v1"})
//	...
//	mux.Handle("/api/", http.StripPrefix("/api", notes))
//
// It opens the session by itself; Guard around it adds rules. It demands what Protect
// demands. TRACE, CONNECT and upgrades (WebSockets, which would outlive the session) are
// refused, and so is any path that two programs could read in two ways: with dot segments,
// empty ones, encoded slashes or backslashes, however often encoded. So what a ServeMux in
// front has decided by the path holds for the API too.
//
// Passed on are method, path, query, body and headers, but for: cookies, of whomever;
// Authorization and DPoP; Origin, Referer and Sec-Fetch headers; those of connections (RFC
// 9110 7.6.1); those by which proxies name users, addresses and methods (X-Forwarded-For,
// X-Real-IP, X-Remote-User, X-Original-URL, X-HTTP-Method-Override and the like); names with
// anything but letters, digits and '-', which some servers take for others; and trailers.
// X-Forwarded-For is the address that the request came from, -Host and -Proto are those of
// the redirect URL.
//
// A user's token is refreshed when the API answers 401, and the request sent once more, if
// its body has a stated length of at most 64 KiB, which is held in memory for that; larger
// ones, and those without a length, are streamed and sent once. If the API wants a stronger
// or newer sign-in (RFC 9470), or a further scope, the answer is that of Manager.StepUp to
// a script: a 401 with the address of a sign-in. Any other 401 is not passed on, for the page
// could not tell it from one of ours:
//
//   - 401 with ReasonTokenRejected: the token was not new, so a new sign-in may help
//   - 502 with ReasonTokenRejected: it was, or it is not the user's
//
// Of our own there are, beside what Require and Protect say: 401 where the token is over and
// there is no other, 502 or 504 with ReasonAPIUnavailable, and 503 where the provider is down.
//
// All else of the answer is passed on, as it comes: streams are flushed at once, redirects
// are not followed (and Location is as the API wrote it), 1xx and trailers are dropped. Not passed on are
// headers that speak for this site as a whole: cookies, CORS, Clear-Site-Data,
// Strict-Transport-Security and the like; and it is never a page of this site
// (Content-Security-Policy: sandbox). It is not stored by caches, unless it says private or
// no-store itself. Of an answer with more than 64 KiB of headers nothing is passed on. A
// stream ends with the hard end of the session, and when the browser leaves; signing out does
// not end it.
//
// Requests go by Config.Transport. The handler is safe for concurrent use, and as many as
// needed can be made.
func (m *Manager) Proxy(p Proxy) (http.Handler, error) {
	h, err := m.newProxy(p)
	if err != nil {
		return nil, fmt.Errorf("session: Proxy: %w", err)
	}
	return h, nil
}

// A proxy is a Proxy that was checked.
type proxy struct {
	Proxy
	m      *Manager
	target *url.URL
	own    http.RoundTripper // with the client's own token; nil: it is not sent
	source oauth2.TokenSource
	quiet  *log.Logger
}

func (m *Manager) newProxy(p Proxy) (*proxy, error) {
	target, err := parseWebURL(p.Target)
	if err != nil {
		return nil, fmt.Errorf("field Target: %w", err)
	}
	p.Timeout = or(p.Timeout, DefaultProxyTimeout)
	switch {
	case target.RawQuery != "" || target.ForceQuery || !plainPath(target.EscapedPath()):
		return nil, fmt.Errorf("field Target: %q has a query, or no plain path", cut(p.Target))
	case p.Token < UserToken || p.Token > UserOrNoToken:
		return nil, fmt.Errorf("field Token: unknown value %d", p.Token)
	case p.Resource != "" && !p.Token.ofUser():
		return nil, errors.New("field Resource is for the user's token, which is not sent")
	case (p.Client != nil || p.Grant != nil) && !p.Token.ofClient():
		return nil, errors.New("fields Client and Grant are for the client's own token, which is not sent")
	case p.Timeout < 0:
		return nil, errors.New("a negative Timeout")
	}
	// What it has to say is that a browser has left, or an API in the middle of an answer.
	quiet := slog.NewLogLogger(m.cfg.Logger.Handler(), slog.LevelDebug)
	h := &proxy{Proxy: p, m: m, target: target, quiet: quiet}
	if !p.Token.ofClient() {
		return h, nil
	}
	if h.Client == nil && len(m.providers) == 1 {
		h.Client = m.providers[0].rp
	}
	if h.Client == nil {
		return nil, errors.New("field Client: there are several providers, so it must say whose client's token is sent")
	}
	h.source = h.Client.ClientCredentialsSource(p.Grant)
	h.own = h.Client.Transport(m.cfg.Transport, h.source)
	return h, nil
}

// ServeHTTP passes a request on.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e := p.refusal(r); e != nil {
		p.m.fail(w, r, e)
		return
	}
	p.m.enter(w, r, p.serve)
}

var (
	errProxyPath = errors.New("the path can be read in more than one way")
	errWebSocket = errors.New("upgrades are not passed on")
)

// refusal says why a request goes nowhere, whoever sent it; nil: it may.
func (p *proxy) refusal(r *http.Request) *Error {
	switch {
	// The answer to TRACE is the request, and the token in it.
	case r.Method == http.MethodTrace || r.Method == http.MethodConnect:
		return &Error{Status: http.StatusMethodNotAllowed, Reason: ReasonMethod}
	case r.Header.Get("Upgrade") != "":
		return &Error{Status: http.StatusNotImplemented, Reason: ReasonUpgrade, Err: errWebSocket}
	// "GET http:x/../admin": an address without a path, which would go out in the place of one.
	case r.URL.Opaque != "" || !plainPath(r.URL.EscapedPath()):
		return &Error{Status: http.StatusBadRequest, Reason: ReasonProxyPath, Err: errProxyPath}
	case p.InsecureNoHeader:
		return p.m.checkOrigin(r)
	}
	return p.m.checkForgery(r)
}

// admit says why a request without a session goes nowhere. Where nobody knows, because the
// Store is down, who may be signed in is not anybody.
func (p *proxy) admit(s *Session) *Error {
	switch {
	case s.reason == ReasonStoreDown:
		return &Error{Status: http.StatusServiceUnavailable, Reason: s.reason}
	case !s.SignedIn() && !p.Token.forAnybody():
		return &Error{Status: http.StatusUnauthorized, Reason: s.reason, StartAgain: p.m.cfg.LoginPath}
	}
	return nil
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request, s *Session) {
	s.used.Store(true)
	if e := p.admit(s); e != nil {
		s.leave() // as Require does
		p.m.fail(w, r, e)
		return
	}
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	c := &proxyCall{proxy: p, r: r.WithContext(ctx), session: s}
	if e := c.authorize(); e != nil {
		p.m.fail(w, r, e)
		return
	}
	if err := c.keepBody(); err != nil {
		p.m.fail(w, r, unreadable(err))
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	c.patience = time.AfterFunc(p.Timeout, func() { stop(errAPISlow) })
	defer c.patience.Stop()
	c.reverse().ServeHTTP(w, c.r)
}
