package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// loginTimeout is for trading the code and verifying the tokens, and once more for
// Config.OnLogin.
const loginTimeout = 30 * time.Second

// An outcome is what came of an attempt: a session, or an error.
type outcome struct {
	rec      *record
	returnTo string
	began    presence
	mode     loginMode
	seenAt   time.Time // of the session that goes on in a frame
	err      *Error
	tell     func() // that somebody has signed in; nil: nobody has
	once     sync.Once
}

// told says that the browser is given the session now: an answer before may have failed.
func (out *outcome) told() {
	if out.tell != nil {
		out.once.Do(out.tell)
	}
}

// wrong is what went wrong, if anything did: who only asked whether somebody is signed in
// takes no for an answer.
func (out *outcome) wrong() error {
	asking := out.mode == modeSilent || out.mode == modeFrame
	if out.err == nil || asking && notAsked(out.err.Err) {
		return nil
	}
	return out.err
}

// finishLogin trades the code for a session. It runs once for an attempt, and
// does not end when the browser hangs up, for others may wait for it.
func (m *Manager) finishLogin(r *http.Request, a *attempt, params url.Values) *outcome {
	out := &outcome{returnTo: a.returnTo, began: a.began, mode: a.mode}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), loginTimeout)
	defer cancel()
	ctx, done := m.observe(ctx, "callback")
	defer func() { done(out.wrong()) }()
	p, rec, err := m.provider(a.provider), (*record)(nil), errProviderGone
	if p != nil {
		rec, err = m.exchange(ctx, p, a, params)
	}
	if err != nil {
		out.err = exchangeError(err)
		if out.err.Reason != ReasonACR && out.err.Reason != ReasonMaxAge {
			out.err.StartAgain = m.loginAddress(a.returnTo)
		}
		return out
	}
	if out.err = m.goesOn(r, a, out, rec); out.err != nil {
		return out
	}
	if m.isRevoked(rec, m.cfg.Now()) { // to go on would lead back to the provider, and around in circles
		out.err = &Error{Status: http.StatusForbidden, Reason: ReasonRevoked, Err: errRevokedAtOnce, StartAgain: m.loginAddress(a.returnTo)}
		return out
	}
	out.rec = rec
	continued := a.mode == modeFrame // nobody has signed in: it is the session of before
	if !continued {
		if err := m.greet(ctx, r, a, rec); err != nil {
			out.err = &Error{Status: http.StatusForbidden, Reason: ReasonLoginRefused, Err: err}
			return out
		}
	}
	if m.cfg.IdentityOnly {
		rec.tokens, rec.others = withoutTokens(rec.tokens), nil
	}
	if err := m.keep(ctx, rec); err != nil {
		out.err = keepError(err)
		return out
	}
	m.announce(ctx, r, rec)
	if continued {
		return out
	}
	ctx = context.WithoutCancel(ctx)
	out.tell = func() {
		m.log(r, slog.LevelInfo, "session: signed in", slog.String("session", rec.id.hash()))
		m.emit(ctx, eventOf(EventLogin, rec))
	}
	return out
}

var errProviderGone = errors.New("the provider of this sign-in is not among Config.Providers any more")

// errRevokedAtOnce is about a time in whole seconds: a logout token of the same one may have
// come before the ID token or after it.
var errRevokedAtOnce = errors.New("the ID token is not younger than the logout that the provider has told of")

// exchange trades the code for the record of a new session.
func (m *Manager) exchange(ctx context.Context, p *provider, a *attempt, params url.Values) (*record, error) {
	tokens, err := p.rp.Exchange(ctx, a.login, params)
	if err != nil {
		return nil, err
	}
	who, ok := identityOf(tokens)
	if !ok {
		return nil, fmt.Errorf("%w: neither an ID token nor an account", client.ErrRejected)
	}
	tokens = withClaims(tokens, m.cfg.Claims)
	info, err := m.userInfo(ctx, p, tokens)
	if err != nil {
		return nil, err
	}
	now := m.cfg.Now()
	if who.issued.IsZero() {
		who.issued = now
	}
	return &record{
		id: newSessionID(), key: m.newRecordKey(), created: now, expires: now.Add(m.cfg.Lifetime), saved: now,
		provider: p.name, identity: who, tried: a.tried, tokens: tokens, userInfo: info,
	}, nil
}

// userInfo gives the claims that Config.UserInfoClaims names and the ID token lacks; nil: it
// names none, or the provider is without OpenID Connect, and has answered at its user endpoint
// already. One that the ID token has is its own: where a refreshed one leaves it out, because
// the user has no groups any more, those of the sign-in must not come back.
func (m *Manager) userInfo(ctx context.Context, p *provider, tokens *client.Tokens) ([]byte, error) {
	if len(m.cfg.UserInfoClaims) == 0 || tokens.IDToken == nil {
		return nil, nil
	}
	info, err := p.rp.UserInfo(ctx, tokens)
	if err != nil {
		return nil, err
	}
	lacking := slices.DeleteFunc(slices.Clone(m.cfg.UserInfoClaims), func(name string) bool {
		_, ok := tokens.IDToken.Claim(name)
		return ok
	})
	return keep(lacking, info.Claim)
}

// greet runs Config.OnLogin and keeps what it has set in rec.
func (m *Manager) greet(ctx context.Context, r *http.Request, a *attempt, rec *record) error {
	if m.cfg.OnLogin == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loginTimeout)
	defer cancel()
	s := &Session{m: m, r: r, presented: rec, provider: m.provider(rec.provider), loginData: a.data, begins: true, grant: rec.grant(), stored: rec.values}
	err := m.cfg.OnLogin(ctx, s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = true // what it sets from now on would be lost
	rec.take(s.grant)
	if err == nil { // no other process knows of a refresh that is on its way
		rec.take(m.settled(ctx, rec))
	}
	rec.values = present(merge(s.stored, s.changes))
	return err
}

// exchangeError is what the browser is told of a failed exchange.
func exchangeError(err error) *Error {
	var refused *client.AuthError
	var answer *client.ResponseError
	var claim *jwtverify.ClaimError
	switch {
	case errors.As(err, &claim) && claim.Claim == "acr":
		return &Error{Status: http.StatusForbidden, Reason: ReasonACR, Err: err}
	case errors.As(err, &claim) && claim.Claim == "auth_time":
		return &Error{Status: http.StatusForbidden, Reason: ReasonMaxAge, Err: err}
	case errors.As(err, &refused) && refused.Code == unmetRequirements:
		return &Error{Status: http.StatusForbidden, Reason: ReasonACR, Err: err}
	case errors.As(err, &refused):
		return &Error{Status: refusalStatus(refused.Code), Reason: ReasonProviderRefused, Err: err}
	case errors.Is(err, client.ErrUnavailable), errors.Is(err, jwtverify.ErrKeys):
		return &Error{Status: http.StatusServiceUnavailable, Reason: ReasonUnavailable, Err: err}
	case errors.Is(err, client.ErrInvalidGrant):
		return &Error{Status: http.StatusBadRequest, Reason: ReasonCodeRefused, Err: err}
	case errors.As(err, &answer) && answer.Endpoint == "token":
		return &Error{Status: http.StatusBadGateway, Reason: ReasonTokenRefused, Err: err}
	}
	return &Error{Status: http.StatusBadRequest, Reason: ReasonCallbackRejected, Err: err}
}

// unmetRequirements is the answer of a provider that cannot authenticate as it was asked to
// (OpenID Connect Core Unmet Authentication Requirements 1.0).
const unmetRequirements = "unmet_authentication_requirements"

// refusalStatus: of the codes of RFC 6749 section 4.1.2.1 two are about the
// provider's own trouble, and one about the user's will.
func refusalStatus(code string) int {
	switch code {
	case "access_denied":
		return http.StatusForbidden
	case "server_error", "temporarily_unavailable":
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// goesOn makes rec, which a sign-in has brought, go on with the session of the same user in
// which it began: for a frame without a new life, for nobody is at work there, and for a
// step-up with one. What the app has set stays.
func (m *Manager) goesOn(r *http.Request, a *attempt, out *outcome, rec *record) *Error {
	s := new(Session)
	m.open(s, r)
	same := s.SignedIn() && s.presented.provider == rec.provider && s.presented.identity.user() == rec.identity.user()
	if same && (a.mode == modeFrame || a.tried != demandKey{}) {
		rec.values = s.stored
	}
	if a.mode != modeFrame {
		return nil
	}
	if s.reason == ReasonStoreDown {
		return &Error{Status: http.StatusServiceUnavailable, Reason: s.reason}
	}
	if !same {
		return &Error{Status: http.StatusForbidden, Reason: ReasonOtherUser, Err: client.ErrRejected}
	}
	rec.created, rec.expires, rec.tried, out.seenAt = s.presented.created, s.Expires(), s.presented.tried, s.seenAt
	return nil
}
