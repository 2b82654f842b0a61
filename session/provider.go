package session

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/internal/origin"
)

// A Provider is one of several that users can sign in with: see Config.Providers.
type Provider struct {
	// Name is what the provider is called in the address of its login route, in
	// sessions and in Session.Provider: at most 32 letters, digits, '-' and '_', of which
	// the first is a letter or a digit. A session stays with the provider of its name, so
	// do not give a name to another.
	Name string
	// Label is what the page says on which people choose. Zero: Name.
	Label string
	// Client is required. All have redirect URLs at one origin. Each should have one of its
	// own, where no answer but its own is taken: on a shared one, a provider can be given the
	// code of another, unless that has an iss in its answers (RFC 9207, RFC 9700 4.4). It must
	// have one of its own where it takes signed answers (JARM).
	Client *client.Client
}

// A provider is who a session is with.
type provider struct {
	name, label string
	rp          *client.Client
	redirect    *url.URL
}

const maxProviders = 100

// newProviders checks what New was given: one client, or a list of them.
func (cfg *Config) newProviders(rp *client.Client) ([]*provider, error) {
	list := cfg.Providers
	switch {
	case rp == nil && len(list) == 0:
		return nil, errors.New("no client")
	case rp != nil && len(list) > 0:
		return nil, errors.New("a client, and Config.Providers beside it: with a list, give New a nil client")
	case len(list) > maxProviders:
		return nil, fmt.Errorf("Config.Providers has %d entries, at most %d are taken", len(list), maxProviders)
	case rp != nil:
		p, err := cfg.newProvider(Provider{Client: rp})
		return []*provider{p}, err
	}
	var all []*provider
	for i, one := range list {
		if err := checkApp(one.Name); err != nil {
			return nil, fmt.Errorf("Config.Providers[%d]: %w", i, err)
		}
		if one.Client == nil {
			return nil, fmt.Errorf("Config.Providers[%d]: no Client", i)
		}
		p, err := cfg.newProvider(one)
		if err != nil {
			return nil, fmt.Errorf("Config.Providers[%d]: %w", i, err)
		}
		if err := p.fits(all); err != nil {
			return nil, fmt.Errorf("Config.Providers[%d]: %w", i, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// fits checks a provider against those before it.
func (p *provider) fits(all []*provider) error {
	for _, other := range all {
		switch {
		case other.name == p.name:
			return fmt.Errorf("the name %q is there twice", p.name)
		case origin.Of(other.redirect) != origin.Of(p.redirect):
			return errors.New("its redirect URL is not at the origin of the others")
		case other.redirect.Path == p.redirect.Path && other.redirect.String() != p.redirect.String():
			// Where an answer came is told by the path alone.
			return fmt.Errorf("its redirect URL has the path of that of %q, and is another one", other.name)
		}
	}
	return nil
}

func (cfg *Config) newProvider(one Provider) (*provider, error) {
	redirect, err := cfg.checkRedirectURL(one.Client.RedirectURL())
	if err != nil {
		return nil, err
	}
	return &provider{name: one.Name, label: or(one.Label, one.Name), rp: one.Client, redirect: redirect}, nil
}

// provider is the one of a name; nil: there is none any more.
func (m *Manager) provider(name string) *provider {
	for _, p := range m.providers {
		if p.name == name {
			return p
		}
	}
	return nil
}

// providerFor decides with whom a request signs in; nil: the user is to choose. Who
// wants another than that of the present session names it.
func (m *Manager) providerFor(r *http.Request, wanted string) (*provider, error) {
	if wanted == "" && len(m.cfg.Providers) > 0 {
		if rec := m.present(r); rec != nil && m.provider(rec.provider) != nil {
			wanted = rec.provider
		}
		if m.cfg.ChooseProvider != nil {
			wanted = or(m.cfg.ChooseProvider(r), wanted)
		}
	}
	switch {
	case wanted == "" && len(m.providers) == 1:
		return m.providers[0], nil
	case wanted == "":
		return nil, nil
	}
	p := m.provider(wanted)
	if p == nil {
		return nil, fmt.Errorf("there is no provider of the name %q", cut(wanted))
	}
	return p, nil
}

// callbackPaths are the paths of all redirect URLs, escaped, each once.
func (m *Manager) callbackPaths() []string {
	var paths []string
	for _, p := range m.providers {
		if path := p.redirect.EscapedPath(); !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

func (m *Manager) isCallback(r *http.Request) bool {
	return slices.ContainsFunc(m.providers, func(p *provider) bool { return p.redirect.Path == r.URL.Path })
}

// calledBack are the providers whose redirect URL has the path of a request: those that
// an answer there can be from.
func (m *Manager) calledBack(r *http.Request) []*provider {
	if len(m.providers) == 1 { // a router may have taken a prefix off the path
		return m.providers
	}
	var some []*provider
	for _, p := range m.providers {
		if p.redirect.Path == r.URL.Path {
			some = append(some, p)
		}
	}
	return some
}
