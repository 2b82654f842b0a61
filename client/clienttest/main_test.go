package clienttest_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails when a test leaves a goroutine behind.
func TestMain(m *testing.M) {
	status := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if left := leaked(); status == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "goroutines left behind:\n"+left)
		status = 1
	}
	os.Exit(status)
}

// leaked gives goroutines two seconds to end, and returns those that do not.
func leaked() string {
	const attempts = 200
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	var left []string
	for range attempts {
		if left = others(); len(left) == 0 {
			return ""
		}
		<-ticker.C
	}
	return strings.Join(left, "\n\n")
}

// others are all goroutines but this one and those of package testing and the runtime.
func others() []string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var found []string
	for i, stack := range strings.Split(string(stacks), "\n\n") {
		if i > 0 && !strings.Contains(stack, "testing.(*M)") && !strings.Contains(stack, "os/signal") {
			found = append(found, stack)
		}
	}
	return found
}
