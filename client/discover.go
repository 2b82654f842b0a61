package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/postern-go/postern/jwtverify"
)

const (
	metadataMaxAge = time.Hour
	firstBackoff   = time.Second
	maxBackoff     = time.Minute

	// maxRefused is how long past its time a snapshot is used while the provider
	// answers with what is refused. While it does not answer there is no bound.
	maxRefused = 24 * time.Hour
)

// A snapshot is the provider as one version of its metadata describes it. It does
// not change.
type snapshot struct {
	metadata *Metadata
	oidc     *oidc.Provider
	verifier *jwtverify.Verifier // of ID tokens
	answers  *jwtverify.Verifier // of signed authorization responses
	userinfo *jwtverify.Verifier // of signed userinfo answers; nil: they are JSON
	about    *jwtverify.Verifier // of signed answers about tokens; nil: they are JSON
	keys     *jwtverify.RemoteKeys
	auth     ClientAuth
	auths    map[string]ClientAuth // by the name of the endpoint, where it may have its own
	aliases  map[string]string     // for a client with a certificate, by the endpoint's own address
	request  string                // the authorization endpoint, ready for parameters
	logout   *logoutQuirk          // nil: RP-Initiated Logout
	until    time.Time
}

// discovery is the snapshot in use and how to get the next one.
type discovery struct {
	mu      sync.Mutex
	current *snapshot // nil: none yet; kept past its time while there is no newer one, see usable
	flight  *flight   // the attempt under way, if any

	failure  error // of the last attempt; nil: it succeeded
	failures int   // in a row
	retryAt  time.Time
}

// A flight is one attempt that all callers of its time wait for.
type flight struct {
	done     chan struct{}
	snapshot *snapshot
	err      error
}

// provider returns the snapshot in use, and discovers one if need be. A caller
// whose ctx ends leaves the attempt to the others. There is no attempt without a
// caller, and none before the backoff of a failed one is over. Nobody who can have
// the old snapshot waits for an attempt that follows a failed one.
func (c *Client) provider(ctx context.Context) (*snapshot, error) {
	now, detached := c.Now(), context.WithoutCancel(ctx) // either may panic: not while the lock is held
	d := &c.discovery
	d.mu.Lock()
	resting := d.failure != nil && now.Before(d.retryAt)
	old := d.usable(now)
	switch {
	case old != nil && (old.until.IsZero() || now.Before(old.until) || resting):
		d.mu.Unlock()
		return old, nil
	case resting:
		defer d.mu.Unlock()
		return nil, d.failure
	}
	f := d.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		d.flight = f
		go c.discover(detached, f, d.current, now)
	}
	failing := d.failures > 0
	d.mu.Unlock()
	if old != nil && failing {
		return old, nil
	}
	select {
	case <-f.done:
		return f.snapshot, f.err
	case <-ctx.Done():
		return nil, unavailable(endpoint{name: "discovery"}, ctx.Err())
	}
}

// usable returns the snapshot in use where it may still be used, even if it is past
// its time: better old than none, for its endpoints were good an hour ago. d.mu is
// held.
func (d *discovery) usable(now time.Time) *snapshot {
	s := d.current
	if s != nil && !s.until.IsZero() && (errors.Is(d.failure, ErrRejected) || errors.Is(d.failure, ErrUnsupported)) && !now.Before(s.until.Add(maxRefused)) {
		return nil
	}
	return s
}

// discover runs one flight, which began now. It lands whatever the transport or the
// clock of the program does.
func (c *Client) discover(ctx context.Context, f *flight, old *snapshot, now time.Time) {
	var s *snapshot
	err := brokenFlight("the HTTP transport ended the goroutine")
	defer func() {
		if p := recover(); p != nil { // its text may be a request
			s, err = nil, brokenFlight(fmt.Sprintf("panic of type %T", p))
		}
		c.discovery.land(f, s, err, now)
	}()
	s, err = c.fetchMetadata(ctx, old)
	now = c.Now()
}

func brokenFlight(reason string) error {
	return &ResponseError{Endpoint: "discovery", Err: fmt.Errorf("%w: %s", ErrUnavailable, reason)}
}

// land ends a flight with what it brought.
func (d *discovery) land(f *flight, s *snapshot, err error, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flight = nil
	d.failure = err
	if err == nil {
		d.current, d.failures = s, 0
	} else {
		d.retryAt = now.Add(min(firstBackoff<<min(d.failures, 10), maxBackoff))
		d.failures++
	}
	f.snapshot = d.usable(now)
	if f.snapshot == nil {
		f.err = err
	}
	close(f.done)
}

// fetchDocument fetches the discovery document (Discovery 4). The HTTP client has the
// timeout.
func (c *Client) fetchDocument(ctx context.Context) (*answer, error) {
	from := endpoint{name: "discovery", url: c.cfg.metadataURL()}
	a, err := send(ctx, c.fetch, from, message{method: http.MethodGet})
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, a.refuse("no metadata at " + from.url)
	}
	return a, nil
}

// fetchMetadata makes a snapshot of the discovery document.
func (c *Client) fetchMetadata(ctx context.Context, old *snapshot) (*snapshot, error) {
	a, err := c.fetchDocument(ctx)
	if err != nil {
		return nil, err
	}
	document, err := c.cfg.MetadataOverride.over(a.body)
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	s, err := c.newSnapshot(document, old)
	if errors.Is(err, ErrUnsupported) {
		return nil, fmt.Errorf("client: %w", err)
	}
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	s.until = c.Now().Add(metadataMaxAge)
	return s, nil
}

// newSnapshot makes a snapshot from a document. It keeps the keys of old where they
// are at the same place.
func (c *Client) newSnapshot(document string, old *snapshot) (*snapshot, error) {
	m, err := parseMetadata(document, c.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	if err := c.cfg.checkMetadata(m); err != nil {
		return nil, err
	}
	provider, err := c.newProvider(document)
	if err != nil {
		return nil, err
	}
	keys := &jwtverify.RemoteKeys{URL: m.JWKSURI, HTTPClient: c.fetch, Now: c.cfg.Now}
	if old != nil && old.keys.URL == m.JWKSURI {
		keys = old.keys
	}
	verifier, err := c.cfg.verifier(m, keys)
	if err != nil {
		return nil, err
	}
	return &snapshot{
		metadata: m,
		oidc:     provider,
		keys:     keys,
		aliases:  c.cfg.aliases(m),
		auth:     c.cfg.chooseAuth(m.TokenEndpointAuthMethodsSupported),
		auths:    c.cfg.auths(m),
		request:  openQuery(m.AuthorizationEndpoint),
		logout:   m.logoutQuirk(),
		verifier: verifier,
		answers:  c.cfg.answerVerifier(m, keys),
		userinfo: c.cfg.signedUserInfo().registered(&c.cfg, keys),
		about:    c.cfg.signedIntrospection().registered(&c.cfg, keys),
	}, nil
}

// unsupported is the error for an endpoint that the metadata does not have.
func unsupported(member string) error {
	return fmt.Errorf("client: %w: its metadata has no %s", ErrUnsupported, member)
}
