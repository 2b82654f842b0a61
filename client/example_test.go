package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/pkce"
)

func ExampleNew() {
	rp, err := client.New(client.Config{
		Issuer:       "https://op.example.com",
		ClientID:     "web",
		ClientSecret: "a secret from the environment",
		RedirectURL:  "https://app.example.com/auth/callback",
		Scopes:       []string{"email"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v\n", rp)

	_, err = client.New(client.Config{Issuer: "http://op.example.com", ClientID: "web"})
	fmt.Println(err)
	// Output:
	// {Issuer:https://op.example.com ClientID:web}
	// client: Config.Issuer must be https (http on a loopback host only)
}

// A sign-in without package session: the Login is kept where only the browser that
// began can bring it back, and removed when it is used.
func ExampleClient_Exchange() {
	var (
		rp    *client.Client
		store interface {
			Put(w http.ResponseWriter, data []byte) error       // a sealed cookie, or a server-side session
			Take(w http.ResponseWriter, r *http.Request) []byte // removes it, too
		}
	)
	login := func(w http.ResponseWriter, r *http.Request) {
		login, err := rp.Authorize(r.Context(), nil)
		if err != nil {
			http.Error(w, "sign-in is not possible just now", http.StatusServiceUnavailable)
			return
		}
		data, err := login.MarshalBinary()
		if err == nil {
			err = store.Put(w, data)
		}
		if err != nil {
			http.Error(w, "sign-in failed", http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, login.URL(), http.StatusSeeOther)
	}
	callback := func(w http.ResponseWriter, r *http.Request) {
		var login client.Login
		if err := login.UnmarshalBinary(store.Take(w, r)); err != nil {
			http.Error(w, "this sign-in was not begun here", http.StatusBadRequest)
			return
		}
		tokens, err := rp.Exchange(r.Context(), &login, r.URL.Query())
		var refused *client.AuthError
		switch {
		case errors.As(err, &refused):
			http.Error(w, "the provider refused", http.StatusForbidden)
		case errors.Is(err, client.ErrUnavailable):
			http.Error(w, "the provider is not there just now", http.StatusServiceUnavailable)
		case err != nil:
			http.Error(w, "sign-in failed", http.StatusBadRequest)
		default:
			fmt.Fprintf(w, "hello, %s", tokens.IDToken.Subject)
		}
	}
	http.HandleFunc("GET /login", login)
	http.HandleFunc("GET /callback", callback)
}

func ExampleClient_TokenSource() {
	var (
		rp     *client.Client
		stored []byte                                       // of Tokens.MarshalBinary, under your seal
		write  func(ctx context.Context, data []byte) error // to where it came from
	)
	var tokens client.Tokens
	if err := tokens.UnmarshalBinary(stored); err != nil {
		log.Print(err)
		return
	}
	source := rp.TokenSource(&tokens, func(ctx context.Context, t *client.Tokens) error {
		data, err := t.MarshalBinary()
		if err != nil {
			return err
		}
		return write(ctx, data)
	})
	token, err := source.Token()
	if errors.Is(err, client.ErrInvalidGrant) {
		log.Print("the user has to sign in again")
		return
	}
	if err != nil {
		log.Print(err)
		return
	}
	req, _ := http.NewRequest(http.MethodGet, "https://api.example.com/orders", nil)
	token.SetAuthHeader(req)
}

// The app on a phone began the flow, and sends its backend the callback with the
// secrets that belong to it.
func ExampleNewLogin() {
	var (
		rp       *client.Client
		verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
		callback = url.Values{"code": {"..."}, "state": {"af0ifjsldkjaf0ifjsldkj"}}
	)
	login, err := client.NewLogin(client.LoginSecrets{
		Issuer:      "https://op.example.com",
		ClientID:    "phone",
		RedirectURL: "com.example.app:/callback",
		State:       "af0ifjsldkjaf0ifjsldkj",
		Nonce:       "n-0S6_WzA2Mj_n-0S6_WzA2Mj",
		Verifier:    pkce.Verifier(verifier),
		Created:     time.Now().Add(-time.Minute),
	})
	fmt.Println(login, err)
	if rp != nil {
		_, err = rp.Exchange(context.Background(), login, callback)
	}
	// Output: [redacted] <nil>
}

// An API whose tokens say nothing to anybody but the provider asks the provider.
func ExampleIntrospector() {
	op := clienttest.New(&clienttest.Options{OpaqueAccessTokens: true, Audience: "https://api.example.com"})
	defer op.Close()
	rp, err := client.New(op.Config("")) // in a program: Issuer, and the API's own ClientID and ClientSecret
	if err != nil {
		log.Print(err)
		return
	}
	tokens := &client.Introspector{
		Client:   rp,
		Audience: "https://api.example.com",
		MaxAge:   30 * time.Second, // a token that was revoked passes for so long
	}
	token, err := tokens.AccessToken(context.Background(), op.AccessToken(map[string]any{"scope": "read"}))
	if err != nil {
		log.Print(err)
		return
	}
	fmt.Println(token.Subject, token.Scope)
	_, err = tokens.AccessToken(context.Background(), "made up")
	fmt.Println(err)
	// Output:
	// alice [read]
	// client: token invalid: the provider says that the token is not active
}
