package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is a program that runs beside the tests. It ends with its standard input, or
// is started by the script tied, which sees to that: nothing outlives a test run.
type process struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stderr *lockedBuffer // and what is on standard output after the first line
	over   sync.Once
	read   chan struct{} // closed when there is no more to read
}

// launch starts a program and returns when it says that it is ready: by its first line on
// standard output, which is JSON and goes to ready. With a nil ready it does not wait.
func launch(cmd *exec.Cmd, ready any) (*process, error) {
	p := &process{cmd: cmd, stderr: &lockedBuffer{}, read: make(chan struct{})}
	cmd.Stderr = p.stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stdout)
	if ready != nil {
		err = readReady(cmd, lines, ready)
	}
	go func() {
		defer close(p.read)
		io.Copy(p.stderr, lines)
	}()
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%s did not start: %w\n%s", cmd, err, p.stderr)
	}
	return p, nil
}

func readReady(cmd *exec.Cmd, lines *bufio.Reader, ready any) error {
	late := time.AfterFunc(startTimeout, func() { cmd.Process.Kill() })
	defer late.Stop()
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, ready)
}

// stop kills the program, as a power failure would, and waits until it is gone.
func (p *process) stop() {
	p.over.Do(func() {
		p.cmd.Process.Kill()
		p.stdin.Close()
		<-p.read
		p.cmd.Wait()
	})
}

// pause stops the program in the middle of whatever it does; its connections stay open.
func (p *process) pause(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGSTOP)
}

// resume lets it go on.
func (p *process) resume(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
