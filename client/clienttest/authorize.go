package clienttest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	scopeOffline  = "offline_access"
	maxAgeSeconds = 1 << 31
)

// An authorization is an authorization request (OpenID Connect Core section 3.1.2.1).
type authorization struct {
	client       *registered
	redirectURL  string
	types        []string // of the response: code, id_token or both
	mode         string
	state, nonce string
	challenge    string
	audience     string
	jkt          string // dpop_jkt
	loginHint    string
	scope        []string
	prompt       []string
	acr          []string
	maxAge       *time.Duration
}

// serveAuthorize answers at once for a browser that is signed in, and with the sign-in page
// for others.
func (p *Provider) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	a, refused := p.parseAuthorization(r.Form)
	if a == nil {
		writeErrorPage(w, refused.description)
		return
	}
	if refused == nil {
		refused = p.refusal()
	}
	s := p.browserSession(r)
	silent := refused != nil || slices.Contains(a.prompt, "none") || s.fits(a, p.Now())
	if !silent {
		p.writeSignInPage(w, r.Form, a)
		return
	}
	p.respond(w, a, p.outcome(a, s, refused))
}

// refusal is what a fault answers instead of the user.
func (p *Provider) refusal() *endpointError {
	switch {
	case p.has(ErrorCallback):
		return accessDenied()
	case p.has(LoginRequired):
		return loginRequired()
	}
	return nil
}

func accessDenied() *endpointError {
	return &endpointError{code: "access_denied", description: "the user refused"}
}

func loginRequired() *endpointError {
	return &endpointError{code: "login_required", description: "the user has to sign in"}
}

// parseAuthorization checks a request. Without a known client and its registered
// redirect URL the answer is nil, and the error is for the user alone: who redirects then is an
// open redirector (RFC 6749 section 4.1.2.1). Otherwise the error goes to the client.
func (p *Provider) parseAuthorization(q url.Values) (*authorization, *endpointError) {
	if len(q["client_id"]) != 1 || len(q["redirect_uri"]) != 1 {
		return nil, invalidRequest("The application did not say, once, what it is and where to return to.")
	}
	c := p.client(q.Get("client_id"))
	if c == nil {
		return nil, invalidRequest("There is no client of this ID.")
	}
	if !c.takes(q.Get("redirect_uri")) {
		return nil, invalidRequest("The redirect URL is not registered for this client.")
	}
	a := &authorization{
		client:      c,
		redirectURL: q.Get("redirect_uri"),
		types:       strings.Fields(q.Get("response_type")),
		state:       q.Get("state"),
		nonce:       q.Get("nonce"),
		challenge:   q.Get("code_challenge"),
		audience:    q.Get("audience"),
		jkt:         q.Get("dpop_jkt"),
		loginHint:   q.Get("login_hint"),
		scope:       strings.Fields(q.Get("scope")),
		prompt:      strings.Fields(q.Get("prompt")),
		acr:         strings.Fields(q.Get("acr_values")),
	}
	if refused := a.chooseMode(q.Get("response_mode")); refused != nil {
		return a, refused
	}
	return a, a.check(q)
}

func (a *authorization) check(q url.Values) *endpointError {
	for name, values := range q {
		if len(values) > 1 && name != "resource" { // RFC 6749 section 3.1, RFC 8707 section 2
			return invalidRequest("the parameter " + strconv.Quote(name) + " came twice")
		}
	}
	switch {
	case q.Has("request"):
		return &endpointError{code: "request_not_supported", description: "no request objects"}
	case q.Has("request_uri"):
		return &endpointError{code: "request_uri_not_supported", description: "no request objects"}
	case !a.knowsTypes():
		return &endpointError{code: "unsupported_response_type", description: "code, id_token or code id_token only"}
	case !slices.Contains(a.scope, "openid"):
		return &endpointError{code: "invalid_scope", description: "openid is missing"}
	case len(a.prompt) > 1 && slices.Contains(a.prompt, "none"):
		return invalidRequest("prompt=none stands alone")
	case !a.asksFor("code"):
		if a.nonce == "" { // Core section 3.2.2.1
			return invalidRequest("the nonce is missing")
		}
	case q.Get("code_challenge_method") != "S256":
		return invalidRequest("PKCE with S256 is required")
	case len(a.challenge) != len(encode(make([]byte, 32))):
		return invalidRequest("the code_challenge is not a SHA-256 in base64url")
	}
	return a.checkMaxAge(q)
}

func (a *authorization) checkMaxAge(q url.Values) *endpointError {
	if !q.Has("max_age") {
		return nil
	}
	seconds, err := strconv.ParseInt(q.Get("max_age"), 10, 64)
	if err != nil || seconds < 0 || seconds > maxAgeSeconds {
		return invalidRequest("max_age is not a number of seconds")
	}
	age := time.Duration(seconds) * time.Second
	a.maxAge = &age
	return nil
}

// outcome is the answer to an authorization request: an error if it was refused or s does
// not do and may not be asked for, a code otherwise.
func (p *Provider) outcome(a *authorization, s *session, refused *endpointError) url.Values {
	if refused == nil && !s.fits(a, p.Now()) {
		refused = loginRequired()
	}
	if refused != nil {
		return p.answer(a, url.Values{
			"error":             {refused.code},
			"error_description": {refused.description},
		})
	}
	return p.grantCode(a, s)
}

func (p *Provider) grantCode(a *authorization, s *session) url.Values {
	g := &grant{
		client:      a.client.ID,
		redirectURL: a.redirectURL,
		challenge:   a.challenge,
		nonce:       a.nonce,
		scope:       a.scope,
		audience:    a.audience,
		jkt:         a.jkt,
		session:     *s,
	}
	values := url.Values{}
	if a.asksFor("code") {
		values.Set("code", p.newCode(g))
	}
	if a.asksFor("id_token") || p.has(UnaskedIDToken) {
		values.Set("id_token", p.newIDToken(g, s.subject, g.nonce, beside{code: values.Get("code")}))
	}
	return p.answer(a, values)
}

// answer adds state and iss (RFC 9207), and what the active faults want.
func (p *Provider) answer(a *authorization, values url.Values) url.Values {
	if a.state != "" {
		values.Set("state", a.state)
	}
	values.Set("iss", p.Issuer())
	for _, f := range p.active() {
		spoilAnswer(f, values)
	}
	return values
}

func spoilAnswer(f Fault, values url.Values) {
	switch f {
	case WrongState:
		values.Set("state", rand.Text())
	case MissingState:
		values.Del("state")
	case DoubleState:
		values.Add("state", rand.Text())
	case MissingCode:
		values.Del("code")
	case DoubleCode:
		values.Add("code", rand.Text())
	case CodeAndError:
		values.Set("error", "server_error")
	case WrongIss:
		values.Set("iss", otherIssuer)
	case MissingIss, NoIssParameter:
		values.Del("iss")
	}
}

// respond sends the browser back to the application with an answer.
func (p *Provider) respond(w http.ResponseWriter, a *authorization, values url.Values) {
	values = p.signedAs(a, values)
	if a.delivery() == modeFormPost {
		writePostPage(w, a.redirectURL, values)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", a.location(values))
	w.WriteHeader(http.StatusSeeOther)
}

// withQuery leaves the URL as it was registered, byte for byte, with its query if it has one.
func withQuery(address string, values url.Values) string {
	if len(values) == 0 {
		return address
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + values.Encode()
}

// SignIn plays the browser, and a user who signs in, at an authorization URL: it returns the URL
// that the provider sends the browser to, with the answer in its query, or in its fragment as the
// request wants it. With response_mode=form_post it is the redirect URL with the fields of the form
// for a query.
//
// The user signs in anew at each call. An empty subject is a user who refuses (the answer is
// access_denied). prompt=none is answered with login_required, for a user who is not signed in; to try
// silent sign-in, send a client with a cookie jar through the sign-in page.
//
// An error means that the provider shows an error page instead of an answer.
func (p *Provider) SignIn(authorizationURL, subject string) (*url.URL, error) {
	r, err := http.NewRequest("GET", authorizationURL, nil)
	if err != nil {
		return nil, fmt.Errorf("clienttest: the authorization URL: %w", err)
	}
	if at := *r.URL; !strings.HasPrefix(authorizationURL, p.endpoint(pathAuthorize)+"?") {
		at.RawQuery = ""
		return nil, fmt.Errorf("clienttest: %q is not the authorization endpoint", at.String())
	}
	if err := r.ParseForm(); err != nil {
		return nil, errors.New("clienttest: the authorization URL has an unreadable query")
	}
	done := p.record(authorizationEndpoint, r)
	a, refused := p.parseAuthorization(r.Form)
	if a == nil {
		done(http.StatusBadRequest)
		return nil, errors.New("clienttest: an error page: " + refused.description)
	}
	done(http.StatusSeeOther)
	return url.Parse(a.location(p.signedAs(a, p.userAnswer(a, subject, refused))))
}

// userAnswer is the answer to a request that was refused, or that the user decides on.
// An empty subject is a user who refuses.
func (p *Provider) userAnswer(a *authorization, subject string, refused *endpointError) url.Values {
	if refused == nil {
		refused = p.refusal()
	}
	switch {
	case refused != nil:
	case slices.Contains(a.prompt, "none"):
		refused = loginRequired()
	case subject == "":
		refused = accessDenied()
	default:
		return p.grantCode(a, p.newSession(subject, a.acr))
	}
	return p.outcome(a, nil, refused)
}
