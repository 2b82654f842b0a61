package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern/internal/leak"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // it writes of every connection that fails
	os.Exit(leak.Run(m))
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// A server is a Redis of a test's own.
type server struct {
	network, addr string
	dir           string
	config        []string // lines of redis.conf
	log           bytes.Buffer
	cmd           *exec.Cmd
}

// startServer starts Redis on a socket in a directory of its own.
func startServer(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // t.TempDir is too long a name for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{network: "unix", addr: filepath.Join(dir, "socket"), dir: dir}
	s.config = []string{"port 0", "unixsocket " + s.addr, "dir " + dir, `save ""`, "appendonly no", "loglevel warning"}
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("these tests need redis-server (on Debian: apt-get install redis-server): %v", err)
	}
	file := filepath.Join(s.dir, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(s.config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(path, file)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Network: s.network, Addr: s.addr, MaxRetries: -1})
	defer client.Close()
	eventually(t, "redis-server answers", func() bool { return client.Ping(t.Context()).Err() == nil })
}

// stop ends the server as a loss of power would.
func (s *server) stop() {
	if s.cmd.ProcessState == nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
	}
}

// pause stops the process; it still accepts connections, and never answers.
func (s *server) pause(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

func (s *server) resume(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !is(); <-tick.C {
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// A wire is how a process reaches its server, until it is cut.
type wire struct {
	network, addr string

	mu    sync.Mutex
	conns []net.Conn
	isCut bool
}

var errCut = errors.New("the wire is cut")

func (w *wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, w.network, w.addr)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut {
		conn.Close()
		return nil, errCut
	}
	w.conns = append(w.conns, conn)
	return conn, nil
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = true
	for _, conn := range w.conns {
		conn.Close()
	}
}

// connect gives a client with the defaults of go-redis, and its wire.
func (s *server) connect(t *testing.T) (*redis.Client, *wire) {
	w := &wire{network: s.network, addr: s.addr}
	client := redis.NewClient(&redis.Options{Addr: "redis", Dialer: w.dial})
	t.Cleanup(func() { client.Close() })
	return client, w
}
