package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/postern-go/postern/jwtverify"
)

// LogoutOptions are the parameters of one sign-out (OpenID Connect RP-Initiated
// Logout 2). A zero field sends nothing. Auth0 without an end_session_endpoint and Cognito
// have a way of their own, which takes PostLogoutRedirectURL and nothing else. It prints as
// [redacted].
type LogoutOptions struct {
	IDToken               *jwtverify.IDToken // whose session is to end; sent as id_token_hint where its raw token is still there
	LogoutHint            string             // who is to sign out, as the provider knows them, or their session
	PostLogoutRedirectURL string             // where to go afterwards, as registered at the provider; Cognito must have it
	State                 string             // comes back to PostLogoutRedirectURL, where Client.LogoutKeepsState says so
	UILocales             []string           // BCP 47 tags in order of preference
}

// LogoutURL returns where to send the browser to sign out at the provider too. End
// the session of the app first, and whatever becomes of this step. The URL may hold
// the ID token: do not log it.
//
// It is the provider's end_session_endpoint, with what opts say. For Auth0, where the
// metadata has none, it is /v2/logout, and for Cognito its /logout: these are sent the client
// and where to go afterwards, each under the name that it has there, and nothing else. Cognito
// shows an error page without a PostLogoutRedirectURL, which is an error here therefore.
//
// It sends nothing but the discovery that may be due. The error wraps
// ErrUnsupported where the provider has no end_session_endpoint and no way of its own, and
// for a client of NewOAuth.
func (c *Client) LogoutURL(ctx context.Context, opts LogoutOptions) (string, error) {
	if err := opts.validate(&c.cfg); err != nil {
		return "", fmt.Errorf("client: LogoutOptions.%w", err)
	}
	s, err := c.logoutProvider(ctx)
	if err != nil {
		return "", err
	}
	if s.logout != nil {
		return s.logout.address(s.metadata, c.cfg.ClientID, opts.PostLogoutRedirectURL)
	}
	var b strings.Builder
	b.WriteString(openQuery(s.metadata.EndSessionEndpoint) + "client_id=" + url.QueryEscape(c.cfg.ClientID))
	if opts.IDToken != nil {
		addParam(&b, "id_token_hint", opts.IDToken.Raw())
	}
	addParam(&b, "logout_hint", opts.LogoutHint)
	addParam(&b, "post_logout_redirect_uri", opts.PostLogoutRedirectURL)
	addParam(&b, "state", opts.State)
	addParam(&b, "ui_locales", strings.Join(opts.UILocales, " "))
	return b.String(), nil
}

// LogoutKeepsState tells whether the provider brings LogoutOptions.State back to
// LogoutOptions.PostLogoutRedirectURL, so that who returns there can be asked for it. It is
// false where LogoutURL goes a provider's own way, without a state. Its errors are those of
// LogoutURL.
func (c *Client) LogoutKeepsState(ctx context.Context) (bool, error) {
	s, err := c.logoutProvider(ctx)
	if err != nil {
		return false, err
	}
	return s.logout == nil, nil
}

// logoutProvider returns a provider at which one can sign out.
func (c *Client) logoutProvider(ctx context.Context) (*snapshot, error) {
	if err := c.onlyOpenID("signing out at the provider"); err != nil {
		return nil, err
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	if s.metadata.EndSessionEndpoint == "" && s.logout == nil {
		return nil, unsupported("end_session_endpoint")
	}
	return s, nil
}

// address is where to send the browser, in a way of the provider's own.
func (q *logoutQuirk) address(m *Metadata, clientID, returnTo string) (string, error) {
	if q.required && returnTo == "" {
		return "", errors.New("client: LogoutOptions.PostLogoutRedirectURL is empty, and the provider shows an error page without one")
	}
	var b strings.Builder
	b.WriteString(openQuery(q.endpoint(m)) + "client_id=" + url.QueryEscape(clientID))
	addParam(&b, q.returnTo, returnTo)
	return b.String(), nil
}

func (o *LogoutOptions) validate(cfg *Config) error {
	if o.IDToken != nil && !cfg.isIssuer(o.IDToken.Issuer) {
		return errors.New("IDToken is of another issuer")
	}
	if o.PostLogoutRedirectURL != "" {
		if err := checkRedirectURL(o.PostLogoutRedirectURL, true); err != nil {
			return fmt.Errorf("PostLogoutRedirectURL %w", err)
		}
	}
	if err := checkWords(o.UILocales); err != nil {
		return fmt.Errorf("UILocales: %w", err)
	}
	return nil
}
