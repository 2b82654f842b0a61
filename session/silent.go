package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/postern-go/postern/client"
)

// silentPause is how long a browser is not asked again after a silent sign-in, whatever
// came of it.
const silentPause = 10 * time.Minute

// silentPatience is how long a page that anybody may see waits for a provider, before it goes
// on without.
const silentPatience = 2 * time.Second

// Silently is Load that signs in whoever has a session at the provider already, without
// asking them anything (prompt of none, OpenID Connect Core 3.1.2.1): for pages that anybody
// may see, and that greet who is known. The browser makes a detour by the provider at its
// first page load, and comes back to its address, signed in or not; then it is left alone
// for ten minutes, by a cookie. Neither a provider that is down nor one that refuses keeps
// anybody from the page; one that does not answer is waited for 2 s before the detour.
//
// It is Load and nothing more where there is no provider to ask without a question: with
// several and no choice, or one at which nobody can sign out, who would be signed in again
// right after leaving.
//
// A browser that takes no cookies at all ends at an error page of the callback, at its first
// visit: put Silently on pages that are no entrance for such.
func (m *Manager) Silently(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.enter(w, r, func(w http.ResponseWriter, r *http.Request, s *Session) {
			known := s.reason == "" || s.reason == ReasonStoreDown // the session may be good
			if known || !m.sentSilently(w, r) {
				next.ServeHTTP(w, r)
			}
		})
	})
}

// sentSilently says whether the browser was sent to the provider.
func (m *Manager) sentSilently(w http.ResponseWriter, r *http.Request) bool {
	ctx, cancel := context.WithTimeout(r.Context(), silentPatience)
	defer cancel()
	r = r.WithContext(ctx)
	p := m.askedSilently(r)
	return p != nil && m.beginSilently(w, r, p)
}

// askedSilently is the provider to send a request without a session to; nil: none.
func (m *Manager) askedSilently(r *http.Request) *provider {
	if r.Method != http.MethodGet || !m.navigation(r) || m.isCallback(r) || m.cookies.hasSilent(r) {
		return nil
	}
	p, err := m.providerFor(r, "")
	if p == nil || err != nil {
		return nil
	}
	if _, err := p.rp.LogoutKeepsState(r.Context()); err != nil {
		return nil
	}
	return p
}

// beginSilently says whether it has answered. Where a sign-in cannot be begun, the page
// goes on without.
func (m *Manager) beginSilently(w http.ResponseWriter, r *http.Request, p *provider) bool {
	a, err := m.newAttempt(r, p, &LoginOptions{}, loginPurpose{mode: modeSilent, prompt: "none"})
	if err == nil {
		err = m.cookies.writeAttempt(w.Header(), r, a, byPost(a.login))
	}
	if err != nil {
		e := startError(err)
		m.log(r, e.level(), "session: no silent sign-in", slog.String("reason", e.Reason), causeAttr(err))
		return false
	}
	m.cookies.writeSilent(w.Header())
	m.sendTo(w, a.login.URL())
	return true
}

// notAsked says whether an error is how a provider answers prompt=none when it would have
// to ask (OpenID Connect Core 3.1.2.6), which is that nobody is signed in there, as far as we
// can tell.
func notAsked(err error) bool {
	var refused *client.AuthError
	return errors.As(err, &refused) && slices.Contains([]string{
		"login_required", "interaction_required", "consent_required", "account_selection_required",
	}, refused.Code)
}

// The silent cookie says that this browser was asked. It is no secret: all that anybody
// gains by setting it is that the browser is not asked.

func (c *cookies) hasSilent(r *http.Request) bool {
	for name := range sent(r) {
		if name == c.silentName {
			return true
		}
	}
	return false
}

func (c *cookies) writeSilent(h http.Header) {
	setCookie(h, c.silentName, "1", c.laxAttributes+c.maxAge(c.now().Add(silentPause)))
}

func (c *cookies) clearSilent(h http.Header, r *http.Request) {
	if c.hasSilent(r) {
		c.deleteCookie(h, c.silentName)
	}
}
