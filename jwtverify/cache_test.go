package jwtverify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/postern-go/postern/jwtverify"
)

// counted is a KeySet that counts how often it is asked, which is how often a
// signature is checked.
type counted struct {
	jwtverify.KeySet
	asked atomic.Int64
}

func (c *counted) Keys(ctx context.Context, kid string) ([]jwtverify.Key, error) {
	c.asked.Add(1)
	return c.KeySet.Keys(ctx, kid)
}

func (c *counted) Version() (any, bool) { return c.KeySet.(jwtverify.Versioned).Version() }

// cacheAt is a Cache whose clock the caller moves, and an access token for it that
// expires 300 s after testNow.
func cacheAt(t *testing.T, now *time.Time) (*jwtverify.Cache, *counted, string) {
	keys := &counted{KeySet: jwtverify.StaticKeys(jwtverify.Key{ID: "ed25519", Public: publicKey(t, "ed25519")})}
	*now = time.Unix(testNow, 0)
	v := &jwtverify.Verifier{Issuer: testIssuer, Audience: testClient, Keys: keys, Now: func() time.Time { return *now }}
	return &jwtverify.Cache{Verifier: v}, keys, accessTokenNumber(t, 0)
}

func accessTokenNumber(tb testing.TB, n int) string {
	payload := strings.Replace(benchAccessClaims, `"sid":"`, fmt.Sprintf(`"n":%d,"sid":"`, n), 1)
	return mint(tb, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519","typ":"at+jwt"}`, payload)
}

func TestCacheVerifiesOnce(t *testing.T) {
	var now time.Time
	cache, keys, raw := cacheAt(t, &now)
	for range 3 {
		token, err := cache.AccessToken(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}
		if len(token.Scope) != 4 || token.Scope[0] != "openid" || token.Audience[0] != testClient {
			t.Errorf("scope %q, audience %q", token.Scope, token.Audience)
		}
		token.Subject, token.Scope[0], token.Audience[0] = "mallory", "admin", "other" // is the caller's own
	}
	if n := keys.asked.Load(); n != 1 {
		t.Errorf("verified %d times", n)
	}
}

func TestCacheNeverBeyondExp(t *testing.T) {
	var now time.Time
	cache, keys, raw := cacheAt(t, &now)
	ask := func(after time.Duration, want error, verified int64) {
		t.Helper()
		now = time.Unix(testNow, 0).Add(after)
		if _, err := cache.AccessToken(t.Context(), raw); !errors.Is(err, want) {
			t.Errorf("after %v: %v, want %v", after, err, want)
		}
		if n := keys.asked.Load(); n != verified {
			t.Errorf("after %v: verified %d times, want %d", after, n, verified)
		}
	}
	ask(0, nil, 1)
	ask(299*time.Second, nil, 1)
	ask(300*time.Second, nil, 2) // within the leeway, which is the Verifier's to give
	ask(300*time.Second, nil, 3)
	ask(360*time.Second, jwtverify.ErrExpired, 4)
}

func TestCacheMaxAge(t *testing.T) {
	var now time.Time
	cache, keys, raw := cacheAt(t, &now)
	cache.MaxAge = time.Minute
	for i, after := range []time.Duration{0, 59 * time.Second, 60 * time.Second, 61 * time.Second} {
		now = time.Unix(testNow, 0).Add(after)
		if _, err := cache.AccessToken(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		if want := []int64{1, 1, 2, 2}[i]; keys.asked.Load() != want {
			t.Errorf("after %v: verified %d times, want %d", after, keys.asked.Load(), want)
		}
	}
}

func TestCacheForgetsWhatIsRefused(t *testing.T) {
	var now time.Time
	cache, keys, raw := cacheAt(t, &now)
	forged := raw[:len(raw)-4] + "AAAA"
	for range 2 {
		if _, err := cache.AccessToken(t.Context(), forged); !errors.Is(err, jwtverify.ErrInvalid) {
			t.Errorf("forged: %v", err)
		}
	}
	if _, err := cache.AccessToken(t.Context(), raw); err != nil {
		t.Error(err)
	}
	for i := range raw { // the whole token is the key
		changed := raw[:i] + string(raw[i]^1) + raw[i+1:]
		if token, err := cache.AccessToken(t.Context(), changed); err == nil || token != nil {
			t.Fatalf("accepted with byte %d changed", i)
		}
	}
	if n := keys.asked.Load(); n < 3 {
		t.Errorf("verified %d times", n)
	}
}

func TestCacheIsOneVerifiers(t *testing.T) {
	var now time.Time
	cache, _, raw := cacheAt(t, &now)
	if _, err := cache.AccessToken(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	other := *cache.Verifier
	other.Audience = "other"
	_, err := (&jwtverify.Cache{Verifier: &other}).AccessToken(t.Context(), raw)
	checkRefusal(t, err, "invalid", "aud", "does not name this audience")
	_, err = (&jwtverify.Cache{}).AccessToken(t.Context(), raw)
	checkRefusal(t, err, "invalid", "", "Cache.Verifier is nil")
}

// TestCacheIsBounded: of many tokens no more are remembered than Size, and one that is
// asked for again and again is not the one that goes.
func TestCacheIsBounded(t *testing.T) {
	var now time.Time
	cache, keys, raw := cacheAt(t, &now)
	cache.Size = 20
	for n := range 200 {
		for _, token := range []string{raw, accessTokenNumber(t, n+1)} {
			if _, err := cache.AccessToken(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := keys.asked.Load(); n != 201 {
		t.Errorf("verified %d times, want each token once", n)
	}
	keys.asked.Store(0)
	for n := range 200 {
		if _, err := cache.AccessToken(t.Context(), accessTokenNumber(t, n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := keys.asked.Load(); n < 180 {
		t.Errorf("%d of 200 tokens were remembered, want at most 20", 200-n)
	}
}

// TestCacheIsBoundedInBytes: tokens with lists that take many times their own size have
// no more room than others.
func TestCacheIsBoundedInBytes(t *testing.T) {
	var now time.Time
	cache, keys, _ := cacheAt(t, &now)
	cache.Size = 100
	large := func(n int) string {
		payload := strings.Replace(benchAccessClaims, `"scope":"`, fmt.Sprintf(`"n":%d,"scope":"%s`, n, strings.Repeat("a ", 5000)), 1)
		return mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519","typ":"at+jwt"}`, payload)
	}
	for round := range 2 {
		keys.asked.Store(0)
		for n := range 50 {
			token, err := cache.AccessToken(t.Context(), large(n))
			if err != nil || len(token.Scope) < 5000 {
				t.Fatal(token, err)
			}
		}
		if n := keys.asked.Load(); round == 1 && n < 48 {
			t.Errorf("%d of 50 tokens of 90 KB were remembered", 50-n)
		}
	}
	raw := accessTokenNumber(t, 0) // the usual ones are remembered beside them
	for range 2 {
		if _, err := cache.AccessToken(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if n := keys.asked.Load(); n > 51 {
		t.Errorf("verified %d times", n)
	}
}

// versions is a KeySet whose version the test chooses.
type versions struct {
	jwtverify.KeySet
	current any
}

func (v *versions) Version() (any, bool) { return v.current, true }

// TestCacheLetsGoOfOldKeys: tokens that are never asked for again do not hold the keys of
// the time when they were.
func TestCacheLetsGoOfOldKeys(t *testing.T) {
	var now time.Time
	cache, counted, _ := cacheAt(t, &now)
	old := &[64]int{}
	watched := weak.Make(old)
	keys := &versions{KeySet: counted, current: old}
	cache.Verifier.Keys, old = keys, nil
	for n, version := range []any{keys.current, 2} {
		keys.current = version
		for range 2 {
			if _, err := cache.AccessToken(t.Context(), accessTokenNumber(t, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := counted.asked.Load(); n != 2 {
		t.Errorf("verified %d times, want once for each version", n)
	}
	runtime.GC()
	if watched.Value() != nil {
		t.Error("the version before is still held")
	}
	runtime.KeepAlive(cache)
}

func TestCacheNeedsAVersionThatCompares(t *testing.T) {
	var now time.Time
	cache, counted, raw := cacheAt(t, &now)
	cache.Verifier.Keys = &versions{KeySet: counted, current: []int{1}}
	for range 2 {
		if _, err := cache.AccessToken(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if n := counted.asked.Load(); n != 2 {
		t.Errorf("verified %d times", n)
	}
}

// unversioned is a KeySet of somebody else, which may change at any time.
type unversioned struct{ jwtverify.KeySet }

func TestCacheNeedsAVersion(t *testing.T) {
	var now time.Time
	cache, keys, raw := cacheAt(t, &now)
	cache.Verifier.Keys = unversioned{keys}
	for range 2 {
		if _, err := cache.AccessToken(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	if n := keys.asked.Load(); n != 2 {
		t.Errorf("verified %d times", n)
	}
}

// TestCacheAndWithdrawnKey: when the issuer takes a key back, a token that it signed
// is refused as soon as the set has been fetched anew, cached or not.
func TestCacheAndWithdrawnKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		published := jwks(jwk(t, "ed25519"))
		fetched := 0
		keys := &jwtverify.RemoteKeys{URL: "https://op.example.com/jwks", HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			fetched++
			return &http.Response{StatusCode: 200, Request: r, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(published))}, nil
		})}}
		v := &jwtverify.Verifier{Issuer: testIssuer, Audience: testClient, Keys: keys, AccessTokenTypes: []string{"at+jwt"}}
		cache := &jwtverify.Cache{Verifier: v}
		exp := fmt.Sprint(time.Now().Add(48 * time.Hour).Unix())
		raw := mint(t, "ed25519", "EdDSA", `{"alg":"EdDSA","kid":"ed25519","typ":"at+jwt"}`,
			`{"iss":"`+testIssuer+`","sub":"user-1","aud":"client-1","exp":`+exp+`}`)
		for range 3 {
			if _, err := cache.AccessToken(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
		}
		published = jwks(jwk(t, "rsa"))
		time.Sleep(59 * time.Minute)
		if _, err := cache.AccessToken(t.Context(), raw); err != nil {
			t.Errorf("before the set is due: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if _, err := cache.AccessToken(t.Context(), raw); err == nil {
			t.Error("accepted after its key was withdrawn")
		}
		if fetched != 2 {
			t.Errorf("%d fetches", fetched)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestCacheConcurrently(t *testing.T) {
	var now time.Time
	cache, _, _ := cacheAt(t, &now)
	cache.Size = 8
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for n := range 50 {
				token, err := cache.AccessToken(t.Context(), accessTokenNumber(t, n%(worker+2)))
				var claims struct{ N int }
				if err != nil || token.Claims(&claims) != nil || claims.N != n%(worker+2) {
					t.Errorf("token %d: got %d, %v", n%(worker+2), claims.N, err)
				}
			}
		})
	}
	wg.Wait()
}

// replaced is a KeySet that is replaced while a token is verified, by a caller of the same
// Cache, and comes back before the token is remembered.
type replaced struct {
	jwtverify.KeySet
	version string
	during  func()
}

func (r *replaced) Version() (any, bool) { return r.version, true }

func (r *replaced) Keys(ctx context.Context, kid string) ([]jwtverify.Key, error) {
	if during := r.during; during != nil {
		r.during = nil
		during()
	}
	return r.KeySet.Keys(ctx, kid)
}

// TestCacheAndKeysOfAnotherTime: a token is not remembered among those that other keys
// have verified.
func TestCacheAndKeysOfAnotherTime(t *testing.T) {
	var now time.Time
	cache, keys, raw := cacheAt(t, &now)
	set := &replaced{KeySet: keys, version: "old"}
	cache.Verifier.Keys = set
	set.during = func() {
		set.version = "new"
		if _, err := cache.AccessToken(t.Context(), accessTokenNumber(t, 1)); err != nil {
			t.Error(err)
		}
		set.version = "old"
	}
	if _, err := cache.AccessToken(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	set.version = "new"
	keys.asked.Store(0)
	if _, err := cache.AccessToken(t.Context(), raw); err != nil || keys.asked.Load() != 1 {
		t.Errorf("verified %d times, %v; want once more by the new keys", keys.asked.Load(), err)
	}
}
