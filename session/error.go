package session

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What a caller does about a token it did not get from a Session. Any other
// error, such as one that wraps client.ErrUnavailable, is temporary: try later,
// the session stands.
var (
	// ErrSignIn: nobody is signed in, or the grant of the session is over, or its
	// token is and there is no refresh token. Only a new sign-in helps.
	ErrSignIn = errors.New("session: a new sign-in is needed")
	// ErrHeadersSent: the response has begun, so that a change of the session
	// could not be saved any more, and nothing was sent to the provider. Ask for
	// the token, or set the value, before the first byte.
	ErrHeadersSent = errors.New("session: the response has begun, and the session cannot be saved any more")
)

// Reason codes: why a request has no session, or was refused. They are in the
// log under the key "reason", in the JSON problems and in [Error].
const (
	ReasonNoSession     = "no-session"        // no session cookie
	ReasonIdle          = "idle"              // no page load for Config.Idle
	ReasonExpired       = "expired"           // the hard end has passed
	ReasonSignedOut     = "signed-out"        // signed out, and an old cookie came back
	ReasonRevoked       = "revoked"           // ended by the provider (back-channel logout), or by Manager.RevokeUser
	ReasonReplaced      = "replaced"          // another sign-in took its place in this browser
	ReasonUndecryptable = "undecryptable"     // damaged or not ours; the cookie is deleted
	ReasonUnknownKey    = "unknown-key"       // sealed under a secret this process lacks; the cookie stays
	ReasonOtherIssuer   = "other-issuer"      // of another provider or client than configured now
	ReasonRefreshFailed = "refresh-failed"    // the grant is over, or could not be refreshed just now
	ReasonRefreshLost   = "refresh-lost"      // a process died between the answer to a refresh and saving it
	ReasonStoreDown     = "store-unavailable" // Config.Store does not answer, and what is known is too old
	ReasonOtherUser     = "other-user"        // a refresh answered with another user's ID token

	ReasonAttemptMissing   = "attempt-missing"      // a callback without the cookie of its sign-in
	ReasonAttemptExpired   = "attempt-expired"      // ... that took longer than Config.AttemptLifetime
	ReasonCallbackInvalid  = "callback-invalid"     // not the form of a callback
	ReasonCallbackRejected = "callback-rejected"    // a check of the callback or of the tokens failed
	ReasonProviderRefused  = "provider-refused"     // error in the callback: a *client.AuthError
	ReasonCodeRefused      = "code-refused"         // the code was not good any more
	ReasonTokenRefused     = "token-refused"        // the token endpoint refused us, not the user
	ReasonUnavailable      = "provider-unavailable" // the provider is down
	ReasonLoginRefused     = "login-refused"        // by Config.OnLogin
	ReasonTooLarge         = "too-large"            // a *TooLargeError

	ReasonACR               = "acr-too-low"        // the sign-in was not strong enough, and another one would not be either
	ReasonMaxAge            = "not-fresh"          // the user signed in too long ago
	ReasonInitiationInvalid = "initiation-invalid" // a request to sign in from elsewhere that is not one
	ReasonUnknownProvider   = "unknown-provider"   // a login route with a name that no provider has
	ReasonStepUpInvalid     = "step-up-invalid"    // the address of a step-up that is not ours, or is too old
	ReasonRule              = "rule"               // a Rule of Guard failed
	ReasonCrossOrigin       = "cross-origin"       // a logout from another site
	ReasonNotNavigation     = "not-navigation"     // a login by a prefetch, a frame or a script
	ReasonMethod            = "method"             // not a method of this route
	ReasonLogoutState       = "logout-state"       // back from signing out at the provider, with another state than was sent
	ReasonLogoutInvalid     = "logout-invalid"     // not the form of a back-channel or front-channel logout
	ReasonLogoutToken       = "logout-token"       // a back-channel logout whose token was refused
	ReasonNoCookie          = "no-cookie"          // a front-channel logout without the cookie of a session
	ReasonOtherSession      = "other-session"      // a front-channel logout of another session than that of the cookie
	ReasonHeaderMissing     = "header-missing"     // a call without Config.AntiForgeryHeader
	ReasonProxyPath         = "path"               // a path that the API might read in another way than we do
	ReasonBody              = "body"               // the body of a request cannot be read, or is larger than allowed
	ReasonUpgrade           = "upgrade"            // a WebSocket through a Proxy
	ReasonTokenRejected     = "token-rejected"     // an API does not take the access token
	ReasonAPIUnavailable    = "api-unavailable"    // an API behind a Proxy does not answer as it should
	ReasonReturnAddress     = "return-address"     // not local, too long, or not in Config.LogoutReturns: ignored; only in the log
	ReasonInternal          = "internal"           // a hook failed, or something of ours
)

// An Error is why a handler of this package did not do what it is there for.
// The browser is told Status and a sentence of ours; the log has the cause.
type Error struct {
	Status int
	Reason string // one of the constants Reason...
	Err    error  // the cause, for the log; its text is not for the browser
	// StartAgain is the local address of a link that starts a new sign-in. Empty:
	// that would not help. Never go there by a redirect: a sign-in that fails
	// would go round in circles.
	StartAgain string
}

// Error has no secret in it, and foreign text only quoted and cut.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("session: %s", e.Reason)
	}
	return fmt.Sprintf("session: %s: %v", e.Reason, e.Err)
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// level: what the operator should look at is a warning or an error, what users
// do is not.
func (e *Error) level() slog.Level {
	switch e.Reason {
	case ReasonInternal, ReasonTooLarge, ReasonTokenRefused, ReasonUnavailable, ReasonStoreDown:
		return slog.LevelError
	case ReasonCallbackRejected, ReasonCodeRefused, ReasonCrossOrigin, ReasonOtherUser, ReasonLogoutToken, ReasonTokenRejected, ReasonAPIUnavailable:
		return slog.LevelWarn
	case ReasonNoSession, ReasonMethod, ReasonNotNavigation, ReasonCallbackInvalid, ReasonLogoutInvalid:
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// reasonOfSave is the reason where a session could not be saved.
func reasonOfSave(err error) string {
	var tooLarge *TooLargeError
	switch {
	case errors.As(err, &tooLarge):
		return ReasonTooLarge
	case errors.Is(err, errEnded), errors.Is(err, errRecordGone):
		return ReasonExpired
	}
	return ReasonStoreDown
}

// retryAfter is what we ask for while the provider or the Store is down.
const retryAfter = 10 * time.Second

// fail logs e and answers with it.
func (m *Manager) fail(w http.ResponseWriter, r *http.Request, e *Error) {
	m.log(r, e.level(), "session: request refused", slog.String("reason", e.Reason),
		slog.Int("status", e.Status), causeAttr(e.Err))
	forbidStoring(w.Header())
	if e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	if m.cfg.OnError != nil {
		m.cfg.OnError(w, r, e)
		return
	}
	if e.Status == http.StatusUnauthorized || !wantsPage(r) {
		m.writeProblem(w, r, e)
		return
	}
	m.writeErrorPage(w, r, e)
}

// log writes a line with the fixed keys of this package. The path is without
// its query, which may hold anything.
func (m *Manager) log(r *http.Request, level slog.Level, message string, attrs ...slog.Attr) {
	attrs = append(attrs, slog.String("method", cut(r.Method)), slog.String("path", cut(r.URL.Path)))
	m.cfg.Logger.LogAttrs(r.Context(), level, message, attrs...)
}

// causeAttr is the error under its key; slog leaves out the empty group that
// stands for none.
func causeAttr(err error) slog.Attr {
	if err == nil {
		return slog.Attr{}
	}
	return slog.String("error", err.Error())
}

// allow answers 405 to any method but these.
func (m *Manager) allow(next http.HandlerFunc, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slices.Contains(methods, r.Method) {
			next(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		m.fail(w, r, &Error{Status: http.StatusMethodNotAllowed, Reason: ReasonMethod})
	})
}

// cut shortens foreign text for an error or the log.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}
