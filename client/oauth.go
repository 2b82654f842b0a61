package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// An OAuthConfig describes one client at one provider that has OAuth 2.0 (RFC 6749) and no
// OpenID Connect. Issuer, ClientID, AuthorizationEndpoint, TokenEndpoint and UserEndpoint
// are required, and RedirectURL for Authorize; the zero value of every other field is the
// safe choice. It prints and logs without its secret, and encodes as "[redacted]" in JSON.
//
// GitHub's is
//
//	client.OAuthConfig{
//		Issuer:                "https://github.com/login/oauth",
//		AuthorizationEndpoint: "https://github.com/login/oauth/authorize",
//		TokenEndpoint:         "https://github.com/login/oauth/access_token",
//		UserEndpoint:          "https://api.github.com/user",
//		ClientID:              os.Getenv("CLIENT_ID"),
//		ClientSecret:          os.Getenv("CLIENT_SECRET"),
//		RedirectURL:           "https://app.example.com/auth/callback",
//	}
//
// and that of a GitHub Enterprise Server the same with its own host, its API below /api/v3
// on that, and Auth: SecretPost{}.
type OAuthConfig struct {
	// Issuer is the name under which this program knows the provider, and with
	// Account.Subject it is who somebody is: never change it. It is an https URL (http on a
	// loopback host). Where the provider has an issuer identifier (RFC 8414, RFC 9207), take
	// that, byte for byte, for a callback that has an iss must have this one. Never take the
	// issuer of an OpenID provider, or the URL of anybody else: their subjects would be the
	// same people to this program.
	Issuer string

	ClientID     string   // as registered at the provider
	ClientSecret string   // empty: a public client
	RedirectURL  string   // as Config.RedirectURL
	Scopes       []string // such as read:user; openid is refused, it is for New

	AuthorizationEndpoint string // where browsers are sent
	TokenEndpoint         string // where codes are traded
	UserEndpoint          string // what answers a GET that has the access token with JSON about its user
	RevocationEndpoint    string // RFC 7009; empty: Client.Revoke returns ErrUnsupported

	// SubjectPath is where in the answer of UserEndpoint the user's name for ever is: one
	// that is neither changed nor given to somebody else later, which logins and addresses
	// are. Member names from the outside in. Nil: "id".
	SubjectPath []string

	// RequireIss: the provider has an iss in every callback (RFC 9207), so that one without
	// is refused. Set it for a provider that says so. False: iss is only compared where it is.
	RequireIss bool

	Auth       ClientAuth       // nil: the secret in the way that is known of the provider, which for GitHub is SecretPost, otherwise SecretBasic; without a secret NoAuth
	HTTPClient *http.Client     // as Config.HTTPClient
	Now        func() time.Time // nil: time.Now
}

// NewOAuth validates cfg and returns a Client that signs users in at a provider without
// OpenID Connect, of which GitHub is the one most in use. Nothing is discovered, and it
// sends nothing. cfg is copied. If the provider has OpenID Connect too, as GitLab, Google,
// Microsoft, Slack, Twitch and LinkedIn do, use [New]: what follows is weaker.
//
// The road is the same: [Client.Authorize] with state and PKCE by S256, a callback that is
// checked as [Client.Exchange] says, iss included, one trade of the code with the client's
// authentication. Then, in place of an ID token, Exchange asks UserEndpoint with the new
// access token who that is: Tokens.Account is the answer, and Tokens.IDToken is nil. No
// nonce is sent, and an id_token, in the callback or from the token endpoint, is refused:
// nobody asked for it.
//
// Who signed in is thus what one https answer says. No signature says that it is meant for
// this client, when and how the user has signed in, or that it is about this attempt: all
// that rests on state, PKCE and the token coming straight from TokenEndpoint. So
// AuthorizeOptions.MaxAge, ACRValues and Claims, response types other than code and signed
// answers are refused, and what only OpenID Connect has, returns [ErrUnsupported]: UserInfo,
// LogoutURL, VerifyLogout, Provider, Introspect, and every grant but the code and
// [Client.Refresh], which keeps the Account. Providers may ignore PKCE and not say so;
// GitHub has it since July 2025.
//
// Email addresses are often not in the answer, or not verified: ask the provider's endpoint
// for them after Exchange with [Client.Transport], or in session.Config.OnLogin with
// Session.HTTPClient. At GitHub that is https://api.github.com/user/emails, with the scope
// user:email; take one that it calls primary and verified. An address is to write to, and
// never who somebody is.
func NewOAuth(cfg OAuthConfig) (*Client, error) {
	c, err := newOAuth(cfg)
	if err != nil {
		return nil, fmt.Errorf("client: OAuth%w", err)
	}
	return c, nil
}

// An oauthProvider is what a provider has in place of OpenID Connect.
type oauthProvider struct {
	userEndpoint string
	subject      []string // where the user's name is in its answer
}

// newOAuth makes the client. Its errors begin with Config, as those of Config.validate do.
func newOAuth(cfg OAuthConfig) (*Client, error) {
	own := cfg.config()
	own.Scopes = slices.Clone(own.Scopes)
	if own.Now == nil {
		own.Now = time.Now
	}
	if err := own.validate(); err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := newClient(own)
	c.oauth = &oauthProvider{userEndpoint: cfg.UserEndpoint, subject: slices.Clone(cfg.SubjectPath)}
	if len(c.oauth.subject) == 0 {
		c.oauth.subject = []string{"id"}
	}
	c.scope = c.joinScopes(own.Scopes)
	var err error
	c.discovery.current, err = c.oauthSnapshot(&cfg)
	return c, err
}

// config is what both kinds of clients have.
func (cfg *OAuthConfig) config() Config {
	return Config{
		Issuer:       cfg.Issuer,
		ClientID:     cfg.ClientID,
		ClientSecret: cfg.ClientSecret,
		RedirectURL:  cfg.RedirectURL,
		Scopes:       cfg.Scopes,
		Auth:         cfg.Auth,
		HTTPClient:   cfg.HTTPClient,
		Now:          cfg.Now,
	}
}

// validate checks what config does not have.
func (cfg *OAuthConfig) validate() error {
	for _, endpoint := range [...]struct {
		field, url string
		required   bool
	}{
		{"Config.AuthorizationEndpoint", cfg.AuthorizationEndpoint, true},
		{"Config.TokenEndpoint", cfg.TokenEndpoint, true},
		{"Config.UserEndpoint", cfg.UserEndpoint, true},
		{"Config.RevocationEndpoint", cfg.RevocationEndpoint, false},
	} {
		if endpoint.url == "" && !endpoint.required {
			continue
		}
		if err := checkEndpoint(endpoint.url, strings.HasPrefix(cfg.Issuer, "http:")); err != nil {
			return fmt.Errorf("%s %w", endpoint.field, err)
		}
	}
	if slices.Contains(cfg.SubjectPath, "") {
		return errors.New("Config.SubjectPath has an empty name")
	}
	return checkOAuthScopes("Config.Scopes", cfg.Scopes)
}

// checkOAuthScopes keeps an ID token from being asked for that nobody would verify.
func checkOAuthScopes(field string, scopes []string) error {
	if slices.Contains(scopes, "openid") {
		return fmt.Errorf("%s: openid is of OpenID Connect: a provider that has it is one for New", field)
	}
	return nil
}

// oauthSnapshot is the provider as the configuration describes it, for ever. Its verifiers
// are zero, and let no token pass. What is not in its metadata is refused where it would be
// used.
func (c *Client) oauthSnapshot(cfg *OAuthConfig) (*snapshot, error) {
	m := &Metadata{
		Issuer:                 cfg.Issuer,
		AuthorizationEndpoint:  cfg.AuthorizationEndpoint,
		TokenEndpoint:          cfg.TokenEndpoint,
		RevocationEndpoint:     cfg.RevocationEndpoint,
		ResponseTypesSupported: []string{"code"},
		ResponseModesSupported: []string{modeQuery, modeFragment, modeFormPost},
		GrantTypesSupported:    []string{"authorization_code", "refresh_token"},
		AuthorizationResponseIssParameterSupported: cfg.RequireIss,
	}
	if method := quirkOf(cfg.Issuer, "").tokenEndpointAuthMethod; method != "" {
		m.TokenEndpointAuthMethodsSupported = []string{method}
	}
	if err := m.checkOwnQuery(); err != nil {
		return nil, fmt.Errorf("Config.AuthorizationEndpoint: %w", err)
	}
	return &snapshot{
		metadata: m,
		verifier: new(jwtverify.Verifier),
		answers:  new(jwtverify.Verifier),
		auth:     c.cfg.chooseAuth(m.TokenEndpointAuthMethodsSupported),
		auths:    c.cfg.auths(m),
		request:  openQuery(m.AuthorizationEndpoint),
	}, nil
}

// joinScopes returns the scope parameter of this kind of client.
func (c *Client) joinScopes(scopes []string) string {
	if c.oauth != nil {
		return strings.Join(scopes, " ")
	}
	return joinScopes(scopes)
}

// checkOAuthOptions refuses what is of OpenID Connect, and would not be enforced without an
// ID token.
func (o *AuthorizeOptions) checkOAuthOptions() error {
	for _, option := range [...]struct {
		field string
		set   bool
	}{{"MaxAge", o.MaxAge != nil}, {"ACRValues", len(o.ACRValues) > 0}, {"Claims", o.Claims != nil}} {
		if option.set {
			return fmt.Errorf("AuthorizeOptions.%s: %w: it is of OpenID Connect, and the client is of NewOAuth", option.field, ErrUnsupported)
		}
	}
	return checkOAuthScopes("AuthorizeOptions.Scopes", o.Scopes)
}

// withoutOpenID checks an answer of a provider from which no ID token was asked for, and
// reads scopes that are divided by commas, as GitHub's are.
func (t *tokenAnswer) withoutOpenID() error {
	if t.idToken != "" {
		return errors.New("id_token was not asked for")
	}
	if t.scope != nil {
		t.scope = strings.FieldsFunc(strings.Join(t.scope, ","), func(r rune) bool { return r == ',' })
	}
	return nil
}

// onlyOpenID is the error where a client of NewOAuth is asked for what it cannot have.
func (c *Client) onlyOpenID(what string) error {
	if c.oauth == nil {
		return nil
	}
	return fmt.Errorf("client: %w: %s is of OpenID Connect, and the client is of NewOAuth", ErrUnsupported, what)
}

// Format prints the configuration without its secret, whatever the verb.
func (cfg OAuthConfig) Format(f fmt.State, verb rune) { cfg.config().Format(f, verb) }

// LogValue logs the configuration without its secret.
func (cfg OAuthConfig) LogValue() slog.Value { return cfg.config().LogValue() }

// MarshalJSON encodes "[redacted]".
func (cfg OAuthConfig) MarshalJSON() ([]byte, error) { return redactedJSON, nil }
