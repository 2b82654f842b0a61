package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/loopback"
)

// cookieConfig decides what cookies look like.
type cookieConfig struct {
	app      string           // in all names; required
	redirect *url.URL         // https: prefix and Secure; required
	sameSite http.SameSite    // of session and seen; zero: Lax
	budget   int              // bytes of Cookie header; zero: 7,500
	now      func() time.Time // for Max-Age only; nil: time.Now
}

const (
	maxApp        = 32
	defaultBudget = 7500
	minBudget     = 2000
)

// cookies reads and writes all cookies of an app: the session in its chunks, the time
// it was last seen, an attempt for each sign-in on its way, and the return of a sign-out. What
// they are called and which attributes they have is decided once, by the
// redirect URL, and never by a request. It is safe for concurrent use.
type cookies struct {
	sealer *sealer
	budget int
	now    func() time.Time

	names      [maxChunks]string // of the session: names[0], and the further chunks
	seenName   string
	silentName string
	logoutName string
	laxPrefix  string // of attempts that come back by GET
	postPrefix string // of attempts that come back by a cross-site POST

	attributes     string // of session and seen
	laxAttributes  string
	postAttributes string
}

func newCookies(s *sealer, cfg cookieConfig) (*cookies, error) {
	c := &cookies{sealer: s, budget: cfg.budget, now: cfg.now}
	if c.now == nil {
		c.now = time.Now
	}
	if c.budget == 0 {
		c.budget = defaultBudget
	}
	if c.budget < minBudget || c.budget > maxChunks*maxCookie {
		return nil, fmt.Errorf("Config.CookieBudget: %d is not between %d and %d bytes", c.budget, minBudget, maxChunks*maxCookie)
	}
	app := cfg.app
	if err := checkApp(app); err != nil {
		return nil, fmt.Errorf("Config.Name: %w", err)
	}
	secure, err := wantsSecure(cfg.redirect)
	if err != nil {
		return nil, err
	}
	if secure {
		app = "__Host-" + app
	}
	c.names = chunkNames(app)
	c.seenName, c.silentName, c.logoutName, c.laxPrefix, c.postPrefix = app+"-seen", app+"-silent", app+"-logout", app+"-login-", app+"-post-"
	return c, c.setAttributes(cfg.sameSite, secure)
}

// setAttributes. No Domain: a cookie with one would go to every subdomain.
func (c *cookies) setAttributes(sameSite http.SameSite, secure bool) error {
	base := "; Path=/; HttpOnly"
	// Chromium takes Secure from http://localhost, Safari does not: there the
	// cookies that can be without it are.
	if secure {
		base += "; Secure"
	}
	// A Strict cookie is not sent with the redirect that ends a sign-in, so
	// attempts are Lax whatever the session is; and with a cross-site POST only
	// None is sent, which browsers take only with Secure.
	c.laxAttributes = base + "; SameSite=Lax"
	c.postAttributes = "; Path=/; HttpOnly; Secure; SameSite=None"
	switch sameSite {
	case 0, http.SameSiteDefaultMode, http.SameSiteLaxMode:
		c.attributes = c.laxAttributes
	case http.SameSiteStrictMode:
		c.attributes = base + "; SameSite=Strict"
	default:
		return errors.New("SameSite must be Lax or Strict: a session cookie sent with cross-site requests is an invitation to forge them")
	}
	return nil
}

// wantsSecure says whether the app is reached by https, or else that it is on
// this very machine.
func wantsSecure(redirect *url.URL) (bool, error) {
	switch {
	case redirect == nil || redirect.Host == "":
		return false, errors.New("the redirect URL must be absolute, https or http on a loopback host")
	case redirect.Scheme == "https":
		return true, nil
	case redirect.Scheme == "http" && loopback.Host(redirect.Hostname()):
		return false, nil
	}
	return false, fmt.Errorf("a redirect URL with scheme %.64q on this host cannot have safe cookies: use https, or http on a loopback host", redirect.Scheme)
}

// checkApp keeps names to characters of RFC 6265 tokens, and the names of one
// app from being those of another: "x-seen" is a cookie of the app "x".
func checkApp(app string) error {
	if app == "" || len(app) > maxApp {
		return fmt.Errorf("the name has %d bytes, of 1 to %d", len(app), maxApp)
	}
	for i, c := range []byte(app) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_') {
			return fmt.Errorf("the name %q is not a letter or digit followed by letters, digits, '-' and '_'", app)
		}
	}
	lower := strings.ToLower(app) + "-"
	for _, reserved := range []string{"-seen-", "-silent-", "-logout-", "-login-", "-post-"} {
		if strings.Contains(lower, reserved) {
			return fmt.Errorf("the name %q contains %q, which cookies of ours use", app, reserved[:len(reserved)-1])
		}
	}
	return nil
}

// sent are the cookies of a request, in their order. It reads the header by
// hand: http.Request.Cookie parses and copies all of them, and costs as much as
// a third of opening a session. It keeps nothing, so thousands cost only time.
func sent(r *http.Request) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, line := range r.Header["Cookie"] {
			for line != "" {
				var pair string
				pair, line, _ = strings.Cut(line, ";")
				name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
				if ok && !yield(name, value) {
					return
				}
			}
		}
	}
}

// chunkIndex is the number of the session chunk called name.
func (c *cookies) chunkIndex(name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, c.names[0])
	switch {
	case ok && rest == "":
		return 0, true
	case ok && len(rest) == 2 && rest[0] == '.' && rest[1] >= '1' && rest[1] < '0'+maxChunks:
		return int(rest[1] - '0'), true
	}
	return 0, false
}

// readSession gives the session r carries; nil and no error if it carries none.
// The error is errUnknownKey or errUndecryptable. It looks at no clock.
func (c *cookies) readSession(r *http.Request) (*record, error) {
	var found [maxChunks]twice
	for name, value := range sent(r) {
		if i, ok := c.chunkIndex(name); ok {
			found[i].add(value)
		}
	}
	if found[0].n == 0 {
		return nil, nil
	}
	var rec *record
	failure := errUndecryptable
	for _, first := range found[0].all() {
		joinChunks(first, &found, func(sealed string) bool {
			got := new(record)
			err := c.openInto(purposeSession, c.names[0], sealed, (*carried)(got))
			if err == nil {
				rec = got
			} else if errors.Is(err, errUnknownKey) {
				failure = errUnknownKey
			}
			return err == nil
		})
		if rec != nil {
			return rec, nil
		}
	}
	return nil, failure
}

// openInto opens a sealed value and hands it to what it is the storage of.
func (c *cookies) openInto(p purpose, name, sealed string, v interface{ unmarshal([]byte) error }) error {
	plain, err := c.sealer.open(p, name, sealed)
	if err != nil {
		return err
	}
	return v.unmarshal(plain)
}

// writeSession sets the cookies of rec in h, and deletes what r has of older
// sessions in more chunks. To keep to the budget it deletes attempts, oldest
// first; if that is not enough it changes nothing and fails with a *TooLargeError.
func (c *cookies) writeSession(h http.Header, r *http.Request, rec *record) error {
	plain, err := rec.appendCookie(nil)
	if err != nil {
		return err
	}
	sealed, err := c.sealer.seal(purposeSession, c.names[0], plain)
	if err != nil {
		return err
	}
	attributes := c.attributes + c.maxAge(rec.expires)
	room := maxCookie - len(c.names[maxChunks-1]) - len("=") - len(attributes)
	held := c.held(h, r)
	// Bytes are worth more than time where they become scarce.
	if len(sealed) > min(room-2, (c.budget-held.others)/2) {
		if sealed, err = pack(sealed); err != nil {
			return err
		}
	}
	values := splitSealed(sealed, room)
	size := c.seenSize()
	for i, value := range values {
		size += headerSize(c.names[min(i, maxChunks-1)], value)
	}
	if size+attemptRoom > c.budget || len(values) > maxChunks {
		return c.tooLarge(size, held.others, rec)
	}
	c.dropAttempts(h, &held, c.budget-size)
	for i, value := range values {
		setCookie(h, c.names[i], value, attributes)
	}
	for i := len(values); i < maxChunks; i++ {
		if held.chunks[i] > 0 {
			c.deleteCookie(h, c.names[i])
		}
	}
	return nil
}

// clearSession deletes the session, with whatever chunks r has or h was about
// to set, and the seen cookie.
func (c *cookies) clearSession(h http.Header, r *http.Request) {
	held := c.held(h, r)
	for i, size := range held.chunks {
		if size > 0 {
			c.deleteCookie(h, c.names[i])
		}
	}
	if held.seen > 0 {
		c.deleteCookie(h, c.seenName)
	}
}

// clearUnseen deletes the session and the seen cookie whether or not a request
// brought them: browsers keep some from a callback that comes from another site.
func (c *cookies) clearUnseen(h http.Header) {
	for _, name := range c.names {
		c.deleteCookie(h, name)
	}
	c.deleteCookie(h, c.seenName)
}

// A seen is what the seen cookie holds. It is apart from the session, so that a
// slow response that slides the idle time cannot bring old tokens back.
type seen struct {
	id sessionID
	at time.Time
}

const seenVersion = 1

func (s *seen) unmarshal(data []byte) error {
	if len(data) == 0 || data[0] != seenVersion {
		return errUndecryptable
	}
	d := decoder{rest: data[1:]}
	copy(s.id[:], d.take(uint64(len(s.id))))
	s.at = d.time()
	if d.failed || len(d.rest) > 0 {
		return errUndecryptable
	}
	return nil
}

// readSeen says when the session was last seen, as far as r has it. Of two
// values the later one holds.
func (c *cookies) readSeen(r *http.Request, id sessionID) (time.Time, bool) {
	var values twice
	for name, value := range sent(r) {
		if name == c.seenName {
			values.add(value)
		}
	}
	var last time.Time
	found := false
	for _, value := range values.all() {
		sealed, ok := strings.CutPrefix(value, string(formatVersion))
		var s seen
		if !ok || c.openInto(purposeSeen, c.seenName, sealed, &s) != nil || s.id != id {
			continue
		}
		if !found || s.at.After(last) {
			last, found = s.at, true
		}
	}
	return last, found
}

// writeSeen sets the seen cookie of a session, which goes with it at expires.
func (c *cookies) writeSeen(h http.Header, id sessionID, at, expires time.Time) error {
	if !storable(at) {
		return errors.New("a time of the session is not between 1970 and 9999")
	}
	plain := appendTime(append([]byte{seenVersion}, id[:]...), at)
	sealed, err := c.sealer.seal(purposeSeen, c.seenName, plain)
	if err != nil {
		return err
	}
	if sealed, err = pack(sealed); err != nil {
		return err
	}
	setCookie(h, c.seenName, string(formatVersion)+sealed, c.attributes+c.maxAge(expires))
	return nil
}

// seenSize is what the seen cookie takes at most in a Cookie header.
func (c *cookies) seenSize() int {
	plain := 1 + len(sessionID{}) + len(binary.AppendUvarint(nil, maxTime))
	return headerSize(c.seenName, "") + len(string(formatVersion)) + packedLength(plain)
}

// maxAge mirrors a time inside the seal, so that browsers forget in time.
func (c *cookies) maxAge(expires time.Time) string {
	left := max(0, expires.Sub(c.now()))
	seconds := int64(left / time.Second)
	if left%time.Second > 0 {
		seconds++
	}
	return "; Max-Age=" + strconv.FormatInt(seconds, 10)
}

// setCookie adds a Set-Cookie line, instead of one for the same name that h
// may have: browsers take several in no certain order (RFC 6265 4.1.1).
func setCookie(h http.Header, name, value, attributes string) {
	var others []string
	for _, line := range h["Set-Cookie"] {
		if set, _, _ := strings.Cut(line, "="); set != name {
			others = append(others, line)
		}
	}
	h["Set-Cookie"] = append(others, name+"="+value+attributes)
}

// deleteCookie has the attributes the cookie was set with: without Secure, or
// with another Path, a browser would keep it.
func (c *cookies) deleteCookie(h http.Header, name string) {
	attributes := c.attributes
	switch {
	case strings.HasPrefix(name, c.laxPrefix), name == c.logoutName:
		attributes = c.laxAttributes
	case strings.HasPrefix(name, c.postPrefix):
		attributes = c.postAttributes
	}
	setCookie(h, name, "", attributes+"; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
}
