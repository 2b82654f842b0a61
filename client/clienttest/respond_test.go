package clienttest_test

import (
	"context"
	"net/url"
	"testing"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// Every response type and mode, as package client takes them.
func TestResponseTypesAndModes(t *testing.T) {
	op := clienttest.New(fast())
	defer op.Close()
	rp, err := client.New(op.Config(redirectURL))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"code", "id_token", "code id_token"} {
		for _, mode := range []string{"", "fragment", "form_post", "jwt", "fragment.jwt", "form_post.jwt"} {
			login, err := rp.Authorize(context.Background(), &client.AuthorizeOptions{ResponseType: kind, ResponseMode: mode})
			if err != nil {
				t.Fatal(err)
			}
			callback, err := op.SignIn(login.URL(), "alice")
			if err != nil {
				t.Fatal(err)
			}
			answer := callback.Query()
			if callback.Fragment != "" {
				if answer, err = url.ParseQuery(callback.EscapedFragment()); err != nil {
					t.Fatal(err)
				}
			}
			tokens, err := rp.Exchange(context.Background(), login, answer)
			if err != nil || tokens.IDToken.Subject != "alice" {
				t.Errorf("%s %s: %v", kind, mode, err)
			}
		}
	}
}

// Tokens are not put into a query, whoever asks for it.
func TestNoTokensInQuery(t *testing.T) {
	f := newFlow(t, fast())
	callback, err := f.op.SignIn(f.authorizationURL("response_type", "code id_token", "response_mode", "query"), "alice")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := url.ParseQuery(callback.EscapedFragment())
	if err != nil || callback.RawQuery != "" || answer.Get("error") != "invalid_request" || answer.Has("id_token") {
		t.Errorf("got %s, %v", callback, err)
	}
}
