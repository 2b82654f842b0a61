package session

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/internal/strictjson"
	"github.com/postern-go/postern/jwtverify"
)

// maxLogoutBody has room for a logout token, which has 16 KiB at most, and for parameters
// that extensions add.
const maxLogoutBody = 32 << 10

// BackChannelLogoutHandler is where a provider tells that sessions have ended (OpenID Connect
// Back-Channel Logout 1.0 2.5): by a POST of its own, with a form that has one logout_token.
// It works with sessions in cookies as with those in a Store, without any cookie in the
// request. With Config.Store, the sessions end in every process; otherwise each process must
// be told.
//
// The token is verified by client.Client.VerifyLogout of the provider whose issuer and client
// it names. Of several providers, that is one of Config.Providers or none: nothing is fetched
// for an issuer that is not there. An encrypted token names nobody, so with several providers
// it goes to the route that ends with a slash and the provider's name (the path value
// "provider"), where only the tokens of that provider are good.
//
// A token with sid ends the session of that sid, in all browsers that share it; one with sub
// alone all sessions of that user. They end by time: over is what signed in with an ID token
// of the time of the logout token or before. A later sign-in is not hit, and does not undo it;
// one of the same second is answered with a 403 that invites to sign in again. A session
// whose ID token had no sid ends by sub alone. Requests that are being answered go on, and no
// tokens are revoked: that is the provider's.
//
// The answer is 200 with an empty body, when the sessions have ended, also where there were
// none. It is 400 with a JSON error where the request or its token is not good, where the
// keys cannot be had, and while Config.Store fails; the log has the reason. A token that has
// done its work is refused when it comes again, as far as this process remembers, and one
// whose work has failed may come again. Config.OnError is not asked.
func (m *Manager) BackChannelLogoutHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		ctx, done := m.observe(r.Context(), "backchannel-logout")
		refused := m.logOutByToken(ctx, w, r)
		if refused != nil {
			done(refused)
			m.refuseLogout(w, r, refused)
			return
		}
		done(nil)
		w.WriteHeader(http.StatusOK)
	})
}

// logOutByToken does what the logout token of a request says; nil: it is done.
func (m *Manager) logOutByToken(ctx context.Context, w http.ResponseWriter, r *http.Request) *Error {
	raw, refused := logoutTokenOf(w, r)
	if refused != nil {
		return refused
	}
	p, err := m.logoutProvider(r, raw)
	if err != nil {
		return &Error{Status: http.StatusBadRequest, Reason: ReasonLogoutToken, Err: err}
	}
	// A provider that hangs up has told us all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logoutTimeout)
	defer cancel()
	spent := &spentTokens{m: m}
	token, err := p.rp.VerifyLogout(ctx, raw, spent)
	if err != nil {
		return logoutError(err)
	}
	now := m.cfg.Now()
	key := revokedUser(token.Issuer, token.Subject)
	if token.SessionID != "" {
		key = revokedSession(token.Issuer, token.SessionID)
	}
	if err := m.revoke(ctx, revocation{issued: token.IssuedAt, received: now}, key); err != nil {
		return &Error{Status: http.StatusBadRequest, Reason: ReasonStoreDown, Err: err}
	}
	spent.put(now)
	m.log(r, slog.LevelInfo, "session: ended by the provider", slog.String("reason", ReasonRevoked), slog.String("issuer", cut(token.Issuer)))
	m.emit(ctx, Event{Type: EventRevoked, Provider: p.name, Issuer: token.Issuer, Subject: token.Subject, Reason: ReasonRevoked})
	return nil
}

// logoutTokenOf reads the request of Back-Channel Logout 2.5.
func logoutTokenOf(w http.ResponseWriter, r *http.Request) (string, *Error) {
	invalid := func(why string) (string, *Error) {
		return "", &Error{Status: http.StatusBadRequest, Reason: ReasonLogoutInvalid, Err: errors.New(why)}
	}
	if r.Method != http.MethodPost {
		return "", &Error{Status: http.StatusMethodNotAllowed, Reason: ReasonMethod}
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return invalid("the request is not a form")
	}
	if r.Body == nil {
		return invalid("there is no body")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxLogoutBody)
	if err := r.ParseForm(); err != nil {
		return invalid("the form is unreadable or too large")
	}
	tokens := r.PostForm["logout_token"]
	if len(tokens) != 1 || len(r.Form["logout_token"]) != 1 { // Form has the query too
		return invalid("logout_token is not there once, in the form")
	}
	return tokens[0], nil
}

// logoutProvider is who a logout token must be from, nothing of which has been verified.
func (m *Manager) logoutProvider(r *http.Request, raw string) (*provider, error) {
	if name := r.PathValue("provider"); name != "" {
		if p := m.provider(name); p != nil {
			return p, nil
		}
		return nil, fmt.Errorf("there is no provider of the name %q", cut(name))
	}
	if len(m.providers) == 1 {
		return m.providers[0], nil
	}
	issuer, audience, err := claimed(raw)
	if err != nil {
		return nil, err
	}
	for _, p := range m.providers {
		if p.rp.IsIssuer(issuer) && slices.Contains(audience, p.rp.ClientID()) {
			return p, nil
		}
	}
	return nil, fmt.Errorf("the token is of no provider there is: iss %q", cut(issuer))
}

// maxLogoutToken is what jwtverify takes.
const maxLogoutToken = 16 << 10

// claimed reads what chooses the provider, which then verifies all of it.
func claimed(raw string) (issuer string, audience []string, err error) {
	parts := strings.Split(raw, ".")
	if len(raw) > maxLogoutToken || len(parts) != 3 {
		return "", nil, errors.New("the token is no signed token: one that is encrypted belongs to the route of its provider")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", nil, errors.New("the token is unreadable")
	}
	err = strictjson.Object(string(payload), []string{"iss", "aud"}, func(name string, v strictjson.Value) error {
		switch name {
		case "iss":
			issuer, _ = v.String()
		case "aud":
			audience, _ = v.Texts()
		}
		return nil
	})
	if err != nil || issuer == "" {
		return "", nil, errors.New("the token does not say who it is from")
	}
	return issuer, audience, nil
}

// logoutError is what the log is told of a token that VerifyLogout refuses. Back-Channel
// Logout 2.8 has 400 for a logout that failed, too.
func logoutError(err error) *Error {
	if errors.Is(err, client.ErrUnavailable) {
		return &Error{Status: http.StatusBadRequest, Reason: ReasonUnavailable, Err: err}
	}
	return &Error{Status: http.StatusBadRequest, Reason: ReasonLogoutToken, Err: err}
}

// refuseLogout answers a provider, as Back-Channel Logout 2.8 wants it.
func (m *Manager) refuseLogout(w http.ResponseWriter, r *http.Request, e *Error) {
	m.log(r, e.level(), "session: back-channel logout refused", slog.String("reason", e.Reason), causeAttr(e.Err))
	code, why := "invalid_request", "The request is not a form with one logout_token."
	switch e.Reason {
	case ReasonMethod:
		w.Header().Set("Allow", http.MethodPost)
	case ReasonLogoutToken:
		why = "The logout token was not accepted."
	case ReasonUnavailable, ReasonStoreDown:
		code, why = "temporarily_unavailable", "The logout has failed for now."
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.Status)
	fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, code, why) // both are plain words
}

// spentTokens is the replay guard for one logout token. A token is spent when its work is
// done and no earlier, so that a provider can send it again when that has failed; of two copies at once
// both may do it, which is the same as once.
type spentTokens struct {
	m     *Manager
	key   memoryKey
	until time.Time
}

var _ jwtverify.ReplayGuard = (*spentTokens)(nil)

// Use implements jwtverify.ReplayGuard.
func (s *spentTokens) Use(_ context.Context, id string, expires time.Time) (first bool, err error) {
	s.key, s.until = keyOf("logout token", id), expires
	_, again := s.m.logouts.get(s.key, s.m.cfg.Now())
	return !again, nil
}

func (s *spentTokens) put(now time.Time) { s.m.logouts.put(s.key, struct{}{}, now, s.until) }
