package session

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/internal/origin"
)

// A logoutReturn is kept in a cookie while the user signs out at the provider: what to
// know the way back by, and where it goes on to.
type logoutReturn struct {
	state    string // empty: the provider does not bring one back
	returnTo string // of Config.LogoutReturns; empty: to the page at the logout route
	expires  time.Time
}

const (
	logoutReturnVersion = 1
	// logoutReturnLifetime is for a provider that asks whether the user is sure.
	logoutReturnLifetime = 10 * time.Minute
	// maxLogoutForm bounds the form of a sign-out, which has one field of ours.
	maxLogoutForm = 16 << 10
)

// Format prints nothing of it: it holds a state.
func (l logoutReturn) Format(f fmt.State, _ rune) {
	io.WriteString(f, "session.logoutReturn[redacted]")
}

func (l *logoutReturn) appendBinary(b []byte) ([]byte, error) {
	if !storable(l.expires) {
		return nil, errors.New("a sign-out does not end between 1970 and 9999")
	}
	b = appendTime(append(b, logoutReturnVersion), l.expires)
	return appendField(appendField(b, l.state), l.returnTo), nil
}

func (l *logoutReturn) unmarshal(data []byte) error {
	if len(data) == 0 || data[0] != logoutReturnVersion {
		return errUndecryptable
	}
	d := decoder{rest: data[1:]}
	*l = logoutReturn{expires: d.time(), state: string(d.field()), returnTo: string(d.field())}
	if d.failed || len(d.rest) > 0 {
		return errUndecryptable
	}
	return nil
}

// writeLogoutReturn sets the cookie of a sign-out, instead of that of an earlier one. It
// is Lax whatever the session is, for it comes back from the provider.
func (c *cookies) writeLogoutReturn(h http.Header, l *logoutReturn) error {
	plain, err := l.appendBinary(nil)
	if err != nil {
		return err
	}
	sealed, err := c.sealer.seal(purposeLogout, c.logoutName, plain)
	if err != nil {
		return err
	}
	setCookie(h, c.logoutName, string(formatVersion)+sealed, c.laxAttributes+c.maxAge(l.expires))
	return nil
}

// readLogoutReturn gives the sign-out that r is to come back from; nil: none that opens.
func (c *cookies) readLogoutReturn(r *http.Request) *logoutReturn {
	var values twice
	for name, value := range sent(r) {
		if name == c.logoutName {
			values.add(value)
		}
	}
	for _, value := range values.all() {
		sealed, ok := strings.CutPrefix(value, string(formatVersion))
		l := new(logoutReturn)
		if ok && c.openInto(purposeLogout, c.logoutName, sealed, l) == nil {
			return l
		}
	}
	return nil
}

// clearLogoutReturn deletes the cookie of a sign-out, if r has it or h was about to set it.
func (c *cookies) clearLogoutReturn(h http.Header, r *http.Request) {
	if held := c.held(h, r); held.logout > 0 {
		c.deleteCookie(h, c.logoutName)
	}
}

// returnsHere says whether the provider sends the browser back to the logout route.
func (m *Manager) returnsHere() bool {
	u, err := parseWebURL(m.cfg.PostLogoutRedirectURL)
	return err == nil && origin.Of(u) == origin.Of(m.origin) && u.Path == m.cfg.LogoutPath
}

// newLogoutReturn is for a sign-out at p; nil: nobody comes back to the logout route.
func (m *Manager) newLogoutReturn(ctx context.Context, p *provider, returnTo string) *logoutReturn {
	if !m.returnsHere() {
		return nil
	}
	back := &logoutReturn{returnTo: returnTo, expires: m.cfg.Now().Add(logoutReturnLifetime)}
	// An error is that of LogoutURL, which comes next.
	if keeps, _ := p.rp.LogoutKeepsState(ctx); keeps {
		back.state = rand.Text()
	}
	return back
}

// wantedAfterLogout is where the form of a sign-out wants to go: an address of
// Config.LogoutReturns, byte for byte, or empty. Nothing in it keeps anybody signed in.
func (m *Manager) wantedAfterLogout(w http.ResponseWriter, r *http.Request) string {
	if r.Body != nil {
		r.Body = http.MaxBytesReader(w, r.Body, maxLogoutForm)
	}
	err := r.ParseForm()
	wanted := r.PostForm["return_to"]
	if len(wanted) == 1 && slices.Contains(m.cfg.LogoutReturns, wanted[0]) {
		return wanted[0]
	}
	if len(wanted) > 0 || err != nil {
		m.log(r, slog.LevelInfo, "session: return address of a sign-out ignored", slog.String("reason", ReasonReturnAddress))
	}
	return ""
}

// comeBack checks whether a browser comes back from signing out at the provider (RP-Initiated
// Logout 3), and gives the address to go on to; empty: there is none, or it does not. The
// cookie is used up in any case.
func (m *Manager) comeBack(w http.ResponseWriter, r *http.Request) string {
	back := m.cookies.readLogoutReturn(r)
	m.cookies.clearLogoutReturn(w.Header(), r)
	query, err := url.ParseQuery(r.URL.RawQuery)
	if back == nil && !query.Has("state") {
		return ""
	}
	if err == nil {
		err = back.check(query["state"], m.cfg.Now())
	}
	if err != nil {
		m.log(r, slog.LevelInfo, "session: return from a sign-out ignored", slog.String("reason", ReasonLogoutState), causeAttr(err))
		return ""
	}
	if !slices.Contains(m.cfg.LogoutReturns, back.returnTo) { // the list may have changed
		return ""
	}
	return back.returnTo
}

// check compares the state that came back with the one that was sent. A provider that does not
// bring it back is known by its own way of signing out: there the cookie alone must do, which
// leads to an address of the list that this browser has chosen.
func (l *logoutReturn) check(state []string, now time.Time) error {
	switch {
	case l == nil:
		return errors.New("no cookie of this sign-out: done already, or begun in another browser")
	case !now.Before(l.expires):
		return errors.New("the sign-out has taken too long")
	case l.state == "" && len(state) == 0:
		return nil
	case len(state) == 0:
		return errors.New("state is missing")
	case len(state) > 1:
		return errors.New("state is there more than once")
	case subtle.ConstantTimeCompare([]byte(state[0]), []byte(l.state)) != 1:
		return errors.New("state is another one")
	}
	return nil
}

// logoutOptions are those of a sign-out at the provider that back comes back from.
func (m *Manager) logoutOptions(tokens *client.Tokens, back *logoutReturn) client.LogoutOptions {
	opts := client.LogoutOptions{PostLogoutRedirectURL: m.cfg.PostLogoutRedirectURL}
	if tokens != nil {
		opts.IDToken = tokens.IDToken
	}
	if back != nil {
		opts.State = back.state
	}
	return opts
}
