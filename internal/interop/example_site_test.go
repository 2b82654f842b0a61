package interop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// exampleBinary is examples/web, built once.
var exampleBinary struct {
	once sync.Once
	dir  string
	path string
	err  error
}

func buildExample(t *testing.T) string {
	t.Helper()
	b := &exampleBinary
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("", "interop"); b.err != nil {
			return
		}
		b.path = filepath.Join(b.dir, "web")
		build := exec.Command("go", "build", "-o", b.path, "./examples/web")
		build.Dir = filepath.Join("..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build ./examples/web: %w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func removeExample() {
	if exampleBinary.dir != "" {
		os.RemoveAll(exampleBinary.dir)
	}
}

// startExample runs examples/web with env, and none of its variables from outside,
// and gives the address that it prints.
func startExample(t *testing.T, env ...string) (address string, err error) {
	t.Helper()
	cmd := exec.Command(buildExample(t))
	cmd.Env = env
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "ADDR", "REDIRECT_URL", "SCOPES", "POST_LOGOUT_URL", "SECRET":
		default:
			cmd.Env = append(cmd.Env, v)
		}
	}
	output := &lockedBuffer{}
	cmd.Stderr = output
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	stop := func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	late := time.AfterFunc(startTimeout, func() { cmd.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "open ")
	if err != nil || !ok {
		stop()
		return "", fmt.Errorf("it printed %q (%v)\n%s", line, err, output)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(output, lines)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-drained
		cmd.Wait()
		if t.Failed() {
			t.Logf("examples/web:\n%s", output)
		}
	})
	return address, nil
}

// startSite runs examples/web as a client of the provider. Its port must be known
// before it starts, because the provider wants the redirect URL; if another program
// takes the port in between, another is tried.
func startSite(t *testing.T, p *provider) (address string) {
	t.Helper()
	var err error
	for range 5 {
		ln, listenErr := net.Listen("tcp", "127.0.0.1:0")
		if listenErr != nil {
			t.Fatal(listenErr)
		}
		addr := ln.Addr().String()
		ln.Close()
		reg := p.register(t, "http://"+addr+"/auth/callback", metadata{"post_logout_redirect_uris": []string{"http://" + addr + "/"}})
		address, err = startExample(t, "ADDR="+addr, "ISSUER="+p.Issuer, "CLIENT_ID="+reg.ID, "CLIENT_SECRET="+reg.Secret, "POST_LOGOUT_URL=http://"+addr+"/")
		if err == nil {
			return address
		}
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	t.Fatalf("examples/web does not start: %v", err)
	return ""
}
