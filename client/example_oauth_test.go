package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"

	"golang.org/x/oauth2"

	"github.com/postern-go/postern/client"
)

// People sign in with GitHub, which has no OpenID Connect.
func ExampleNewOAuth() {
	rp, err := client.NewOAuth(client.OAuthConfig{
		Issuer:                "https://github.com/login/oauth",
		AuthorizationEndpoint: "https://github.com/login/oauth/authorize",
		TokenEndpoint:         "https://github.com/login/oauth/access_token",
		UserEndpoint:          "https://api.github.com/user",
		ClientID:              os.Getenv("CLIENT_ID"),
		ClientSecret:          os.Getenv("CLIENT_SECRET"),
		RedirectURL:           "https://app.example.com/auth/callback",
		Scopes:                []string{"user:email"},
	})
	if err != nil {
		log.Fatal(err)
	}
	var login *client.Login // of rp.Authorize, as the browser brought it back
	var callback url.Values
	tokens, err := rp.Exchange(context.Background(), login, callback)
	if err != nil {
		log.Fatal(err)
	}
	email, err := primaryEmail(rp, tokens)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s at %s, to be written to as %s\n", tokens.Account.Subject, tokens.Account.Issuer, email)
}

// primaryEmail asks GitHub for the address that it has verified.
func primaryEmail(rp *client.Client, tokens *client.Tokens) (string, error) {
	api := &http.Client{Transport: rp.Transport(nil, oauth2.StaticTokenSource(tokens.OAuth2()))}
	resp, err := api.Get("https://api.github.com/user/emails")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var list []struct {
		Email             string
		Primary, Verified bool
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&list); err != nil {
		return "", err
	}
	for _, address := range list {
		if address.Primary && address.Verified {
			return address.Email, nil
		}
	}
	return "", errors.New("no verified address")
}
