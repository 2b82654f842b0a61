package interop

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/postern-go/postern/client"
)

const goodbyeURL = "http://127.0.0.1:9/goodbye"

func TestLogoutAtTheProvider(t *testing.T) {
	reg := op.register(t, callbackURL, metadata{"post_logout_redirect_uris": []string{goodbyeURL}})
	rp := op.client(t, reg, nil)
	person := newPerson(t, "http://127.0.0.1:9/")
	tokens, _ := person.signIn(rp, "alice", nil)
	if _, asked := person.signIn(rp, "alice", nil); asked != 0 {
		t.Fatal("the provider keeps no session; there is nothing to end")
	}

	address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{IDToken: tokens.IDToken, PostLogoutRedirectURL: goodbyeURL, State: "back & forth"})
	if err != nil {
		t.Fatal(err)
	}
	question := person.open(address)
	if !strings.Contains(question.body, "op.logoutForm") {
		t.Fatalf("no logout page (status %d):\n%s", question.status, question.body)
	}
	end := question.submit("logout", "yes")
	if got, want := end.url.String(), goodbyeURL+"?"+(url.Values{"state": {"back & forth"}}).Encode(); got != want && strings.ReplaceAll(got, "%20", "+") != want {
		t.Errorf("came back to %s, want %s", got, want)
	}
	if _, asked := person.signIn(rp, "alice", nil); asked != 1 {
		t.Error("the provider's session outlives the logout")
	}
}

// Without an ID token the client_id says who asks.
func TestLogoutWithoutIDToken(t *testing.T) {
	reg := op.register(t, callbackURL, metadata{"post_logout_redirect_uris": []string{goodbyeURL}})
	rp := op.client(t, reg, nil)
	person := newPerson(t, "http://127.0.0.1:9/")
	person.signIn(rp, "alice", nil)
	address, err := rp.LogoutURL(t.Context(), client.LogoutOptions{PostLogoutRedirectURL: goodbyeURL})
	if err != nil {
		t.Fatal(err)
	}
	if got := person.open(address).submit("logout", "yes").url.String(); got != goodbyeURL {
		t.Errorf("came back to %s, want %s", got, goodbyeURL)
	}
}

func TestNoLogoutThere(t *testing.T) {
	google := startProvider(t, "OP_SHAPE=google")
	rp := google.client(t, registration{ID: "web", Secret: "unused-here", redirectURL: callbackURL}, nil)
	if _, err := rp.LogoutURL(t.Context(), client.LogoutOptions{}); !errors.Is(err, client.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
}
