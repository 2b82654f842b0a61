package scstest

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite"

	"github.com/postern-go/postern/internal/leak"
	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/scsstore"
	"github.com/postern-go/postern/session/sessiontest"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{})
	os.Exit(leak.Run(m))
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

var (
	_ scsstore.Backend = scs.Store(nil)
	_ scsstore.Backend = scs.CtxStore(nil)
)

func TestMemstore(t *testing.T) {
	t.Parallel()
	backend := memstore.NewWithCleanupInterval(0)
	sessiontest.Store(t, func(*testing.T) session.Store { return &scsstore.Store{Backend: backend} })
}

func TestSQLite3store(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sessions.db")
	open := func(t *testing.T) *sql.DB {
		dsn := url.URL{Scheme: "file", Opaque: file, RawQuery: "_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"}
		db, err := sql.Open("sqlite", dsn.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	_, err := open(t).ExecContext(t.Context(), `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
		CREATE INDEX sessions_expiry_idx ON sessions(expiry);`) // as its documentation has it
	if err != nil {
		t.Fatal(err)
	}
	sessiontest.Store(t, func(t *testing.T) session.Store {
		return &scsstore.Store{Backend: sqlite3store.NewWithCleanupInterval(open(t), 0), Timeout: 10 * time.Second}
	})
}

func TestGoredisstore(t *testing.T) {
	t.Parallel()
	socket := startRedis(t)
	sessiontest.Store(t, func(t *testing.T) session.Store {
		client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
		t.Cleanup(func() { client.Close() })
		return &scsstore.Store{Backend: goredisstore.New(client)}
	})
}

func startRedis(t *testing.T) (socket string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("this test needs redis-server (on Debian: apt-get install redis-server): %v", err)
	}
	dir, err := os.MkdirTemp("", "redis") // t.TempDir is too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket = filepath.Join(dir, "socket")
	cmd := exec.Command(path, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dir, "--loglevel", "warning")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket})
	defer client.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); client.Ping(t.Context()).Err() != nil; <-tick.C {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("redis-server does not answer within 10 s")
		}
	}
	return socket
}
