package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/postern-go/postern/internal/origin"
)

// checkBackChannel applies to Config.BackChannelURL. Plain http is for a provider that the
// browser reaches by http too, on its own machine, and for a proxy on ours.
func (cfg *Config) checkBackChannel() error {
	if cfg.BackChannelURL == "" {
		return nil
	}
	u, err := parseURL(cfg.BackChannelURL)
	if err != nil {
		return fmt.Errorf("Config.BackChannelURL %w", err)
	}
	if !cfg.plainIssuer() || u.Scheme != "http" || u.Hostname() == "" {
		if err := checkSecure(u); err != nil {
			return fmt.Errorf("Config.BackChannelURL %w", err)
		}
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery {
		return errors.New("Config.BackChannelURL must be a scheme and a host, and nothing behind them: paths stay as they are")
	}
	if u.Scheme != "https" && cfg.hasCertificate() {
		return errors.New("Config.Certificate cannot be shown to a Config.BackChannelURL that is not https")
	}
	if cfg.Tenants != nil {
		return errors.New("Config.BackChannelURL is not for a Config.Issuer with " + tenantPlaceholder)
	}
	return nil
}

// behind returns a transport that reaches the issuer's own host by Config.BackChannelURL.
func (cfg *Config) behind(next http.RoundTripper) http.RoundTripper {
	if cfg.BackChannelURL == "" {
		return next
	}
	issuer, _ := url.Parse(cfg.Issuer)
	to, _ := url.Parse(cfg.BackChannelURL) // both were checked
	return &backChannel{from: origin.Of(issuer), to: to, next: next}
}

// A backChannel sends requests for one origin to another host. They stay what they are,
// with the host in them that they are for: only the connection goes elsewhere.
type backChannel struct {
	from string // as origin.Of writes it
	to   *url.URL
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *backChannel) RoundTrip(req *http.Request) (*http.Response, error) {
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	if origin.Of(req.URL) != t.from {
		return next.RoundTrip(req)
	}
	sent := req.Clone(req.Context())
	if sent.Host == "" {
		sent.Host = req.URL.Host
	}
	sent.URL.Scheme, sent.URL.Host = t.to.Scheme, t.to.Host
	resp, err := next.RoundTrip(sent)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}
