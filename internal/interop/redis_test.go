package interop

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A redisServer is a real Redis for one test, empty, on a Unix socket and with nothing on
// disk: after a restart it has forgotten everything. It can be paused and resumed.
type redisServer struct {
	*process
	socket string // a network address of the network "unix"
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	dir, err := os.MkdirTemp("", "redis") // short, for a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	r := &redisServer{socket: filepath.Join(dir, "socket")}
	r.restart(t)
	t.Cleanup(func() {
		r.stop()
		os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("redis-server:\n%s", r.stderr)
		}
	})
	return r
}

// restart starts it again after stop.
func (r *redisServer) restart(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("redis-server is missing (on Debian: apt-get install redis-server) (%v)", err)
	}
	os.Remove(r.socket)
	r.process, err = launch(exec.Command("./tied", path, "--port", "0", "--unixsocket", r.socket, "--dir", filepath.Dir(r.socket),
		"--save", "", "--appendonly", "no", "--daemonize", "no"), nil)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "Redis answers", func() (bool, error) {
		answer, err := r.ask("PING")
		return answer == "+PONG", err
	})
}

// ask sends one command without spaces in its words, and gives the first line of the answer
// as it comes over the wire.
func (r *redisServer) ask(command string) (string, error) {
	conn, err := net.Dial("unix", r.socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	fmt.Fprintf(conn, "%s\r\n", command)
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func TestRedisComesAndGoes(t *testing.T) {
	r := startRedis(t)
	if got, err := r.ask("SET key value NX PX 60000"); got != "+OK" {
		t.Fatalf("%q, %v", got, err)
	}
	if got, err := r.ask("SET key value NX PX 60000"); got != "$-1" {
		t.Errorf("the second time: %q, %v", got, err)
	}
	r.pause(t)
	answers := make(chan string, 1)
	go func() {
		got, _ := r.ask("EXISTS key")
		answers <- got
	}()
	select {
	case got := <-answers:
		t.Errorf("paused, it answers %q", got)
	case <-time.After(100 * time.Millisecond):
	}
	r.resume(t)
	if got := <-answers; got != ":1" {
		t.Errorf("resumed, it answers %q", got)
	}
	r.stop()
	if _, err := r.ask("PING"); err == nil {
		t.Error("killed, it answers")
	}
	r.restart(t)
	if got, err := r.ask("EXISTS key"); got != ":0" {
		t.Errorf("restarted: %q, %v", got, err)
	}
}
