package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// stepUpLifetime is how long the address in a 401 is good, by which a script's page
	// goes to sign in again.
	stepUpLifetime = 10 * time.Minute
	// stepUpPause is for demands that a session can fail again, of time, or of an acr that a
	// refreshed ID token lacks: within it, the sign-in was in vain, and is not tried once more.
	stepUpPause = time.Minute
	// maxStepUps is how often in a row, each within stepUpPause of the one before, a session
	// signs in again: rules that cannot hold together would send it round in circles.
	maxStepUps = 5

	stepUpField = "step_up"
)

// StepUp has somebody who is signed in sign in once more, for what their session lacks: in
// a handler of the app, for what Guard does by its rules. Who is not signed in is sent to
// sign in first, as by Require. It answers the request. A page load goes to the provider with
// the parameters of the demand, and comes back to the same address; anything else gets a 401
// with the address of such a sign-in, to which the app's page may go, with "&return_to=" and
// its own address behind it.
//
// Where that cannot help it is a 403: when this very session comes of a sign-in for the same
// demand, or of five for others within as many minutes. Likewise the callback answers 403,
// and the session stays as it was, when the provider signs in with less than acr or max_age
// ask for.
//
// [Challenge] makes a demand of the answer of an API.
func (m *Manager) StepUp(w http.ResponseWriter, r *http.Request, d *Demand) {
	s := m.sessionOf(r)
	if !s.SignedIn() {
		m.admit(w, r, s, nil)
		return
	}
	m.stepUp(w, r, s, d)
}

func (m *Manager) stepUp(w http.ResponseWriter, r *http.Request, s *Session, given *Demand) {
	d := s.complete(given)
	if m.navigation(r) && !s.inVain(d) {
		m.begin(w, r, &LoginOptions{Provider: d.Provider}, loginPurpose{demand: d, session: s})
		return
	}
	m.tellStepUp(w, r, s, d)
}

// tellStepUp tells a script where its page may go, to sign in for a demand.
func (m *Manager) tellStepUp(w http.ResponseWriter, r *http.Request, s *Session, d *Demand) {
	if s.inVain(d) {
		m.fail(w, r, &Error{Status: http.StatusForbidden, Reason: d.Reason, Err: fmt.Errorf("%w, and another sign-in would not help", d)})
		return
	}
	address, err := m.stepUpAddress(d)
	if err != nil {
		m.fail(w, r, startError(err))
		return
	}
	m.fail(w, r, &Error{Status: http.StatusUnauthorized, Reason: d.Reason, Err: d, StartAgain: address})
}

// complete fills in what a demand leaves to the session.
func (s *Session) complete(given *Demand) *Demand {
	d := *given
	d.Provider = or(given.Provider, s.presented.provider)
	d.Reason = or(given.Reason, ReasonRule)
	return &d
}

// inVain says that another sign-in would not help: the session comes of one for this very
// demand, or of too many for others, or its provider has nothing that could show it, being without OpenID Connect.
func (s *Session) inVain(d *Demand) bool {
	asksOpenID := d.MaxAge != nil || len(d.ACR) > 0
	if asksOpenID && s.IDToken() == nil && d.Provider == s.presented.provider {
		return true
	}
	tried, justNow := s.presented.tried, s.m.cfg.Now().Sub(s.presented.created) < stepUpPause
	if justNow && tried[stepUpCount] >= maxStepUps {
		return true
	}
	tried[stepUpCount] = 0
	lasting := d.MaxAge == nil && len(d.ACR) == 0
	return tried == d.key() && (lasting || justNow)
}

// refuse answers what a rule does not let pass, and no sign-in would change. An Error whose
// status refuses nothing is one without.
func (m *Manager) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var e *Error
	if !errors.As(err, &e) || e.Status < 400 || e.Status > 599 {
		e = &Error{Status: http.StatusForbidden, Reason: ReasonRule, Err: err}
	}
	m.fail(w, r, e)
}

// stepUpAddress is the login route with a demand. It is sealed: what is asked of the
// provider is never for the query of a request to say.
func (m *Manager) stepUpAddress(d *Demand) (string, error) {
	if err := d.check(); err != nil {
		return "", err
	}
	if m.provider(d.Provider) == nil {
		return "", fmt.Errorf("session: Demand: there is no provider of the name %q", cut(d.Provider))
	}
	b := appendTime(nil, m.cfg.Now().Add(stepUpLifetime))
	sealed, err := m.cookies.sealer.seal(purposeStepUp, stepUpField, d.append(b))
	if err != nil {
		return "", err
	}
	return m.cfg.LoginPath + "?" + stepUpField + "=" + url.QueryEscape(sealed), nil
}

var errStepUp = errors.New("the address of a step-up is not ours, or too old")

// readStepUp gives what stepUpAddress sealed, while it is good.
func (m *Manager) readStepUp(sealed string) (*Demand, error) {
	plain, err := m.cookies.sealer.open(purposeStepUp, stepUpField, sealed)
	if err != nil {
		return nil, errStepUp
	}
	from := decoder{rest: plain}
	until := from.time()
	d := from.demand()
	if from.failed || len(from.rest) > 0 || !m.cfg.Now().Before(until) {
		return nil, errStepUp
	}
	return d, nil
}

// append adds the demand to b.
func (d *Demand) append(b []byte) []byte {
	age := uint64(0) // none
	if d.MaxAge != nil {
		age = 1 + uint64(*d.MaxAge/time.Second)
	}
	b = binary.AppendUvarint(b, age)
	for _, s := range [...]string{strings.Join(d.ACR, " "), strings.Join(d.Scopes, " "), d.Provider, d.Reason} {
		b = appendField(b, s)
	}
	return b
}

func (d *decoder) demand() *Demand {
	var got Demand
	if age := d.uint(); age > 0 {
		maxAge := time.Duration(age-1) * time.Second
		got.MaxAge = &maxAge
	}
	got.ACR, got.Scopes = d.words(), d.words()
	got.Provider, got.Reason = string(d.field()), string(d.field())
	return &got
}

func (d *decoder) words() []string {
	if s := string(d.field()); s != "" {
		return strings.Split(s, " ")
	}
	return nil
}
