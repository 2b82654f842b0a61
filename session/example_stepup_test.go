package session_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
	"github.com/postern-go/postern/session"
)

// An API wants a second factor for what it is asked, and says so (RFC 9470). The page that
// calls it passes that on to the provider, and is opened again afterwards.
func ExampleManager_StepUp() {
	op := clienttest.New(nil)
	defer op.Close()
	api := newExampleAPI(op)
	defer api.Close()
	auth, err := session.New(exampleClient(op, "/auth/callback"), session.Config{Secrets: []string{"for tests only: 32 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Routes(mux)
	mux.Handle("/orders", auth.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		req, err := http.NewRequestWithContext(r.Context(), "GET", api.URL, nil)
		if err != nil {
			http.Error(w, "sorry", http.StatusInternalServerError)
			return
		}
		resp, err := session.From(r.Context()).HTTPClient().Do(req)
		switch {
		case errors.Is(err, session.ErrSignIn):
			auth.Login(w, r, nil)
			return
		case err != nil:
			http.Error(w, "try again later", http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		if demand := session.Challenge(resp); demand != nil {
			auth.StepUp(w, r, demand)
			return
		}
		io.Copy(w, io.LimitReader(resp.Body, 1<<20))
	})))

	alice := newVisitor("alice", op, mux)
	alice.open("/orders")
	// Output:
	//   at the provider: sign in
	//   at the provider: sign in, acr_values=mfa
	// /orders -> 200 the orders of alice
}

// newExampleAPI is somebody else's program.
func newExampleAPI(op *clienttest.Provider) *httptest.Server {
	api := &jwtverify.Bearer{Tokens: &jwtverify.Verifier{
		Issuer: op.Issuer(), Audience: op.Issuer(), Keys: &jwtverify.RemoteKeys{URL: op.Issuer() + "/jwks", HTTPClient: op.HTTPClient()},
	}}
	return httptest.NewServer(api.Guard(jwtverify.HasACR("mfa"))(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "the orders of", jwtverify.AccessTokenFrom(r.Context()).Subject)
	})))
}
