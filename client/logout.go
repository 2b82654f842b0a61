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
// Logout 2). A zero field sends nothing. It prints as [redacted].
type LogoutOptions struct {
	IDToken               *jwtverify.IDToken // whose session is to end; sent as id_token_hint where its raw token is still there
	LogoutHint            string             // who is to sign out, as the provider knows them, or their session
	PostLogoutRedirectURL string             // where to go afterwards, as registered at the provider
	State                 string             // comes back to PostLogoutRedirectURL
	UILocales             []string           // BCP 47 tags in order of preference
}

// LogoutURL returns where to send the browser to sign out at the provider too. End
// the session of the app first, and whatever becomes of this step. The URL may hold
// the ID token: do not log it.
//
// It sends nothing but the discovery that may be due. The error wraps
// ErrUnsupported where the provider has no end_session_endpoint.
func (c *Client) LogoutURL(ctx context.Context, opts LogoutOptions) (string, error) {
	if err := opts.validate(&c.cfg); err != nil {
		return "", fmt.Errorf("client: LogoutOptions.%w", err)
	}
	s, err := c.provider(ctx)
	if err != nil {
		return "", err
	}
	if s.metadata.EndSessionEndpoint == "" {
		return "", unsupported("end_session_endpoint")
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
