package session

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-go/postern/client"
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
	Size    int    // bytes of Cookie header that all our cookies would have taken
	Limit   int    // bytes of Cookie header there are for them
	Others  int    // bytes of Cookie header that came with the request and are not ours, in addition
	InStore bool   // it is about Config.Store instead, and Size and Limit are bytes there
	Parts   []Part // what weighs most, the heaviest first; at most 8
}

// A Part is a part of a session and its bytes before sealing, which adds a
// third. Claims are parts of a token and stand beside it, not in addition to it.
// Those of an access token are named where it is a JWT, and read for nothing else.
type Part struct {
	Name string // as in: ID token, claim "groups", access token, access token claim "roles", value "cart"
	Size int
}

const (
	maxParts = 8
	// saidParts: two tokens, and what weighs most in each of them.
	saidParts = 4
)

// attemptPart is the part of a session that is none, but room beside it.
const attemptPart = "room for one sign-in"

// Error names the heaviest parts, at most four.
func (e *TooLargeError) Error() string {
	var b strings.Builder
	what := "the cookies"
	if e.InStore {
		what = "the session in the store"
	}
	fmt.Fprintf(&b, "session: %s would take %d bytes and may take %d", what, e.Size, e.Limit)
	between := ": "
	for _, p := range e.Parts[:min(saidParts, len(e.Parts))] {
		fmt.Fprintf(&b, "%s%s %d", between, p.Name, p.Size)
		between = ", "
	}
	if e.Others > 0 {
		fmt.Fprintf(&b, "; cookies that are not ours take %d more", e.Others)
	}
	return b.String()
}

// tooLarge is the error for a session whose cookies, with the seen cookie, take
// size bytes beside others.
func (c *cookies) tooLarge(size, others int, rec *record) error {
	parts := []Part{{attemptPart, attemptRoom}}
	if t := rec.tokens; t != nil {
		parts = append(parts, tokenParts(t)...)
	}
	for name, value := range rec.values {
		parts = append(parts, Part{fmt.Sprintf("value %.64q", name), len(value)})
	}
	return &TooLargeError{Size: size + attemptRoom, Limit: c.budget, Others: others, Parts: heaviest(parts)}
}

func tokenParts(t *client.Tokens) []Part {
	parts := []Part{
		{"access token", len(t.AccessToken)}, {"refresh token", len(t.RefreshToken)},
		{"authorization details", len(t.AuthorizationDetails)},
	}
	if segments := strings.Split(t.AccessToken, "."); len(segments) == 3 { // a JWT, perhaps
		if payload, err := strict.DecodeString(segments[1]); err == nil {
			parts = append(parts, claimParts("access token claim", payload)...)
		}
	}
	if t.IDToken == nil {
		return parts
	}
	var payload json.RawMessage
	if t.IDToken.Claims(&payload) == nil {
		parts = append(parts, claimParts("claim", payload)...)
	}
	// Of what is kept without its signature there is the payload alone.
	return append(parts, Part{"ID token", max(len(t.IDToken.Raw()), len(payload))})
}

// claimParts are none where payload is no JSON object: of an opaque token nothing
// is known.
func claimParts(kind string, payload []byte) []Part {
	var claims map[string]json.RawMessage
	if json.Unmarshal(payload, &claims) != nil {
		return nil
	}
	var parts []Part
	for name, value := range claims {
		parts = append(parts, Part{fmt.Sprintf("%s %.64q", kind, name), len(value)})
	}
	return parts
}

// withClaims is t as a session keeps it whose app asked for these claims; nil: for
// the whole ID token.
func withClaims(t *client.Tokens, names []string) *client.Tokens {
	if names == nil || t.IDToken == nil {
		return t
	}
	kept := *t
	kept.IDToken = t.IDToken.Keep(names...)
	return &kept
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
	logout   int
	attempts []heldAttempt
	others   int // of cookies in r that are not ours
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
		if size := headerSize(name, value); !c.hold(&held, name, value, size) {
			held.others += size
		}
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

// hold says whether the cookie is one of ours.
func (c *cookies) hold(held *heldCookies, name, value string, size int) bool {
	if i, ok := c.chunkIndex(name); ok {
		held.chunks[i] = size
		return true
	}
	if name == c.seenName {
		held.seen = size
		return true
	}
	if name == c.logoutName {
		held.logout = size
		return true
	}
	if !c.isAttempt(name) {
		return false
	}
	held.forget(name)
	if size > 0 && len(held.attempts) < maxHeld {
		held.attempts = append(held.attempts, heldAttempt{name, hintOf(value), size})
	}
	return true
}

func (held *heldCookies) forget(name string) {
	held.attempts = slices.DeleteFunc(held.attempts, func(a heldAttempt) bool { return a.name == name })
}

// total is the size of all but the attempts.
func (held *heldCookies) total() int {
	total := held.seen + held.logout
	for _, size := range held.chunks {
		total += size
	}
	return total
}

// headerSize is what a cookie takes in a Cookie header, with what parts it from
// the next one.
func headerSize(name, value string) int { return len(name) + len("=") + len(value) + len("; ") }

// packedLength is the length of what seal and pack make of n bytes.
func packedLength(n int) int {
	const block = 16
	return keyIDLength + formLength + prefixLength + strict.EncodedLen(block+n)
}
