package clienttest

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	maxRecord = 10_000  // requests that are kept
	maxBody   = 1 << 20 // bytes of a request, for whoever reads it
)

// The endpoints, as they stand in Request.Endpoint.
const (
	discoveryEndpoint     = "discovery"
	jwksEndpoint          = "jwks"
	authorizationEndpoint = "authorization"
	signInEndpoint        = "sign_in"
	tokenEndpoint         = "token"
	userInfoEndpoint      = "userinfo"
	revocationEndpoint    = "revocation"
	introspectionEndpoint = "introspection"
	deviceEndpoint        = "device_authorization"
	devicePageEndpoint    = "device"
	endSessionEndpoint    = "end_session"
	registrationEndpoint  = "registration"
	configurationEndpoint = "client_configuration"
	checkSessionEndpoint  = "check_session"
	emailsEndpoint        = "emails"
	elsewhereEndpoint     = "elsewhere"
	unknownEndpoint       = "unknown"
)

func endpoints() []string {
	return []string{
		discoveryEndpoint, jwksEndpoint, authorizationEndpoint, signInEndpoint, tokenEndpoint,
		userInfoEndpoint, revocationEndpoint, introspectionEndpoint, deviceEndpoint, devicePageEndpoint, endSessionEndpoint,
		registrationEndpoint, configurationEndpoint, checkSessionEndpoint, emailsEndpoint, elsewhereEndpoint, unknownEndpoint,
	}
}

// A Request is one that the provider saw. It holds what was sent, secrets included,
// and prints without them.
type Request struct {
	// Endpoint is discovery, jwks, authorization, sign_in (the form of the sign-in
	// page), token, userinfo, revocation, introspection, device_authorization, device (the page
	// where people type a user code), end_session, registration, client_configuration, elsewhere
	// (another host, where a fault redirected to), check_session, emails or unknown.
	Endpoint string
	Method   string
	Path     string
	Header   http.Header
	Form     url.Values // query and body
	Status   int        // what was answered; 0: nothing yet, or nothing at all
}

// Requests returns the last 10,000 requests in the order of their arrival. SignIn counts as
// a request to the authorization endpoint.
func (p *Provider) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := make([]Request, len(p.requests))
	for i, r := range p.requests {
		seen[i] = *r
	}
	return seen
}

// Count says how many requests an endpoint (a name as in Request.Endpoint) has seen,
// those that are still being answered included. An unknown name panics: it would be 0 for ever.
func (p *Provider) Count(endpoint string) int {
	if !slices.Contains(endpoints(), endpoint) {
		panic(fmt.Sprintf("clienttest: unknown endpoint %q", endpoint))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[endpoint]
}

// record notes the arrival of r; the function it returns notes the answer.
func (p *Provider) record(endpoint string, r *http.Request) func(status int) {
	seen := &Request{
		Endpoint: endpoint,
		Method:   r.Method,
		Path:     r.URL.Path,
		Header:   r.Header.Clone(),
		Form:     maps.Clone(r.Form),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.requests) == maxRecord {
		p.requests = slices.Delete(p.requests, 0, 1)
	}
	p.requests = append(p.requests, seen)
	p.counts[endpoint]++
	return func(status int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		seen.Status = status
	}
}

// ServeHTTP answers every endpoint of the provider, under the path of its issuer. The
// fault RefreshLost panics with http.ErrAbortHandler, which only a server understands.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	}
	malformed := r.ParseForm()
	name, handle := p.route(r)
	answered := &statusWriter{ResponseWriter: w}
	done := p.record(name, r)
	defer func() { done(answered.status) }()
	if malformed != nil {
		http.Error(answered, "unreadable request", http.StatusBadRequest)
		return
	}
	handle(answered, r)
}

func (p *Provider) route(r *http.Request) (string, http.HandlerFunc) {
	if r.Host == elsewhere {
		return elsewhereEndpoint, http.NotFound
	}
	if p.oauthOnly {
		return p.routeOAuth(r)
	}
	switch r.URL.Path {
	case p.path(pathDiscovery):
		return discoveryEndpoint, allow(p.serveDiscovery, "GET")
	case p.path(pathJWKS):
		return jwksEndpoint, allow(p.serveJWKS, "GET")
	case p.path(pathAuthorize):
		return authorizationEndpoint, allow(p.serveAuthorize, "GET", "POST")
	case p.path(pathSignIn):
		return signInEndpoint, allow(p.serveSignIn, "POST")
	case p.path(pathToken):
		return tokenEndpoint, allow(p.serveToken, "POST")
	case p.path(pathUserInfo):
		return userInfoEndpoint, allow(p.serveUserInfo, "GET", "POST")
	case p.path(pathRevoke):
		return revocationEndpoint, allow(p.serveRevoke, "POST")
	case p.path(pathIntrospect):
		return introspectionEndpoint, allow(p.serveIntrospect, "POST")
	case p.path(pathDevice):
		return deviceEndpoint, allow(p.serveDevice, "POST")
	case p.path(pathDevicePage):
		return devicePageEndpoint, allow(p.serveDevicePage, "GET", "POST")
	case p.path(pathLogout):
		return endSessionEndpoint, allow(p.serveLogout, "GET", "POST")
	case p.path(pathCheck):
		return checkSessionEndpoint, allow(p.serveCheckSession, "GET")
	case p.path(pathRegister):
		return registrationEndpoint, allow(p.serveRegistration, "POST")
	}
	if strings.HasPrefix(r.URL.Path, p.path(pathRegister)+"/") {
		return configurationEndpoint, allow(p.serveClientConfiguration, "GET", "PUT", "DELETE")
	}
	return unknownEndpoint, http.NotFound
}

// path is where an endpoint is, below the path of the issuer.
func (p *Provider) path(endpoint string) string {
	u, err := url.Parse(p.endpoint(endpoint))
	if err != nil {
		return endpoint
	}
	return u.Path
}

func allow(next http.HandlerFunc, methods ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	}
}

// A statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status != 0 {
		return // a huge answer has begun already
	}
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
