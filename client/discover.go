package client

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/postern-go/postern/jwtverify"
)

const (
	metadataMaxAge = time.Hour
	firstBackoff   = time.Second
	maxBackoff     = time.Minute
)

// A snapshot is the provider as one version of its metadata describes it. It does
// not change.
type snapshot struct {
	metadata *Metadata
	oidc     *oidc.Provider
	verifier *jwtverify.Verifier
	keys     *jwtverify.RemoteKeys
	auth     ClientAuth
	request  string // what all authorization requests begin with
	until    time.Time
}

// discovery is the snapshot in use and how to get the next one.
type discovery struct {
	mu      sync.Mutex
	current *snapshot // nil: none yet; kept past its time while there is no newer one
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
// caller, and none before the backoff of a failed one is over.
func (c *Client) provider(ctx context.Context) (*snapshot, error) {
	d := &c.discovery
	d.mu.Lock()
	now := c.Now()
	resting := d.failure != nil && now.Before(d.retryAt)
	switch s := d.current; {
	case s != nil && (s.until.IsZero() || now.Before(s.until) || resting):
		d.mu.Unlock()
		return s, nil
	case resting:
		defer d.mu.Unlock()
		return nil, d.failure
	}
	f := d.flight
	if f == nil {
		f = &flight{done: make(chan struct{})}
		d.flight = f
		go c.discover(context.WithoutCancel(ctx), f, d.current)
	}
	d.mu.Unlock()
	select {
	case <-f.done:
		return f.snapshot, f.err
	case <-ctx.Done():
		return nil, unavailable(endpoint{name: "discovery"}, ctx.Err())
	}
}

// discover runs one flight.
func (c *Client) discover(ctx context.Context, f *flight, old *snapshot) {
	s, err := c.fetchMetadata(ctx, old)

	d := &c.discovery
	d.mu.Lock()
	defer d.mu.Unlock()
	d.flight = nil
	d.failure = err
	if err == nil {
		d.current, d.failures = s, 0
	} else {
		d.retryAt = c.Now().Add(min(firstBackoff<<min(d.failures, 10), maxBackoff))
		d.failures++
	}
	f.snapshot = s
	if err != nil && old != nil {
		f.snapshot, err = old, nil // better old than none: its endpoints were good an hour ago
	}
	f.err = err
	close(f.done)
}

// fetchMetadata reads the discovery document (Discovery 4). The HTTP client has the
// timeout.
func (c *Client) fetchMetadata(ctx context.Context, old *snapshot) (*snapshot, error) {
	from := endpoint{"discovery", wellKnown(c.cfg.Issuer)}
	a, err := send(ctx, c.fetch, from, message{method: http.MethodGet})
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, a.refuse("no metadata at " + from.url)
	}
	s, err := c.newSnapshot(a.body, old)
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	s.until = c.Now().Add(metadataMaxAge)
	return s, nil
}

// wellKnown is the place of the document (Discovery 4.1).
func wellKnown(issuer string) string {
	return strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
}

// newSnapshot makes a snapshot from a document. It keeps the keys of old where they
// are at the same place.
func (c *Client) newSnapshot(document string, old *snapshot) (*snapshot, error) {
	m, err := parseMetadata(document, c.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	algs, err := m.signingAlgorithms(c.cfg.Algorithms)
	if err != nil {
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
	return &snapshot{
		metadata: m,
		oidc:     provider,
		keys:     keys,
		auth:     c.cfg.chooseAuth(m.TokenEndpointAuthMethodsSupported),
		request:  c.requestPrefix(m.AuthorizationEndpoint),
		verifier: &jwtverify.Verifier{
			Issuer:           c.cfg.Issuer,
			Audience:         c.cfg.ClientID,
			Keys:             keys,
			Algorithms:       algs,
			TrustedAudiences: c.cfg.TrustedAudiences,
			Leeway:           c.cfg.Leeway,
			Now:              c.cfg.Now,
		},
	}, nil
}

// unsupported is the error for an endpoint that the metadata does not have.
func unsupported(member string) error {
	return fmt.Errorf("client: %w: its metadata has no %s", ErrUnsupported, member)
}
