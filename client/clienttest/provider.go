// Package clienttest is an OpenID provider inside the process of a test or of a
// demo. It behaves as a strict real one does, and misbehaves by name: a [Fault]
// set with [Provider.SetFaults] makes it send a token with the wrong nonce, lose an
// answer on the way, or be down.
//
//	op := clienttest.New(nil)
//	defer op.Close()
//	rp, err := client.New(op.Config("https://app.example.com/callback"))
//	...
//	login, err := rp.Authorize(ctx, nil)
//	callback, err := op.SignIn(login.URL(), "alice")
//	tokens, err := rp.Exchange(ctx, login, callback.Query())
//
// SignIn plays a new browser each time; [Provider.NewBrowser] makes one that stays signed in.
// When a session at the provider ends ([Browser.SignOut], [Provider.EndSession]), the clients
// that say how are told; [Provider.SetApplication] lets that happen in memory too. A whole
// sign-in at the handlers of an application is an example of package session.
//
// It is reached over pipes in memory ([Provider.HTTPClient]), which works in a
// testing/synctest bubble, or over a loopback socket ([Provider.Listen]), where a
// browser finds a sign-in page. It does not link package testing into a program.
//
// It is no provider for anything but tests and demos: whoever reaches it may sign in
// as anybody, and it remembers everything it issued until it is garbage.
package clienttest

import (
	"crypto"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/client"
)

const (
	defaultIssuer = "https://op.example.com"
	defaultTTL    = 5 * time.Minute
)

// Options describes a provider. A zero field is the default that its comment names.
type Options struct {
	// Issuer is an absolute URL without query, with or without a path or a slash
	// at its end. Zero: "https://op.example.com". Listen replaces it.
	Issuer string

	// Clients are the registered clients. Zero: one confidential client "web"
	// with a random secret. Config describes the first.
	Clients []Client

	// Users can be chosen on the sign-in page. Zero: alice and bob. Any other
	// name that is typed there, or given to SignIn, becomes a user too.
	Users []User

	AccessTokenTTL time.Duration // zero: 5 minutes
	IDTokenTTL     time.Duration // zero: 5 minutes

	// Algorithm signs ID tokens and access tokens: RS, PS or ES with 256, 384 or
	// 512, or EdDSA. Zero: RS256.
	Algorithm string

	// Audience is the aud of an access token, where the authorization request named none
	// (parameter "audience"): the API that it is for. Zero: the issuer.
	Audience string

	// OpaqueAccessTokens makes access tokens random text, which an API has to ask the
	// introspection endpoint about. Zero: JWTs (RFC 9068).
	OpaqueAccessTokens bool

	// NoRotation makes refresh tokens last: a refresh answers without a new one,
	// and the old one stays good.
	NoRotation bool

	// RefreshLeeway is for how long a refresh token that was used up can be used again, as
	// with Auth0 and Okta. Zero: not at all; using it again ends the grant.
	RefreshLeeway time.Duration

	// ACRValues are the authentication context classes that there are: the others of a
	// request are not listened to, unless its claims call them essential, and the metadata
	// lists these. Zero: a sign-in has any that is asked for, and the metadata says nothing.
	ACRValues []string

	// OAuthOnly makes it a provider like GitHub, which does not speak OpenID Connect: no
	// discovery, no keys, no ID token, no nonce, no iss, no refresh token, no logout. Below
	// the Issuer it has
	//
	//	/login/oauth/authorize      with PKCE for who wants it
	//	/login/oauth/access_token   answers as a form, or as JSON for who accepts that; errors have status 200
	//	/user                       id (a number), login, name; email is null
	//	/user/emails                with the scope user:email or user, else 404
	//
	// Clients use client_secret_post where they do not say. A user's id is the int in the claim
	// id, or one made of the subject, which is the login. Config has no endpoints, for they
	// cannot be discovered. Faults of the authorization answer, of the token endpoint and of
	// userinfo are there too, as far as they make sense.
	OAuthOnly bool

	// DPoPNonce makes DPoP proofs need a nonce, which the answer to one without it has (RFC
	// 9449 section 8). A client whose authorization request has dpop_jkt gets bound tokens in
	// any case.
	DPoPNonce bool

	// Now is the clock that Advance adds to. Zero: time.Now.
	Now func() time.Time
}

// A Client is a registered client. It prints without its secret.
type Client struct {
	ID     string // required
	Secret string // empty: a public client

	// AuthMethod is how the client must authenticate, and the only way it can:
	// client_secret_basic, client_secret_post or none. Zero: client_secret_basic (with
	// Options.OAuthOnly client_secret_post), or none without a Secret.
	AuthMethod string

	// IDTokenSignedResponseAlg is HS256, HS384 or HS512 for a client whose ID tokens are
	// authenticated with its Secret, which must then have as many bytes as the hash. Zero:
	// they are signed with Options.Algorithm.
	IDTokenSignedResponseAlg string

	// IDTokenEncryptionKey is an *rsa.PublicKey or an *ecdsa.PublicKey to encrypt the
	// client's ID tokens to: with RSA-OAEP-256 or ECDH-ES, and A256GCM. Zero: they are not
	// encrypted. Config does not know the private half: client.Config.Decrypt wants it.
	IDTokenEncryptionKey crypto.PublicKey

	// RedirectURLs are compared byte for byte, but for the port on a loopback host where
	// there is no Secret (RFC 8252 section 7.3). Zero: those that Config was called with.
	RedirectURLs []string

	// PostLogoutRedirectURLs are compared byte for byte. Zero: every URL on the
	// origin of a redirect URL.
	PostLogoutRedirectURLs []string

	// BackChannelLogoutURI is where a logout token is posted when a session ends that the
	// client was signed in by (Back-Channel Logout section 2.5). Zero: the client hears of
	// nothing. See Provider.SetApplication.
	BackChannelLogoutURI string

	// BackChannelLogoutSessionRequired puts a sid into every logout token, so that EndSessions
	// sends one for each session. Zero: it sends one with sub alone.
	BackChannelLogoutSessionRequired bool

	// FrontChannelLogoutURI is in an iframe of the page that a browser sees at the
	// end_session endpoint (Front-Channel Logout section 3). Zero: none, and without
	// another client's there is no page where there is an address to go back to.
	FrontChannelLogoutURI string

	// FrontChannelLogoutSessionRequired puts iss and sid into the query of that address.
	FrontChannelLogoutSessionRequired bool
}

// A User can sign in. Claims stand in ID tokens and in the userinfo answer,
// whatever scope was asked for; they cannot replace a claim of the protocol. Only acr (a
// string) and amr (a []string) are those of the user's sign-ins where the request wants no
// other acr; without them they are "1" and "pwd". For another acr, amr is pwd, otp and mfa.
type User struct {
	Subject string // 1 to 255 bytes
	Claims  map[string]any
}

// A Provider is an OpenID provider, and its http.Handler. Make one with New. It may
// be used concurrently. In a synctest bubble, make it inside the bubble.
type Provider struct {
	now                  func() time.Time
	accessTokenTTL       time.Duration
	idTokenTTL           time.Duration
	algorithm            string
	noRotation           bool
	refreshLeeway        time.Duration
	acrValues            []string // nil: any
	oauthOnly            bool
	audience             string
	opaque               bool
	dpopNonce            string // that proofs must carry; empty: none
	transport            *http.Transport
	outside              *http.Transport // to applications
	server               *http.Server
	memory               *pipeListener
	serving, connections sync.WaitGroup
	startMemory          sync.Once

	mu       sync.Mutex // guards the rest
	issuer   string
	offset   time.Duration // of Advance
	clients  []*registered
	users    []User
	keys     *keyring // nil: not made yet
	faults   map[Fault]bool
	released chan struct{} // closed when the requests held by a slow fault may go on
	closed   bool

	held         int                     // requests, by slow faults
	heldChanged  chan struct{}           // closed then
	applications map[string]http.Handler // by origin

	sessions map[string]*session // by the value of the cookie
	visits   map[string][]string // the clients that a session was used for, by sid
	codes    map[string]*code
	refresh  map[string]*refreshToken
	access   map[string]*accessToken
	devices  map[string]*device  // by device code
	idTokens map[[32]byte]*grant // by SHA-256, for id_token_hint
	proofs   map[string]bool     // jti of the DPoP proofs so far

	requests []*Request
	counts   map[string]int
	notices  []Notice
}

// New makes a provider; nil means the defaults. Options that no provider could
// have panic: an unknown algorithm, an issuer that is no URL, a client without an ID, an
// authentication method without a secret, a secret or a key that its use does not allow, a
// user without a subject.
func New(opts *Options) *Provider {
	if opts == nil {
		opts = &Options{}
	}
	p := &Provider{
		now:            opts.Now,
		accessTokenTTL: orDefault(opts.AccessTokenTTL, defaultTTL),
		idTokenTTL:     orDefault(opts.IDTokenTTL, defaultTTL),
		algorithm:      orDefault(opts.Algorithm, "RS256"),
		noRotation:     opts.NoRotation,
		refreshLeeway:  opts.RefreshLeeway,
		acrValues:      slices.Clone(opts.ACRValues),
		oauthOnly:      opts.OAuthOnly,
		audience:       opts.Audience,
		opaque:         opts.OpaqueAccessTokens || opts.OAuthOnly,
		dpopNonce:      newNonce(opts.DPoPNonce),
		issuer:         orDefault(opts.Issuer, defaultIssuer),
		released:       make(chan struct{}),
		heldChanged:    make(chan struct{}),
		applications:   map[string]http.Handler{},
		sessions:       map[string]*session{},
		visits:         map[string][]string{},
		codes:          map[string]*code{},
		refresh:        map[string]*refreshToken{},
		access:         map[string]*accessToken{},
		devices:        map[string]*device{},
		idTokens:       map[[32]byte]*grant{},
		proofs:         map[string]bool{},
		counts:         map[string]int{},
	}
	if p.now == nil {
		p.now = time.Now
	}
	if !slices.Contains(algorithms(), p.algorithm) {
		panic(fmt.Sprintf("clienttest: unknown algorithm %q", p.algorithm))
	}
	if u, err := url.Parse(p.issuer); err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		panic(fmt.Sprintf("clienttest: an issuer is an absolute URL without query and fragment, not %q", p.issuer))
	}
	usual := secretBasic
	if p.oauthOnly {
		usual = secretPost
	}
	p.clients = register(opts.Clients, usual)
	users := opts.Users
	if len(users) == 0 {
		users = defaultUsers()
	}
	for _, u := range users {
		p.SetUser(u)
	}
	p.prepareServer()
	return p
}

func orDefault[T comparable](value, zero T) T {
	var none T
	if value == none {
		return zero
	}
	return value
}

func defaultUsers() []User {
	user := func(subject, given, family string) User {
		return User{Subject: subject, Claims: map[string]any{
			"name":               given + " " + family,
			"given_name":         given,
			"family_name":        family,
			"preferred_username": subject,
			"email":              subject + "@example.com",
			"email_verified":     true,
		}}
	}
	return []User{user("alice", "Alice", "Ashby"), user("bob", "Bob", "Baker")}
}

// Issuer returns the issuer identifier.
func (p *Provider) Issuer() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.issuer
}

// endpoint is the URL of a path. An issuer with a slash at its end, as Auth0's, gives no
// double one.
func (p *Provider) endpoint(path string) string {
	return strings.TrimSuffix(p.Issuer(), "/") + path
}

// Now returns the provider's time.
func (p *Provider) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now().Add(p.offset)
}

// Advance moves the provider's clock, and with it that of every client.Config made by
// Config, which sessions on that client go by where session.Config.Now is nil. It moves no
// other clock, and wakes no timer.
func (p *Provider) Advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.offset += d
}

// SetUser adds a user, or changes the claims of one: tokens and userinfo answers
// issued from now on have the new ones. A subject that is empty or too long panics.
func (p *Provider) SetUser(u User) {
	if u.Subject == "" || len(u.Subject) > maxSubject {
		panic(fmt.Sprintf("clienttest: a subject has 1 to %d bytes", maxSubject))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	u.Claims = maps.Clone(u.Claims)
	for i := range p.users {
		if p.users[i].Subject == u.Subject {
			p.users[i] = u
			return
		}
	}
	p.users = append(p.users, u)
}

// claims returns a copy of the claims of a user. One whose name was typed has that name.
func (p *Provider) claims(subject string) map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.users {
		if u.Subject == subject {
			claims := maps.Clone(u.Claims)
			if claims == nil {
				claims = map[string]any{}
			}
			return claims
		}
	}
	return map[string]any{"name": subject, "preferred_username": subject}
}

// Config describes the first client to package client, with HTTPClient and Now set
// and the scopes profile, email and offline_access. Where the client has no list of
// redirect URLs, redirectURL becomes one.
func (p *Provider) Config(redirectURL string) client.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.clients[0]
	if c.open && !slices.Contains(c.RedirectURLs, redirectURL) {
		c.RedirectURLs = append(c.RedirectURLs, redirectURL)
	}
	cfg := client.Config{
		Issuer:       p.issuer,
		ClientID:     c.ID,
		ClientSecret: c.Secret,
		RedirectURL:  redirectURL,
		Scopes:       []string{"profile", "email", scopeOffline},
		HTTPClient:   p.HTTPClient(),
		Now:          p.Now,

		IDTokenSignedResponseAlg: c.IDTokenSignedResponseAlg,
	}
	if p.oauthOnly {
		cfg.Scopes = []string{"read:user", "user:email"}
	}
	if c.AuthMethod == secretPost {
		cfg.Auth = client.SecretPost{}
	}
	return cfg
}
