package client

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when a goroutine of ours is left behind.
func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if leaked := leakedGoroutines(); code == 0 && leaked != "" {
		fmt.Fprintln(os.Stderr, "goroutines are left:\n"+leaked)
		code = 1
	}
	os.Exit(code)
}

func leakedGoroutines() (leaked string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 200 {
		if leaked = others(); leaked == "" {
			return ""
		}
		<-tick.C
	}
	return leaked
}

// others returns the stacks of all goroutines but this one and the runtime's own.
func others() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var found []string
	for i, stack := range strings.Split(string(buf), "\n\n") {
		if i == 0 || strings.Contains(stack, "os/signal.") || strings.Contains(stack, "testing.(*M)") {
			continue
		}
		found = append(found, stack)
	}
	return strings.Join(found, "\n\n")
}
