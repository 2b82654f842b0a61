// Package client is the protocol of an OpenID Connect relying party without a
// browser: no http.ResponseWriter, no cookie, no store. Values in, values out.
//
// A web application wants package session, which does the storing and stands on
// this package. An API wants jwtverify.Bearer, and of this package [Introspector] where
// its access tokens are opaque, or must be asked about because they may be revoked.
//
// # A sign-in
//
// A sign-in is three steps. [Client.Authorize] makes a [Login]: a URL to send the
// browser to, and the secrets to keep until it returns. The program stores the
// Login where only that browser can bring it back. [Client.Exchange] takes the
// Login and all parameters of the callback, checks them, trades the code and
// verifies the ID token; there is no other road from a callback to tokens.
//
// [AuthorizeOptions] are what one sign-in asks for: who, how lately, for which API, and
// by ResponseType and ResponseMode what comes back and how, by a form or signed (JARM).
// [Client.InitiateLogin] is for a sign-in that begins at another site, and [NewLogin] for one
// that an app or a page began by itself. [NewOAuth] is for providers that have no OpenID
// Connect, such as GitHub.
//
// # What to do with tokens
//
// [Client.TokenSource] keeps them fresh for as long as the user lets it, [Client.Refresh] does
// so once, and [Client.Transport] calls an API with them. [Client.UserInfo], [Client.Revoke]
// and [Client.LogoutURL] are the rest of their life; Tokens.MarshalBinary is the way to a store.
//
// # Tokens without a browser
//
//   - [Client.ClientCredentialsSource]: for the program itself
//   - [Client.Device] and [Client.WaitDevice]: a person signs in with another device
//   - [Client.CIBA], [Client.WaitCIBA] and [CIBAPing]: a person says yes on their phone
//   - [Client.ExchangeToken]: a token for another one
//   - [Client.JWTBearer]: an assertion for a token
//   - [Client.InsecurePassword]: the name says it
//
// [GrantOptions] say what these tokens are for.
//
// # How the client is registered
//
// [Config] has a field for what a registration says: Auth, a [ClientAuth], for one that has
// no plain secret, but a key ([PrivateKeyJWT]), a certificate ([TLSClientAuth]), its platform's
// word ([AssertionFile]) or Apple's way ([AppleSecret]); DPoP and Certificate for tokens that are
// bound to a key; PushedAuthorizationRequests and RequestObject for requests that nobody can
// change; Decrypt, IDTokenSignedResponseAlg and the fields that begin with Authorization
// for answers that are encrypted or of one algorithm. [Register] makes the registration itself,
// and [Registration.Config] such a Config of it.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/postern-go/postern/jwtverify"
)

// A Config describes one client at one provider. Issuer and ClientID are required,
// and RedirectURL for Authorize; the zero value of every other field is the safe
// choice. It prints and logs without its secrets and keys, and
// encodes as "[redacted]" in JSON.
type Config struct {
	Issuer       string   // byte for byte as the provider's metadata has it; https, or http on a loopback host
	ClientID     string   // as registered at the provider
	ClientSecret string   // empty: a public client
	RedirectURL  string   // where the provider sends the browser back to: https, http on a loopback host, or for a public client a private-use scheme such as com.example.app:/callback
	Scopes       []string // beside openid, which is always asked for

	Profile          Profile          // zero: OpenID Connect with RFC 9700; FAPI1Advanced, FAPI2Security and FAPI2MessageSigning demand more, of the other fields too
	Auth             ClientAuth       // nil: the secret in the way that the metadata names, SecretBasic when it names both or neither; without a secret NoAuth
	Algorithms       []string         // that may sign ID tokens; nil: what the metadata lists, as far as it is asymmetric
	TrustedAudiences []string         // further audiences that an ID token may name; nil: none
	Leeway           time.Duration    // for the clocks of provider and client; zero: jwtverify.DefaultLeeway; at most jwtverify.MaxLeeway
	Metadata         *Metadata        // nil: discovered when first needed, kept for an hour; longer while the provider is down, and a day where its document is refused
	HTTPClient       *http.Client     // its Transport is used, and its Timeout where shorter than 10 s; no cookies, and the redirect policy is the package's own; nil: http.DefaultTransport
	Now              func() time.Time // nil: time.Now

	// IDTokenSignedResponseAlg is id_token_signed_response_alg of the client's
	// registration, for one that has it: ID tokens are then signed with this algorithm and
	// no other. HS256, HS384 and HS512 stand here and nowhere else: the tokens are
	// authenticated with ClientSecret, which needs 32, 48 or 64 bytes, and whoever has that
	// can make them. Empty: Algorithms, which must be nil where this is set.
	IDTokenSignedResponseAlg string

	// DPoP binds the tokens of every grant to this key (RFC 9449), and a token that comes
	// without is refused. All processes that use the same tokens need the same key. Nil:
	// bearer tokens.
	DPoP *DPoPKey

	// Certificate is shown on the connections to the provider's endpoints (RFC 8705): to
	// authenticate by it, with TLSClientAuth or SelfSignedTLSClientAuth, and beside any other
	// Auth for a client that is registered for access tokens bound to it
	// (tls_client_certificate_bound_access_tokens). Requests with credentials then go to the
	// mtls_endpoint_aliases of the metadata, over a copy of HTTPClient's Transport, which
	// must be an *http.Transport or nil. Nil: no certificate.
	Certificate *tls.Certificate

	// GetClientCertificate stands for Certificate where it is renewed while the program
	// runs. It is called for every new connection, as the field of tls.Config is. Nil:
	// Certificate.
	GetClientCertificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error)

	// Decrypt are the private keys for a client that is registered for encrypted ID
	// tokens (id_token_encrypted_response_alg), several while they are rotated. One that
	// comes unencrypted is refused then. Nil: none is encrypted.
	Decrypt []jwtverify.DecryptionKey

	// PushedAuthorizationRequests sends the parameters of every sign-in to the provider
	// itself, and the browser with a reference to them (RFC 9126). False: only where the
	// metadata requires it.
	PushedAuthorizationRequests bool

	// RequestObject signs authorization requests (RFC 9101). Nil: they are not signed.
	RequestObject *RequestObject

	// AuthorizationSignedResponseAlg is authorization_signed_response_alg of the client's
	// registration (JARM 3): answers are then signed with this algorithm and no other.
	// HS256, HS384 and HS512 need a ClientSecret of 32, 48 or 64 bytes. Empty: what the metadata
	// lists, as far as it is asymmetric. Whether an answer is to be signed is said by
	// AuthorizeOptions.ResponseMode.
	AuthorizationSignedResponseAlg string

	// AuthorizationDecrypt are the private keys for a client that is registered for
	// encrypted answers (authorization_encrypted_response_alg), as Decrypt is for ID tokens:
	// one that comes unencrypted is refused then. Nil: none is encrypted.
	AuthorizationDecrypt []jwtverify.DecryptionKey

	// MetadataURL is where the provider's metadata is, for one that does not have it where
	// OpenID Connect Discovery 4 says, which is Issuer + "/.well-known/openid-configuration".
	// [OAuthMetadataURL] makes the place of RFC 8414; a few have
	// https://host/.well-known/openid-configuration/tenant (RFC 8414 5), and Entra's for
	// many tenants, or Azure AD B2C's, are at addresses of their own. Wherever it is, its
	// issuer must be Issuer, byte for byte. No place is tried after another. Empty: that of
	// Discovery.
	MetadataURL string

	// MetadataOverride has what the provider's metadata gets wrong or leaves out, such as
	// one endpoint: every field that is set stands in place of what the document says. Its
	// Issuer must be empty. Nil: the document stands.
	MetadataOverride *Metadata

	// BackChannelURL is where this program reaches the provider, for one that browsers know
	// by another name: scheme and host, such as https://keycloak.internal:8443. Requests for
	// the scheme, host and port of Issuer go there, with the name in them that they are for
	// (Host; that of the certificate is BackChannelURL's), so that a provider which writes
	// its metadata by that name writes what browsers need. Nothing else changes: Issuer and
	// iss are compared as ever, browsers are sent to the addresses of the metadata, and
	// endpoints on other hosts are reached there.
	//
	// In Docker Compose, where browsers reach Keycloak as localhost and containers by the
	// name of its service:
	//
	//	Issuer:         "http://localhost:8080/realms/app",
	//	BackChannelURL: "http://keycloak:8080",
	//
	// It is https, or http on a loopback host, where a proxy may be; or http on any host
	// where Issuer itself is http. Empty: there is one name for all.
	BackChannelURL string

	// Tenants are the Entra tenants whose users may sign in, GUIDs in lower case, where
	// Issuer is the template that Entra's metadata for many tenants has:
	//
	//	Issuer:      "https://login.microsoftonline.com/{tenantid}/v2.0",
	//	MetadataURL: "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration",
	//	Tenants:     []string{"11111111-2222-3333-4444-555555555555"},
	//
	// An ID token must be of one of them, with the tenant's own issuer in iss, which
	// IDToken.Issuer then is; see jwtverify.Verifier.Tenants. It is a closed list: users of
	// any tenant at all are strangers who choose their own email address. Nil: Issuer is no
	// template.
	Tenants []string

	// UserInfoSignedResponseAlg is userinfo_signed_response_alg of the client's registration
	// (Core 5.3.2): answers of the userinfo endpoint are then signed with this algorithm,
	// and one that is not is refused. HS256, HS384 and HS512 need a ClientSecret of 32, 48
	// or 64 bytes. Empty: they are JSON, and one that is a JWT is refused.
	UserInfoSignedResponseAlg string

	// UserInfoDecrypt are the private keys for a client that is registered for encrypted
	// userinfo (userinfo_encrypted_response_alg), as Decrypt is for ID tokens. Nil: it is
	// not encrypted.
	UserInfoDecrypt []jwtverify.DecryptionKey

	// UserInfoByForm sends the access token to the userinfo endpoint in the body of a POST
	// (RFC 6750 2.2), for a provider that does not find it in the header. It is not for
	// tokens that are bound by DPoP. False: in the header of a GET.
	UserInfoByForm bool

	// IntrospectionSignedResponseAlg is introspection_signed_response_alg of the client's
	// registration (RFC 9701 6): answers about tokens are then asked for as JWTs, signed with
	// this algorithm, and one that is not is refused. HS256, HS384 and HS512 need a
	// ClientSecret of 32, 48 or 64 bytes. Empty: they are JSON, and one that is a JWT is
	// refused.
	IntrospectionSignedResponseAlg string

	// IntrospectionDecrypt are the private keys for a client that is registered for
	// encrypted answers about tokens (introspection_encrypted_response_alg), as Decrypt is
	// for ID tokens. Nil: they are not encrypted.
	IntrospectionDecrypt []jwtverify.DecryptionKey
}

// A Client signs users in at one provider. New makes one, and NewOAuth one for a provider
// without OpenID Connect; the zero Client is of no use. It is safe for concurrent use.
type Client struct {
	cfg   Config
	scope string         // asked for where the options say nothing
	oauth *oauthProvider // nil: the provider has OpenID Connect

	identity   string // client and redirect URL, as every authorization request has them
	encryption encryptionKeys

	call  *http.Client // for what carries credentials: follows no redirect
	fetch *http.Client // for public documents: follows redirects on the same host

	discovery discovery
	nonces    nonces
}

// New validates cfg and returns a Client for it. It sends nothing: a provider that
// is down does not keep a program from starting. Call [Client.Metadata] to find out
// early whether the provider is there. cfg is copied.
func New(cfg Config) (*Client, error) {
	cfg.Scopes = slices.Clone(cfg.Scopes)
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = nil // an empty list would let nothing sign
	}
	cfg.Algorithms = slices.Clone(cfg.Algorithms)
	cfg.TrustedAudiences = slices.Clone(cfg.TrustedAudiences)
	cfg.Decrypt = slices.Clone(cfg.Decrypt)
	cfg.AuthorizationDecrypt = slices.Clone(cfg.AuthorizationDecrypt)
	cfg.UserInfoDecrypt, cfg.IntrospectionDecrypt = slices.Clone(cfg.UserInfoDecrypt), slices.Clone(cfg.IntrospectionDecrypt)
	if len(cfg.Tenants) == 0 {
		cfg.Tenants = nil // as it comes out of an empty setting
	}
	cfg.Tenants = slices.Clone(cfg.Tenants)
	if cfg.MetadataOverride != nil {
		cfg.MetadataOverride = cfg.MetadataOverride.clone()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	var err error
	if cfg.RequestObject, err = cfg.RequestObject.completed(cfg.Profile); err != nil {
		return nil, fmt.Errorf("client: Config.RequestObject: %w", err)
	}
	c := newClient(cfg)
	if cfg.Metadata == nil {
		return c, nil
	}
	c.discovery.current, err = c.newSnapshot(cfg.Metadata.document(), nil)
	if err != nil {
		return nil, fmt.Errorf("client: Config.Metadata: %w", err)
	}
	c.cfg.Metadata = nil // the snapshot has it, and the caller may change theirs
	return c, nil
}

// newClient makes a Client that knows nothing of its provider.
func newClient(cfg Config) *Client {
	c := &Client{cfg: cfg, scope: joinScopes(cfg.Scopes)}
	c.identity = "&client_id=" + url.QueryEscape(cfg.ClientID) + "&redirect_uri=" + url.QueryEscape(cfg.RedirectURL)
	c.encryption.turn = make(chan struct{}, 1)
	c.call, c.fetch = cfg.httpClients()
	return c
}

// Issuer returns Config.Issuer. With Config.Tenants that is a template: see IsIssuer.
func (c *Client) Issuer() string { return c.cfg.Issuer }

// ClientID returns Config.ClientID.
func (c *Client) ClientID() string { return c.cfg.ClientID }

// RedirectURL returns Config.RedirectURL.
func (c *Client) RedirectURL() string { return c.cfg.RedirectURL }

// Scopes returns Config.Scopes.
func (c *Client) Scopes() []string { return slices.Clone(c.cfg.Scopes) }

// Now returns the time by the client's clock.
func (c *Client) Now() time.Time { return c.cfg.Now() }

// leeway is the bound of what two clocks may differ by.
func (c *Client) leeway() time.Duration {
	if c.cfg.Leeway == 0 {
		return jwtverify.DefaultLeeway
	}
	return c.cfg.Leeway
}

// Metadata returns what the provider says of itself, and discovers it if need be:
// call it at the start of a program to fail fast, or from a readiness check. The
// result is a copy. For a client of NewOAuth it is what the OAuthConfig says.
//
// The error wraps ErrUnavailable where the provider cannot be reached, and
// ErrRejected where its document does not pass (another issuer, an endpoint
// without https), and ErrUnsupported where Config.Profile cannot be kept with it. After a failure the provider is left alone for a while, one
// second at first and at most one minute, and callers get the same error.
func (c *Client) Metadata(ctx context.Context) (*Metadata, error) {
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	return s.metadata.clone(), nil
}

// Provider returns a provider of go-oidc made from the same metadata, for code that
// stands on that library. Its Verifier method fetches keys by itself, over
// Config.HTTPClient, and what it makes checks less than Exchange does; see [KeySet]. It
// refuses ID tokens that are encrypted or authenticated with the ClientSecret, and with
// Config.Tenants all of them, for it knows no templates. The error is that of
// [Client.Metadata], and for a client of NewOAuth wraps ErrUnsupported.
func (c *Client) Provider(ctx context.Context) (*oidc.Provider, error) {
	if err := c.onlyOpenID("go-oidc"); err != nil {
		return nil, err
	}
	s, err := c.provider(ctx)
	if err != nil {
		return nil, err
	}
	return s.oidc, nil
}

var errNoRedirectURL = errors.New("client: Config.RedirectURL is needed to sign in")
