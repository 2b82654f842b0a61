package jwtverify_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// A keyServer answers at a jwks_uri without a socket, so that synctest can wait on it.
type keyServer struct {
	mu      sync.Mutex
	set     string
	status  int           // 0: 200
	delay   time.Duration // before it answers
	control string        // Cache-Control
	move    string        // Location
	fetches int
}

func (s *keyServer) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.fetches++
	set, status, delay, move := s.set, max(s.status, http.StatusOK), s.delay, s.move
	header := http.Header{"Cache-Control": {s.control}}
	s.mu.Unlock()
	if move != "" && req.URL.Path == "/jwks" {
		header.Set("Location", move)
		status = http.StatusFound
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
	}
	return &http.Response{StatusCode: status, Header: header, Request: req, Body: io.NopCloser(strings.NewReader(set))}, nil
}

func (s *keyServer) change(f func(*keyServer)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// took returns how many fetches there were since it was last asked.
func (s *keyServer) took() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.fetches
	s.fetches = 0
	return n
}

func (s *keyServer) keys() *jwtverify.RemoteKeys {
	return &jwtverify.RemoteKeys{URL: "https://op.example.com/jwks", HTTPClient: &http.Client{Transport: s}}
}

// named is a set of small keys with these kids.
func named(tb testing.TB, kids ...string) string {
	var list []string
	for _, kid := range kids {
		list = append(list, jwk(tb, "ed25519", member{"kid", `"` + kid + `"`}))
	}
	return jwks(list...)
}

// found asserts that a kid is known.
func found(t *testing.T, r *jwtverify.RemoteKeys, kid string) {
	t.Helper()
	if keys, err := r.Keys(t.Context(), kid); err != nil || len(keys) != 1 || keys[0].ID != kid {
		t.Errorf("Keys(%q) = %v, %v", kid, keys, err)
	}
}

// absent asserts that a kid is known not to be in the set.
func absent(t *testing.T, r *jwtverify.RemoteKeys, kid string) {
	t.Helper()
	if keys, err := r.Keys(t.Context(), kid); err != nil || len(keys) != 0 {
		t.Errorf("Keys(%q) = %v, %v", kid, keys, err)
	}
}

// later asserts that it cannot be said now whether a kid is known.
func later(t *testing.T, r *jwtverify.RemoteKeys, kid, reason string) {
	t.Helper()
	keys, err := r.Keys(t.Context(), kid)
	if !errors.Is(err, jwtverify.ErrKeys) || errors.Is(err, jwtverify.ErrInvalid) || keys != nil || !strings.Contains(err.Error(), reason) {
		t.Errorf("Keys(%q) = %v, %v; want ErrKeys because of %q", kid, keys, err, reason)
	}
}

func fetched(t *testing.T, s *keyServer, want int) {
	t.Helper()
	if got := s.took(); got != want {
		t.Fatalf("%d fetches, want %d", got, want)
	}
}

func TestRemoteKeysFetchOnceAndKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a", "b")}
		r := s.keys()
		fetched(t, s, 0)
		found(t, r, "a")
		found(t, r, "b")
		if all, err := r.Keys(t.Context(), ""); err != nil || len(all) != 2 {
			t.Fatalf("all keys: %v, %v", all, err)
		}
		time.Sleep(time.Hour - time.Nanosecond)
		found(t, r, "a")
		fetched(t, s, 1)
		s.change(func(s *keyServer) { s.set = named(t, "b") })
		time.Sleep(time.Nanosecond)
		absent(t, r, "a") // a key taken away is gone after MaxAge
		fetched(t, s, 1)
	})
}

func TestV37StormOfUnknownKids(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a")}
		r := s.keys()
		storm := func(n int) {
			var wg sync.WaitGroup
			for i := range n {
				wg.Go(func() {
					keys, err := r.Keys(t.Context(), fmt.Sprintf("random-%d-%d", n, i))
					if len(keys) != 0 || err != nil && !errors.Is(err, jwtverify.ErrKeys) {
						t.Errorf("Keys = %v, %v", keys, err)
					}
				})
			}
			wg.Wait()
		}
		storm(10_000)
		if n := s.took(); n > 2 {
			t.Errorf("%d fetches for 10,000 unknown kids on a cold cache", n)
		}
		s.change(func(s *keyServer) { s.set = named(t, "a", "new") })
		for range 9 {
			time.Sleep(time.Second)
			storm(1_000)
		}
		fetched(t, s, 0)
		later(t, r, "new", "unknown kid, and the keys were fetched less than 10s ago")
		found(t, r, "a")
		time.Sleep(time.Second)
		storm(1_000)
		found(t, r, "new")
		fetched(t, s, 1)
	})
}

// The signing-key-rotation modules of the OpenID conformance suite: the second login
// meets a kid that was not there at the first, a moment before.
func TestRemoteKeysRotationAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a")}
		r := s.keys()
		found(t, r, "a")
		s.change(func(s *keyServer) { s.set = named(t, "b") })
		found(t, r, "b")
		absent(t, s.keys(), "a")
		later(t, r, "a", "unknown kid")
		s.change(func(s *keyServer) { s.set = named(t, "c") })
		time.Sleep(10*time.Second - time.Nanosecond)
		later(t, r, "c", "unknown kid")
		time.Sleep(time.Nanosecond)
		found(t, r, "c")
	})
}

func TestRemoteKeysColdCacheOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a"), delay: 50 * time.Millisecond}
		r := s.keys()
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				if keys, err := r.Keys(t.Context(), "a"); err != nil || len(keys) != 1 {
					t.Errorf("Keys = %v, %v", keys, err)
				}
			})
		}
		wg.Wait()
		fetched(t, s, 1)
	})
}

func TestRemoteKeysCancelledCallerFailsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a"), delay: time.Second}
		r := s.keys()
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() {
			keys, err := r.Keys(ctx, "a")
			if keys != nil || !errors.Is(err, context.Canceled) || !errors.Is(err, jwtverify.ErrKeys) {
				t.Errorf("cancelled: %v, %v", keys, err)
			}
			if time.Since(start) != 10*time.Millisecond {
				t.Errorf("returned after %v", time.Since(start))
			}
		})
		synctest.Wait()
		for range 99 {
			wg.Go(func() {
				if keys, err := r.Keys(t.Context(), "a"); err != nil || len(keys) != 1 {
					t.Errorf("Keys = %v, %v", keys, err)
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		cancel()
		wg.Wait()
		fetched(t, s, 1)
	})
}

// A key is published while a fetch of the old set is under way: whoever waits for
// that one is not told that the key does not exist.
func TestRemoteKeysJoinedFetchIsOlderThanTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a"), delay: time.Second}
		r := s.keys()
		var wg sync.WaitGroup
		wg.Go(func() { found(t, r, "a") })
		synctest.Wait()
		s.change(func(s *keyServer) { s.set = named(t, "a", "b") })
		wg.Go(func() { found(t, r, "b") })
		wg.Go(func() {
			keys, err := r.Keys(t.Context(), "nobody") // either of the two begins the second fetch
			if len(keys) != 0 || err != nil && !errors.Is(err, jwtverify.ErrKeys) {
				t.Errorf("Keys = %v, %v", keys, err)
			}
		})
		wg.Wait()
		fetched(t, s, 2)
	})
}

// A caller whose kid two fetches of others did not bring is not kept for a third.
func TestRemoteKeysWaitsForTwoFetchesAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a"), delay: time.Second}
		r := s.keys()
		r.Cooldown = time.Millisecond
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				keys, err := r.Keys(t.Context(), fmt.Sprint("random-", i))
				if len(keys) != 0 || err != nil && !errors.Is(err, jwtverify.ErrKeys) {
					t.Errorf("Keys = %v, %v", keys, err)
				}
			})
		}
		wg.Wait()
		fetched(t, s, 2)
	})
}

func TestRemoteKeysColdFailureBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{status: http.StatusInternalServerError}
		r := s.keys()
		for range 1000 {
			later(t, r, "a", "status 500")
		}
		fetched(t, s, 1)
		s.change(func(s *keyServer) { s.set, s.status = named(t, "a"), http.StatusOK })
		time.Sleep(10*time.Second - time.Nanosecond)
		later(t, r, "a", "status 500")
		fetched(t, s, 0)
		time.Sleep(time.Nanosecond)
		found(t, r, "a")
		fetched(t, s, 1)
	})
}

func TestRemoteKeysFailedRefetchBacksOffToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a")}
		r := s.keys()
		found(t, r, "a")
		s.change(func(s *keyServer) { s.status = http.StatusBadGateway })
		for range 100 {
			later(t, r, "b", "status 502")
			found(t, r, "a")
		}
		fetched(t, s, 2)
	})
}

func TestRemoteKeysStaleWhileDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a")}
		r := s.keys()
		found(t, r, "a")
		s.change(func(s *keyServer) { s.status = http.StatusServiceUnavailable })
		time.Sleep(time.Hour)
		for range 100 {
			found(t, r, "a")
			later(t, r, "b", "status 503")
		}
		fetched(t, s, 2)
		time.Sleep(24*time.Hour - time.Nanosecond)
		found(t, r, "a")
		time.Sleep(time.Nanosecond)
		later(t, r, "a", "status 503")
		s.change(func(s *keyServer) { s.status = http.StatusOK })
		time.Sleep(10 * time.Second)
		found(t, r, "a")
	})
}

// With a provider that hangs, one caller at a time waits for it, and the first round
// of callers: not everybody, every time.
func TestRemoteKeysStaleWhileHanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a")}
		r := s.keys()
		found(t, r, "a")
		s.change(func(s *keyServer) { s.delay = time.Hour })
		round := func() (slow int) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for range 20 {
				wg.Go(func() {
					start := time.Now()
					found(t, r, "a")
					mu.Lock()
					defer mu.Unlock()
					if time.Since(start) > 0 {
						slow++
					}
				})
			}
			wg.Wait()
			return slow
		}
		time.Sleep(time.Hour)
		start := time.Now()
		if slow := round(); slow != 20 || time.Since(start) != 10*time.Second {
			t.Errorf("%d callers waited %v for the first attempt", slow, time.Since(start))
		}
		if slow := round(); slow != 0 {
			t.Errorf("%d callers waited during the cool-down", slow)
		}
		time.Sleep(10 * time.Second)
		if slow := round(); slow != 1 {
			t.Errorf("%d callers waited for the second attempt", slow)
		}
		time.Sleep(time.Hour)
		if slow := round(); slow != 20 {
			t.Errorf("%d callers waited an hour later: the failure then says nothing", slow)
		}
	})
}

func TestRemoteKeysCacheControl(t *testing.T) {
	for control, want := range map[string]time.Duration{
		"":                              time.Hour,
		"max-age=600":                   10 * time.Minute,
		"public, MAX-AGE=600, no-store": 10 * time.Minute,
		`max-age="600"`:                 10 * time.Minute,
		"max-age=0":                     time.Minute,
		"no-cache":                      time.Hour,
		"max-age=86400":                 time.Hour,
		"max-age=99999999999999999999":  time.Hour,
		"max-age=-1":                    time.Hour,
		"s-maxage=60":                   time.Hour,
	} {
		t.Run(control, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &keyServer{set: named(t, "a"), control: control}
				r := s.keys()
				found(t, r, "a")
				time.Sleep(want - time.Nanosecond)
				found(t, r, "a")
				fetched(t, s, 1)
				time.Sleep(time.Nanosecond)
				found(t, r, "a")
				fetched(t, s, 1)
			})
		})
	}
}

// Providers that lose all their keys mean it.
func TestRemoteKeysEmptySetCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: named(t, "a")}
		r := s.keys()
		found(t, r, "a")
		s.change(func(s *keyServer) { s.set = jwks() })
		time.Sleep(time.Hour)
		absent(t, r, "a")
	})
}

func TestRemoteKeysOwnClock(t *testing.T) {
	now := time.Unix(testNow, 0)
	s := &keyServer{set: named(t, "a")}
	r := s.keys()
	r.Now = func() time.Time { return now }
	found(t, r, "a")
	now = now.Add(time.Hour)
	found(t, r, "a")
	fetched(t, s, 2)
}

func TestRemoteKeysSettings(t *testing.T) {
	s := &keyServer{set: named(t, "a")}
	for _, c := range []struct {
		reason string
		change func(*jwtverify.RemoteKeys)
	}{
		{"neither https nor http on a loopback host", func(r *jwtverify.RemoteKeys) { r.URL = "" }},
		{"neither https nor http on a loopback host", func(r *jwtverify.RemoteKeys) { r.URL = "http://op.example.com/jwks" }},
		{"neither https nor http on a loopback host", func(r *jwtverify.RemoteKeys) { r.URL = "http://localhost.example.com/jwks" }},
		{"neither https nor http on a loopback host", func(r *jwtverify.RemoteKeys) { r.URL = "http://10.0.0.1/jwks" }},
		{"neither https nor http on a loopback host", func(r *jwtverify.RemoteKeys) { r.URL = "file:///etc/passwd" }},
		{"is no URL", func(r *jwtverify.RemoteKeys) { r.URL = "https://op.example.com/%zz" }},
		{"negative", func(r *jwtverify.RemoteKeys) { r.MaxAge = -1 }},
		{"negative", func(r *jwtverify.RemoteKeys) { r.Cooldown = -1 }},
		{"negative", func(r *jwtverify.RemoteKeys) { r.StaleFor = -1 }},
	} {
		r := s.keys()
		c.change(r)
		later(t, r, "a", c.reason)
		fetched(t, s, 0)
	}
	for _, url := range []string{"http://localhost:8080/jwks", "http://127.0.0.1/jwks", "http://[::1]:1/jwks"} {
		r := s.keys()
		r.URL = url
		found(t, r, "a")
	}
}

func TestRemoteKeysRedirects(t *testing.T) {
	s := &keyServer{set: named(t, "a")}
	s.move = "/other"
	found(t, s.keys(), "a")
	fetched(t, s, 2)
	for move, reason := range map[string]string{
		"https://evil.example.com/jwks":      "redirect to another host",
		"https://op.example.com:8443/jwks":   "redirect to another host",
		"http://op.example.com/jwks":         "redirect to another host",
		"http://169.254.169.254/latest/meta": "redirect to another host",
	} {
		s.move = move
		later(t, s.keys(), "a", reason)
		fetched(t, s, 1)
	}
	s.move = "/jwks"
	later(t, s.keys(), "a", "too many redirects")
	fetched(t, s, 4)
}

func TestV41OversizedAndSlowAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &keyServer{set: `{"keys":[` + strings.Repeat(" ", 100<<20) + `]}`}
		later(t, s.keys(), "a", "larger than 1048576 bytes")
		s.set = jwks(strings.Repeat("[", 1000) + strings.Repeat("]", 1000))
		later(t, s.keys(), "a", "nested too deep")
		s.set, s.delay = named(t, "a"), 11*time.Second
		start := time.Now()
		later(t, s.keys(), "a", "deadline exceeded")
		if time.Since(start) != 10*time.Second {
			t.Errorf("took %v", time.Since(start))
		}
		r := s.keys()
		r.HTTPClient.Transport = dripping{}
		start = time.Now()
		later(t, r, "a", "reading the answer of jwks_uri")
		if time.Since(start) != 10*time.Second {
			t.Errorf("a byte a second took %v", time.Since(start))
		}
	})
	for _, status := range []int{201, 204, 304, 404} {
		later(t, (&keyServer{set: named(t, "a"), status: status}).keys(), "a", fmt.Sprint("status ", status))
	}
	later(t, (&keyServer{set: "<!doctype html>"}).keys(), "a", "not a JSON object")
}

// dripping answers with one byte a second, for ever.
type dripping struct{ ctx context.Context }

func (d dripping) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Request: req, Body: io.NopCloser(dripping{req.Context()})}, nil
}

func (d dripping) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func TestV41CompressedAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		io.Copy(z, io.LimitReader(zeros{}, 64<<20))
		z.Close()
	}))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	r := &jwtverify.RemoteKeys{URL: server.URL + "/jwks", HTTPClient: client}
	later(t, r, "a", "larger than 1048576 bytes")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A client of the caller's is used as it is, but for its redirects.
func TestRemoteKeysOverTheNetwork(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || !strings.Contains(r.Header.Get("Accept"), "application/jwk-set+json") {
			w.WriteHeader(http.StatusBadRequest)
		}
		io.WriteString(w, named(t, "a"))
	}))
	defer server.Close()
	client := server.Client()
	defer client.CloseIdleConnections()
	found(t, &jwtverify.RemoteKeys{URL: server.URL, HTTPClient: client}, "a")
	if client.CheckRedirect != nil {
		t.Error("changed the client it was given")
	}
}

func TestRemoteKeysDefaultClient(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, named(t, "a")) }))
	defer server.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	found(t, &jwtverify.RemoteKeys{URL: server.URL}, "a")
}

type roundTripFunc func(*http.Request) (*http.Response, error)

func (f roundTripFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// A transport of the application's that panics, or ends its goroutine, costs one fetch:
// neither the program nor the fetches after it.
func TestRemoteKeysSurviveTheTransport(t *testing.T) {
	for name, harm := range map[string]struct {
		do     func()
		reason string
	}{
		"panic":  {func() { panic("buggy") }, "the transport panicked with a string"},
		"goexit": {runtime.Goexit, "the transport did not return"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &keyServer{set: named(t, "one")}
				broken := true
				r := server.keys()
				r.HTTPClient.Transport = roundTripFunc(func(req *http.Request) (*http.Response, error) {
					if broken {
						harm.do()
					}
					return server.RoundTrip(req)
				})
				_, err := r.Keys(t.Context(), "one")
				if !errors.Is(err, jwtverify.ErrKeys) || !strings.Contains(err.Error(), harm.reason) {
					t.Errorf("got %v, want ErrKeys: %s", err, harm.reason)
				}
				broken = false
				time.Sleep(11 * time.Second) // of the bubble: past the cool-down
				found(t, r, "one")
			})
		})
	}
}

// A caller's mistake is that caller's alone.
func TestRemoteKeysNilContext(t *testing.T) {
	server := &keyServer{set: named(t, "one")}
	r := server.keys()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a nil context passed")
			}
		}()
		//lint:ignore SA1012 the mistake at hand
		r.Keys(nil, "one")
	}()
	found(t, r, "one")
}
