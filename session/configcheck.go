package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/postern-go/postern/internal/loopback"
)

// checkStore refuses what needs a Store where there is none, and a shared Store whose sessions
// no other process could open.
func (cfg *Config) checkStore() error {
	if cfg.SessionsInStore && cfg.Store == nil {
		return errors.New("SessionsInStore without a Store")
	}
	if _, memory := cfg.Store.(*MemoryStore); cfg.Store != nil && !memory && len(cfg.Secrets) == 0 {
		return errors.New("a Store without Secrets: processes that share sessions need the same ones: " + howToMakeASecret)
	}
	if cfg.FrontChannelWithoutCookie && cfg.Store == nil {
		return errors.New("FrontChannelWithoutCookie without a Store")
	}
	if cfg.Locker != nil && cfg.Store == nil {
		return errors.New("a Locker without a Store, where those who wait would find what came of it")
	}
	return nil
}

func (cfg *Config) checkPaths() error {
	if err := checkPath("LoginPath", cfg.LoginPath); err != nil {
		return err
	}
	if err := checkPath("LogoutPath", cfg.LogoutPath); err != nil {
		return err
	}
	if cfg.LoginPath == "/" || cfg.LogoutPath == "/" {
		return errors.New(`LoginPath and LogoutPath cannot be "/", which would be every path that nobody else has`)
	}
	if cfg.LoginPath == cfg.LogoutPath {
		return fmt.Errorf("LoginPath and LogoutPath are both %q", cut(cfg.LoginPath))
	}
	for _, field := range [...][2]string{{"LoginPath", cfg.LoginPath}, {"LogoutPath", cfg.LogoutPath}} {
		if cfg.isRoute(field[1]) {
			return fmt.Errorf("%s: %q is another route of this package", field[0], cut(field[1]))
		}
	}
	return nil
}

// checkPath takes what can stand in a pattern of http.ServeMux as it is.
func checkPath(field, p string) error {
	if !strings.HasPrefix(p, "/") {
		return fmt.Errorf("%s: %q does not start with a slash", field, cut(p))
	}
	if path.Clean(p) != p || strings.ContainsAny(p, "{}?#%\\ ") {
		return fmt.Errorf("%s: %q is not a plain path", field, cut(p))
	}
	if _, ok := localAddress(p); !ok {
		return fmt.Errorf("%s: %q is not a local address", field, cut(p))
	}
	return nil
}

func (cfg *Config) checkLimits() error {
	switch {
	case cfg.Lifetime < 0 || cfg.Idle < 0 || cfg.AttemptLifetime < 0:
		return errors.New("one of Lifetime, Idle and AttemptLifetime is negative")
	case cfg.SameSite == http.SameSiteNoneMode:
		return errors.New("SameSite: None would send the session along with every site's requests: use Lax or Strict")
	case cfg.SameSite < 0 || cfg.SameSite > http.SameSiteNoneMode:
		return fmt.Errorf("SameSite: unknown value %d", cfg.SameSite)
	}
	return nil
}

func (cfg *Config) checkLogout() error {
	if cfg.AfterLogout != "" {
		if _, ok := localAddress(cfg.AfterLogout); !ok {
			return fmt.Errorf("AfterLogout: %q is not a local address", cut(cfg.AfterLogout))
		}
	}
	if cfg.PostLogoutRedirectURL != "" {
		if _, err := parseWebURL(cfg.PostLogoutRedirectURL); err != nil {
			return fmt.Errorf("PostLogoutRedirectURL: %w", err)
		}
	}
	for i, address := range cfg.LogoutReturns {
		if _, ok := localAddress(address); ok {
			continue
		}
		if len(address) > maxAddress {
			return fmt.Errorf("LogoutReturns[%d] has more than %d bytes", i, maxAddress)
		}
		if _, err := parseWebURL(address); err != nil {
			return fmt.Errorf("LogoutReturns[%d]: %w", i, err)
		}
	}
	return nil
}

// checkRedirectURL refuses what no handler of ours could answer.
func (cfg *Config) checkRedirectURL(raw string) (*url.URL, error) {
	u, err := parseWebURL(raw)
	if err != nil {
		return nil, fmt.Errorf("the client's redirect URL: %w", err)
	}
	if p := u.EscapedPath(); p != "" && path.Clean(p) != strings.TrimSuffix(p, "/") && p != "/" {
		return nil, fmt.Errorf("the client's redirect URL has the path %q, which http.ServeMux would clean", cut(p))
	}
	switch {
	case u.Path == "" || u.Path == "/":
		// The callback would stand in the place of the app's own front page.
		return nil, errors.New("the client's redirect URL needs a path of its own, such as /auth/callback")
	case u.Path == cfg.LoginPath || u.Path == cfg.LogoutPath || cfg.isRoute(u.Path):
		return nil, fmt.Errorf("the client's redirect URL has the path %q, which is another route of this package", cut(u.Path))
	}
	return u, nil
}

// parseWebURL takes https, and http on a loopback host: what a browser sends to
// us, and to nobody on the way.
func parseWebURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil, strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c > '~' }):
		return nil, errors.New("not a URL")
	case raw == "":
		return nil, errors.New("it is missing")
	case u.User != nil || u.Host == "" || u.Fragment != "":
		return nil, fmt.Errorf("%q is not an absolute URL without user and fragment", cut(u.Redacted()))
	case u.Scheme == "https", u.Scheme == "http" && loopback.Host(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("%q is neither https nor http on a loopback host", cut(u.Redacted()))
}
