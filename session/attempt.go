package session

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
)

// An attempt is one sign-in on its way: the secrets to check its return with,
// and where the user wanted to go. Who reads one checks expires, and checks
// returnTo once more.
type attempt struct {
	login    *client.Login
	returnTo string
	data     []byte // the app's own
	expires  time.Time
	began    presence // in which session
	provider string   // by name; empty where there is only one
	tried    demandKey
	mode     loginMode
}

// A loginMode is where the answer of a sign-in is wanted.
type loginMode byte

const (
	modePage   loginMode = iota // the page that the user looks at
	modePopup                   // a window of its own, whose opener is told
	modeSilent                  // a page, but the user is not to be asked: without a session at the provider nobody is signed in
	modeFrame                   // as modeSilent, in a frame of a page of ours
)

// A presence is a session as an attempt remembers it, to be ended by the sign-in: a
// callback by cross-site POST, or under SameSite=Strict, comes without its cookie.
// The zero presence is none.
type presence struct {
	id   sessionID
	ends time.Time
	user memoryKey // a hash of issuer and subject
}

func presenceOf(rec *record) presence {
	if rec == nil || rec.identity.subject == "" {
		return presence{}
	}
	return presence{rec.id, rec.expires, rec.identity.user()}
}

const (
	attemptVersion = 2
	// maxAttempts: five tabs can be signing in at once.
	maxAttempts = 5
	// hintLength is of the time an attempt expires, in seconds since 1970 and in
	// the clear, so that old ones can be dropped without opening them. It is
	// compared with the sealed time when the attempt is used.
	hintLength = 10
	// stateHashLength is 96 bits in base64: a name, not a secret.
	stateHashLength = 16
)

// Format prints nothing of an attempt: it holds a login.
func (a attempt) Format(f fmt.State, _ rune) { io.WriteString(f, "session.attempt[redacted]") }

func (a *attempt) appendBinary(b []byte) ([]byte, error) {
	if !storable(a.expires) {
		return nil, errors.New("an attempt does not end between 1970 and 9999")
	}
	login, err := a.login.MarshalBinary()
	if err != nil {
		return nil, err
	}
	b = append(b, attemptVersion)
	b = appendTime(b, a.expires)
	b = a.began.append(b)
	b = appendField(b, a.returnTo)
	b = appendField(b, a.data)
	b = appendField(b, a.provider)
	b = append(append(b, a.tried[:]...), byte(a.mode))
	return appendField(b, login), nil
}

func (a *attempt) unmarshal(data []byte) error {
	if len(data) == 0 || data[0] != attemptVersion {
		return errUndecryptable
	}
	d := decoder{rest: data[1:]}
	*a = attempt{expires: d.time(), began: d.presence(), returnTo: string(d.field()), data: d.field(),
		provider: string(d.field()), login: new(client.Login)}
	copy(a.tried[:], d.take(uint64(len(a.tried))))
	if mode := d.take(1); len(mode) == 1 {
		a.mode = loginMode(mode[0])
	}
	login := d.field()
	if d.failed || len(d.rest) > 0 || a.mode > modeFrame || a.login.UnmarshalBinary(login) != nil {
		return errUndecryptable
	}
	return nil
}

func (p presence) append(b []byte) []byte {
	if p == (presence{}) {
		return append(b, 0)
	}
	b = append(append(b, 1), p.id[:]...)
	b = appendTime(b, p.ends)
	return append(b, p.user[:]...)
}

func (d *decoder) presence() (p presence) {
	if flag := d.take(1); len(flag) == 1 && flag[0] == 0 {
		return presence{}
	}
	copy(p.id[:], d.take(uint64(len(p.id))))
	p.ends = d.time()
	copy(p.user[:], d.take(uint64(len(p.user))))
	return p
}

// attemptNames are the names the attempt of a state may have: one for a
// callback by GET, one for a callback by cross-site POST, for each has its own
// attributes and must be deleted with them.
func (c *cookies) attemptNames(state string) (lax, post string) {
	sum := sha256.Sum256([]byte(state))
	hash := strict.EncodeToString(sum[:])[:stateHashLength]
	return c.laxPrefix + hash, c.postPrefix + hash
}

// isAttempt says whether name is one that attemptNames could give: it will
// stand in a header of ours.
func (c *cookies) isAttempt(name string) bool {
	hash, ok := strings.CutPrefix(name, c.laxPrefix)
	if !ok {
		hash, ok = strings.CutPrefix(name, c.postPrefix)
	}
	_, err := strict.DecodeString(hash)
	return ok && err == nil && len(hash) == stateHashLength && !strings.ContainsAny(hash, "\r\n")
}

func hint(expires time.Time) string {
	// Ten digits until the year 2286; later ones lose their first.
	s := strconv.FormatInt(expires.Unix(), 10)
	return strings.Repeat("0", max(0, hintLength-len(s))) + s[max(0, len(s)-hintLength):]
}

// hintOf is the hint in the value of an attempt cookie, and empty if there is none.
func hintOf(value string) string {
	if len(value) < 1+hintLength {
		return ""
	}
	s := value[1 : 1+hintLength]
	if strings.Trim(s, "0123456789") != "" {
		return ""
	}
	return s
}

// writeAttempt sets the cookie of a sign-in: SameSite=None if it comes back by
// a cross-site POST, else Lax. Of the attempts that r has, or h was about to
// set, it deletes the oldest, until there are at most five and the budget is
// kept; if that is not enough it changes nothing and fails with a *TooLargeError.
func (c *cookies) writeAttempt(h http.Header, r *http.Request, a *attempt, crossSitePost bool) error {
	plain, err := a.appendBinary(nil)
	if err != nil {
		return err
	}
	lax, post := c.attemptNames(a.login.State())
	name, attributes := lax, c.laxAttributes
	if crossSitePost {
		name, attributes = post, c.postAttributes
	}
	attributes += c.maxAge(a.expires)
	sealed, err := c.sealer.seal(purposeLogin, name, plain)
	if err != nil {
		return err
	}
	if sealed, err = pack(sealed); err != nil {
		return err
	}
	value := string(formatVersion) + hint(a.expires) + sealed
	held := c.held(h, r)
	size := headerSize(name, value)
	if line := len(name) + len("=") + len(value) + len(attributes); line > maxCookie {
		return attemptTooLarge(line, maxCookie, 0, a, plain)
	}
	if others := held.total(); others+size > c.budget {
		return attemptTooLarge(others+size, c.budget, others, a, plain)
	}
	c.clearAttempt(h, r, a.login.State()) // it may be there as the other kind
	held.forget(lax)
	held.forget(post)
	c.dropAttempts(h, &held, c.budget-held.total()-size)
	if n := len(held.attempts) - (maxAttempts - 1); n > 0 {
		c.dropOldest(h, &held, n)
	}
	setCookie(h, name, value, attributes)
	return nil
}

// readAttempt gives the attempt of a state that r carries; nil and no error if
// it carries none. The error is errUnknownKey or errUndecryptable.
func (c *cookies) readAttempt(r *http.Request, state string) (*attempt, error) {
	lax, post := c.attemptNames(state)
	var values [2]twice
	for name, value := range sent(r) {
		switch name {
		case lax:
			values[0].add(value)
		case post:
			values[1].add(value)
		}
	}
	if values[0].n+values[1].n == 0 {
		return nil, nil
	}
	failure := errUndecryptable
	for i, name := range [...]string{lax, post} {
		for _, value := range values[i].all() {
			a, err := c.openAttempt(name, value)
			if err == nil && subtle.ConstantTimeCompare([]byte(a.login.State()), []byte(state)) == 1 {
				return a, nil
			}
			if errors.Is(err, errUnknownKey) {
				failure = errUnknownKey
			}
		}
	}
	return nil, failure
}

func (c *cookies) openAttempt(name, value string) (*attempt, error) {
	if len(value) > maxCookie || hintOf(value) == "" || value[0] != formatVersion {
		return nil, errUndecryptable
	}
	a := new(attempt)
	if err := c.openInto(purposeLogin, name, value[1+hintLength:], a); err != nil {
		return nil, err
	}
	if hintOf(value) != hint(a.expires) {
		return nil, errUndecryptable
	}
	return a, nil
}

// clearAttempt deletes the attempt of a state, if r has it or h was about to
// set it.
func (c *cookies) clearAttempt(h http.Header, r *http.Request, state string) {
	lax, post := c.attemptNames(state)
	c.clearWhere(h, r, func(a heldAttempt) bool { return a.name == lax || a.name == post })
}

// clearExpiredAttempts deletes the attempts that were over by now.
func (c *cookies) clearExpiredAttempts(h http.Header, r *http.Request, now time.Time) {
	c.clearWhere(h, r, func(a heldAttempt) bool { return a.hint < hint(now) })
}

// clearAttempts deletes all attempts: the user has signed out.
func (c *cookies) clearAttempts(h http.Header, r *http.Request) {
	c.clearWhere(h, r, func(heldAttempt) bool { return true })
}

func (c *cookies) clearWhere(h http.Header, r *http.Request, over func(heldAttempt) bool) {
	held := c.held(h, r)
	for _, a := range held.attempts {
		if over(a) {
			c.deleteCookie(h, a.name)
		}
	}
}

// dropAttempts deletes attempts, oldest first, until the rest fits into room.
func (c *cookies) dropAttempts(h http.Header, held *heldCookies, room int) {
	size := 0
	for _, a := range held.attempts {
		size += a.size
	}
	n := 0
	slices.SortFunc(held.attempts, func(a, b heldAttempt) int { return strings.Compare(a.hint, b.hint) })
	for ; n < len(held.attempts) && size > room; n++ {
		size -= held.attempts[n].size
	}
	c.dropOldest(h, held, n)
}

// dropOldest deletes the first n attempts, of a list that dropAttempts sorted.
func (c *cookies) dropOldest(h http.Header, held *heldCookies, n int) {
	for _, a := range held.attempts[:n] {
		c.deleteCookie(h, a.name)
	}
	held.attempts = held.attempts[n:]
}
