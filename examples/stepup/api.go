package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

// newAPI would be somebody else's program: it knows access tokens, and neither sessions nor
// browsers. Its refusals say which sign-in would do.
func newAPI(address string, tokens *jwtverify.Verifier, acr string) http.Handler {
	api := &jwtverify.Bearer{Tokens: tokens, Resource: address}
	mux := http.NewServeMux()
	mux.Handle("GET /statement", api.Guard(jwtverify.HasACR(acr), jwtverify.AuthenticatedWithin(time.Hour))(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "The statement of %s, from the API.", jwtverify.AccessTokenFrom(r.Context()).Subject)
		})))
	return mux
}
