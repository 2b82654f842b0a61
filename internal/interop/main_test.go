package interop

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// op is the provider that most tests share; each test registers a client of its own.
var op *provider

func TestMain(m *testing.M) {
	if told := os.Getenv(siteVariable); told != "" {
		os.Exit(runSite(told))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := installPackages(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var err error
	if op, err = launchProvider(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	op.stop()
	chromium.stop()
	permissive.stop()
	stopKeycloak()
	stopHydra()
	removeExamples()
	http.DefaultClient.CloseIdleConnections()
	if leaked := leakedGoroutines(); leaked != "" && code == 0 {
		fmt.Fprintf(os.Stderr, "goroutines left behind:\n%s\n", leaked)
		return 1
	}
	return code
}

// leakedGoroutines gives the goroutines of Postern that outlive the tests, after a
// moment to end. The browser driver has its own, which end with the process.
func leakedGoroutines() string {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	var leaked string
	for range 100 {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		leaked = ""
		for i, stack := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(stack, "postern-go/postern/") && !strings.Contains(stack, "testing.") {
				leaked += stack + "\n\n"
			}
		}
		if leaked == "" {
			return ""
		}
		<-ticker.C
	}
	return leaked
}
