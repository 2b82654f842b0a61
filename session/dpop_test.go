package session

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

// A session with tokens that are bound to a key: they go through the cookie and a refresh,
// and its client proves the key to an API that wants nonces, after a 401 as well.
func TestDPoPSession(t *testing.T) {
	var a *app
	var schemes []string
	a = newApp(t, func(cfg *appConfig) {
		cfg.op.DPoPNonce = true
		cfg.client.DPoP = client.GenerateDPoPKey()
		cfg.session.Transport = roundTripFunc(func(r *http.Request) (*http.Response, error) {
			scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			schemes = append(schemes, scheme)
			return a.op.HTTPClient().Transport.RoundTrip(r)
		})
	})
	b := a.browser()
	b.mustSignIn("alice")
	call := func(s *Session) {
		t.Helper()
		resp, err := s.HTTPClient().Get(a.op.Issuer() + "/userinfo")
		if err != nil {
			t.Fatal(err)
		}
		if text := body(resp); resp.StatusCode != http.StatusOK || !strings.Contains(text, `"sub":"alice"`) {
			t.Errorf("%d: %s", resp.StatusCode, text)
		}
		resp.Body.Close()
	}
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		if token, err := s.Token(r.Context()); err != nil || token.Type() != "DPoP" {
			t.Errorf("%v, type %s", err, token.Type())
		}
		call(s)
	})
	a.expireToken()
	within(b, func(_ http.ResponseWriter, r *http.Request, s *Session) {
		call(s)
		token, err := s.Token(r.Context())
		if err != nil || refreshes(a) != 1 {
			t.Fatalf("%v, %d refreshes", err, refreshes(a))
		}
		if err := a.rp.Revoke(r.Context(), &client.Tokens{AccessToken: token.AccessToken}); err != nil {
			t.Fatal(err)
		}
		call(s) // with a 401 in between
	})
	if refreshes(a) != 2 {
		t.Errorf("%d refreshes, want 2", refreshes(a))
	}
	if got := strings.Join(schemes, " "); got != "DPoP DPoP DPoP DPoP" {
		t.Errorf("the API was called with %s", got)
	}
}
