package session

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-go/postern/client"
)

// maxCallback bounds the parameters of a callback, in bytes: codes are short, and an answer
// signed as a whole (JARM) is a token.
const maxCallback = 64 << 10

// CallbackHandler takes the browser back from the provider: it belongs at the
// path of the client's redirect URL, for GET and for POST (response_mode
// form_post). It checks the answer against the attempt whose cookie the browser
// has, trades the code, starts a session under a new ID and goes on, by 303, to
// where the user wanted to go.
//
// To a browser that has an attempt whose answer comes in a fragment, which no server
// sees, it gives a page first that sends the fragment on.
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
	case !m.isAnswerOf(r, a):
		m.fail(w, r, &Error{Status: http.StatusBadRequest, Reason: ReasonCallbackRejected, Err: errOtherRedirectURL, StartAgain: m.cfg.LoginPath})
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

// isAnswerOf says whether an answer came where the provider of the attempt sends its own
// (RFC 9700 4.4.2.2). One that sends the browser on to another provider, with the state of
// its own attempt, would be given that one's code otherwise.
func (m *Manager) isAnswerOf(r *http.Request, a *attempt) bool {
	p := m.provider(a.provider)
	return p == nil || slices.Contains(m.calledBack(r), p)
}

var errOtherRedirectURL = errors.New("the answer came to the redirect URL of another provider than the sign-in began with")

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
	if out.mode == modeFrame && m.leftMeanwhile(r, out) {
		m.end(presenceOf(out.rec), ReasonSignedOut, now)
		m.answerFailure(w, r, &outcome{mode: out.mode, err: &Error{Status: http.StatusForbidden, Reason: ReasonSignedOut}})
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
	err := m.cookies.writeSession(w.Header(), r, &rec)
	if err == nil && out.mode == modeFrame {
		err = m.cookies.writeSeen(w.Header(), rec.id, out.seenAt, rec.expires)
	}
	if err != nil {
		failed := outcome{mode: out.mode, returnTo: out.returnTo, err: startError(err)}
		m.answerFailure(w, r, &failed)
		return
	}
	m.replaceSessions(r, out.began, &rec)
	out.told()
	switch out.mode {
	case modePopup:
		m.writePopup(w)
	case modeFrame:
		m.answerFrame(w, r, out)
	default:
		m.goOn(w, r, out.returnTo)
	}
}

// leftMeanwhile says that the session which goes on in a frame is over, and not by this very
// answer: the user has signed out while the provider was asked, and nobody asks to sign in.
func (m *Manager) leftMeanwhile(r *http.Request, out *outcome) bool {
	for _, p := range [...]presence{out.began, presenceOf(m.present(r))} {
		m.learnEnding(r.Context(), p)
		if e, ok := m.ended.get(endedKey(p.id), m.cfg.Now()); ok && e.reason != ReasonReplaced {
			return true
		}
	}
	return false
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
		m.goOnFrom(w, r, out.returnTo, page{Title: "One moment, please", Text: "Your page is on its way."})
	default:
		m.fail(w, r, out.err)
	}
}

// withoutAttempt answers a callback that has no attempt to be checked against:
// the back button, a bookmark, another browser, or somebody's trap.
func (m *Manager) withoutAttempt(w http.ResponseWriter, r *http.Request, state string, e *Error) {
	s := m.sessionOf(r)
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
		return fmt.Errorf("no cookie at all: another browser, one that takes none, or a sign-in that began at another name than %q, which the redirect URL has",
			cut(m.origin.Host))
	}
	return errors.New("no cookie of this sign-in: used already, too old, or begun in another browser")
}

// loginAddress is the login route, coming back to a local address.
func (m *Manager) loginAddress(returnTo string) string {
	return m.cfg.LoginPath + "?return_to=" + url.QueryEscape(returnTo)
}

// goOn sends somebody who is signed in to an address of the app.
func (m *Manager) goOn(w http.ResponseWriter, r *http.Request, address string) {
	m.goOnFrom(w, r, address, page{Title: "Signed in", Text: "You are signed in."})
}

// goOnFrom sends the browser to an address of the app, which is checked once more; by shown,
// where it has to be by a page.
func (m *Manager) goOnFrom(w http.ResponseWriter, r *http.Request, address string, shown page) {
	address, _ = localAddress(address)
	if m.cfg.SameSite == http.SameSiteStrictMode {
		// A redirect that began at the provider would not carry the session's cookie.
		shown.Next, shown.Link, shown.Label = address, address, "Continue"
		m.writePage(w, r, http.StatusOK, shown)
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
