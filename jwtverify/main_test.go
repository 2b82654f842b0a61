package jwtverify_test

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain fails where a test leaves a goroutine behind.
func TestMain(m *testing.M) {
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if left := leftBehind(); code == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", left)
		code = 1
	}
	os.Exit(code)
}

// leftBehind gives goroutines that are about to end five seconds to do so.
func leftBehind() (left string) {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for range 500 {
		if left = others(); left == "" {
			break
		}
		<-ticker.C
	}
	return left
}

// others returns the stacks of all goroutines but this one and those of package testing.
func others() string {
	buf := make([]byte, 1<<20)
	stacks := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	var found []string
	for _, stack := range stacks[1:] {
		if !strings.Contains(stack, "os/signal.") && !strings.Contains(stack, "testing.(*M)") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
