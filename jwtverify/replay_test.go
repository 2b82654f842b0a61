package jwtverify_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// uses asserts what a cache says of an ID.
func uses(t *testing.T, c *jwtverify.ReplayCache, id string, expires time.Time, want bool) {
	t.Helper()
	if first, err := c.Use(t.Context(), id, expires); first != want || err != nil {
		t.Errorf("%s: first use: %t, want %t, and: %v", id, first, want, err)
	}
}

func isFull(t *testing.T, c *jwtverify.ReplayCache, id string, expires time.Time) {
	t.Helper()
	first, err := c.Use(t.Context(), id, expires)
	if first || err == nil || !strings.Contains(err.Error(), "full of ids that have not expired") {
		t.Errorf("%s: first use: %t, and: %v", id, first, err)
	}
}

func TestReplayCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c jwtverify.ReplayCache
		start := time.Now()
		uses(t, &c, "one", start.Add(10*time.Second), true)
		uses(t, &c, "one", start.Add(time.Hour), false) // and is not kept for longer
		uses(t, &c, "two", start.Add(20*time.Second), true)
		uses(t, &c, "", start.Add(20*time.Second), true)
		<-time.After(10 * time.Second)
		uses(t, &c, "one", start.Add(10*time.Second), false)
		<-time.After(time.Second)
		uses(t, &c, "one", start.Add(20*time.Second), true)
		uses(t, &c, "two", start.Add(20*time.Second), false)
		<-time.After(time.Hour)
		uses(t, &c, "two", start.Add(2*time.Hour), true)
	})
}

// TestReplayCacheFull: an ID that has not expired is never forgotten for another.
func TestReplayCacheFull(t *testing.T) {
	at := &proofClock{testNow}
	c := &jwtverify.ReplayCache{Size: 3, Now: at.now}
	for i, id := range []string{"one", "two", "three"} {
		uses(t, c, id, time.Unix(testNow+int64(10*i), 0), true)
	}
	isFull(t, c, "four", time.Unix(testNow+1, 0))
	for _, id := range []string{"one", "two", "three"} {
		uses(t, c, id, time.Unix(testNow+99, 0), false)
	}
	at.seconds++
	uses(t, c, "four", time.Unix(testNow+100, 0), true)
	isFull(t, c, "five", time.Unix(testNow+100, 0))
	uses(t, c, "two", time.Unix(testNow+100, 0), false)
	at.seconds = testNow + 1000
	for _, id := range []string{"one", "two", "three"} {
		uses(t, c, id, time.Unix(testNow+2000, 0), true)
	}
	isFull(t, &jwtverify.ReplayCache{Size: -1}, "one", time.Now().Add(time.Hour))
	small := &jwtverify.ReplayCache{Now: at.now}
	for i := range 100_000 {
		if first, err := small.Use(t.Context(), fmt.Sprint(i), time.Unix(testNow+2000, 0)); !first || err != nil {
			t.Fatalf("%d: %t, %v", i, first, err)
		}
	}
	isFull(t, small, "one more", time.Unix(testNow+2000, 0))
}

// TestReplayCacheClock: times that are over, and a clock that is set back, forget
// nothing too early and leave nothing behind for ever.
func TestReplayCacheClock(t *testing.T) {
	at := &proofClock{testNow}
	c := &jwtverify.ReplayCache{Size: 2, Now: at.now}
	uses(t, c, "long over", time.Unix(testNow-1000, 0), true)
	uses(t, c, "long over", time.Unix(testNow-1000, 0), false)
	at.seconds -= 500
	uses(t, c, "before", time.Unix(testNow-400, 0), true)
	uses(t, c, "before", time.Unix(testNow-400, 0), false)
	uses(t, c, "long over", time.Unix(testNow-1000, 0), false)
	isFull(t, c, "more", time.Unix(testNow, 0))
	at.seconds = testNow + 1
	uses(t, c, "long over", time.Unix(testNow+10, 0), true)
	uses(t, c, "before", time.Unix(testNow+10, 0), true)
}

// TestReplayCacheAheadForAMoment: a clock that was wrong by a year, and is right again,
// does not fill the cache for a year.
func TestReplayCacheAheadForAMoment(t *testing.T) {
	at := &proofClock{testNow}
	c := &jwtverify.ReplayCache{Size: 2, Now: at.now}
	at.seconds += 365 * 24 * 3600
	uses(t, c, "ahead", time.Unix(at.seconds+120, 0), true)
	at.seconds = testNow
	uses(t, c, "ahead", time.Unix(testNow, 0), false)
	uses(t, c, "one", time.Unix(testNow+120, 0), true)
	isFull(t, c, "two", time.Unix(testNow+120, 0))
	at.seconds = testNow + 120
	uses(t, c, "one", time.Unix(testNow+120, 0), false)
	at.seconds = testNow + 121
	uses(t, c, "two", time.Unix(testNow+240, 0), true)
}

// TestReplayCacheShares: a client with one token and as many proofs as it likes does not
// use up the room of the others.
func TestReplayCacheShares(t *testing.T) {
	at := &proofClock{testNow}
	dpop := &jwtverify.DPoP{Now: at.now, Replay: &jwtverify.ReplayCache{Size: 128, Now: at.now}}
	verify := func(key string, i int) error {
		want := proved(t)
		want.JKT = thumbprint(t, key)
		header := `{"typ":"dpop+jwt","alg":"EdDSA","jwk":` + jwkInProof(t, key) + `}`
		payload := fmt.Sprintf(`{"jti":"%d","htm":"POST","htu":"https://api.example.com/orders/7","iat":%d,"ath":"%s"}`, i, at.seconds, hashOf("access-token-1"))
		return dpop.Verify(t.Context(), mint(t, key, "EdDSA", header, payload), want)
	}
	const most, share = 128 - 128/4, 128/64 + 1
	for i := range most {
		if err := verify("ed25519", i); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	for i := range 1000 {
		checkProofRefusal(t, verify("ed25519", most+i), "keys", "", "one key has more ids than its share")
	}
	checkProofRefusal(t, verify("ed25519", 0), "invalid", "jti", "was used before")
	for i := range share {
		if err := verify("ed25519-other", i); err != nil {
			t.Fatalf("another key, %d: %v", i, err)
		}
	}
	checkProofRefusal(t, verify("ed25519-other", share), "keys", "", "one key has more ids than its share")

	at.seconds += 121 // and the share is free again, together with the room
	for i := range most {
		if err := verify("ed25519-other", i); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if err := verify("ed25519", 0); err != nil {
		t.Error(err)
	}
}

func TestReplayCacheConcurrently(t *testing.T) {
	var c jwtverify.ReplayCache
	var first atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for id := range 200 {
				ok, err := c.Use(context.Background(), fmt.Sprint(id), time.Now().Add(time.Hour))
				if err != nil {
					t.Error(err)
				}
				if ok {
					first.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := first.Load(); n != 200 {
		t.Errorf("%d first uses of 200 ids", n)
	}
}

// TestReplayCacheBounds: a long ID takes no more room than a short one, what has
// expired takes none, and a full cache says so at no cost.
func TestReplayCacheBounds(t *testing.T) {
	at := &proofClock{testNow}
	c := &jwtverify.ReplayCache{Size: 20_000, Now: at.now}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	pad := strings.Repeat("x", 1000)
	for i := range 60_000 { // a thousand a second, each kept for 19 seconds
		at.seconds = testNow + int64(i/1000)
		if first, err := c.Use(t.Context(), pad+fmt.Sprint(i), time.Unix(at.seconds+18, 0)); !first || err != nil {
			t.Fatalf("%d: %t, %v", i, first, err)
		}
	}
	if grown := int64(heap()) - int64(before); grown > 20_000*250 {
		t.Errorf("%d bytes for 20,000 ids", grown)
	}
	for i := range 1000 {
		c.Use(t.Context(), fmt.Sprint("more", i), time.Unix(at.seconds+1000, 0))
	}
	isFull(t, c, "one more", time.Unix(testNow+9999, 0))
	allocs := testing.AllocsPerRun(100, func() { c.Use(context.Background(), "one more", time.Unix(testNow+9999, 0)) })
	if allocs > 4 {
		t.Errorf("%v allocations of a full cache", allocs)
	}
	runtime.KeepAlive(c)
}

func BenchmarkReplayCache(b *testing.B) {
	for _, full := range []int{100, 100_000} {
		b.Run(fmt.Sprint(full), func(b *testing.B) {
			at := &proofClock{testNow}
			c := &jwtverify.ReplayCache{Size: full + 1, Now: at.now}
			ids := make([]string, 2*full)
			for i := range ids {
				ids[i] = fmt.Sprint(i)
			}
			i, perSecond := 0, max(1, full/100)
			b.ReportAllocs()
			for b.Loop() {
				at.seconds = testNow + int64(i/perSecond)
				if first, err := c.Use(context.Background(), ids[i%len(ids)], time.Unix(at.seconds+98, 0)); !first || err != nil {
					b.Fatal(i, first, err)
				}
				i++
			}
		})
	}
}

// TestReplayCacheForgetsKeys: a key that has no proof left in the cache takes no room in it.
func TestReplayCacheForgetsKeys(t *testing.T) {
	now := time.Unix(testNow, 0)
	c := &jwtverify.ReplayCache{Now: func() time.Time { return now }}
	for i := range 100 {
		if first, err := c.UseBy(fmt.Sprint("key ", i), fmt.Sprint("id ", i), now.Add(time.Second)); !first || err != nil {
			t.Fatal(first, err)
		}
	}
	if _, err := c.UseBy("key 1", "a later id", now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if _, err := c.UseBy("another", "id", now.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if n := c.Owners(); n != 2 {
		t.Errorf("the proofs of %d keys are counted, want those of the one with a later id and of another", n)
	}
}
