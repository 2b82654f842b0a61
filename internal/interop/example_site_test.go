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

// exampleBinaries are the examples, each built once.
var exampleBinaries struct {
	mu   sync.Mutex
	dir  string
	path map[string]string
}

func buildExample(t *testing.T, name string) string {
	t.Helper()
	all := &exampleBinaries
	all.mu.Lock()
	defer all.mu.Unlock()
	if path, ok := all.path[name]; ok {
		return path
	}
	if all.dir == "" {
		dir, err := os.MkdirTemp("", "interop")
		if err != nil {
			t.Fatal(err)
		}
		all.dir, all.path = dir, make(map[string]string)
	}
	path := filepath.Join(all.dir, name)
	build := exec.Command("go", "build", "-o", path, "./examples/"+name)
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build ./examples/%s: %v\n%s", name, err, out)
	}
	all.path[name] = path
	return path
}

func removeExamples() {
	if exampleBinaries.dir != "" {
		os.RemoveAll(exampleBinaries.dir)
	}
}

// startExample runs an example with env, and none of its variables from outside,
// and gives the address that it prints.
func startExample(t *testing.T, name string, env ...string) (address string, err error) {
	t.Helper()
	cmd := exec.Command(buildExample(t, name))
	cmd.Env = env
	for _, v := range os.Environ() {
		variable, _, _ := strings.Cut(v, "=")
		switch variable {
		case "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "ADDR", "REDIRECT_URL", "SCOPES", "POST_LOGOUT_URL", "SECRET", "API_URL":
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
			t.Logf("examples/%s:\n%s", name, output)
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
		address, err = startExample(t, "web", "ADDR="+addr, "ISSUER="+p.Issuer, "CLIENT_ID="+reg.ID, "CLIENT_SECRET="+reg.Secret, "POST_LOGOUT_URL=http://"+addr+"/")
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
