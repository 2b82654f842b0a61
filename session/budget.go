package session

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// attemptRoom is kept free beside a session for one sign-in of usual size:
// without it a user with a large session could not step up.
const attemptRoom = 600

// maxHeld bounds the attempts of one request that are looked at. Browsers have
// at most maxAttempts of ours; more are somebody's game.
const maxHeld = 3 * maxAttempts

// A TooLargeError says that a session, or an attempt to sign in, does not fit
// into cookies: every request would carry more than Config.CookieBudget, and
// servers and proxies refuse requests with a header of 8 KB. The cookie was not
// written, and nothing was left out of it silently.
//
// Use errors.As, in the error that Config.OnError is given. What helps: fewer
// claims or scopes at the provider, smaller values in [Session.Set], a greater
// budget where every proxy on the way allows it.
type TooLargeError struct {
	Size    int    // bytes of Cookie header it would have taken
	Limit   int    // bytes of Cookie header there are
	InStore bool   // it is about Config.Store instead, and bytes there
	Parts   []Part // what weighs most, the heaviest first; at most 8
}

// A Part is a part of a session and its bytes before sealing, which adds a
// third. Claims are parts of the ID token and stand beside it, not in
// addition to it.
type Part struct {
	Name string // as in: ID token, claim "groups", access token, value "cart"
	Size int
}

const maxParts = 8

// attemptPart is the part of a session that is none, but room beside it.
const attemptPart = "room for one sign-in"

// Error names the three heaviest parts.
func (e *TooLargeError) Error() string {
	var b strings.Builder
	what := "the cookies"
	if e.InStore {
		what = "the session in the store"
	}
	fmt.Fprintf(&b, "session: %s would take %d bytes and may take %d", what, e.Size, e.Limit)
	for i, p := range e.Parts[:min(3, len(e.Parts))] {
		fmt.Fprintf(&b, "%s%s %d", [...]string{": ", ", ", ", "}[i], p.Name, p.Size)
	}
	return b.String()
}

// tooLarge is the error for a session whose cookies, with the seen cookie, take
// size bytes.
func (c *cookies) tooLarge(size int, rec *record) error {
	parts := []Part{{attemptPart, attemptRoom}}
	if t := rec.tokens; t != nil {
		parts = append(parts, Part{"access token", len(t.AccessToken)}, Part{"refresh token", len(t.RefreshToken)})
		if t.IDToken != nil {
			parts = append(parts, Part{"ID token", len(t.IDToken.Raw())})
			var claims map[string]json.RawMessage
			if err := t.IDToken.Claims(&claims); err == nil {
				parts = append(parts, claimParts(claims)...)
			}
		}
	}
	for name, value := range rec.values {
		parts = append(parts, Part{fmt.Sprintf("value %.64q", name), len(value)})
	}
	return &TooLargeError{Size: size + attemptRoom, Limit: c.budget, Parts: heaviest(parts)}
}

func claimParts(claims map[string]json.RawMessage) []Part {
	var parts []Part
	for name, value := range claims {
		parts = append(parts, Part{fmt.Sprintf("claim %.64q", name), len(value)})
	}
	return parts
}

// attemptTooLarge is the error for an attempt of which plain is the storage,
// beside other cookies of ours.
func attemptTooLarge(size, limit, others int, a *attempt, plain []byte) error {
	return &TooLargeError{Size: size, Limit: limit, Parts: heaviest([]Part{
		{"return address", len(a.returnTo)},
		{"login data", len(a.data)},
		{"secrets of the sign-in", len(plain) - len(a.returnTo) - len(a.data)},
		{"cookies of the present session", others},
	})}
}

// heaviest sorts parts and keeps the first that weigh anything.
func heaviest(parts []Part) []Part {
	parts = slices.DeleteFunc(parts, func(p Part) bool { return p.Size == 0 })
	slices.SortFunc(parts, func(a, b Part) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), strings.Compare(a.Name, b.Name))
	})
	return parts[:min(maxParts, len(parts))]
}

// heldCookies are the cookies of ours a browser has once it got h in answer to
// r, as far as both tell. Sizes are in a Cookie header, zero for none.
type heldCookies struct {
	chunks   [maxChunks]int
	seen     int
	attempts []heldAttempt
}

type heldAttempt struct {
	name string
	hint string // when it expires, unchecked; empty, which is older than any, if it is no time
	size int
}

// held counts every name once, however often it is there.
func (c *cookies) held(h http.Header, r *http.Request) heldCookies {
	var held heldCookies
	for name, value := range sent(r) {
		c.hold(&held, name, value, headerSize(name, value))
	}
	for _, line := range h["Set-Cookie"] {
		name, rest, _ := strings.Cut(line, "=")
		value, _, _ := strings.Cut(rest, ";")
		size := headerSize(name, value)
		if value == "" { // as deleteCookie writes it
			size = 0
		}
		c.hold(&held, name, value, size)
	}
	return held
}

func (c *cookies) hold(held *heldCookies, name, value string, size int) {
	if i, ok := c.chunkIndex(name); ok {
		held.chunks[i] = size
		return
	}
	if name == c.seenName {
		held.seen = size
		return
	}
	if !c.isAttempt(name) {
		return
	}
	held.forget(name)
	if size > 0 && len(held.attempts) < maxHeld {
		held.attempts = append(held.attempts, heldAttempt{name, hintOf(value), size})
	}
}

func (held *heldCookies) forget(name string) {
	held.attempts = slices.DeleteFunc(held.attempts, func(a heldAttempt) bool { return a.name == name })
}

// total is the size of session and seen cookie.
func (held *heldCookies) total() int {
	total := held.seen
	for _, size := range held.chunks {
		total += size
	}
	return total
}

// headerSize is what a cookie takes in a Cookie header, with what parts it from
// the next one.
func headerSize(name, value string) int { return len(name) + len("=") + len(value) + len("; ") }

// sealedLength is the length of what seal makes of n bytes, as long as
// securecookie's time has ten digits: until the year 2286.
func sealedLength(n int) int {
	const block = 16
	inner := base64.URLEncoding.EncodedLen(block + n)
	return keyIDLength + formLength + base64.URLEncoding.EncodedLen(len("1234567890||")+inner+macLength)
}
