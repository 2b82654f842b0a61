// Package leak fails a test binary whose tests leave goroutines behind.
package leak

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"
)

// Goroutines that are about to end get so many looks, ten milliseconds apart.
const looks = 500

// Run runs the tests and returns the status to exit with, for a TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(leak.Run(m)) }
func Run(tests interface{ Run() int }) int {
	status := tests.Run()
	http.DefaultClient.CloseIdleConnections()
	if left := wait(); status == 0 && left != "" {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", left)
		return 1
	}
	return status
}

func wait() (left string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range looks {
		if left = others(); left == "" {
			return ""
		}
		<-tick.C
	}
	return left
}

// others returns the stacks of all goroutines but this one and those of package
// testing and of signals.
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
