package session

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"time"
)

// A status is what the page of a single-page app may know of its session.
type status struct {
	SignedIn bool                       `json:"signed_in"`
	Reason   string                     `json:"reason,omitempty"`
	Provider string                     `json:"provider,omitempty"`
	Claims   map[string]json.RawMessage `json:"claims,omitempty"`

	IdleIn    *int64 `json:"idle_in,omitempty"`
	ExpiresIn *int64 `json:"expires_in,omitempty"`

	Login  string `json:"login"`
	Logout string `json:"logout,omitempty"`
}

// StatusHandler tells the script of a single-page app about its session, as JSON. Routes has
// it at Prefix + "/session". It answers 200 whether or not somebody is signed in, for this
// is an answer and no failure; only while Config.Store does not say, 503:
//
//	{"signed_in": true, "claims": {"sub": "1102", "name": "Alice Ashby"},
//	 "idle_in": 3541, "expires_in": 43141, "login": "/auth/login", "logout": "/auth/logout"}
//	{"signed_in": false, "reason": "idle", "login": "/auth/login"}
//
// Its members:
//
//   - claims: those of Config.PublicClaims that the session has
//   - provider: its name, where Config.Providers has several
//   - idle_in: after so many seconds the session ends, unless there is a page load before
//   - expires_in: after so many seconds it ends in any case
//   - reason: why nobody is signed in, one of the constants Reason...
//   - login: where the page may go to sign in, by a link; it takes return_to
//   - logout: where a form may post to, to sign out
//
// Never a token, nor what Session.Set keeps.
//
// It demands what Protect demands, or a script on another site might learn who is there. To
// ask is not to be at work: nothing is refreshed, no cookie is set, and the session becomes
// idle as it would have. So it cannot know of a grant that the provider has ended in the
// meantime; the next call of an API does.
func (m *Manager) StatusHandler() http.Handler {
	return m.allow(func(w http.ResponseWriter, r *http.Request) {
		if e := m.checkForgery(r); e != nil {
			m.fail(w, r, e)
			return
		}
		s := m.sessionOf(r)
		if s.reason == ReasonStoreDown { // then nobody knows
			m.fail(w, r, &Error{Status: http.StatusServiceUnavailable, Reason: s.reason})
			return
		}
		m.writeStatus(w, r, s)
	}, http.MethodGet, http.MethodHead)
}

func (m *Manager) writeStatus(w http.ResponseWriter, r *http.Request, s *Session) {
	forbidStoring(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if err := json.NewEncoder(w).Encode(m.statusOf(s)); err != nil { // most often the browser has left
		m.log(r, slog.LevelDebug, "session: status not written", causeAttr(err))
	}
}

func (m *Manager) statusOf(s *Session) status {
	if !s.SignedIn() {
		return status{Reason: s.reason, Login: m.cfg.LoginPath}
	}
	claims := make(map[string]json.RawMessage, len(m.cfg.PublicClaims))
	for _, name := range m.cfg.PublicClaims {
		if value, ok := s.Claim(name); ok {
			claims[name] = value
		}
	}
	now, ends := m.cfg.Now(), s.Expires()
	idle := s.seenAt.Add(m.cfg.Idle)
	if ends.Before(idle) {
		idle = ends
	}
	return status{
		SignedIn: true, Provider: s.Provider(), Claims: claims,
		IdleIn: seconds(idle.Sub(now)), ExpiresIn: seconds(ends.Sub(now)),
		Login: m.cfg.LoginPath, Logout: m.cfg.LogoutPath,
	}
}

// seconds are whole ones, and none too many.
func seconds(left time.Duration) *int64 {
	n := int64(max(0, left) / time.Second)
	return &n
}
