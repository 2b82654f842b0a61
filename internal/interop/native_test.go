package interop

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/native"
)

// A native app is registered with a loopback address, and comes back to any port of it.
func TestNativeApp(t *testing.T) {
	for _, registered := range []string{"http://127.0.0.1/callback", "http://[::1]/callback"} {
		t.Run(registered, func(t *testing.T) {
			reg := op.register(t, registered, metadata{"application_type": "native", "token_endpoint_auth_method": "none"})
			rp, tokens, err := native.SignIn(t.Context(), client.Config{
				Issuer: op.Issuer, ClientID: reg.ID, RedirectURL: registered, Scopes: []string{"profile"},
			}, &native.Options{Open: func(_ context.Context, address string) error {
				person := newPerson(t, strings.TrimSuffix(registered, "/callback")+":")
				end, _ := person.open(address).signIn("alice")
				page := newPerson(t, "").open(end.url.String())
				if page.status != http.StatusOK || !strings.Contains(page.body, "You are signed in.") {
					t.Errorf("the browser shows %d %s", page.status, page.body)
				}
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			if info, err := rp.UserInfo(t.Context(), tokens); err != nil || info.Subject != "alice" {
				t.Errorf("userinfo: %v", err)
			}
		})
	}
}
