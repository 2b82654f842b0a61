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
	Scopes       []string        // instead of Config.Scopes; openid is asked for in any case
	Prompt       []string        // such as login, consent, select_account; none stands alone
	MaxAge       *time.Duration  // how long ago the user may have signed in, in whole seconds; 0: must sign in now. Enforced by Exchange
	LoginHint    string          // who is to sign in, as the provider knows them
	ACRValues    []string        // in order of preference. Enforced by Exchange: it refuses an ID token whose acr is none of them
	UILocales    []string        // BCP 47 tags in order of preference
	Claims       json.RawMessage // the claims parameter (Core 5.5), a JSON object
	ResponseMode string          // how the answer comes: query, which is the default and sent only if named here, or form_post
	Extra        url.Values      // what else the provider takes, such as audience, connection, organization, access_type. Not for what this package sets: that is an error
}

// reserved are the parameters that an authorization request of this package has, or
// that change what kind of request it is.
var reserved = [...]string{
	"acr_values", "claims", "client_id", "code_challenge", "code_challenge_method", "dpop_jkt",
	"login_hint", "max_age", "nonce", "prompt", "redirect_uri", "request", "request_uri",
	"response_mode", "response_type", "scope", "state", "ui_locales",
}

func isReserved(name string) bool { return slices.Contains(reserved[:], name) }

// Authorize prepares an authorization request: response type code, with a new state
// and nonce of 256 bits each and PKCE by S256, whatever the provider says it
// supports. The Login it returns has the URL to send the browser to, and must come
// to [Client.Exchange] when the same browser returns.
//
// It sends nothing but the discovery that may be due. The error wraps
// ErrUnavailable or ErrRejected where discovery failed, and nothing where the
// options are wrong.
func (c *Client) Authorize(ctx context.Context, opts *AuthorizeOptions) (*Login, error) {
	if c.cfg.RedirectURL == "" {
		return nil, errNoRedirectURL
	}
	if opts == nil {
		opts = &AuthorizeOptions{}
	}
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	if err := opts.checkExtra(s.metadata); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	l := &Login{
		issuer:      c.cfg.Issuer,
		clientID:    c.cfg.ClientID,
		redirectURL: c.cfg.RedirectURL,
		verifier:    pkce.New(),
		created:     c.Now().Truncate(time.Second),
		scope:       c.scope,
		sent:        new(flag),
	}
	l.state, l.nonce = newSecrets()
	if opts.MaxAge != nil {
		maxAge := *opts.MaxAge
		l.maxAge = &maxAge
	}
	if opts.Scopes != nil {
		l.scope = joinScopes(opts.Scopes)
	}
	if len(opts.ACRValues) > 0 { // an empty list sends nothing, and so asks for nothing
		l.acr = slices.Clone(opts.ACRValues)
	}
	l.url = l.authorizationURL(s.request, opts)
	return l, nil
}

// requestPrefix is what all authorization requests begin with.
func (c *Client) requestPrefix(endpoint string) string {
	prefix := openQuery(endpoint) + "response_type=code&code_challenge_method=" + pkce.Method +
		"&client_id=" + url.QueryEscape(c.cfg.ClientID) +
		"&redirect_uri=" + url.QueryEscape(c.cfg.RedirectURL)
	if c.cfg.DPoP != nil {
		prefix += "&dpop_jkt=" + c.cfg.DPoP.thumbprint // RFC 9449 10
	}
	return prefix
}

func (l *Login) authorizationURL(prefix string, opts *AuthorizeOptions) string {
	var b strings.Builder
	b.Grow(len(prefix) + 256)
	b.WriteString(prefix)
	addParam(&b, "state", l.state)
	addParam(&b, "nonce", l.nonce)
	addParam(&b, "code_challenge", l.verifier.Challenge())
	addParam(&b, "scope", l.scope)
	addParam(&b, "prompt", strings.Join(opts.Prompt, " "))
	if opts.MaxAge != nil {
		addParam(&b, "max_age", strconv.FormatInt(int64(*opts.MaxAge/time.Second), 10))
	}
	addParam(&b, "login_hint", opts.LoginHint)
	addParam(&b, "acr_values", strings.Join(opts.ACRValues, " "))
	addParam(&b, "ui_locales", strings.Join(opts.UILocales, " "))
	addParam(&b, "claims", string(opts.Claims))
	addParam(&b, "response_mode", opts.ResponseMode)
	if len(opts.Extra) > 0 {
		b.WriteString("&" + opts.Extra.Encode())
	}
	return b.String()
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
	switch o.ResponseMode {
	case "", "query", "form_post": // OAuth 2.0 Multiple Response Types 2.1, Form Post Response Mode 2
	default:
		return fmt.Errorf("AuthorizeOptions.ResponseMode: %q is neither query nor form_post", cut(o.ResponseMode, quoted))
	}
	if slices.Contains(o.Prompt, "none") {
		if len(o.Prompt) > 1 { // Core 3.1.2.1
			return errors.New("AuthorizeOptions.Prompt: none stands alone")
		}
		if o.MaxAge != nil && *o.MaxAge == 0 {
			return errors.New("AuthorizeOptions: a MaxAge of 0 asks the user, and a Prompt of none forbids it")
		}
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
		// resource may come several times (RFC 8707 2).
		if len(values) > 1 && name != "resource" {
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
