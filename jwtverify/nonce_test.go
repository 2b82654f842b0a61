package jwtverify_test

import (
	"context"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// testNonceSecret is one of several secrets, which are as good as random to a check.
func testNonceSecret(n byte) []byte {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = n + byte(i*i+7*i)
	}
	return secret
}

// A proofClock is the time of a server, and of the proofs that are made for it.
type proofClock struct{ seconds int64 }

func (c *proofClock) now() time.Time { return time.Unix(c.seconds, 0) }

// proveWith makes a proof with a nonce at the time of the clock.
func (c *proofClock) proveWith(tb testing.TB, jti, nonce string) string {
	return prove(tb, member{"jti", `"` + jti + `"`}, member{"iat", strconv.FormatInt(c.seconds, 10)}, member{"nonce", `"` + nonce + `"`})
}

func TestNonceRoundTrip(t *testing.T) {
	dpop := &jwtverify.DPoP{RequireNonce: true, Now: atTestNow}
	err := dpop.Verify(t.Context(), prove(t), proved(t))
	checkProofRefusal(t, err, "nonce", "nonce", "is missing")
	nonce := dpop.Nonce()
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`).MatchString(nonce) { // RFC 9449 8.1
		t.Errorf("nonce %q", nonce)
	}
	proof := prove(t, member{"nonce", `"` + nonce + `"`})
	if err := dpop.Verify(t.Context(), proof, proved(t)); err != nil {
		t.Errorf("the jti of a proof without nonce is not used up: %v", err)
	}
	checkProofRefusal(t, dpop.Verify(t.Context(), proof, proved(t)), "invalid", "jti", "was used before")
	changed := "A" + nonce[1:]
	if changed == nonce {
		changed = "B" + nonce[1:]
	}
	for _, other := range []string{changed, nonce[:42], nonce + "A", nonce + "=", "0"} {
		err := dpop.Verify(t.Context(), prove(t, member{"nonce", `"` + other + `"`}), proved(t))
		checkProofRefusal(t, err, "nonce", "nonce", "is unknown or too old")
	}
}

// TestNonceIsLast: ErrNonce says that nothing else is wrong.
func TestNonceIsLast(t *testing.T) {
	for _, v := range loadProofVectors(t) {
		if v.Expect != "invalid" || v.Times > 1 {
			continue
		}
		dpop := v.server()
		dpop.RequireNonce = true
		checkProofRefusal(t, dpop.Verify(t.Context(), v.Proof, v.Request.expect()), "invalid", v.Claim, v.Reason)
	}
}

// TestNonceLifetime: a nonce is taken for as long as the next one is given out.
func TestNonceLifetime(t *testing.T) {
	c := &proofClock{testNow - testNow%150}
	dpop := &jwtverify.DPoP{RequireNonce: true, NonceSecret: testNonceSecret(1), Now: c.now}
	begin, nonce := c.seconds, dpop.Nonce()
	for _, at := range []struct {
		after  int64
		same   bool
		reason string
	}{
		{0, true, ""}, {149, true, ""}, {150, false, ""}, {299, false, ""},
		{300, false, "is unknown or too old"}, {3000, false, "is unknown or too old"},
		{-1, false, ""}, {-150, false, ""}, {-151, false, "is unknown or too old"}, // the clock of another replica
	} {
		c.seconds = begin + at.after
		if same := dpop.Nonce() == nonce; same != at.same {
			t.Errorf("after %d s: given out again: %t", at.after, same)
		}
		err := dpop.Verify(t.Context(), c.proveWith(t, strconv.FormatInt(at.after, 10), nonce), proved(t))
		if at.reason != "" {
			checkProofRefusal(t, err, "nonce", "nonce", at.reason)
		} else if err != nil {
			t.Errorf("after %d s: %v", at.after, err)
		}
	}
}

// TestNonceByTheClock is TestNonceLifetime with the clock of package time.
func TestNonceByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dpop := &jwtverify.DPoP{RequireNonce: true}
		nonce := dpop.Nonce()
		verify := func(jti string) error {
			c := &proofClock{time.Now().Unix()}
			return dpop.Verify(t.Context(), c.proveWith(t, jti, nonce), proved(t))
		}
		<-time.After(149 * time.Second)
		if err := verify("one"); err != nil {
			t.Error(err)
		}
		<-time.After(151 * time.Second)
		checkProofRefusal(t, verify("two"), "nonce", "nonce", "is unknown or too old")
	})
}

func TestNonceSecrets(t *testing.T) {
	secret := testNonceSecret(1)
	ours := &jwtverify.DPoP{RequireNonce: true, NonceSecret: secret, Now: atTestNow}
	nonce := ours.Nonce()
	clear(secret) // the caller's own
	proof := prove(t, member{"nonce", `"` + nonce + `"`})
	for name, c := range map[string]struct {
		secret []byte
		taken  bool
	}{
		"the same secret":            {testNonceSecret(1), true},
		"another secret":             {testNonceSecret(2), false},
		"the same, and more":         {append(testNonceSecret(1), 0), false},
		"a random one":               {nil, false},
		"the nonce before the first": {[]byte(nonce), false},
	} {
		t.Run(name, func(t *testing.T) {
			replica := &jwtverify.DPoP{RequireNonce: true, NonceSecret: c.secret, Now: atTestNow}
			err := replica.Verify(t.Context(), proof, proved(t))
			if c.taken {
				if err != nil || replica.Nonce() != nonce {
					t.Errorf("gives out %q for %q: %v", replica.Nonce(), nonce, err)
				}
				return
			}
			checkProofRefusal(t, err, "nonce", "nonce", "is unknown or too old")
		})
	}
	if err := ours.Verify(t.Context(), proof, proved(t)); err != nil {
		t.Errorf("after the caller changed the secret: %v", err)
	}
	for _, none := range []*jwtverify.DPoP{{}, {NonceSecret: testNonceSecret(1)}, {RequireNonce: true, NonceSecret: []byte("short")}} {
		if nonce := none.Nonce(); nonce != "" {
			t.Errorf("nonce %q", nonce)
		}
	}
}

// TestNonceConcurrently: the first uses of a DPoP may be many.
func TestNonceConcurrently(t *testing.T) {
	dpop, want := &jwtverify.DPoP{RequireNonce: true, Now: atTestNow}, proved(t)
	without := prove(t)
	nonces := make([]string, 20)
	var all sync.WaitGroup
	for i := range nonces {
		all.Go(func() {
			nonces[i] = dpop.Nonce()
			checkProofRefusal(t, dpop.Verify(context.Background(), without, want), "nonce", "nonce", "is missing")
		})
	}
	all.Wait()
	for _, nonce := range nonces {
		if nonce != nonces[0] {
			t.Errorf("%q and %q", nonce, nonces[0])
		}
	}
}
