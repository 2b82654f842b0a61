package clienttest_test

import (
	"net/url"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// A native app is sent back to whichever port it listens at, and nobody else is.
func TestLoopbackPort(t *testing.T) {
	for _, test := range []struct {
		registered, redirect, secret string
		ok                           bool
	}{
		{"http://127.0.0.1/callback", "http://127.0.0.1:12345/callback", "", true},
		{"http://127.0.0.1:1/callback", "http://127.0.0.1:12345/callback", "", true},
		{"http://[::1]/callback", "http://[::1]:12345/callback", "", true},
		{"http://localhost/callback", "http://localhost:12345/callback", "", true},
		{"http://127.0.0.1/callback", "http://127.0.0.1:12345/callback", "a secret", false},
		{"http://127.0.0.1/callback", "http://127.0.0.1:12345/other", "", false},
		{"http://127.0.0.1/callback", "http://127.0.0.1:12345/callback?a=b", "", false},
		{"http://127.0.0.1/callback", "http://127.0.0.2:12345/callback", "", false},
		{"http://127.0.0.1/callback", "http://[::1]:12345/callback", "", false},
		{"http://127.0.0.1/callback", "http://localhost:12345/callback", "", false},
		{"https://127.0.0.1/callback", "https://127.0.0.1:12345/callback", "", false},
		{"https://app.example.com/callback", "https://app.example.com:12345/callback", "", false},
	} {
		op := clienttest.New(&clienttest.Options{Clients: []clienttest.Client{{ID: "app", Secret: test.secret, RedirectURLs: []string{test.registered}}}})
		defer op.Close()
		rp, err := client.New(op.Config(test.redirect))
		if err != nil {
			t.Fatal(err)
		}
		login, err := rp.Authorize(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		callback, err := op.SignIn(login.URL(), "alice")
		if !test.ok {
			if err == nil {
				t.Errorf("%s: sent to %s", test.registered, test.redirect)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: not sent to %s: %v", test.registered, test.redirect, err)
			continue
		}
		if want, _ := url.Parse(test.redirect); callback.Host != want.Host {
			t.Errorf("%s: sent to %s", test.registered, callback.Host)
		}
		if _, err := rp.Exchange(t.Context(), login, callback.Query()); err != nil {
			t.Errorf("%s: %v", test.registered, err)
		}
	}
}
