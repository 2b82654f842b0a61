package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
	"github.com/postern-go/postern/pkce"
)

// AuthorizeOptions are the parameters of one sign-in (OpenID Connect Core 3.1.2.1).
// nil is the plain sign-in, and a zero field sends nothing.
type AuthorizeOptions struct {
	Scopes    []string        // instead of Config.Scopes; openid is asked for in any case
	Prompt    []string        // such as login, consent, select_account; none stands alone
	MaxAge    *time.Duration  // how long ago the user may have signed in, in whole seconds; 0: must sign in now. Enforced by Exchange
	LoginHint string          // who is to sign in, as the provider knows them
	ACRValues []string        // in order of preference. Enforced by Exchange: it refuses an ID token whose acr is none of them
	UILocales []string        // BCP 47 tags in order of preference
	Claims    json.RawMessage // the claims parameter (Core 5.5), a JSON object

	// ResponseType is what the answer brings: code, which is the default and right for
	// most programs; code id_token, code token or code id_token token (Core 3.3);
	// id_token, which needs no ClientSecret and no token request, or id_token token (3.2).
	// The order of the words has no meaning. token alone is refused (RFC 9700 2.1.2).
	ResponseType string

	// ResponseMode is how the answer comes: query, fragment or form_post. Empty: query,
	// which is not sent then; form_post for any type but code, because what is in a
	// fragment never reaches a server by itself, and a query is refused. With jwt (for code
	// query.jwt, else fragment.jwt), query.jwt, fragment.jwt or form_post.jwt the provider
	// signs the answer (JARM), and Exchange takes no other. A fragment needs a page at the
	// redirect URL which sends it on to the server; package session has one.
	ResponseMode string

	// Resource are the APIs that the access token is for (RFC 8707): absolute URIs
	// without a fragment. They are sent with the code too. Some providers give a token for
	// one of them alone, and refuse several.
	Resource []string

	// AuthorizationDetails says what the tokens are for in finer grain than scopes
	// (RFC 9396): a JSON array of objects, each with a type. Tokens.AuthorizationDetails is
	// what was granted.
	AuthorizationDetails json.RawMessage

	// RequestURI is where the provider fetches the request object (RFC 9101 5.2), an
	// https URL of at most 512 bytes that nobody can guess: the program gives out
	// [Login.RequestObject] there. It needs Config.RequestObject, and goes with no pushed
	// request. Empty: the object, if there is one, is in the address.
	RequestURI string

	Extra url.Values // what else the provider takes, such as audience, connection, organization, access_type. Not for what this package sets: that is an error
}

// reserved are the parameters that an authorization request of this package has, or
// that change what kind of request it is.
var reserved = [...]string{
	"acr_values", "authorization_details", "claims", "client_id", "code_challenge", "code_challenge_method", "dpop_jkt",
	"login_hint", "max_age", "nonce", "prompt", "redirect_uri", "request", "request_uri", "resource",
	"response_mode", "response_type", "scope", "state", "ui_locales",
}

func isReserved(name string) bool { return slices.Contains(reserved[:], name) }

// Authorize prepares an authorization request, with a new state and nonce of 256 bits
// each, and PKCE by S256 where a code is asked for, whatever the provider says it
// supports. The Login it returns has the URL to send the browser to, and must come
// to [Client.Exchange] when the same browser returns.
//
// It sends nothing but the discovery that may be due; the request itself to the
// provider's pushed authorization request endpoint, where the metadata or
// Config.PushedAuthorizationRequests demands that (RFC 9126); and, to encrypt a request
// object, a question for the provider's keys, if it was not put within the last hour.
//
// The error wraps ErrUnavailable or ErrRejected where one of these failed, ErrUnsupported
// where the metadata does not offer what is asked for, and nothing where the options
// are wrong.
func (c *Client) Authorize(ctx context.Context, opts *AuthorizeOptions) (*Login, error) {
	if c.cfg.RedirectURL == "" {
		return nil, errNoRedirectURL
	}
	if opts == nil {
		opts = &AuthorizeOptions{}
	}
	l, err := c.newLogin(opts)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	if err := opts.checkExtra(s.metadata); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if err := l.want.checkOffered(s.metadata, l.modeSent); err != nil {
		return nil, err
	}
	if err := opts.checkDetailTypes(s.metadata); err != nil {
		return nil, err
	}
	if err := c.address(ctx, s, l, opts); err != nil {
		return nil, err
	}
	return l, nil
}

// newLogin checks the options and makes the Login for them, without its URL.
func (c *Client) newLogin(opts *AuthorizeOptions) (*Login, error) {
	want, err := parseResponseType(opts.ResponseType)
	if err != nil {
		return nil, fmt.Errorf("AuthorizeOptions.ResponseType: %w", err)
	}
	sent, mode, err := want.responseMode(c.cfg.Profile.responseMode(want, opts.ResponseMode))
	if err != nil {
		return nil, fmt.Errorf("AuthorizeOptions.ResponseMode: %w", err)
	}
	if err := c.cfg.Profile.checkAnswer(want, mode); err != nil {
		return nil, fmt.Errorf("AuthorizeOptions.%w", err)
	}
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if c.oauth != nil {
		if err := opts.checkOAuthOptions(); err != nil {
			return nil, err
		}
	}
	if err := c.cfg.checkRequest(opts, want); err != nil {
		return nil, err
	}
	l := &Login{
		issuer:      c.cfg.Issuer,
		clientID:    c.cfg.ClientID,
		redirectURL: c.cfg.RedirectURL,
		want:        want,
		mode:        mode,
		modeSent:    sent,
		created:     c.Now().Truncate(time.Second),
		scope:       c.scope,
		resource:    slices.Clone(opts.Resource),
		sent:        new(flag),
	}
	if want.has(asksCode) {
		l.verifier = pkce.New()
	}
	l.state, l.nonce = newSecrets()
	if c.oauth != nil {
		l.nonce = "" // nothing would bring it back
	}
	if opts.MaxAge != nil {
		maxAge := *opts.MaxAge
		l.maxAge = &maxAge
	}
	if opts.Scopes != nil {
		l.scope = c.joinScopes(opts.Scopes)
	}
	if len(opts.ACRValues) > 0 { // an empty list sends nothing, and so asks for nothing
		l.acr = slices.Clone(opts.ACRValues)
	}
	return l, nil
}

// address makes the URL to send the browser to. The parameters are in it, in the clear
// or signed, or were pushed to the provider.
func (c *Client) address(ctx context.Context, s *snapshot, l *Login, opts *AuthorizeOptions) error {
	pushes := c.pushes(s.metadata)
	if !pushes && c.cfg.RequestObject == nil {
		l.url = c.request(s.request, l, opts)
		return nil
	}
	params, err := url.ParseQuery(c.request("", l, opts))
	if err != nil {
		return err
	}
	compose := func() (url.Values, error) { return params, nil }
	if c.cfg.RequestObject != nil {
		compose = func() (url.Values, error) { return c.signRequest(ctx, s, params) }
	}
	var form url.Values
	switch {
	case pushes && opts.RequestURI != "":
		return errors.New("client: AuthorizeOptions.RequestURI: the provider requires pushed requests, which are by value")
	case pushes:
		if form, err = c.push(ctx, s, compose); err != nil {
			return err
		}
	default:
		if form, err = compose(); err != nil {
			return err
		}
		form.Set("response_type", l.want.String()) // Core 6.1: these are outside too, and the same
		form.Set("scope", l.scope)
	}
	if opts.RequestURI != "" {
		if !s.metadata.takesRequestURI() {
			return unsupported("request_uri_parameter_supported")
		}
		l.object = form.Get("request")
		form.Del("request")
		form.Set("request_uri", opts.RequestURI)
	}
	form.Set("client_id", c.cfg.ClientID)
	l.url = s.request + form.Encode()
	return nil
}

// request returns the parameters of a request as a query behind prefix.
func (c *Client) request(prefix string, l *Login, opts *AuthorizeOptions) string {
	var b strings.Builder
	b.Grow(len(prefix) + len(c.identity) + 320)
	b.WriteString(prefix)
	b.WriteString("response_type=")
	b.WriteString(url.QueryEscape(l.want.String()))
	if l.want.has(asksCode) {
		b.WriteString("&code_challenge_method=" + pkce.Method)
	}
	b.WriteString(c.identity)
	addParam(&b, "state", l.state)
	addParam(&b, "nonce", l.nonce)
	if l.want.has(asksCode) {
		addParam(&b, "code_challenge", l.verifier.Challenge())
	}
	if c.cfg.DPoP != nil && l.want.has(asksCode) {
		addParam(&b, "dpop_jkt", c.cfg.DPoP.thumbprint) // RFC 9449 10
	}
	addParam(&b, "scope", l.scope)
	opts.add(&b)
	addParam(&b, "response_mode", l.modeSent)
	if len(opts.Extra) > 0 {
		b.WriteString("&" + opts.Extra.Encode())
	}
	return b.String()
}

// add adds the parameters that this package does not set by itself.
func (o *AuthorizeOptions) add(b *strings.Builder) {
	addParam(b, "prompt", strings.Join(o.Prompt, " "))
	if o.MaxAge != nil {
		addParam(b, "max_age", strconv.FormatInt(int64(*o.MaxAge/time.Second), 10))
	}
	addParam(b, "login_hint", o.LoginHint)
	addParam(b, "acr_values", strings.Join(o.ACRValues, " "))
	addParam(b, "ui_locales", strings.Join(o.UILocales, " "))
	addParam(b, "claims", string(o.Claims))
	addParam(b, "authorization_details", string(o.AuthorizationDetails))
	for _, resource := range o.Resource {
		addParam(b, "resource", resource)
	}
}

// addParam adds a parameter to a query that has one already. An empty one is not sent.
func addParam(b *strings.Builder, name, value string) {
	if value == "" {
		return
	}
	b.WriteByte('&')
	b.WriteString(name)
	b.WriteByte('=')
	b.WriteString(url.QueryEscape(value))
}

// openQuery ends an endpoint so that parameters can follow. Its own query stays
// (RFC 6749 3.1).
func openQuery(endpoint string) string {
	if strings.Contains(endpoint, "?") {
		return endpoint + "&"
	}
	return endpoint + "?"
}

// joinScopes returns the scope parameter: openid first, and none twice.
func joinScopes(scopes []string) string {
	asked := []string{"openid"}
	for _, s := range scopes {
		if !slices.Contains(asked, s) {
			asked = append(asked, s)
		}
	}
	return strings.Join(asked, " ")
}

func (o *AuthorizeOptions) validate() error {
	if err := checkScopes(o.Scopes); err != nil {
		return fmt.Errorf("AuthorizeOptions.Scopes: %w", err)
	}
	for _, list := range [...]struct {
		field  string
		values []string
	}{{"Prompt", o.Prompt}, {"ACRValues", o.ACRValues}, {"UILocales", o.UILocales}} {
		if err := checkWords(list.values); err != nil {
			return fmt.Errorf("AuthorizeOptions.%s: %w", list.field, err)
		}
	}
	if err := checkMaxAge(o.MaxAge); err != nil {
		return fmt.Errorf("AuthorizeOptions.MaxAge %w", err)
	}
	if slices.Contains(o.Prompt, "none") {
		if len(o.Prompt) > 1 { // Core 3.1.2.1
			return errors.New("AuthorizeOptions.Prompt: none stands alone")
		}
		if o.MaxAge != nil && *o.MaxAge == 0 {
			return errors.New("AuthorizeOptions: a MaxAge of 0 asks the user, and a Prompt of none forbids it")
		}
	}
	if err := checkResources(o.Resource); err != nil {
		return fmt.Errorf("AuthorizeOptions.Resource: %w", err)
	}
	if err := o.checkDetails(); err != nil {
		return fmt.Errorf("AuthorizeOptions.AuthorizationDetails: %w", err)
	}
	return o.checkClaims()
}

func (o *AuthorizeOptions) checkClaims() error {
	if o.Claims == nil {
		return nil
	}
	err := strictjson.Object(string(o.Claims), nil, func(string, strictjson.Value) error { return nil })
	if err != nil {
		return fmt.Errorf("AuthorizeOptions.Claims: %w", err)
	}
	return nil
}

// checkExtra keeps Extra from overriding what this package or the endpoint's own
// query sets, and from sending a parameter twice (RFC 6749 3.1).
func (o *AuthorizeOptions) checkExtra(m *Metadata) error {
	for name, values := range o.Extra {
		if name == "" || isReserved(name) || m.ownQuery.Has(name) {
			return fmt.Errorf("AuthorizeOptions.Extra: the parameter %q is not free to be set", cut(name, quoted))
		}
		if len(values) > 1 {
			return fmt.Errorf("AuthorizeOptions.Extra: the parameter %q has %d values", cut(name, quoted), len(values))
		}
	}
	return nil
}

// checkWords applies to lists that are sent with spaces between their members.
func checkWords(words []string) error {
	for _, w := range words {
		if w == "" || !isVisible(w) {
			return fmt.Errorf("%q is empty or has spaces in it", cut(w, quoted))
		}
	}
	return nil
}

func checkMaxAge(maxAge *time.Duration) error {
	if maxAge != nil && (*maxAge < 0 || *maxAge%time.Second != 0) {
		return errors.New("must be whole seconds, and not less than 0")
	}
	return nil
}
