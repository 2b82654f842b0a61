package clienttest

import (
	"crypto/rand"
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
	hinted       string // the subject of the id_token_hint
	resources    []string
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
		p.writeSignInPage(w, r.Form, a, s)
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
		resources:   q["resource"],
		scope:       strings.Fields(q.Get("scope")),
		prompt:      strings.Fields(q.Get("prompt")),
	}
	if p.oauthOnly {
		return a, a.checkOAuth(q)
	}
	if refused := a.chooseMode(q.Get("response_mode")); refused != nil {
		return a, refused
	}
	if refused := a.check(q); refused != nil {
		return a, refused
	}
	if refused := p.askACR(a, q); refused != nil {
		return a, refused
	}
	p.ignore(a)
	return a, p.hint(a, q)
}

// hint reads the id_token_hint: the answer must be of its user (OpenID Connect Core
// section 3.1.2.1).
func (p *Provider) hint(a *authorization, q url.Values) *endpointError {
	if !q.Has("id_token_hint") {
		return nil
	}
	g := p.hinted(q.Get("id_token_hint"))
	if g == nil {
		return invalidRequest("the id_token_hint was not issued here")
	}
	a.hinted = g.session.subject
	a.loginHint = orDefault(a.loginHint, a.hinted)
	return nil
}

// single refuses a parameter that comes twice (RFC 6749 section 3.1); resource may (RFC
// 8707 section 2).
func single(q url.Values) *endpointError {
	for name, values := range q {
		if len(values) > 1 && name != "resource" {
			return invalidRequest("the parameter " + strconv.Quote(name) + " came twice")
		}
	}
	return nil
}

func (a *authorization) check(q url.Values) *endpointError {
	if refused := single(q); refused != nil {
		return refused
	}
	if refused := checkResources(a.resources); refused != nil {
		return refused
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
		return p.refuse(a, refused)
	}
	return p.grantCode(a, s)
}

func (p *Provider) refuse(a *authorization, refused *endpointError) url.Values {
	return p.answer(a, url.Values{
		"error":             {refused.code},
		"error_description": {refused.description},
	})
}

// grantCode answers for a user who has signed in, the one that a hint named if there was
// one.
func (p *Provider) grantCode(a *authorization, s *session) url.Values {
	if a.hinted != "" && s.subject != a.hinted {
		return p.refuse(a, loginRequired())
	}
	p.visit(s, a.client.ID)
	g := &grant{
		client:      a.client.ID,
		redirectURL: a.redirectURL,
		challenge:   a.challenge,
		nonce:       a.nonce,
		scope:       a.scope,
		audience:    a.audience,
		resources:   a.resources,
		jkt:         a.jkt,
		session:     *s,
	}
	values := url.Values{}
	if state := p.newSessionState(a, s); state != "" {
		values.Set("session_state", state)
	}
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
	if !p.oauthOnly {
		values.Set("iss", p.Issuer())
	}
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
