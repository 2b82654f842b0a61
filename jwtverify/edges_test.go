package jwtverify_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// turning is a key set whose version the test sets, also while it is asked.
type turning struct {
	jwtverify.KeySet
	asked   int
	version int
	none    bool
	during  func(*turning)
}

func (k *turning) Keys(ctx context.Context, kid string) ([]jwtverify.Key, error) {
	k.asked++
	if k.during != nil {
		k.during(k)
	}
	return k.KeySet.Keys(ctx, kid)
}

func (k *turning) Version() (any, bool) { return k.version, !k.none }

// TestCacheFollowsTheKeys: what was verified with other keys, or maybe with others, is
// verified again.
func TestCacheFollowsTheKeys(t *testing.T) {
	for name, c := range map[string]struct {
		during, after func(*turning)
		want          int
	}{
		"the same":          {nil, nil, 1},
		"another":           {nil, func(k *turning) { k.version++ }, 2},
		"none now":          {nil, func(k *turning) { k.none = true }, 2},
		"another meanwhile": {func(k *turning) { k.version = 1 }, nil, 2},
		"back again":        {func(k *turning) { k.version = 1 }, func(k *turning) { k.version = 0 }, 2},
		"none meanwhile":    {func(k *turning) { k.none = true }, func(k *turning) { k.none = false }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var now time.Time
			cache, keys, raw := cacheAt(t, &now)
			k := &turning{KeySet: keys, during: c.during}
			cache.Verifier.Keys = k
			for range 2 {
				if _, err := cache.AccessToken(t.Context(), raw); err != nil {
					t.Fatal(err)
				}
				if k.during = nil; c.after != nil {
					c.after(k)
				}
			}
			if k.asked != c.want {
				t.Errorf("verified %d times, want %d", k.asked, c.want)
			}
		})
	}
}

// TestCacheMaxAgeBeyondExp: MaxAge makes no token live longer.
func TestCacheMaxAgeBeyondExp(t *testing.T) {
	var now time.Time
	cache, keys, raw := cacheAt(t, &now)
	cache.MaxAge = time.Hour
	for i, after := range []time.Duration{0, 299 * time.Second, 300 * time.Second} {
		now = time.Unix(testNow, 0).Add(after)
		if _, err := cache.AccessToken(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
		if want := []int64{1, 1, 2}[i]; keys.asked.Load() != want {
			t.Errorf("after %v: verified %d times, want %d", after, keys.asked.Load(), want)
		}
	}
}

// TestCacheHasRoom: half of Size is kept in any case.
func TestCacheHasRoom(t *testing.T) {
	var now time.Time
	cache, keys, _ := cacheAt(t, &now)
	cache.Size = 8
	for range 3 {
		for n := range 4 {
			if _, err := cache.AccessToken(t.Context(), accessTokenNumber(t, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := keys.asked.Load(); n != 4 {
		t.Errorf("verified %d times", n)
	}
}

// TestInnerRequestByAnotherScheme: a bound token that came with its proof does not come
// again without one, as a request that a handler makes up.
func TestInnerRequestByAnotherScheme(t *testing.T) {
	a := boundAPI(t, &jwtverify.Bearer{})
	for _, scheme := range []string{"DPoP", "Bearer"} {
		p := goodProof()
		p.id = scheme
		a.send(func(next http.Handler) http.Handler {
			return a.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Header.Set("Authorization", scheme+" bound")
				a.Require()(next).ServeHTTP(w, r)
			}))
		}, proven(t, p))
		switch {
		case scheme == "DPoP" && a.refused != nil:
			t.Errorf("the same scheme: %v", a.refused)
		case scheme == "Bearer" && (a.refused == nil || !strings.Contains(a.refused.Error(), "came by another scheme")):
			t.Errorf("another scheme: %v", a.refused)
		}
	}
}

func TestBearerErrorText(t *testing.T) {
	cause := errors.New("jwtverify: why")
	for want, e := range map[string]*jwtverify.BearerError{
		"jwtverify: request refused with 401":                    {Status: 401},
		"jwtverify: request refused with 401: why":               {Status: 401, Err: cause},
		"jwtverify: request refused with 401 invalid_token":      {Status: 401, Code: "invalid_token"},
		"jwtverify: request refused with 401 invalid_token: why": {Status: 401, Code: "invalid_token", Err: cause},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNoNonceHeaderWithoutNonces(t *testing.T) {
	a := boundAPI(t, &jwtverify.Bearer{})
	a.send(a.Require(), get())
	if values, there := a.refused.Header["Dpop-Nonce"]; there {
		t.Errorf("DPoP-Nonce: %q", values)
	}
}

func TestResourceOnLoopback(t *testing.T) {
	for resource, reason := range map[string]string{
		"http://localhost:8080/": "", "ftp://localhost:8080/": "not https, nor http on a loopback host",
	} {
		a := newAPI(t, &jwtverify.Bearer{Resource: resource})
		a.send(a.Require(), get("Bearer good"))
		if (a.refused != nil) != (reason != "") || a.refused != nil && !strings.Contains(a.refused.Error(), reason) {
			t.Errorf("%s: %v, want %q", resource, a.refused, reason)
		}
	}
}

// TestProofForAnotherPort: only the port that a scheme has anyway may be left out.
func TestProofForAnotherPort(t *testing.T) {
	d := &jwtverify.DPoP{Now: atTestNow}
	for i, c := range []struct {
		url, htu string
		same     bool
	}{
		{"http://localhost/", "http://localhost:80/", true},
		{"http://localhost/", "http://localhost:443/", false},
		{"http://localhost/", "http://localhost:8080/", false},
		{"https://localhost/", "https://localhost:443/", true},
		{"https://localhost/", "https://localhost:80/", false},
	} {
		want := proved(t)
		want.URL = c.url
		proof := prove(t, member{"htu", `"` + c.htu + `"`}, member{"jti", `"port-` + string(rune('a'+i)) + `"`})
		err := d.Verify(t.Context(), proof, want)
		if c.same && err != nil {
			t.Errorf("%s for %s: %v", c.htu, c.url, err)
		} else if !c.same {
			checkProofRefusal(t, err, "invalid", "htu", "is another URL")
		}
	}
}

// TestProofForNoHost: what follows the letters in ASCII is no letter.
func TestProofForNoHost(t *testing.T) {
	d := &jwtverify.DPoP{Now: atTestNow}
	for _, host := range []string{"a{b.example.com", "a|b.example.com", "a^b.example.com"} {
		want := proved(t)
		want.URL = "https://" + host + "/"
		err := d.Verify(t.Context(), prove(t, member{"htu", `"` + want.URL + `"`}), want)
		checkProofRefusal(t, err, "invalid", "", "URL")
	}
}

func TestDecryptionKeyCheck(t *testing.T) {
	if err := (jwtverify.DecryptionKey{Private: testKeys(t)["p256"].Key}).Check(); err != nil {
		t.Error(err)
	}
	err := jwtverify.DecryptionKey{Private: testKeys(t)["rsa-1024"].Key}.Check()
	if err == nil || err.Error() != "jwtverify: RSA key has fewer than 2048 bits" {
		t.Error(err)
	}
}

func TestAccessTokenClaimsOfAnotherType(t *testing.T) {
	token, err := ed25519Verifier(t).AccessToken(t.Context(), accessTokenWith(t, `"n":1`))
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Claims(&struct{ N string }{}); err == nil || !strings.HasPrefix(err.Error(), "jwtverify: decoding claims: ") {
		t.Error(err)
	}
}

// TestIssuersWithNoKeysInOne: a nil in one entry is no matter of another.
func TestIssuersWithNoKeysInOne(t *testing.T) {
	list, _ := threeIssuers(t)
	list[0].Keys = (*jwtverify.RemoteKeys)(nil)
	if _, err := list.IDToken(t.Context(), said(t, "p256", "ES256", issuerB, "api-b"), jwtverify.Expect{}); err != nil {
		t.Error(err)
	}
}

// TestRemoteKeysUnknownWhileDown: of a kid that the old set has not, nothing can be said
// before the fetch under way has ended.
func TestRemoteKeysUnknownWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a"), control: "max-age=60"}
		r := s.keys()
		r.Cooldown = 10 * time.Second
		found(t, r, "a")
		s.change(func(s *keyServer) { s.status = http.StatusBadGateway })
		time.Sleep(2 * time.Minute)
		found(t, r, "a")
		time.Sleep(11 * time.Second)
		s.change(func(s *keyServer) { s.delay = 5 * time.Second })
		go found(t, r, "a")
		synctest.Wait()
		later(t, r, "b", "status 502")
	})
}

// TestRemoteKeysLongCooldown: that unknown kids cause no fetch now keeps no old set.
func TestRemoteKeysLongCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a"), control: "max-age=60"}
		r := s.keys()
		r.Cooldown = 10 * time.Minute
		found(t, r, "a")
		absent(t, r, "b")
		fetched(t, s, 2)
		later(t, r, "b", "unknown kid")
		time.Sleep(2 * time.Minute)
		found(t, r, "a")
		fetched(t, s, 1)
	})
}
