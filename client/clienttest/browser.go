package clienttest

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// A Browser plays a browser at the provider and the user in front of it, without pages and
// without a socket. It stays signed in there from one call to the next: silent sign-in, step-up
// and single sign-on of several clients want one. Make one with NewBrowser. It may be used
// concurrently.
type Browser struct {
	provider *Provider

	mu     sync.Mutex
	cookie string
}

// NewBrowser makes a browser in which nobody is signed in.
func (p *Provider) NewBrowser() *Browser { return &Browser{provider: p} }

// SignIn opens an authorization URL, and returns the URL that the provider sends the browser
// to, with the answer in its query, or in its fragment as the request wants it. With
// response_mode=form_post it is the redirect URL with the fields of the form for a query.
//
// A browser that is signed in is answered at once, whoever subject is, if that is enough
// for the request: not with prompt=login or prompt=select_account, nor for a max_age or
// acr_values that its session has not. Otherwise subject signs in. An empty subject is a user
// who refuses (the answer is access_denied). prompt=none is never asked about: the answer is
// login_required where the session is not enough.
//
// An error means that the provider shows an error page instead of an answer.
func (b *Browser) SignIn(authorizationURL, subject string) (*url.URL, error) {
	p := b.provider
	r, err := p.open(authorizationURL, p.authorizePath(), authorizationEndpoint)
	if err != nil {
		return nil, err
	}
	done := p.record(authorizationEndpoint, r)
	a, refused := p.parseAuthorization(r.Form)
	if a == nil {
		done(http.StatusBadRequest)
		return nil, errors.New("clienttest: an error page: " + refused.description)
	}
	done(http.StatusSeeOther)
	return url.Parse(a.location(p.signedAs(a, b.answer(a, subject, refused))))
}

// SignIn is Browser.SignIn in a new browser: the user signs in anew at each call, and
// prompt=none is answered with login_required.
func (p *Provider) SignIn(authorizationURL, subject string) (*url.URL, error) {
	return p.NewBrowser().SignIn(authorizationURL, subject)
}

func (b *Browser) answer(a *authorization, subject string, refused *endpointError) url.Values {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.provider
	if refused == nil {
		refused = p.refusal()
	}
	s := p.sessionOf(b.cookie)
	if refused == nil && subject == "" && !slices.Contains(a.prompt, "none") && !s.fits(a, p.Now()) {
		refused = accessDenied()
	}
	if refused != nil || slices.Contains(a.prompt, "none") || s.fits(a, p.Now()) {
		return p.outcome(a, s, refused)
	}
	s = p.signedIn(a, subject, s)
	b.cookie = p.keep(s)
	return p.grantCode(a, s)
}

// A SignedOut is where the provider leaves the browser after a sign-out.
type SignedOut struct {
	// Frames are the addresses of the iframes of its page: the front-channel logout URIs of
	// the clients, with iss and sid where they are registered for it.
	Frames []string

	// Return is post_logout_redirect_uri with the state, where the browser goes from there;
	// nil: it stays.
	Return *url.URL
}

// SignOut opens an address of the end_session endpoint, and says yes where the provider
// asks. Logout tokens have been sent when it returns. An error means that the provider
// shows an error page.
func (b *Browser) SignOut(logoutURL string) (*SignedOut, error) {
	p := b.provider
	r, err := p.open(logoutURL, pathLogout, endSessionEndpoint)
	if err != nil {
		return nil, err
	}
	done := p.record(endSessionEndpoint, r)
	switch {
	case p.has(NoEndSession):
		done(http.StatusNotFound)
		return nil, errors.New("clienttest: there is no end_session endpoint")
	case p.has(EndSession500):
		done(http.StatusInternalServerError)
		return nil, errors.New("clienttest: the end_session endpoint is out of order")
	}
	hinted, target, problem := p.parseLogout(r.Form)
	if problem != "" {
		done(http.StatusBadRequest)
		return nil, errors.New("clienttest: an error page: " + problem)
	}
	b.mu.Lock()
	s := p.sessionOf(b.cookie)
	b.mu.Unlock()
	ended := p.signOut(hinted, s)
	p.notify(ended, false)
	out := &SignedOut{Frames: p.frames(ended)}
	if target != "" {
		out.Return, err = url.Parse(target)
	}
	done(http.StatusOK)
	return out, err
}

// CheckSession is the answer of the page at check_session_iframe to a message of a page of
// an origin, in this browser: "unchanged", "changed" or "error". The message is client ID,
// space, session_state (OpenID Connect Session Management section 3).
func (b *Browser) CheckSession(origin, message string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	state := ""
	if s := b.provider.sessionOf(b.cookie); s != nil {
		state = s.state
	}
	return checkSession(origin, message, state)
}

// open makes the request of a browser that is sent to the address of an endpoint.
func (p *Provider) open(address, path, name string) (*http.Request, error) {
	r, err := http.NewRequest("GET", address, nil)
	if err != nil {
		return nil, fmt.Errorf("clienttest: the address: %w", err)
	}
	if at := *r.URL; address != p.endpoint(path) && !strings.HasPrefix(address, p.endpoint(path)+"?") {
		at.RawQuery = ""
		return nil, fmt.Errorf("clienttest: %q is not the %s endpoint", at.String(), name)
	}
	if err := r.ParseForm(); err != nil {
		return nil, errors.New("clienttest: the address has an unreadable query")
	}
	return r, nil
}
