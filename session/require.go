package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// Require lets requests pass that have a session, which From gives to next.
//
// Without one, a page load is sent to the provider at once, with 303, and comes
// back to its address, byte for byte. Everything else is answered 401 with a JSON
// problem (RFC 9457) that has a reason code and the path of the login route, and
// without a cookie: a script cannot follow a redirect to another site.
//
// A page load is a GET or HEAD with Sec-Fetch-Mode: navigate for a document of its
// own, no prefetch and nothing in a frame. Browsers without these headers (before
// 2023, or plain http on a name that is not loopback) are known by an Accept with
// text/html and no X-Requested-With. Config.Navigation replaces this, except that
// another method is never redirected.
//
// The access token is refreshed before next runs, if it is near its end. What
// next answers is not stored by caches, unless it says private or no-store
// itself; if a cookie is set, never.
func (m *Manager) Require(next http.Handler) http.Handler { return m.Guard()(next) }

// Guard is Require with rules, all of which must hold. The first that refuses a request for
// good decides the answer, a 403, and the log has its error. If there is none, what the others
// demand is asked of one new sign-in (see StepUp): the least age, all scopes, and an acr that
// all of them take. Demands that no sign-in could meet together come one after the other. Rules
// behind one that demands another provider wait for that sign-in, for they are about who comes
// from there. Who comes without a session signs in first, and is asked for more after that.
func (m *Manager) Guard(rules ...Rule) func(http.Handler) http.Handler {
	rules = slices.Clone(rules)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m.enter(w, r, func(w http.ResponseWriter, r *http.Request, s *Session) {
				s.used.Store(true)
				if m.admit(w, r, s, rules) {
					next.ServeHTTP(w, r)
				}
			})
		})
	}
}

// Load lets every request pass, with the session if there is one: for pages that
// greet a user who is signed in. It writes and refreshes as Require does. While nobody can
// say whether a session is good, for Config.Store is down, Require answers 503; under Load
// nobody is signed in, with ReasonStoreDown, and the cookies stay.
func (m *Manager) Load(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.enter(w, r, func(w http.ResponseWriter, r *http.Request, _ *Session) { next.ServeHTTP(w, r) })
	})
}

// enter opens the session of a request, for one handler and those within it.
func (m *Manager) enter(w http.ResponseWriter, r *http.Request, handle func(http.ResponseWriter, *http.Request, *Session)) {
	if s := m.entered(r.Context()); s != nil { // Require within Load
		handle(w, r, s)
		return
	}
	visit := new(struct {
		session Session
		writer  responseWriter
	})
	s := &visit.session
	m.open(s, r)
	m.renew(r.Context(), s)
	visit.writer = responseWriter{ResponseWriter: w, session: s}
	handle(&visit.writer, r.WithContext(context.WithValue(r.Context(), contextKey{}, s)), s)
	s.commit(w.Header())
}

// entered is the session that an outer handler has opened for this Manager; nil: none.
func (m *Manager) entered(ctx context.Context) *Session {
	if s, ok := ctx.Value(contextKey{}).(*Session); ok && s.m == m {
		return s
	}
	return nil
}

// admit says whether to go on; if not, it has answered.
func (m *Manager) admit(w http.ResponseWriter, r *http.Request, s *Session, rules []Rule) bool {
	if s.reason == ReasonStoreDown { // nobody knows: signing in again would help nobody
		s.leave()
		m.fail(w, r, &Error{Status: http.StatusServiceUnavailable, Reason: s.reason})
		return false
	}
	if !s.SignedIn() {
		if m.navigation(r) {
			if m.isCallback(r) { // or nobody would ever arrive
				m.fail(w, r, &Error{Status: http.StatusInternalServerError, Reason: ReasonInternal, Err: errAroundCallback})
				return false
			}
			m.Login(w, r, nil)
			return false
		}
		s.leave() // no cookie with a 401, not even to delete one
		m.fail(w, r, &Error{Status: http.StatusUnauthorized, Reason: s.reason, StartAgain: m.cfg.LoginPath})
		return false
	}
	return m.keepsRules(w, r, s, rules)
}

// keepsRules says whether all rules let a request pass. A 403 comes before any sign-in, which
// would be in vain.
func (m *Manager) keepsRules(w http.ResponseWriter, r *http.Request, s *Session, rules []Rule) bool {
	lacking, err := s.lacking(r, rules)
	switch {
	case err != nil:
		m.refuse(w, r, err)
		return false
	case lacking != nil:
		m.stepUp(w, r, s, lacking)
		return false
	}
	return true
}

// lacking is what rules demand of a new sign-in; nil: nothing. The error is that of a rule
// that refuses for good.
func (s *Session) lacking(r *http.Request, rules []Rule) (lacking *Demand, err error) {
	for _, rule := range rules {
		var d *Demand
		switch err := rule(r, s); {
		case err == nil:
			continue
		case err == error((*Error)(nil)):
			return nil, errNilError
		case !errors.As(err, &d):
			return nil, err
		case d == nil:
			return nil, errNilDemand
		}
		d = s.complete(d)
		lacking = lacking.and(d)
		if d.Provider != s.presented.provider {
			break // the rules behind it are about who signs in there
		}
	}
	return lacking, nil
}

var (
	errNilDemand = errors.New("the error of a rule is a *Demand that is nil, which is an error all the same")
	errNilError  = errors.New("the error of a rule is an *Error that is nil, which is an error all the same")
)

var errAroundCallback = errors.New("Require or Guard stands around the callback route: register Routes outside of it")

// navigation says whether a request without a session is sent to the provider.
func (m *Manager) navigation(r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	if m.cfg.Navigation != nil {
		return m.cfg.Navigation(r)
	}
	return !embedded(r) && wantsPage(r) && r.Header.Get("Upgrade") == ""
}

// embedded says that what answers r will not be a document of its own that
// somebody looks at now. A sign-in started there would go wrong, and its cookie
// would push out those of real ones.
func embedded(r *http.Request) bool {
	for _, name := range [...]string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		purpose := strings.ToLower(r.Header.Get(name))
		if strings.Contains(purpose, "prefetch") || strings.Contains(purpose, "preview") {
			return true
		}
	}
	mode, dest := r.Header.Get("Sec-Fetch-Mode"), r.Header.Get("Sec-Fetch-Dest")
	return mode != "" && mode != "navigate" || dest != "" && dest != "document"
}

// wantsPage says whether a person will read the answer, rather than a script.
func wantsPage(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate"
	}
	if r.Header.Get("X-Requested-With") != "" {
		return false
	}
	for _, line := range r.Header["Accept"] {
		accept := strings.ToLower(line)
		if strings.Contains(accept, "text/html") || strings.Contains(accept, "application/xhtml+xml") {
			return true
		}
	}
	return false
}
