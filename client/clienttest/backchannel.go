package clienttest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// logoutTokenTTL is what Back-Channel Logout section 2.4 recommends.
	logoutTokenTTL = 2 * time.Minute
	// noticeTimeout is how long a client may take to answer a logout token.
	noticeTimeout = 10 * time.Second

	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
)

// LogoutToken makes a logout token (Back-Channel Logout section 2.4) for a test that posts
// it itself, and ends nothing. Its claims say that every session of the first user has
// ended, to the first client: iss, sub, aud, iat, exp (in two minutes), jti and events. A claim
// given here replaces its like, nil leaves it out, and any other, such as sid or nonce, is
// added. A value that JSON cannot hold panics.
//
// It is signed, and encrypted, as the ID tokens of the client that aud names, under typ
// logout+jwt, and spoiled by the faults of logout tokens.
func (p *Provider) LogoutToken(claims map[string]any) string {
	p.mu.Lock()
	client, subject := p.clients[0].ID, p.users[0].Subject
	p.mu.Unlock()
	now := p.Now()
	all := map[string]any{
		"iss":    p.Issuer(),
		"sub":    subject,
		"aud":    client,
		"iat":    now.Unix(),
		"exp":    now.Add(logoutTokenTTL).Unix(),
		"jti":    rand.Text(),
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	if aud, ok := all["aud"].(string); ok && p.client(aud) != nil {
		client = aud
	}
	return p.signLogoutToken(p.client(client), mustJSON(all))
}

func (p *Provider) signLogoutToken(c *registered, payload []byte) string {
	ring := p.ring()
	key := ring.current
	header := key.header("logout+jwt")
	if p.has(LogoutTokenPlainType) {
		header["typ"] = "JWT"
	}
	var token string
	switch {
	case p.has(LogoutTokenAlgNone):
		header["alg"] = "none"
		return encode(mustJSON(header)) + "." + encode(payload) + "."
	case p.has(LogoutTokenWrongKey):
		token = ring.retired().sign(header, payload)
	case c.IDTokenSignedResponseAlg != "":
		header["alg"] = c.IDTokenSignedResponseAlg
		delete(header, "kid")
		token = authenticated(header, payload, []byte(c.Secret))
	default:
		token = key.sign(header, payload)
	}
	return p.encryptIDToken(c, token, payload)
}

// A Notice is a logout token that was sent to the back-channel logout URI of a client.
type Notice struct {
	ClientID string
	URI      string
	Status   int   // what the client answered; 0: nothing
	Err      error // why it did not
}

// Notices returns the last 10,000 notices in the order of their answers.
func (p *Provider) Notices() []Notice {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.notices)
}

// EndSession signs a user out at the provider, in the browser of one session, and tells
// the clients it was used for: a logout token with sub and sid goes to each that has a
// BackChannelLogoutURI, before EndSession returns. A sid that there is not is told to nobody.
//
// Refresh tokens and access tokens stay good: RevokeGrants ends those. Logout tokens count
// in seconds, so package session refuses a sign-in of the same second as over already: a
// test that signs in again has [Provider.Advance] by a second in between.
func (p *Provider) EndSession(sid string) []Notice {
	return p.notify(p.end(func(s *session) bool { return s.id == sid }), false)
}

// EndSessions signs a user out at the provider, in every browser, as an administrator
// would, and tells the clients as EndSession does: by one logout token with sub alone, or
// by one for each session where BackChannelLogoutSessionRequired says so.
func (p *Provider) EndSessions(subject string) []Notice {
	return p.notify(p.end(func(s *session) bool { return s.subject == subject }), true)
}

// notify sends the logout tokens of sessions that have ended, and waits for the answers.
func (p *Provider) notify(ended []endedSession, everywhere bool) []Notice {
	if p.has(NoBackChannelLogout) {
		return nil
	}
	var sent []Notice
	for _, c := range p.registeredClients() {
		if c.BackChannelLogoutURI == "" {
			continue
		}
		for _, claims := range c.logoutClaims(ended, everywhere) {
			claims["aud"] = c.ID
			token := p.LogoutToken(claims)
			sent = append(sent, p.deliver(c, token))
			if p.has(LogoutTokenTwice) {
				sent = append(sent, p.deliver(c, token))
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notices = append(p.notices, sent...)
	p.notices = slices.Delete(p.notices, 0, max(0, len(p.notices)-maxRecord))
	return sent
}

// logoutClaims are what tells the client of the sessions that it was in.
func (c *registered) logoutClaims(ended []endedSession, everywhere bool) []map[string]any {
	var tokens []map[string]any
	for _, s := range ended {
		switch {
		case !slices.Contains(s.clients, c.ID):
		case !everywhere || c.BackChannelLogoutSessionRequired:
			tokens = append(tokens, map[string]any{"sub": s.subject, "sid": s.id})
		case len(tokens) == 0:
			tokens = append(tokens, map[string]any{"sub": s.subject})
		}
	}
	return tokens
}

// deliver posts a logout token (Back-Channel Logout section 2.5).
func (p *Provider) deliver(c *registered, token string) Notice {
	sent := Notice{ClientID: c.ID, URI: c.BackChannelLogoutURI}
	ctx, cancel := context.WithTimeout(context.Background(), noticeTimeout)
	defer cancel()
	body := strings.NewReader(url.Values{"logout_token": {token}}.Encode())
	r, err := http.NewRequestWithContext(ctx, "POST", c.BackChannelLogoutURI, body)
	if err != nil {
		sent.Err = fmt.Errorf("clienttest: %w", err)
		return sent
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	p.mu.Lock()
	app := p.applications[origin(c.BackChannelLogoutURI)]
	p.mu.Unlock()
	if app != nil {
		sent.Status = serveInMemory(app, r)
		return sent
	}
	resp, err := p.outside.RoundTrip(r)
	if err != nil {
		sent.Err = fmt.Errorf("clienttest: %w", err)
		return sent
	}
	resp.Body.Close()
	sent.Status = resp.StatusCode
	return sent
}

// SetApplication lets the provider reach an application in memory: the logout tokens for
// an origin, such as "https://app.example.com", are given to app and no socket. nil: over
// the network again, which is how every other origin is reached. An origin with a path
// panics.
func (p *Provider) SetApplication(at string, app http.Handler) {
	if at == "" || origin(at) != strings.ToLower(at) {
		panic(fmt.Sprintf("clienttest: %q is no origin", at))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.applications[origin(at)] = app
}

// serveInMemory gives a request to a handler, as a server would.
func serveInMemory(h http.Handler, r *http.Request) (status int) {
	r.RequestURI, r.RemoteAddr = r.URL.RequestURI(), "192.0.2.1:1234"
	if r.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, ServerName: r.URL.Hostname()}
	}
	r.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	w := &statusWriter{ResponseWriter: memoryWriter{}}
	h.ServeHTTP(w, r)
	return orDefault(w.status, http.StatusOK)
}

// A memoryWriter takes the header of an answer, and nothing else of it.
type memoryWriter http.Header

func (w memoryWriter) Header() http.Header         { return http.Header(w) }
func (w memoryWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w memoryWriter) WriteHeader(int)             {}
