package session

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

// What the state of a Session means, and what commit makes of it:
//
//	reason  nobody is signed in, from the first or since renew: nothing is written
//	clear   there is a reason, and the cookie will never be good again: it is deleted
//	        (not under an unknown key, which another process may have)
//	over    the grant was found dead while a handler ran: it stays signed in, gets
//	        no more tokens, and the cookie is deleted
//	tired   a refresh was in vain or too late: no other while the token is good
//	left    the callback, or a 401, has the cookies: commit leaves them alone
//	out     commit has run: Set and a refresh fail with ErrHeadersSent
//	used    somebody asked who is signed in: the answer is not for shared caches

// A Session is what one request knows of who is signed in. It is made for the
// request: do not keep it, and do not set values or ask for new tokens once the
// response has begun. Its methods may be called concurrently.
//
// The identity of a user is Issuer and Subject together. Nothing else is: an
// e-mail address changes hands.
//
// A Session prints, logs and encodes as [redacted], for it has tokens.
type Session struct {
	m    *Manager      // nil: of a context without a session
	r    *http.Request // whose cookies count into the budget
	used atomic.Bool   // the response depends on who is signed in

	presented *record // the cookie; nil: none that opens
	provider  *provider
	reason    string // why nobody is signed in; empty: somebody is
	whole     bool   // the cookie has all of the session, also if it belongs into the Store
	seenAt    time.Time
	loginData []byte
	begins    bool // it is that of Config.OnLogin: nobody has it yet, nor the Store

	mu      sync.Mutex
	grant   grant
	stored  map[string][]byte // the app's values, as the newest cookie has them
	changes map[string][]byte // by Set; nil: removed
	over    string            // why the session ends with this request; empty: it does not
	tired   bool              // a refresh has not come in time: a good token will do
	clear   bool              // delete the cookie
	left    bool              // a handler of ours does the cookies
	out     bool              // the header is out
}

// values are what Set wrote, remembered until the browser has shown it has them.
type values struct {
	all   map[string][]byte
	saved time.Time
}

const (
	maxValueName = 64
	// lastSeenShare: the last-seen cookie is written again after that part of
	// Config.Idle.
	lastSeenShare = 10
)

type contextKey struct{}

// From gives the session of a request, from the context that Require, Guard and
// Load make. It is never nil: without a session, or outside of these, SignedIn
// is false, identity is empty, and Token and Set fail with ErrSignIn. Outside of
// these Reason is ReasonNoSession, whatever cookies the request has: a handler that
// never sees anybody signed in wants Load around it.
//
// Under Load, a response is not stored by caches if somebody is signed in or its
// handler called From before the first byte, unless it says private or no-store
// itself; all others vary by Cookie.
func From(ctx context.Context) *Session {
	s, ok := ctx.Value(contextKey{}).(*Session)
	if !ok {
		return &Session{reason: ReasonNoSession}
	}
	s.used.Store(true)
	return s
}

// SignedIn says whether somebody is signed in.
func (s *Session) SignedIn() bool { return s.reason == "" }

// Reason says why nobody is signed in: one of the reason codes, such as
// ReasonIdle. It is empty if somebody is.
func (s *Session) Reason() string { return s.reason }

// Issuer is the provider that vouches for the user; empty if nobody is signed in.
func (s *Session) Issuer() string {
	if !s.SignedIn() {
		return ""
	}
	return s.presented.identity.issuer
}

// Subject names the user at the provider, and is unique and never reused within
// the issuer. Empty if nobody is signed in.
func (s *Session) Subject() string {
	if !s.SignedIn() {
		return ""
	}
	return s.presented.identity.subject
}

// Provider is the name that the provider of the session has in Config.Providers. Empty
// if nobody is signed in, or where there is one provider only.
func (s *Session) Provider() string {
	if !s.SignedIn() {
		return ""
	}
	return s.presented.provider
}

// Account is who signed in at a provider without OpenID Connect (client.NewOAuth); nil at
// any other, and if nobody is signed in. It must not be changed.
func (s *Session) Account() *client.Account {
	if !s.SignedIn() {
		return nil
	}
	return s.tokens().Account
}

// IDToken is the verified ID token, of the sign-in or of the last refresh that
// brought one; nil if nobody is signed in, or did without OpenID Connect. It must not be
// changed.
func (s *Session) IDToken() *jwtverify.IDToken {
	if !s.SignedIn() {
		return nil
	}
	return s.tokens().IDToken
}

// Created is the time of the sign-in; zero if nobody is signed in.
func (s *Session) Created() time.Time {
	if !s.SignedIn() {
		return time.Time{}
	}
	return s.presented.created
}

// Expires is the hard end, which nothing extends; zero if nobody is signed in.
// The session ends earlier when it is idle.
func (s *Session) Expires() time.Time {
	if !s.SignedIn() {
		return time.Time{}
	}
	return s.m.ends(s.presented)
}

// LoginData is what LoginOptions.Data was for this sign-in. It is there in
// Config.OnLogin only, and nil elsewhere.
func (s *Session) LoginData() []byte { return bytes.Clone(s.loginData) }

// Get gives a value of the app's own, and whether there is one.
func (s *Session) Get(name string) ([]byte, bool) {
	if !s.SignedIn() {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.changes[name]
	if !ok {
		value, ok = s.stored[name]
	}
	if !ok || value == nil {
		return nil, false
	}
	return bytes.Clone(value), true
}

// Set keeps a value of the app's own in the session, under a name of at most 64
// bytes; a nil value removes it. It goes out with the response, sealed in the
// cookie: keep it small. Of two requests at the same time that set one name, the
// one that responds last wins; different names do not disturb each other within
// one process, nor with Config.SessionsInStore and a Locker within several.
//
// A browser can keep an old cookie and present it again, and with it old values,
// until the session ends. So this is no place for what must only go one way: a
// count of tries, a coupon that is used up, a second factor that was withdrawn.
//
// It fails with a *TooLargeError if the session would not fit its cookies, or the 64 KiB
// it may have in the Store,
// ErrHeadersSent once the response has begun, and ErrSignIn if nobody is signed
// in. Then nothing has changed.
func (s *Session) Set(name string, value []byte) error {
	if !s.SignedIn() {
		return ErrSignIn
	}
	if name == "" || len(name) > maxValueName {
		return fmt.Errorf("session: the name of a value has 1 to %d bytes, not %d", maxValueName, len(name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out {
		return ErrHeadersSent
	}
	changes := merge(s.changes, nil)
	changes[name] = bytes.Clone(value)
	trial := s.recordWith(s.grant, present(merge(s.stored, changes)), s.m.cfg.Now())
	if err := s.fits(trial); err != nil {
		return err
	}
	s.changes = changes
	return nil
}

func merge(stored, changes map[string][]byte) map[string][]byte {
	all := make(map[string][]byte, len(stored)+len(changes)+1)
	maps.Copy(all, stored)
	maps.Copy(all, changes)
	return all
}

// present leaves out what a change has removed.
func present(all map[string][]byte) map[string][]byte {
	maps.DeleteFunc(all, func(_ string, value []byte) bool { return value == nil })
	return all
}

// recordWith is the cookie of this session with other tokens and values.
func (s *Session) recordWith(g grant, all map[string][]byte, saved time.Time) *record {
	rec := *s.presented
	rec.expires, rec.saved = s.m.ends(s.presented), saved
	rec.tokens, rec.others, rec.values = g.tokens, g.others, all
	return &rec
}

func (s *Session) tokens() *client.Tokens {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grant.tokens
}

// leave hands the cookies over to a handler that writes them by itself: what
// this request knows of its session is about to be of yesterday.
func (s *Session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
}

// commit writes what the browser needs to know into h, once, just before h goes
// out.
func (s *Session) commit(h http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out {
		return
	}
	s.out = true
	if !s.left && s.writeCookies(h) {
		forbidStoring(h)
		return
	}
	// What a handler writes after this may be about who is signed in.
	if s.used.Load() || s.SignedIn() {
		if storesPrivately(h) {
			forbidSharing(h)
		} else {
			forbidStoring(h)
		}
	}
	varyByCookie(h)
}

// writeCookies says whether there is a cookie in h now. It never lets a slow
// response undo what happened while its handler ran: tokens are the newest ones
// known at this moment, and of a session that was signed out or replaced in the
// meantime nothing is written, and nothing deleted that may be its successor's.
func (s *Session) writeCookies(h http.Header) bool {
	now := s.m.cfg.Now()
	e, ended := s.m.endingOf(s.presented, now)
	if ended && (e.reason == ReasonReplaced || e.reason == ReasonSignedOut && s.SignedIn()) {
		return false
	}
	if ended || s.clear || s.over != "" {
		before := len(h["Set-Cookie"])
		s.m.cookies.clearSession(h, s.r)
		return len(h["Set-Cookie"]) > before
	}
	if !s.SignedIn() {
		return false
	}
	wrote := s.writeRecord(h, now)
	return s.writeSeen(h, now) || wrote
}

// writeRecord: if nothing is newer than what the browser sent, nothing is
// written.
func (s *Session) writeRecord(h http.Header, now time.Time) bool {
	g := s.m.refresher.newest(s.presented.id, s.grant, now)
	if s.m.keepsInStore(s.presented) {
		return s.writeStored(h, g, now)
	}
	newest := s.m.newestValues(s.presented, now)
	if g.tokens == s.presented.tokens && len(s.changes) == 0 && newest.saved.Equal(s.presented.saved) {
		return false
	}
	if s.endedElsewhere() {
		return false
	}
	rec := s.recordWith(g, present(merge(newest.all, s.changes)), after(newest.saved, now))
	if err := s.writeWhole(h, rec); err != nil {
		// The tokens of a refresh may have grown. They are remembered, so the
		// session goes on as long as this process does.
		s.m.log(s.r, slog.LevelError, "session: not saved", slog.String("reason", ReasonTooLarge),
			slog.String("session", rec.id.hash()), causeAttr(err))
		return false
	}
	if len(s.changes) > 0 {
		s.m.values.put(keyOf("values", string(rec.id[:])), values{rec.values, rec.saved}, now, rec.expires)
	}
	return true
}

// endedElsewhere asks once more before a cookie is written: another process may have
// signed the user out, or in again, while the handler ran.
func (s *Session) endedElsewhere() bool {
	return s.m.learnEnding(s.r.Context(), presenceOf(s.presented))
}

// writeWhole rather does without the tokens for other APIs than without the others: they
// can be had again.
func (s *Session) writeWhole(h http.Header, rec *record) error {
	err := s.m.cookies.writeSession(h, s.r, rec)
	if err != nil && len(rec.others) > 0 {
		lean := *rec
		lean.others = nil
		return s.m.cookies.writeSession(h, s.r, &lean)
	}
	return err
}

// writeSeen writes the last-seen cookie with page loads, and not with each.
func (s *Session) writeSeen(h http.Header, now time.Time) bool {
	if now.Sub(s.seenAt) < s.m.cfg.Idle/lastSeenShare || !s.m.navigation(s.r) {
		return false
	}
	err := s.m.cookies.writeSeen(h, s.presented.id, now, s.m.ends(s.presented))
	if err != nil {
		s.m.log(s.r, slog.LevelError, "session: not saved", slog.String("reason", ReasonInternal), causeAttr(err))
	}
	return err == nil
}

// hash is how a session is called in the log: not by its ID, and too short to be
// looked for.
func (id sessionID) hash() string {
	key := keyOf("log", string(id[:]))
	return base64.RawURLEncoding.EncodeToString(key[:6])
}

// Format prints [redacted], whatever the verb.
func (s *Session) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (s *Session) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (s *Session) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
