package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
	"github.com/postern-go/postern/jwtverify"
)

// The grants that no browser comes back from, as they stand in grant_types_supported.
const (
	grantClientCredentials = "client_credentials"
	grantPassword          = "password"
	grantDevice            = "urn:ietf:params:oauth:grant-type:device_code"
	grantExchange          = "urn:ietf:params:oauth:grant-type:token-exchange"
	grantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantCIBA              = "urn:openid:params:grant-type:ciba"
)

// GrantOptions say what tokens a grant without a browser is to bring. nil asks for
// what the provider gives by itself, and a zero field sends nothing; but where a person
// signs in ([Client.Device], [Client.CIBA], [Client.InsecurePassword]) openid is asked for
// in any case, and Config.Scopes where Scopes is nil.
type GrantOptions struct {
	Scopes   []string   // what the access token is to allow
	Resource []string   // where it is to be used: absolute URIs (RFC 8707 2)
	Audience []string   // likewise, by the provider's names (RFC 8693 2.1; Auth0's audience)
	Extra    url.Values // what else the provider takes. Not for what this package sets: that is an error
}

// grantReserved are the parameters that requests of this package have, or that change
// what kind of request it is or who sends it.
var grantReserved = [...]string{
	"acr_values", "actor_token", "actor_token_type", "assertion", "audience", "auth_req_id", "binding_message",
	"client_assertion", "client_assertion_type", "client_id", "client_notification_token", "client_secret", "code",
	"code_verifier", "device_code", "grant_type", "id_token_hint", "login_hint", "login_hint_token", "password",
	"redirect_uri", "refresh_token", "request", "request_uri", "requested_expiry", "requested_token_type", "resource",
	"scope", "subject_token", "subject_token_type", "user_code", "username",
}

func (o *GrantOptions) validate() error {
	if o == nil {
		return nil
	}
	if err := checkScopes(o.Scopes); err != nil {
		return fmt.Errorf("GrantOptions.Scopes: %w", err)
	}
	if err := checkResources(o.Resource); err != nil {
		return fmt.Errorf("GrantOptions.Resource: %w", err)
	}
	if slices.Contains(o.Audience, "") {
		return errors.New("GrantOptions.Audience has an empty one")
	}
	for name := range o.Extra {
		if name == "" || slices.Contains(grantReserved[:], name) {
			return fmt.Errorf("GrantOptions.Extra: %q is set by this package", cut(name, quoted))
		}
	}
	return nil
}

func (o *GrantOptions) clone() *GrantOptions {
	if o == nil {
		return nil
	}
	n := &GrantOptions{
		Scopes: slices.Clone(o.Scopes), Resource: slices.Clone(o.Resource), Audience: slices.Clone(o.Audience),
		Extra: maps.Clone(o.Extra),
	}
	for name, values := range n.Extra {
		n.Extra[name] = slices.Clone(values)
	}
	return n
}

// scope is what is asked for where nobody signs in.
func (o *GrantOptions) scope() string {
	if o == nil {
		return ""
	}
	return strings.Join(o.Scopes, " ")
}

// personScope is what is asked for where a person signs in.
func (c *Client) personScope(o *GrantOptions) string {
	if o == nil || o.Scopes == nil {
		return c.scope
	}
	return joinScopes(o.Scopes)
}

// form puts what the options ask for beside the parameters of a request.
func (o *GrantOptions) form(scope string, own url.Values) url.Values {
	form := url.Values{}
	if o != nil {
		maps.Copy(form, o.Extra)
		form["resource"], form["audience"] = o.Resource, o.Audience
	}
	form.Set("scope", scope)
	maps.Copy(form, own)
	maps.DeleteFunc(form, func(_ string, values []string) bool { return len(values) == 0 || len(values) == 1 && values[0] == "" })
	return form
}

// offering returns the provider, if the options are good and it has the grant as far as
// it says.
func (c *Client) offering(ctx context.Context, grant string, o *GrantOptions) (*snapshot, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	if offered := s.metadata.GrantTypesSupported; len(offered) > 0 && !slices.Contains(offered, grant) {
		return nil, fmt.Errorf("client: %w: grant_types_supported of its metadata has no %s", ErrUnsupported, grant)
	}
	return s, nil
}

// asked is what was asked for, and what must come therefore.
type asked struct {
	scope  string
	acr    []string
	person bool // who signs in: openid was asked for, and where it is granted an ID token comes
}

// grant is one token request, and the verification of what it brings.
func (c *Client) grant(ctx context.Context, s *snapshot, form url.Values, want asked) (*Tokens, error) {
	sent := c.Now()
	a, err := c.token(ctx, s, form)
	if err != nil {
		return nil, err
	}
	return s.granted(ctx, a, want, sent)
}

// granted verifies an answer. Nobody sent a nonce, so the ID token must have none.
func (s *snapshot) granted(ctx context.Context, a *tokenAnswer, want asked, sent time.Time) (*Tokens, error) {
	t := a.tokens(sent)
	if t.Scope == nil && want.scope != "" {
		t.Scope = splitScopes(want.scope)
	}
	if a.idToken == "" {
		if want.person && slices.Contains(t.Scope, "openid") { // Core 3.1.3.3
			return nil, fmt.Errorf("client: %w: the token answer has no id_token, although openid was granted", ErrRejected)
		}
		return t, nil
	}
	var err error
	t.IDToken, err = s.verifier.IDToken(ctx, a.idToken, jwtverify.Expect{AccessToken: a.accessToken, ACR: want.acr})
	if err != nil {
		return nil, a.idTokenError(err, ErrRejected)
	}
	return t, nil
}

// ask posts a form to an endpoint that answers with one JSON object, and has member read
// that. A member is told to be of the wrong type by false.
func (c *Client) ask(ctx context.Context, s *snapshot, to endpoint, form url.Values, read map[string]func(strictjson.Value) bool) (*answer, error) {
	a, err := c.askJSON(ctx, s, to, form)
	if err != nil {
		return nil, err
	}
	failed := false
	registered := append(slices.Collect(maps.Keys(read)), "error", "error_description", "error_uri")
	err = members(a.body, registered, func(name string, v strictjson.Value) error {
		switch member := read[name]; {
		case v.IsNull():
		case name == "error":
			failed = true
		case member != nil && !member(v):
			return fmt.Errorf("%s has the wrong type", name)
		}
		return nil
	})
	if err != nil {
		return nil, a.refuse(err.Error())
	}
	if failed { // with status 200, as at the token endpoint
		return nil, s.oauthError(a)
	}
	return a, nil
}

// into reads a text that outlives the answer.
func into(text *string) func(strictjson.Value) bool {
	return func(v strictjson.Value) (ok bool) {
		*text, ok = v.String()
		*text = strings.Clone(*text)
		return ok
	}
}

// seconds reads a length of time.
func seconds(d *time.Duration) func(strictjson.Value) bool {
	return func(v strictjson.Value) (ok bool) {
		*d, ok = lifetime(v)
		return ok
	}
}
