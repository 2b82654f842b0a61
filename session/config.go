package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/postern-go/postern/client"
)

// Defaults of Config.
const (
	DefaultName            = "postern"
	DefaultPrefix          = "/auth"
	DefaultLifetime        = 12 * time.Hour
	DefaultIdle            = time.Hour
	DefaultAttemptLifetime = 10 * time.Minute
)

// Config says how sessions are kept. The zero value works, on one process.
//
// A Config prints, logs and encodes as [redacted]: it holds secrets.
type Config struct {
	// Secrets seal the cookies: the first seals, all of them open, so that a new
	// one is put in front and the old one kept for the lifetime of a session. Where
	// several processes answer, first give the new one to all of them behind the
	// old one, then swap the two. Each has at least 32 bytes; make one with
	// "openssl rand -base64 32". What somebody has plainly made up is refused: a repetition,
	// a sequence, or words that placeholders have, such as "secret" and "changeme". nil: a
	// random one, with one warning in the log, and everybody is signed out when the process
	// ends; with a Store that several processes share, which is any but a MemoryStore, an error.
	Secrets []string

	// Name is the app's, and a part of all cookie names: at most 32 letters, digits, '-' and
	// '_', of which the first is a letter or a digit. Cookies ignore ports: two apps on
	// localhost need two names. Zero: DefaultName.
	Name string

	// Prefix is where the routes are: a path with a slash in front and none at its end, or
	// "/" alone. The callback is not under it, but at the path of the client's redirect
	// URL. Zero: DefaultPrefix.
	Prefix     string
	LoginPath  string // zero: Prefix + "/login"
	LogoutPath string // zero: Prefix + "/logout"

	// Lifetime is how long a session lasts at most, from sign-in to its hard end,
	// which nothing extends. Zero: DefaultLifetime.
	Lifetime time.Duration
	// Idle ends a session earlier, that long after the last page load. Requests
	// that are no page loads do not count (an open tab that polls is nobody at
	// work), so a single-page app wants an Idle as long as Lifetime. The
	// last page load is recorded to within a tenth of Idle. Zero: DefaultIdle.
	Idle time.Duration
	// AttemptLifetime is how long a user may take to sign in at the provider.
	// Zero: DefaultAttemptLifetime.
	AttemptLifetime time.Duration

	// Providers are those to sign in with, where there are several; New is then given no
	// client. Each has a login route, LoginPath with a slash and its name. LoginPath itself
	// is a page on which people choose, where neither ChooseProvider nor a present session
	// says it. A session stays with the provider it was made by.
	Providers []Provider
	// ChooseProvider names the provider for a request that starts a sign-in and says
	// nothing about it, such as by the tenant it is for. Empty, or nil: the provider of the
	// present session, or else people choose.
	ChooseProvider func(*http.Request) string

	// Store is what several processes share. With one, a session that was signed out,
	// or revoked by the provider, is over in all of them, and so is the result of a refresh
	// known to all. nil: this process remembers by itself.
	//
	// Each request with a session asks it once, for 2 s at most; a refresh asks a few times
	// more, of which no more than one waits so long. While it fails, what this
	// process knows of revocations stands for five minutes since its last good answer. Then
	// requests with a session are answered with 503, and their cookies stay; all others,
	// and sign-ins, go on. A process that begins meanwhile knows nothing, and answers 503.
	//
	// A Store that loses what it was given, or gives what it had before, brings back what
	// was revoked: nobody can tell. It never gives anybody a session or a token that their
	// cookie does not open.
	Store Store
	// SessionsInStore keeps the sessions in Store, and in the cookie only the key that
	// opens them there: for tokens larger than cookies take, up to 64 KiB, or that should
	// not leave the server. It needs Store, and while that is down there are no sessions.
	// Sessions that are in cookies move there with their next change; those in the Store
	// stay there when this is switched off again.
	SessionsInStore bool
	// Locker has one process at a time use a refresh token. nil: Store, if it is a Locker
	// too, as those of session/redisstore are; otherwise each process looks in the Store
	// whether another has begun, which goes wrong when two begin within a moment. While it
	// is down, likewise. It needs Store.
	Locker Locker

	// Claims are what to keep of the ID token, by name, beside what a session always keeps:
	// iss, sub, aud, azp, sid, nonce, acr, amr and the times. The token itself is then not kept:
	// a provider that wants it as a hint when somebody signs out asks them instead. Shorter
	// cookies, for providers that put much into it. nil: the whole token.
	Claims []string
	// IdentityOnly keeps no tokens in the session, but what it knows of the user: for an app
	// that signs people in and calls nobody in their name. Config.OnLogin still has the tokens.
	// A provider that wants the ID token as a hint when somebody signs out asks them instead,
	// and nothing is revoked then: the tokens last as long as the provider made them. False:
	// they are kept.
	IdentityOnly bool
	// UserInfoClaims are claims of the userinfo endpoint to keep in the session, which is
	// asked once, at the sign-in. Session.Claim, Claims and Texts have those that the ID token
	// of the sign-in lacks: what it has goes as refreshed ID tokens say. A sign-in fails where
	// the endpoint does. A provider without OpenID Connect has none, and its account has all the
	// claims. nil: it is not asked.
	UserInfoClaims []string

	// PublicClaims are the claims that StatusHandler tells the scripts of the app's pages.
	// nil: sub and name. Empty: none.
	PublicClaims []string
	// AntiForgeryHeader is what Protect, Proxy and StatusHandler demand, with the value "1",
	// of every request: a name that begins with X-. Zero: DefaultAntiForgeryHeader.
	AntiForgeryHeader string

	// SameSite of the session cookie: Lax, which is the zero value too, or Strict.
	// With Strict, a user who follows a link from elsewhere arrives signed out and is
	// sent to the provider, and the callback answers with a page that goes on by itself,
	// for a redirect would not carry the cookie. None is refused.
	SameSite http.SameSite
	// CookieBudget is how many bytes all our cookies may have in a request, from 2,000 to
	// 36,000. Zero: 7,500, for common servers take 8 KB. What does not fit is a
	// *TooLargeError.
	CookieBudget int

	// PostLogoutRedirectURL is where the provider sends the user after signing
	// out there: an absolute URL, which must be registered. The logout route, at the origin of the redirect
	// URL, is made for it: who comes back there is asked for the state that was sent along.
	// With another page no state is sent. Zero: the user stays at the provider.
	PostLogoutRedirectURL string
	// AfterLogout is the local address to go to when the provider has no
	// end_session endpoint, or cannot be reached. Zero: the logout route itself,
	// which then says that the user is signed out.
	AfterLogout string
	// LogoutReturns are the addresses that the form field return_to of a sign-out may
	// choose from, byte for byte: local ones, or absolute URLs with https. The user gets there
	// from the logout route, where PostLogoutRedirectURL is that, or at once where there is
	// nothing to do at the provider. nil: none.
	LogoutReturns []string

	// FrontChannelWithoutSession takes the front-channel logout of a provider that sends
	// no iss and sid, to end the session of the browser whatever it is. Register the client
	// with frontchannel_logout_session_required instead, where the provider knows that.
	FrontChannelWithoutSession bool
	// FrontChannelWithoutCookie ends the sessions of a sid on a front-channel logout that
	// comes without their cookie, which is how most browsers send it. There is nothing to
	// show that the provider has asked for it: whoever knows the sid of a user can sign them
	// out, and do nothing else. It needs Store, in which each sign-in then notes its sid.
	FrontChannelWithoutCookie bool

	// Authorize gives the parameters of a sign-in that a request starts, such as
	// a connection, an audience or a login hint. Nothing of the request's query gets
	// there by itself, and a value taken from it should be looked up in a list.
	// nil: none. An error: a page with status 500, and no sign-in.
	Authorize func(*http.Request) (*client.AuthorizeOptions, error)
	// OnLogin runs when somebody has signed in, before the session starts. It may
	// read the session and Session.LoginData, and call Session.Set. With an error
	// there is no session, not even an earlier one, and the answer is a 403. Several
	// answers of one sign-in share one call; its ctx does not end with a request.
	OnLogin func(context.Context, *Session) error
	// OnError answers instead of the pages of this package. The headers that
	// forbid storing are set; the status is not. nil: a page, or a JSON problem
	// (RFC 9457) where the request is not a page load.
	OnError func(http.ResponseWriter, *http.Request, *Error)
	// Navigation says whether a GET or HEAD request is a page load. Without a session
	// that is sent to the provider; with one it keeps the session from becoming idle:
	// if it is never true, the session ends Idle after the sign-in. Requests by other
	// methods are no page loads. nil: see Manager.Require.
	Navigation func(*http.Request) bool
	// SignedOut answers a GET of the logout route when nobody is signed in.
	// nil: a page that says so.
	SignedOut http.Handler

	// Transport carries the requests of Session.HTTPClient and Proxy. Where access tokens are bound
	// to client.Config.Certificate, it must show that, by its TLSClientConfig. nil:
	// http.DefaultTransport.
	Transport http.RoundTripper

	// OnEvent is told what happens to sessions, for an audit log or a count. It is called
	// in the middle of things, by several goroutines at once: it should be quick, and hand
	// over what is slow. nil: nobody is told.
	OnEvent func(context.Context, Event)
	// Observe is told when an operation that may take its time begins, and the function it
	// returns when that is over, with what went wrong: login (before the browser is sent
	// away; what the user does at the provider is no part of it), callback, refresh, logout,
	// backchannel-logout, store. What went wrong with callback and backchannel-logout is an
	// *Error, with its reason; with the others it is the cause, such as one that wraps
	// client.ErrUnavailable, and logout has none, for the session is over in any case. The
	// context it returns is that of the operation: the place for a span of a trace, which
	// requests to the provider and hooks then have. It is called by several goroutines at
	// once. nil: nobody is told.
	Observe func(ctx context.Context, operation string) (context.Context, func(error))

	Logger *slog.Logger     // nil: slog.Default()
	Now    func() time.Time // nil: the clock of the client
}

// Routes under Config.Prefix whose names are fixed.
const (
	routeSwitch       = "switch"
	routePopup        = "popup"
	routeSession      = "session"
	routeCheckSession = "check-session"
	routeBackChannel  = "backchannel-logout"
	routeFrontChannel = "frontchannel-logout"
)

// route is the path of one of them.
func (cfg *Config) route(name string) string { return path.Join(cfg.Prefix, name) }

// isRoute says whether a path is one of them.
func (cfg *Config) isRoute(p string) bool {
	for _, name := range [...]string{routeSwitch, routePopup, routeSession, routeCheckSession, routeBackChannel, routeFrontChannel} {
		if p == cfg.route(name) {
			return true
		}
	}
	return false
}

const redacted = "[redacted]"

// Format prints [redacted], whatever the verb.
func (Config) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (Config) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (Config) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// withDefaults fills in the zero fields, and checks all. Cookie names, secrets and providers
// are left to their makers.
func (cfg Config) withDefaults(now func() time.Time) (Config, error) {
	cfg.Name = or(cfg.Name, DefaultName)
	cfg.Prefix = or(cfg.Prefix, DefaultPrefix)
	cfg.Lifetime = or(cfg.Lifetime, DefaultLifetime)
	cfg.Idle = or(cfg.Idle, DefaultIdle)
	cfg.AttemptLifetime = or(cfg.AttemptLifetime, DefaultAttemptLifetime)
	cfg.Logger = or(cfg.Logger, slog.Default())
	cfg.AntiForgeryHeader = or(cfg.AntiForgeryHeader, DefaultAntiForgeryHeader)
	cfg.PublicClaims = slices.Clone(cfg.PublicClaims)
	if cfg.PublicClaims == nil {
		cfg.PublicClaims = []string{"sub", "name"}
	}
	if cfg.Now == nil {
		cfg.Now = now
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport
	}
	if err := checkPath("Prefix", cfg.Prefix); err != nil {
		return cfg, err
	}
	cfg.LoginPath = or(cfg.LoginPath, path.Join(cfg.Prefix, "login"))
	cfg.LogoutPath = or(cfg.LogoutPath, path.Join(cfg.Prefix, "logout"))
	if locker, ok := cfg.Store.(Locker); ok && cfg.Locker == nil {
		cfg.Locker = locker
	}
	return cfg, errors.Join(cfg.checkStore(), cfg.checkPaths(), cfg.checkLimits(), cfg.checkLogout(), checkAntiForgeryHeader(cfg.AntiForgeryHeader))
}

// or is the first of two that is not zero.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
