package leak

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

type tests func() int

func (f tests) Run() int { return f() }

func TestRun(t *testing.T) {
	if status := Run(tests(func() int { return 3 })); status != 3 {
		t.Errorf("the status of failed tests became %d", status)
	}
}

func TestOthersSeesAGoroutine(t *testing.T) {
	before := others()
	stop, started := make(chan struct{}), make(chan struct{})
	go func() {
		close(started)
		<-stop
	}()
	<-started
	if others() == before {
		t.Error("a goroutine that waits is not seen")
	}
	close(stop)
}
