package jwtverify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/loopback"
)

const (
	fetchTimeout = 10 * time.Second
	// minAge is how long a set is used at least: "no-cache" and "max-age=0" are what
	// web frameworks say about everything (Keycloak does), and would make every token
	// cost a request.
	minAge = time.Minute
	// maxRedirects bounds redirects on the provider's own host.
	maxRedirects = 3
)

func (r *RemoteKeys) ready() error {
	if r.MaxAge < 0 || r.Cooldown < 0 || r.StaleFor < 0 {
		return fmt.Errorf("%w: a duration of RemoteKeys is negative", ErrKeys)
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return fmt.Errorf("%w: RemoteKeys.URL is no URL", ErrKeys)
	}
	if !secure(u) {
		return fmt.Errorf("%w: RemoteKeys.URL is neither https nor http on a loopback host", ErrKeys)
	}
	return nil
}

// secure tells whether nobody on the way can read or change what goes to u.
func secure(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && loopback.Host(u.Hostname())
}

// fetch reads the set once, and how long it may be used.
func (r *RemoteKeys) fetch(ctx context.Context) ([]Key, time.Duration, error) {
	g := getter{what: "jwks_uri", client: r.HTTPClient, redirect: sameHost, limit: maxJWKS}
	body, header, err := g.get(ctx, r.URL, http.Header{"Accept": {"application/jwk-set+json, application/json"}})
	if err != nil {
		return nil, 0, err
	}
	keys, err := parseJWKS(body)
	return keys, r.age(header), err
}

// A getter is how something is read from the network, within its limits.
type getter struct {
	what     string       // what is read, for errors: they do not show the address
	client   *http.Client // nil: the default one
	redirect func(*http.Request, []*http.Request) error
	limit    int64 // in bytes
}

// get sends one request and returns body and header of the answer, which has status
// 200. Of a body that is larger than the limit it returns one byte more than that.
func (g getter) get(ctx context.Context, address string, header http.Header) ([]byte, http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header = header
	client := http.Client{}
	if g.client != nil {
		client = *g.client
	}
	client.CheckRedirect = g.redirect
	resp, err := client.Do(req)
	if err != nil {
		var failed *url.Error // which would quote an address of somebody else's making
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, nil, fmt.Errorf("requesting %s: %w", g.what, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answered with status %d", g.what, resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, g.limit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the answer of %s: %w", g.what, err)
	}
	return body, resp.Header, nil
}

// sameHost follows redirects only where the answer still comes from whoever the
// configuration names.
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0].URL
	if req.URL.Host != first.Host || req.URL.Scheme != first.Scheme {
		return errors.New("redirect to another host")
	}
	if len(via) > maxRedirects {
		return errors.New("too many redirects")
	}
	return nil
}

// age returns how long an answer with this header is used: MaxAge, or less if it says so.
func (r *RemoteKeys) age(h http.Header) time.Duration {
	age := cmp.Or(r.MaxAge, defaultMaxAge)
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if !strings.EqualFold(name, "max-age") {
			continue
		}
		if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
			age = min(age, max(minAge, time.Duration(n)*time.Second))
		}
	}
	return age
}
