package session

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// DefaultAntiForgeryHeader is the header that Manager.Protect demands, with the value "1".
const DefaultAntiForgeryHeader = "X-CSRF"

// Protect lets requests pass that a page of this site has made, and answers all others with
// 403: for an API that a cookie signs people in to, which another site could have their
// browser call. It stands outside or inside of Require, and looks at every request, signed
// in or not.
//
// A request, of whatever method, must not come from another origin, by what the browser says
// in Sec-Fetch-Site or Origin (see http.CrossOriginProtection, which by itself lets every GET
// pass). And it must have the header Config.AntiForgeryHeader, once, with the value "1":
//
//	fetch("/api/notes", {headers: {"X-CSRF": "1"}})
//
// No form, image, link or script tag can send that. A script of another origin can only where
// this site says so in the answer to a preflight request (OPTIONS), which has no such header,
// and is answered 403 without any CORS header.
//
// So a page cannot be behind it, nor a WebSocket, an EventSource or an image: browsers send
// no headers of ours for these.
func (m *Manager) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e := m.checkForgery(r); e != nil {
			m.fail(w, r, e)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkForgery says why a request may be another site's; nil: it is of a page of ours.
func (m *Manager) checkForgery(r *http.Request) *Error {
	if e := m.checkOrigin(r); e != nil {
		return e
	}
	if values := r.Header.Values(m.cfg.AntiForgeryHeader); len(values) != 1 || values[0] != "1" {
		return &Error{Status: http.StatusForbidden, Reason: ReasonHeaderMissing,
			Err: fmt.Errorf("the header %s: 1 is missing", m.cfg.AntiForgeryHeader)}
	}
	return nil
}

// checkOrigin holds a GET to what http.CrossOriginProtection asks of a POST.
func (m *Manager) checkOrigin(r *http.Request) *Error {
	posted := r.WithContext(r.Context())
	posted.Method = http.MethodPost
	if err := m.crossOrigin.Check(posted); err != nil {
		return &Error{Status: http.StatusForbidden, Reason: ReasonCrossOrigin, Err: err}
	}
	return nil
}

// checkAntiForgeryHeader takes names that browsers let no form and no cross-site request
// without a preflight send, and that mean nothing else to anybody.
func checkAntiForgeryHeader(name string) error {
	if len(name) <= len("X-") || !strings.EqualFold(name[:2], "X-") || !passesOn(name) {
		return errors.New("AntiForgeryHeader: the name must be X- and letters, digits and '-', and of no header that proxies use")
	}
	return nil
}
