package clienttest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

func TestListen(t *testing.T) {
	f := listening(t)
	if issuer := f.op.Issuer(); !strings.HasPrefix(issuer, "http://localhost:") || strings.HasSuffix(issuer, ":0") {
		t.Fatalf("the issuer is %s", issuer)
	}
	response, err := http.Get(f.endpoint("jwks_uri")) // over the socket
	if err != nil {
		t.Fatal(err)
	}
	if text := body(t, response); !strings.Contains(text, `"keys"`) {
		t.Errorf("got %s", response.Status)
	}
	if _, err := f.verify(f.tokens().IDToken); err != nil { // in memory
		t.Error(err)
	}
	if cfg := f.op.Config(redirectURL); cfg.Issuer != f.op.Issuer() {
		t.Errorf("the configuration names the issuer %s", cfg.Issuer)
	}
	if err := f.op.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := http.Get(f.op.Issuer()); err == nil {
		t.Error("the socket is open after Close")
	}
}

func TestListenRefuses(t *testing.T) {
	for addr, why := range map[string]string{
		":0":                "not a loopback address",
		"0.0.0.0:0":         "not a loopback address",
		"[::]:0":            "not a loopback address",
		"192.0.2.1:0":       "not a loopback address",
		"example.com:0":     "not a loopback address",
		"localhost":         "missing port",
		"127.0.0.1:1000000": "invalid port",
	} {
		op := clienttest.New(nil)
		if err := op.Listen(addr); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v, want %q", addr, err, why)
		}
	}
	op := clienttest.New(nil)
	op.Close()
	if err := op.Listen("localhost:0"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

func TestHTTPClientReachesTheIssuerOnly(t *testing.T) {
	f := newFlow(t, fast())
	if _, err := f.http.Get("https://accounts.example.com/"); err == nil || !strings.Contains(err.Error(), "reaches op.example.com only") {
		t.Errorf("another host: %v", err)
	}
	response := f.get("https://elsewhere.example.com/token")
	if body(t, response); response.StatusCode != 404 || f.op.Count("elsewhere") != 1 || f.op.Count("token") != 0 {
		t.Errorf("elsewhere: %s, %d requests", response.Status, f.op.Count("elsewhere"))
	}
	f.op.Close()
	if _, err := f.http.Get(f.op.Issuer()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseReleases(t *testing.T) {
	f := newFlow(t, fast())
	f.op.SetFaults(clienttest.DiscoverySlow, clienttest.JWKSSlow)
	done := make(chan struct{}, 2)
	for _, path := range []string{"/jwks", "/.well-known/openid-configuration"} {
		go func() {
			if response, err := f.http.Get(f.op.Issuer() + path); err == nil {
				io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
			done <- struct{}{}
		}()
	}
	waiting := time.NewTicker(time.Millisecond)
	defer waiting.Stop()
	for f.op.Count("jwks")+f.op.Count("discovery") < 2 {
		<-waiting.C
	}
	if err := f.op.Close(); err != nil {
		t.Error(err)
	}
	<-done
	<-done
	if err := f.op.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	f.op.SetFaults() // and whatever else comes late
	f.op.Release()
}

// TestSynctest: in a bubble time stands still until all wait, so a token expires and a slow
// answer times out without anybody waiting.
func TestSynctest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow(t, fast())
		got := f.tokens()
		if _, err := f.verify(got.IDToken); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Minute)
		if f.alive(got.AccessToken) {
			t.Error("the access token outlives its 5 minutes")
		}
		f.op.SetFaults(clienttest.JWKSSlow)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, "GET", f.op.Issuer()+"/jwks", nil)
		if err != nil {
			t.Fatal(err)
		}
		before := time.Now()
		if _, err := f.http.Do(r); !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 10*time.Second {
			t.Errorf("after %v: %v", time.Since(before), err)
		}
		synctest.Wait()
		if err := f.op.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestLostAnswerOverASocket(t *testing.T) {
	f := listening(t)
	f.http = http.DefaultClient
	token := f.tokens().RefreshToken
	f.op.SetFaults(clienttest.RefreshLost)
	_, err := f.post("/token", map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	if !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

// TestNoTestingInPrograms: a demo that links package testing has its flags.
func TestNoTestingInPrograms(t *testing.T) {
	list, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(list)) {
		if name == "testing" || strings.HasPrefix(name, "testing/") || name == "flag" || name == "net/http/httptest" {
			t.Errorf("the package links %s", name)
		}
	}
	if !strings.Contains(string(list), "net/http\n") {
		t.Error("the list is not one of dependencies")
	}
}
