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
	before := runtime.NumGoroutine()
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if code == 0 && !settles(before) {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", strings.TrimSpace(stacks))
		code = 1
	}
	os.Exit(code)
}

// settles gives goroutines that are about to end five seconds to do so.
func settles(want int) bool {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for range 500 {
		if runtime.NumGoroutine() <= want {
			return true
		}
		<-ticker.C
	}
	return false
}
