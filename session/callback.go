package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

const (
	// maxCallback bounds the parameters of a callback, in bytes: codes are short,
	// and an answer signed as a whole (JARM) is a token.
	maxCallback = 64 << 10
	// loginTimeout is for trading the code and verifying the tokens, and once more
	// for Config.OnLogin.
	loginTimeout = 30 * time.Second
	maxOutcomes  = 10_000
)

// CallbackHandler takes the browser back from the provider: it belongs at the
// path of the client's redirect URL, for GET and for POST (response_mode
// form_post). It checks the answer against the attempt whose cookie the browser
// has, trades the code, starts a session under a new ID and goes on, by 303, to
// where the user wanted to go.
//
// To a browser that has an attempt whose answer comes in a fragment, which no server
// sees, it gives a page first that sends the fragment on: the one page of this package
// with a script.
//
// Callbacks of one attempt that come at the same time, or again, cause one token
// request and get one answer. Without the cookie of an attempt, a browser that is
// signed in goes to the app, and any other sees a page with a link to start again; no
// error here starts a sign-in by itself.
func (m *Manager) CallbackHandler() http.Handler {
	return m.allow(m.serveCallback, http.MethodGet, http.MethodPost)
}

func (m *Manager) serveCallback(w http.ResponseWriter, r *http.Request) {
	forbidStoring(w.Header())
	w.Header().Set("Referrer-Policy", "no-referrer") // the address has a code in it
	params, err := callbackParams(w, r)
	if err == nil && m.awaitsFragment(r, params) {
		m.writeRelay(w)
		return
	}
	var state string
	if err == nil {
		state, err = m.callbackState(r, params)
	}
	if err != nil {
		m.fail(w, r, invalidCallback(err, m.cfg.LoginPath))
		return
	}
	a, err := m.cookies.readAttempt(r, state)
	switch {
	case a == nil:
		m.withoutAttempt(w, r, state, &Error{Reason: ReasonAttemptMissing, Err: m.whyNoAttempt(r, err)})
		return
	case !m.cfg.Now().Before(a.expires):
		m.cookies.clearExpiredAttempts(w.Header(), r, m.cfg.Now())
		m.withoutAttempt(w, r, state, &Error{Reason: ReasonAttemptExpired})
		return
	}
	// The cookie shows that this is the browser that began: only then may it have
	// the answer another request got for this state.
	out, err := m.callbacks.do(r.Context(), callbackKey(state), a.expires, func() *outcome {
		return m.finishLogin(r, a, params)
	})
	if err != nil {
		return // the browser has gone
	}
	m.answerCallback(w, r, state, out)
}

// callbackState is the state of an answer. Where several providers could have signed it
// (JARM), the one who did says so; an answer that is not signed tells it to any of them,
// and nothing is decided by it but which attempt is meant.
func (m *Manager) callbackState(r *http.Request, params url.Values) (state string, err error) {
	for _, p := range m.calledBack(r) {
		if state, err = p.rp.CallbackState(r.Context(), params); err == nil {
			return state, nil
		}
	}
	if err == nil {
		err = errors.New("no provider has this redirect URL")
	}
	return "", err
}

// invalidCallback is about a callback that names no attempt.
func invalidCallback(err error, startAgain string) *Error {
	if errors.Is(err, client.ErrUnavailable) { // the keys of a signed answer
		return &Error{Status: http.StatusServiceUnavailable, Reason: ReasonUnavailable, Err: err, StartAgain: startAgain}
	}
	return &Error{Status: http.StatusBadRequest, Reason: ReasonCallbackInvalid, Err: err, StartAgain: startAgain}
}

// callbackParams reads the parameters of a callback: those of the query, or by
// POST of the form alone, or of the fragment that the relay page put into it. They are
// for client.Client to check.
func callbackParams(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	var params url.Values
	var err error
	if r.Method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, maxCallback)
		err = r.ParseForm()
		params = r.PostForm
		if fragment, ok := params[relayField]; err == nil && ok {
			params, err = relayed(params, fragment)
		}
	} else if len(r.URL.RawQuery) <= maxCallback {
		params, err = url.ParseQuery(r.URL.RawQuery)
	}
	if err != nil {
		return nil, errors.New("unreadable parameters")
	}
	return params, nil
}

func callbackKey(state string) memoryKey { return keyOf("callback", state) }

// An outcome is what came of an attempt: a session, or an error.
type outcome struct {
	rec      *record
	returnTo string
	began    presence
	mode     loginMode
	err      *Error
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
	if out.err = m.goesOn(r, a, rec); out.err != nil {
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
	if continued {
		return out
	}
	m.log(r, slog.LevelInfo, "session: signed in", slog.String("session", out.rec.id.hash()))
	m.emit(ctx, eventOf(EventLogin, out.rec))
	m.announce(ctx, r, out.rec)
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
	info, err := m.userInfo(ctx, p, tokens)
	if err != nil {
		return nil, err
	}
	tokens = withClaims(tokens, m.cfg.Claims)
	now := m.cfg.Now()
	if who.issued.IsZero() {
		who.issued = now
	}
	return &record{
		id: newSessionID(), key: m.newRecordKey(), created: now, expires: now.Add(m.cfg.Lifetime), saved: now,
		provider: p.name, identity: who, tried: a.tried, tokens: tokens, userInfo: info,
	}, nil
}

// userInfo gives the claims that Config.UserInfoClaims names; nil: nobody is asked.
func (m *Manager) userInfo(ctx context.Context, p *provider, tokens *client.Tokens) ([]byte, error) {
	if len(m.cfg.UserInfoClaims) == 0 || tokens.IDToken == nil { // an account has all there is
		return nil, nil
	}
	info, err := p.rp.UserInfo(ctx, tokens)
	if err != nil {
		return nil, err
	}
	return keep(m.cfg.UserInfoClaims, info.Claim)
}

// greet runs Config.OnLogin and keeps what it has set in rec.
func (m *Manager) greet(ctx context.Context, r *http.Request, a *attempt, rec *record) error {
	if m.cfg.OnLogin == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loginTimeout)
	defer cancel()
	s := &Session{m: m, r: r, presented: rec, provider: m.provider(rec.provider), loginData: a.data, grant: rec.grant(), stored: rec.values}
	err := m.cfg.OnLogin(ctx, s)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = true // what it sets from now on would be lost
	rec.take(s.grant)
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

// answerCallback gives the outcome of an attempt to one of the requests that
// asked for it.
func (m *Manager) answerCallback(w http.ResponseWriter, r *http.Request, state string, out *outcome) {
	now := m.cfg.Now()
	m.cookies.clearAttempt(w.Header(), r, state)
	m.cookies.clearExpiredAttempts(w.Header(), r, now)
	if out.err != nil {
		if out.err.Reason == ReasonLoginRefused {
			m.replaceSessions(r, out.began, nil)
			m.cookies.clearUnseen(w.Header())
		}
		m.answerFailure(w, r, out)
		return
	}
	if _, ended := m.endingOf(out.rec, now); ended {
		m.withoutAttempt(w, r, state, &Error{Reason: ReasonAttemptMissing})
		return
	}
	rec := *out.rec
	rec.take(m.refresher.newest(rec.id, rec.grant(), now))
	rec.values = m.newestValues(out.rec, now).all
	if s := m.entered(r.Context()); s != nil {
		s.leave()
	}
	if r.Method == http.MethodPost || m.cfg.SameSite == http.SameSiteStrictMode {
		m.cookies.clearUnseen(w.Header()) // and of these what follows sets again
	}
	m.cookies.clearLogoutReturn(w.Header(), r)
	if err := m.cookies.writeSession(w.Header(), r, &rec); err != nil {
		m.fail(w, r, startError(err))
		return
	}
	m.replaceSessions(r, out.began, &rec)
	switch out.mode {
	case modePopup:
		m.writePopup(w)
	case modeFrame:
		m.answerFrame(w, r, out)
	default:
		m.goOn(w, r, out.returnTo)
	}
}

// answerFailure: only who asked to sign in is told that it was in vain.
func (m *Manager) answerFailure(w http.ResponseWriter, r *http.Request, out *outcome) {
	switch out.mode {
	case modeFrame:
		m.answerFrame(w, r, out)
	case modeSilent:
		if !notAsked(out.err.Err) {
			m.log(r, out.err.level(), "session: no silent sign-in", slog.String("reason", out.err.Reason), causeAttr(out.err.Err))
		}
		m.goOn(w, r, out.returnTo)
	default:
		m.fail(w, r, out.err)
	}
}

// replaceSessions ends the session that a request came with, and the one that its
// sign-in began in, in favour of next: nothing of them survives a sign-in.
func (m *Manager) replaceSessions(r *http.Request, began presence, next *record) {
	m.replace(began, next)
	m.replace(presenceOf(m.present(r)), next)
}

// replace ends old. If next is the same user's, what is on its way in another tab
// may still be answered.
func (m *Manager) replace(old presence, next *record) {
	now := m.cfg.Now()
	by := presenceOf(next)
	if old == (presence{}) || old.id == by.id || !now.Before(old.ends) {
		return
	}
	at := now
	if old.user == by.user {
		at = at.Add(replacedGrace)
		m.replaced.put(keyOf("replaced", string(by.id[:])), old, now, at)
	}
	m.end(old, ReasonReplaced, at)
}

// withoutAttempt answers a callback that has no attempt to be checked against:
// the back button, a bookmark, another browser, or somebody's trap.
func (m *Manager) withoutAttempt(w http.ResponseWriter, r *http.Request, state string, e *Error) {
	s := m.entered(r.Context())
	if s == nil {
		s = new(Session)
		m.open(s, r)
	}
	if !s.SignedIn() {
		e.Status, e.StartAgain = http.StatusBadRequest, m.cfg.LoginPath
		m.fail(w, r, e)
		return
	}
	address := "/"
	if out, ok := m.callbacks.used.get(callbackKey(state), m.cfg.Now()); ok && out.rec != nil && out.rec.id == s.presented.id {
		address = out.returnTo // back to the page of this very sign-in
	}
	m.goOn(w, r, address)
}

// whyNoAttempt guesses, for the log, where a cookie went. The Host header
// decides nothing.
func (m *Manager) whyNoAttempt(r *http.Request, err error) error {
	switch {
	case err != nil:
		return err
	case !strings.EqualFold(r.Host, m.origin.Host):
		return fmt.Errorf("no cookie of this sign-in: the request is for host %q and the redirect URL for %q; did it begin at another name?",
			cut(r.Host), m.origin.Host)
	case len(r.Header["Cookie"]) == 0:
		return errors.New("no cookie at all: another browser, or one that takes none")
	}
	return errors.New("no cookie of this sign-in: used already, too old, or begun in another browser")
}

// loginAddress is the login route, coming back to a local address.
func (m *Manager) loginAddress(returnTo string) string {
	return m.cfg.LoginPath + "?return_to=" + url.QueryEscape(returnTo)
}

// goOn sends the browser to an address of the app, which is checked once more.
func (m *Manager) goOn(w http.ResponseWriter, r *http.Request, address string) {
	address, _ = localAddress(address)
	if m.cfg.SameSite == http.SameSiteStrictMode {
		// A redirect that began at the provider would not carry the new cookie.
		m.writePage(w, r, http.StatusOK, page{Title: "Signed in", Text: "You are signed in.", Next: address, Link: address, Label: "Continue"})
		return
	}
	w.Header().Set("Location", asciiOnly(address))
	w.WriteHeader(http.StatusSeeOther)
}

// asciiOnly encodes what a header cannot have, and leaves the rest byte for byte.
func asciiOnly(address string) string {
	var b strings.Builder
	for i := range len(address) {
		if c := address[i]; c < 0x80 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// callbacks sees to it that one attempt is finished once.
type callbacks struct {
	now  func() time.Time
	used *memory[*outcome]

	mu      sync.Mutex
	running map[memoryKey]*finishing
}

// A finishing is on its way until done is closed.
type finishing struct {
	done chan struct{}
	out  *outcome
}

func newCallbacks(now func() time.Time) *callbacks {
	return &callbacks{now: now, used: newMemory[*outcome](maxOutcomes), running: make(map[memoryKey]*finishing)}
}

// do runs finish for the first who comes with key, and gives its outcome to all
// others until a time. The error is that ctx ended while waiting.
func (c *callbacks) do(ctx context.Context, key memoryKey, until time.Time, finish func() *outcome) (*outcome, error) {
	c.mu.Lock()
	if out, ok := c.used.get(key, c.now()); ok {
		c.mu.Unlock()
		return out, nil
	}
	if first := c.running[key]; first != nil {
		c.mu.Unlock()
		select {
		case <-first.done:
			return first.out, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	mine := &finishing{done: make(chan struct{})}
	c.running[key] = mine
	c.mu.Unlock()

	// What the others get if a hook of the app panics.
	mine.out = &outcome{err: &Error{Status: http.StatusInternalServerError, Reason: ReasonInternal}}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.used.put(key, mine.out, c.now(), until)
		delete(c.running, key)
		close(mine.done)
	}()
	mine.out = finish()
	return mine.out, nil
}
