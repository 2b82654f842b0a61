package interop

import (
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

// serve runs a provider that is a Go package, in this process and for the time of one
// test. handler makes it, once its address is known.
func serve(t *testing.T, path string, handler func(issuer string) http.Handler) (issuer string) {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	issuer = "http://" + strings.Replace(server.Listener.Addr().String(), "127.0.0.1", "localhost", 1) + path
	server.Config.Handler = handler(issuer)
	server.Config.ErrorLog = log.New(testLog{t}, "provider: ", 0)
	server.Start()
	t.Cleanup(server.Close)
	return issuer
}

// A testLog is shown where the test fails.
type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// relyingParty is a client of a provider that has no registration.
func relyingParty(t *testing.T, cfg client.Config) *client.Client {
	t.Helper()
	rp, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rp
}
