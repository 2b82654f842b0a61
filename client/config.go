package client

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/loopback"
	"github.com/postern-go/postern/jwtverify"
)

func (cfg *Config) validate() error {
	if cfg.ClientID == "" {
		return errors.New("Config.ClientID is empty: is the environment variable set?")
	}
	if !isVSChar(cfg.ClientID) { // RFC 6749 appendix A.1
		return errors.New("Config.ClientID must be printable ASCII")
	}
	if err := checkIssuer(inTenant(cfg.Issuer, "0")); err != nil {
		return fmt.Errorf("Config.Issuer %w", err)
	}
	if strings.Contains(cfg.Issuer, "/.well-known/") {
		return errors.New("Config.Issuer is where the metadata is: the issuer is what stands there, most often what is before /.well-known")
	}
	if err := cfg.checkTenants(); err != nil {
		return err
	}
	if err := cfg.checkPlaces(); err != nil {
		return err
	}
	if err := cfg.checkAuth(); err != nil {
		return err
	}
	if err := cfg.checkDPoP(); err != nil {
		return err
	}
	if err := cfg.checkCertificate(); err != nil {
		return err
	}
	if cfg.RedirectURL != "" {
		if err := checkRedirectURL(cfg.RedirectURL, cfg.public()); err != nil {
			return fmt.Errorf("Config.RedirectURL %w", err)
		}
	}
	if err := checkScopes(cfg.Scopes); err != nil {
		return fmt.Errorf("Config.Scopes: %w", err)
	}
	if err := cfg.checkAlgorithms(); err != nil {
		return err
	}
	if err := cfg.checkDecrypt(); err != nil {
		return err
	}
	if err := cfg.checkAnswers(); err != nil {
		return err
	}
	if slices.Contains(cfg.TrustedAudiences, "") {
		return errors.New("Config.TrustedAudiences has an empty one")
	}
	if cfg.Leeway < 0 || cfg.Leeway > jwtverify.MaxLeeway {
		return fmt.Errorf("Config.Leeway must be between 0 and %v", time.Duration(jwtverify.MaxLeeway))
	}
	return cfg.checkProfile()
}

func (cfg *Config) checkAuth() error {
	if cfg.Auth == nil {
		return nil
	}
	if err := cfg.Auth.check(cfg); err != nil {
		return fmt.Errorf("Config.Auth: %s %w", cfg.Auth.method(), err)
	}
	return nil
}

// checkIssuer applies OpenID Connect Discovery 3 to an issuer. The errors of this
// function and the next ones complete a sentence that begins with a name.
func checkIssuer(issuer string) error {
	u, err := parseURL(issuer)
	if err != nil {
		return err
	}
	if err := checkSecure(u); err != nil {
		return err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return errors.New("must not have a query")
	}
	if !strings.HasPrefix(issuer, u.Scheme+"://") { // what is fetched would be at another address, byte for byte
		return errors.New("must have its scheme in lower case")
	}
	return nil
}

// checkEndpoint applies to every URL in metadata. allowHTTP is for a provider whose
// own issuer is http on a loopback host.
func checkEndpoint(endpoint string, allowHTTP bool) error {
	u, err := parseURL(endpoint)
	if err != nil {
		return err
	}
	if u.Scheme != "https" && !allowHTTP {
		return errors.New("must be https, as the issuer is")
	}
	return checkSecure(u)
}

// checkRedirectURL applies RFC 6749 3.1.2 and RFC 8252 7.
func checkRedirectURL(redirect string, public bool) error {
	u, err := parseURL(redirect)
	if err != nil {
		return err
	}
	if u.Scheme == "https" || u.Scheme == "http" {
		return checkSecure(u)
	}
	// A private-use scheme is a domain name reversed (RFC 8252 7.1). The dot keeps
	// javascript, data and file out.
	if !strings.Contains(u.Scheme, ".") {
		return errors.New("must be https, http on a loopback host, or a private-use scheme with a dot in it")
	}
	if !public {
		return errors.New("has a private-use scheme, which any app on a device can claim: only a public client may have one")
	}
	return nil
}

// parseURL takes an absolute URL in the characters that a URL has: a browser and
// net/url disagree about all others.
func parseURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("is empty")
	}
	if !isVisible(s) || strings.ContainsAny(s, `\"<>^{|}`+"`") {
		return nil, errors.New("has characters that a URL does not have")
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return nil, errors.New("is not an absolute URL")
	}
	if strings.Contains(s, "#") {
		return nil, errors.New("must not have a fragment")
	}
	if u.User != nil {
		return nil, errors.New("must not have a user name or password")
	}
	return u, nil
}

func checkSecure(u *url.URL) error {
	if u.Hostname() == "" {
		return errors.New("has no host")
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback.Host(u.Hostname()) {
		return nil
	}
	return errors.New("must be https (http on a loopback host only)")
}

// checkScopes applies RFC 6749 3.3.
func checkScopes(scopes []string) error {
	for _, s := range scopes {
		if s == "" || !isVisible(s) || strings.ContainsAny(s, `"\`) {
			return fmt.Errorf("%q is not a scope", cut(s, quoted))
		}
	}
	return nil
}

// isVisible tells whether s is of visible ASCII characters.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// isVSChar tells whether s is of visible ASCII characters and spaces, VSCHAR of RFC 6749 appendix A.
func isVSChar(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
