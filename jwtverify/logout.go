package jwtverify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/postern-go/postern/internal/strictjson"
)

const (
	// maxLogoutTokenAge is how long ago a logout token may have been issued. It is sent
	// the moment it is made, and 2.4 recommends that it live for two minutes.
	maxLogoutTokenAge = 5 * time.Minute
	// maxTokenID bounds jti. Most are UUIDs.
	maxTokenID = 512

	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
)

// logoutTokenTypes: OpenID Connect Back-Channel Logout 1.0 2.4 has logout+jwt, which
// providers older than that send as JWT or leave out.
var logoutTokenTypes = []string{"logout+jwt", "JWT", ""}

// A LogoutToken is a verified logout token: the provider says that a session, or every
// session of a user, has ended. At least one of Subject and SessionID is there.
type LogoutToken struct {
	Issuer    string    // iss
	Subject   string    // sub; with no SessionID, every session of this user has ended
	SessionID string    // sid; this session has ended, of Subject where that is there too
	ID        string    // jti
	IssuedAt  time.Time // iat
	Expiry    time.Time // exp
}

// LogoutToken verifies a logout token (OpenID Connect Back-Channel Logout 1.0 2.6) and
// returns what it says. On an error, which wraps exactly one of ErrExpired, ErrInvalid
// and ErrKeys, the token is nil; an answer of 400 suits the first two, and 503 the last.
//
// Beyond the letter: exp is required, and iat not more than five minutes ago. The
// signature has the algorithms of an ID token (Verifier.Algorithms).
//
// seen is told the jti of a token that all else is right with, and a token whose jti was
// there before is refused. It is required: with nil, every token is refused, and so is
// one while seen fails (ErrKeys). A ReplayCache does for one process; what is shared by
// several needs a store of the caller's.
func (v *Verifier) LogoutToken(ctx context.Context, raw string, seen ReplayGuard) (*LogoutToken, error) {
	t, err := v.logoutToken(ctx, raw, seen)
	if err != nil {
		return nil, fmt.Errorf("jwtverify: %w", err)
	}
	return t, nil
}

func (v *Verifier) logoutToken(ctx context.Context, raw string, seen ReplayGuard) (*LogoutToken, error) {
	if seen == nil {
		return nil, invalid("no ReplayGuard to tell a logout token from its replay")
	}
	token, c, err := v.read(ctx, raw, logoutTokenTypes) // steps 1 and 2
	if err != nil {
		return nil, err
	}
	if err := v.addressed(&c, token.key); err != nil { // step 3
		return nil, err
	}
	now := v.now()
	if err := v.issueTime(&c, now); err != nil { // step 3
		return nil, err
	}
	t, err := c.logout()
	if err != nil {
		return nil, err
	}
	if err := v.over(&c, now); err != nil { // step 3
		return nil, err
	}
	if err := v.issuedWithin(&c, now, maxLogoutTokenAge, "is more than five minutes ago"); err != nil {
		return nil, err
	}
	if err := v.unseen(ctx, seen, t); err != nil { // step 8
		return nil, err
	}
	return t, nil
}

// logout checks what a logout token says, Back-Channel Logout 2.6 steps 4 to 7.
func (c *claims) logout() (*LogoutToken, error) {
	if err := c.is(logoutTokens); err != nil {
		return nil, err
	}
	if c.subject == "" && c.sessionID == "" { // step 4
		return nil, invalidClaim("sid", "is missing, and sub too")
	}
	if c.subject != "" {
		if err := checkSubject(c.subject); err != nil {
			return nil, err
		}
	}
	if err := checkEvents(c.events); err != nil { // step 5
		return nil, err
	}
	if c.nonce != "" { // step 6
		return nil, invalidClaim("nonce", "is that of an ID token")
	}
	t := &LogoutToken{Issuer: c.issuer, Subject: c.subject, SessionID: c.sessionID, IssuedAt: c.issuedAt, Expiry: c.expiry}
	if !c.id.Exists() { // 2.4
		return nil, invalidClaim("jti", "is missing")
	}
	if err := setText(&t.ID, "jti", c.id); err != nil {
		return nil, err
	}
	if len(t.ID) > maxTokenID {
		return nil, invalidClaim("jti", fmt.Sprintf("is longer than %d bytes", maxTokenID))
	}
	return t, nil
}

// checkEvents checks that the event is that of a logout, Back-Channel Logout 2.4: a
// member whose value is an object, with whatever is in it.
func checkEvents(events strictjson.Value) error {
	if !events.Exists() {
		return invalidClaim("events", "is missing")
	}
	found := false
	err := strictjson.Object(events.Raw(), []string{logoutEvent}, func(name string, v strictjson.Value) error {
		if name != logoutEvent {
			return nil
		}
		found = true
		if !strings.HasPrefix(v.Raw(), "{") {
			return invalidClaim("events", "has a logout that is not an object")
		}
		return nil
	})
	if err != nil {
		return unreadable("events", err)
	}
	if !found {
		return invalidClaim("events", "has no logout")
	}
	return nil
}

// unseen refuses a logout token that was here before. It is the last check, so that
// only what is good costs memory.
func (v *Verifier) unseen(ctx context.Context, seen ReplayGuard, t *LogoutToken) error {
	last := t.IssuedAt.Add(maxLogoutTokenAge)
	if t.Expiry.Before(last) {
		last = t.Expiry
	}
	// A jti is one issuer's and one audience's: nobody else's token uses it up.
	id := fmt.Sprintf("logout %q %q %q", t.Issuer, v.Audience, t.ID)
	first, err := seen.Use(ctx, id, last.Add(v.leeway()))
	if err != nil {
		return unavailable(err)
	}
	if !first {
		return invalidClaim("jti", "was used before")
	}
	return nil
}
