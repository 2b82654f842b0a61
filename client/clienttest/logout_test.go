package clienttest_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/client/clienttest"
)

const signedOutURL = "https://app.example.com/bye"

// signedIn is a browser in which alice is signed in, and her ID token.
func signedIn(f *flow) (*browser, string) {
	f.t.Helper()
	b := newBrowser(f, f.http.Transport)
	_, page := b.open(f.authorizationURL())
	response, _ := b.submit(page, "subject", "alice")
	return b, f.exchange(callback(response).Get("code")).IDToken
}

// knows says whether the provider knows the browser.
func (b *browser) knows(f *flow) bool {
	b.t.Helper()
	response, _ := b.open(f.authorizationURL("prompt", "none"))
	return callback(response).Get("code") != ""
}

func logoutURL(f *flow, set ...string) string {
	q := url.Values{}
	for i := 0; i < len(set); i += 2 {
		q.Set(set[i], set[i+1])
	}
	return f.op.Issuer() + "/logout?" + q.Encode()
}

func TestLogout(t *testing.T) {
	f := newFlow(t, fast())
	b, idToken := signedIn(f)
	if !b.knows(f) {
		t.Fatal("not signed in")
	}
	response, _ := b.open(logoutURL(f, "id_token_hint", idToken, "client_id", f.id, "post_logout_redirect_uri", signedOutURL, "state", "a b"))
	if at := response.Header.Get("Location"); at != signedOutURL+"?state=a+b" {
		t.Errorf("got %s to %q", response.Status, at)
	}
	if b.knows(f) {
		t.Error("still signed in")
	}
}

func TestLogoutWithoutHintAsks(t *testing.T) {
	f := newFlow(t, fast())
	b, _ := signedIn(f)
	_, page := b.open(logoutURL(f, "client_id", f.id, "post_logout_redirect_uri", signedOutURL, "state", "s"))
	if !b.knows(f) {
		t.Fatal("signed out without being asked")
	}
	if response, _ := b.submit(page, "", "", "Sec-Fetch-Site", "cross-site"); response.StatusCode != 200 || !b.knows(f) {
		t.Fatalf("another site's form signed the user out: %s", response.Status)
	}
	response, _ := b.submit(page, "", "")
	if at := response.Header.Get("Location"); at != signedOutURL+"?state=s" || b.knows(f) {
		t.Errorf("got %s to %q, still signed in: %t", response.Status, at, b.knows(f))
	}
}

func TestLogoutEndsTheSessionOfTheHintOnly(t *testing.T) {
	f := newFlow(t, fast())
	b, _ := signedIn(f)
	other, idToken := signedIn(f)
	response, page := b.open(logoutURL(f, "id_token_hint", idToken))
	if response.StatusCode != 200 || !strings.Contains(page, "Signed out") {
		t.Errorf("got %s", response.Status)
	}
	if !b.knows(f) || other.knows(f) {
		t.Errorf("the browser that asked is signed in: %t, the one of the ID token: %t", b.knows(f), other.knows(f))
	}
}

func TestLogoutRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		request func(idToken string) []string
		why     string
	}{
		{"another host", func(idToken string) []string {
			return []string{"id_token_hint", idToken, "post_logout_redirect_uri", "https://evil.example/bye"}
		}, "not registered"},
		{"nobody to return to", func(string) []string {
			return []string{"post_logout_redirect_uri", signedOutURL}
		}, "not registered"},
		{"a forged hint", func(idToken string) []string { return []string{"id_token_hint", idToken + "A"} }, "not issued here"},
		{"another client", func(idToken string) []string {
			return []string{"id_token_hint", idToken, "client_id", "other"}
		}, "another client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFlow(t, fast())
			b, idToken := signedIn(f)
			response, page := b.open(logoutURL(f, c.request(idToken)...))
			if response.StatusCode != 400 || !strings.Contains(page, c.why) {
				t.Errorf("got %s", response.Status)
			}
			if !b.knows(f) {
				t.Error("signed out all the same")
			}
		})
	}
}

func TestLogoutComparesRegisteredURLs(t *testing.T) {
	f := newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{{
		ID: "web", Secret: "a secret", RedirectURLs: []string{redirectURL},
		PostLogoutRedirectURLs: []string{signedOutURL},
	}}})
	b, idToken := signedIn(f)
	response, page := b.open(logoutURL(f, "id_token_hint", idToken, "post_logout_redirect_uri", signedOutURL+"/"))
	if response.StatusCode != 400 || !strings.Contains(page, "not registered") {
		t.Errorf("a slash more: %s", response.Status)
	}
	if response, _ := b.open(logoutURL(f, "id_token_hint", idToken, "post_logout_redirect_uri", signedOutURL)); response.Header.Get("Location") != signedOutURL {
		t.Errorf("as registered: %s", response.Status)
	}
}
