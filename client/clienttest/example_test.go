package clienttest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

// A user signs in, without a network and without a browser.
func ExampleNew() {
	ctx := context.Background()
	op := clienttest.New(nil)
	defer op.Close()
	rp, err := client.New(op.Config("https://app.example.com/callback"))
	if err != nil {
		log.Fatal(err)
	}
	login, err := rp.Authorize(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	callback, err := op.SignIn(login.URL(), "alice")
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := rp.Exchange(ctx, login, callback.Query())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("hello,", tokens.IDToken.Subject)
	// Output: hello, alice
}

// What does an application do when the provider answers with the token of another
// sign-in?
func ExampleProvider_SetFaults() {
	ctx := context.Background()
	op := clienttest.New(nil)
	defer op.Close()
	rp, err := client.New(op.Config("https://app.example.com/callback"))
	if err != nil {
		log.Fatal(err)
	}
	login, err := rp.Authorize(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	callback, err := op.SignIn(login.URL(), "alice")
	if err != nil {
		log.Fatal(err)
	}
	op.SetFaults(clienttest.WrongNonce)
	_, err = rp.Exchange(ctx, login, callback.Query())
	fmt.Println(errors.Is(err, jwtverify.ErrInvalid), op.Count("token"), op.Count("userinfo"))
	// Output: true 1 0
}

// A user signs out at the provider: the application is told by a logout token, in memory.
func ExampleProvider_EndSession() {
	ctx := context.Background()
	op := clienttest.New(&clienttest.Options{Clients: []clienttest.Client{{
		ID: "web", Secret: "a secret", BackChannelLogoutURI: "https://app.example.com/auth/back-channel",
	}}})
	defer op.Close()
	rp, err := client.New(op.Config("https://app.example.com/callback"))
	if err != nil {
		log.Fatal(err)
	}
	app := http.NewServeMux()
	app.HandleFunc("POST /auth/back-channel", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("a logout token came:", r.PostFormValue("logout_token") != "")
	})
	op.SetApplication("https://app.example.com", app)

	login, err := rp.Authorize(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	callback, err := op.NewBrowser().SignIn(login.URL(), "alice")
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := rp.Exchange(ctx, login, callback.Query())
	if err != nil {
		log.Fatal(err)
	}
	for _, notice := range op.EndSession(tokens.IDToken.SessionID) {
		fmt.Println(notice.ClientID, notice.Status, notice.Err)
	}
	// Output:
	// a logout token came: true
	// web 200 <nil>
}

// The test of an API needs a token, and no sign-in.
func ExampleProvider_AccessToken() {
	ctx := context.Background()
	op := clienttest.New(&clienttest.Options{Audience: "https://api.example.com"})
	defer op.Close()
	api := &jwtverify.Verifier{
		Issuer:   op.Issuer(),
		Audience: "https://api.example.com",
		Keys:     &jwtverify.RemoteKeys{URL: op.Issuer() + "/jwks", HTTPClient: op.HTTPClient()},
	}
	token, err := api.AccessToken(ctx, op.AccessToken(map[string]any{"sub": "bob", "scope": "read write"}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Subject, token.Scope)
	_, err = api.AccessToken(ctx, op.AccessToken(map[string]any{"exp": op.Now().Add(-time.Hour).Unix()}))
	fmt.Println(errors.Is(err, jwtverify.ErrExpired))
	// Output:
	// bob [read write]
	// true
}
