package interop

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// site makes a client by the admin API for a site at an address: its callback is
// /auth/callback, and it may be gone back to anywhere after a logout. Attributes are
// Keycloak's own, such as backchannel.logout.url; with frontchannel.logout.url the client
// is told in the browser and not by the back channel.
func (k *keycloakServer) site(t *testing.T, address string, attributes map[string]string) registration {
	t.Helper()
	reg := registration{
		ID: strings.NewReplacer("/", ".", ":", ".", " ", "_").Replace(t.Name() + "@" + address), Secret: "a-secret-that-is-long-enough-for-HS256",
		redirectURL: address + "/auth/callback",
	}
	all := map[string]string{"post.logout.redirect.uris": address + "/*"}
	for name, value := range attributes {
		all[name] = value
	}
	_, front := attributes["frontchannel.logout.url"]
	k.admin(t, "POST /clients", map[string]any{
		"clientId": reg.ID, "secret": reg.Secret, "redirectUris": []string{reg.redirectURL}, "webOrigins": []string{"+"},
		"frontchannelLogout": front, "attributes": all,
	}, nil)
	t.Cleanup(func() { k.explain(t, reg.ID) })
	return reg
}

// user makes somebody whose sessions no other test has; the password is pw. The name is
// made from that of the test.
func (k *keycloakServer) user(t *testing.T) (name string) {
	t.Helper()
	name = strings.ToLower(strings.NewReplacer("/", ".", " ", "_").Replace(t.Name()))
	k.admin(t, "POST /users", map[string]any{
		"username": name, "enabled": true, "firstName": "A", "lastName": "User", "email": name + "@example.com", "emailVerified": true,
		"credentials": []map[string]any{{"type": "password", "value": "pw"}},
	}, nil)
	return name
}

// endUser ends all sessions of a user, as an administrator does: clients with a
// backchannel.logout.url are told, each session by a token with sub and sid.
func (k *keycloakServer) endUser(t *testing.T, name string) {
	t.Helper()
	k.admin(t, "POST /users/"+k.userID(t, name)+"/logout", nil, nil)
}

// endSession ends one session; sid is that of an ID token.
func (k *keycloakServer) endSession(t *testing.T, sid string) {
	t.Helper()
	k.admin(t, "DELETE /sessions/"+url.PathEscape(sid), nil, nil)
}

// sessions counts those that a user has.
func (k *keycloakServer) sessions(t *testing.T, name string) int {
	t.Helper()
	var all []struct{}
	k.admin(t, "GET /users/"+k.userID(t, name)+"/sessions", nil, &all)
	return len(all)
}

// userID is what the tokens have as sub.
func (k *keycloakServer) userID(t *testing.T, name string) string {
	t.Helper()
	var found []struct{ ID string }
	k.admin(t, "GET /users?exact=true&username="+url.QueryEscape(name), nil, &found)
	if len(found) != 1 {
		t.Fatalf("%d users are called %s", len(found), name)
	}
	return found[0].ID
}

// signIn passes Keycloak's page in Chromium, and ends on a page of site.
func (k *keycloakServer) signIn(b *tab, user, site string) {
	b.t.Helper()
	b.arrive(origin(b.t, k.Issuer), "#password")
	b.do(
		chromedp.SetValue(chromedp.CSS("#username"), user),
		chromedp.SetValue(chromedp.CSS("#password"), "pw"),
		chromedp.Click(chromedp.CSS("#kc-login")),
	)
	b.await(fmt.Sprintf("location.href.startsWith(%q) && document.readyState == 'complete'", site))
}
