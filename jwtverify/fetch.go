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
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback.Host(u.Hostname())) {
		return fmt.Errorf("%w: RemoteKeys.URL is neither https nor http on a loopback host", ErrKeys)
	}
	return nil
}

// fetch reads the set once, and how long it may be used.
func (r *RemoteKeys) fetch(ctx context.Context) ([]Key, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	client := http.Client{}
	if r.HTTPClient != nil {
		client = *r.HTTPClient
	}
	client.CheckRedirect = sameHost
	resp, err := client.Do(req)
	if err != nil {
		var failed *url.Error // which would quote an address of somebody else's making
		if errors.As(err, &failed) {
			err = failed.Err
		}
		return nil, 0, fmt.Errorf("requesting jwks_uri: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("jwks_uri answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxJWKS+1))
	if err != nil {
		return nil, 0, fmt.Errorf("reading the answer of jwks_uri: %w", err)
	}
	keys, err := parseJWKS(body)
	return keys, r.age(resp.Header), err
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
