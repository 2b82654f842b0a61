package clienttest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
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
