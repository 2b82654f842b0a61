package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
	"github.com/postern-go/postern/pkce"
)

// demo starts a provider and the next service in this process, until ctx ends, and prints a
// request to try. It returns the environment that goes with them.
func demo(ctx context.Context, address string, out io.Writer) (env func(string) string, err error) {
	provider := clienttest.New(nil)
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, provider.Close())
	}
	next := "http://" + ln.Addr().String()
	api := &jwtverify.Bearer{Tokens: &jwtverify.Verifier{
		Issuer: provider.Issuer(), Audience: next,
		Keys: &jwtverify.RemoteKeys{URL: provider.Issuer() + "/jwks"},
	}}
	srv := &http.Server{Handler: api.Require("notes")(http.HandlerFunc(notes)), ReadHeaderTimeout: 5 * time.Second}
	go srv.Serve(ln) // ends with ErrServerClosed
	context.AfterFunc(ctx, func() { srv.Close(); provider.Close() })
	cfg := provider.Config("https://app.example.com/callback")
	form, err := frontEnd(provider, cfg.ClientID, cfg.RedirectURL)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "# within a minute, for codes are good for one\ncurl -i -d '%s' %s/call\n", form.Encode(), address)
	values := map[string]string{
		"ISSUER": cfg.Issuer, "CLIENT_ID": cfg.ClientID, "CLIENT_SECRET": cfg.ClientSecret, "REDIRECT_URL": cfg.RedirectURL,
		"NEXT_URL": next,
	}
	return func(name string) string { return values[name] }, nil
}

// frontEnd plays an app that starts a sign-in, and alice.
func frontEnd(provider *clienttest.Provider, clientID, redirectURL string) (url.Values, error) {
	state, nonce, verifier, created := rand.Text(), rand.Text(), pkce.New(), time.Now()
	request := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURL}, "scope": {"openid notes"},
		"state": {state}, "nonce": {nonce}, "code_challenge": {verifier.Challenge()}, "code_challenge_method": {pkce.Method},
	}
	callback, err := provider.SignIn(provider.Issuer()+"/authorize?"+request.Encode(), "alice")
	if err != nil {
		return nil, err
	}
	return url.Values{
		"callback": {callback.RawQuery}, "state": {state}, "nonce": {nonce}, "verifier": {string(verifier)},
		"created": {created.Format(time.RFC3339)},
	}, nil
}

func notes(w http.ResponseWriter, r *http.Request) {
	token := jwtverify.AccessTokenFrom(r.Context())
	fmt.Fprintf(w, "the notes of %s, for %s", token.Subject, token.ClientID)
}
