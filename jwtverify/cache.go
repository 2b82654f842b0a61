package jwtverify

import (
	"context"
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"
)

const (
	// defaultCacheSize is some 10 MB of the usual claims, and twice that at most.
	defaultCacheSize = 10_000
	// tokenRoom is the room in bytes that Cache.Size has for each token. One token of
	// 16 KiB can have lists in it whose members take 100 KB.
	tokenRoom = 2 << 10
)

// A Cache verifies access tokens with Verifier and remembers those that were good, so
// that a token which comes with every request costs a hash instead of a signature check.
//
//	api := &jwtverify.Bearer{Tokens: &jwtverify.Cache{Verifier: verifier}}
//
// It is for one Verifier, not for Issuers; client.Introspector has a cache of its own.
//
// A token is found by the SHA-256 of all of it, in the memory of this Cache alone, and
// only while its keys are the very ones it was verified with: when the KeySet has been
// fetched anew, all tokens are forgotten, and while it is due for that, each is verified
// again. So a key that the issuer withdraws is noticed as soon as without a Cache. A
// token is never found after its exp, leeway or not, nor after MaxAge. Tokens that were
// refused are not remembered.
//
// Keys must be those of RemoteKeys, StaticKeys or SharedSecret, or tell when they change
// (Versioned); with others nothing is remembered. Verifier is required. Use a Cache by
// pointer, from as many goroutines as you like; do not copy or change it after its
// first use.
type Cache struct {
	Verifier *Verifier // required

	// Size is how many tokens are remembered at most, and two at least. Zero or less:
	// 10,000. There is room for 2 KiB of claims for each of them: of larger ones, fewer are
	// remembered. When it is full, those not asked for lately are dropped.
	Size int

	MaxAge time.Duration // how long a token is remembered at most; zero: until its exp

	mu      sync.Mutex
	version any                               // of the keys that verified all that is remembered
	recent  map[[sha256.Size]byte]*remembered // at most half of Size
	former  map[[sha256.Size]byte]*remembered // what was recent before; found there, a token moves
	weight  int                               // of recent, in bytes
}

// Versioned is what a KeySet implements for its tokens to be remembered by a Cache.
type Versioned interface {
	// Version returns a value that is equal to another one of the same KeySet as long as
	// Keys has the same answers. ok is false where Keys might fetch before it answers. A
	// value that == cannot compare is as good as none.
	Version() (version any, ok bool)
}

type remembered struct {
	token AccessToken
	until time.Time
}

// AccessToken is [Verifier.AccessToken], or what it returned for this very token before.
// The caller may change what it gets.
func (c *Cache) AccessToken(ctx context.Context, raw string) (*AccessToken, error) {
	if c.Verifier == nil {
		return nil, fmt.Errorf("jwtverify: %w", misconfigured("Cache.Verifier is nil"))
	}
	version, ok := c.keysVersion()
	if !ok || len(raw) > maxToken {
		return c.Verifier.AccessToken(ctx, raw)
	}
	key := sha256.Sum256([]byte(raw))
	if t := c.find(key, version); t != nil {
		return t, nil
	}
	t, err := c.Verifier.AccessToken(ctx, raw)
	if err != nil {
		return nil, err
	}
	// Keys that came while the token was verified may not be those that verified it.
	if after, ok := c.keysVersion(); ok && after == version {
		c.remember(key, version, t)
	}
	return t, nil
}

// keysVersion tells which keys a token would be verified with just now.
func (c *Cache) keysVersion() (version any, ok bool) {
	keys, ok := c.Verifier.Keys.(Versioned)
	if !ok {
		return nil, false
	}
	version, ok = keys.Version()
	return version, ok && reflect.ValueOf(version).Comparable()
}

func (c *Cache) find(key [sha256.Size]byte, version any) *AccessToken {
	now := c.Verifier.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version != version { // nothing of it will be found again, and it holds on to old keys
		c.version, c.recent, c.former, c.weight = version, nil, nil, 0
		return nil
	}
	r, ok := c.recent[key]
	if !ok {
		if r, ok = c.former[key]; !ok {
			return nil
		}
		delete(c.former, key)
		c.put(key, r)
	}
	if !now.Before(r.until) {
		return nil
	}
	return r.token.clone()
}

func (c *Cache) remember(key [sha256.Size]byte, version any, t *AccessToken) {
	now := c.Verifier.now()
	until := t.Expiry
	if c.MaxAge != 0 && now.Add(c.MaxAge).Before(until) {
		until = now.Add(c.MaxAge)
	}
	if !now.Before(until) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.version == version {
		c.put(key, &remembered{*t.clone(), until})
	}
}

// put makes room by forgetting what has not been asked for since the recent half was
// last full.
func (c *Cache) put(key [sha256.Size]byte, r *remembered) {
	size := c.Size
	if size <= 0 {
		size = defaultCacheSize
	}
	half, weight := max(size/2, 1), r.token.weight()
	if c.recent == nil || len(c.recent) >= half || c.weight+weight > half*tokenRoom {
		c.former, c.recent, c.weight = c.recent, map[[sha256.Size]byte]*remembered{}, 0
	}
	c.recent[key] = r
	c.weight += weight
}

// textHead is what a string takes besides its text, in bytes.
const textHead = 16

// weight is about the memory that the claims of a token take, in bytes: their text, and
// the lists made of it.
func (t *AccessToken) weight() int {
	return len(t.payload) + textHead*(len(t.Audience)+len(t.Scope)+len(t.AMR))
}

// clone keeps what one caller does to a token from the next one.
func (t *AccessToken) clone() *AccessToken {
	own := *t
	own.Audience, own.Scope, own.AMR = slices.Clone(t.Audience), slices.Clone(t.Scope), slices.Clone(t.AMR)
	return &own
}
