package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/redisstore"
	"github.com/postern-go/postern/session/sessiontest"
)

var (
	_ session.Store  = (*redisstore.Store)(nil)
	_ session.Locker = (*redisstore.Store)(nil)

	_ redisstore.Client = redis.UniversalClient(nil)
)

func TestStores(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	sessiontest.Store(t, func(t *testing.T) session.Store {
		client, _ := s.connect(t)
		return &redisstore.Store{Client: client}
	})
}

func TestLocks(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	sessiontest.Locker(t, func(t *testing.T) sessiontest.Process {
		client, w := s.connect(t)
		store := &redisstore.Store{Client: client, Lease: time.Second}
		return sessiontest.Process{Locker: store, Lease: store.Lease, Kill: w.cut}
	})
}

func TestStoresWhatRedisSees(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client, _ := s.connect(t)
	for prefix, want := range map[string]string{"": "postern:key", "app-": "app-key"} {
		store := &redisstore.Store{Client: client, Prefix: prefix}
		if err := store.Save(t.Context(), "key", []byte("value"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if got, err := client.Get(t.Context(), want).Result(); got != "value" || err != nil {
			t.Errorf("%s is %q, %v", want, got, err)
		}
		if life := client.PTTL(t.Context(), want).Val(); life > time.Hour || life < time.Hour-time.Minute {
			t.Errorf("%s lives for %v, want an hour", want, life)
		}
		_, unlock, err := store.Lock(t.Context(), "key")
		if err != nil {
			t.Fatal(err)
		}
		lock := strings.TrimSuffix(want, "key") + "lock:key"
		if life := client.PTTL(t.Context(), lock).Val(); life > 5*time.Second || life < 3*time.Second {
			t.Errorf("the lock's lease is %v, want 5 s, renewed each third of it", life)
		}
		unlock()
		if n := client.Exists(t.Context(), lock).Val(); n != 0 {
			t.Error("a lock that was given back is still in Redis")
		}
	}
}

func TestFarExpiry(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client, _ := s.connect(t)
	store := &redisstore.Store{Client: client}
	for _, expires := range []time.Time{time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Now().Add(100 * time.Microsecond)} {
		if err := store.Save(t.Context(), "key", []byte("value"), expires); err != nil {
			t.Errorf("until %v: %v", expires, err)
		}
	}
}

func TestZeroStore(t *testing.T) {
	t.Parallel()
	for what, err := range everyCall(t.Context(), new(redisstore.Store)) {
		if err == nil || !strings.HasSuffix(err.Error(), ": there is no Client") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// everyCall gives the error of each method.
func everyCall(ctx context.Context, store *redisstore.Store) map[string]error {
	_, load := store.Load(ctx, "secret-key", "other")
	_, loadNothing := store.Load(ctx)
	_, unlock, lock := store.Lock(ctx, "secret-key")
	if unlock != nil {
		unlock()
	}
	errs := map[string]error{
		"load":   load,
		"save":   store.Save(ctx, "secret-key", []byte("secret-value"), time.Now().Add(time.Hour)),
		"delete": store.Delete(ctx, "secret-key"),
		"lock":   lock,
	}
	if store.Client == nil || ctx.Err() != nil {
		errs["load of nothing"] = loadNothing
	}
	return errs
}

// TestAnswersOfRedis: what Redis says of a command is told, and what it repeats of it is not.
func TestAnswersOfRedis(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ command, want string }{
		"unknown":   {"", `Redis answers "ERR unknown command`},
		"forbidden": {"NOPERM", `Redis answers "NOPERM`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t)
			client, _ := s.connect(t)
			if c.command == "NOPERM" {
				if err := client.Do(t.Context(), "acl", "setuser", "default", "-get", "-set", "-del", "-eval").Err(); err != nil {
					t.Fatal(err)
				}
			} else {
				s.stop()
				for _, command := range []string{"GET", "SET", "DEL", "EVAL"} {
					s.config = append(s.config, "rename-command "+command+` ""`)
				}
				s.start(t)
			}
			for what, err := range everyCall(t.Context(), &redisstore.Store{Client: client}) {
				if err == nil || !strings.HasPrefix(err.Error(), "redisstore: "+what+": "+c.want) {
					t.Errorf("%s: %v, want %s", what, err, c.want)
				}
				for e := err; e != nil; e = errors.Unwrap(e) {
					if text := fmt.Sprintf("%+v", e); strings.Contains(text, "secret") || strings.Contains(text, "postern:") {
						t.Errorf("%s says too much: %s", what, text)
					}
				}
			}
		})
	}
}

// TestOneMissingDoesNotHideAnError: a pipeline gives one error for all its commands.
func TestOneMissingDoesNotHideAnError(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	client, _ := s.connect(t)
	if err := client.RPush(t.Context(), "postern:list", "x").Err(); err != nil {
		t.Fatal(err)
	}
	found, err := (&redisstore.Store{Client: client}).Load(t.Context(), "missing", "list", "missing-too")
	if found != nil || err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
		t.Errorf("Load gives %v, %v", found, err)
	}
}

// A client that panics fails, and does not end the program: nobody could recover that.
func TestClientThatPanics(t *testing.T) {
	store := &redisstore.Store{Client: (*redis.Client)(nil)}
	for what, err := range everyCall(t.Context(), store) {
		if err == nil || !strings.HasPrefix(err.Error(), "redisstore: "+what+": the client panicked: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
