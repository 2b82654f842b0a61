package jwtverify_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"

	"github.com/postern-go/postern/jwtverify"
)

func ExampleBearer() {
	// A program takes a *jwtverify.Verifier.
	verifier := tokens{"alices-token": {Subject: "alice", Scope: []string{"orders.read"}}}

	api := &jwtverify.Bearer{
		Tokens:   verifier,
		Resource: "https://api.example.com",
		Metadata: jwtverify.ResourceMetadata{AuthorizationServers: []string{"https://op.example.com"}},
		Logger:   slog.New(slog.DiscardHandler),
	}
	mux := http.NewServeMux()
	api.Routes(mux) // where to get tokens for it
	mux.Handle("GET /orders", api.Require("orders.read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "the orders of %s", jwtverify.AccessTokenFrom(r.Context()).Subject)
	})))
	mux.Handle("DELETE /orders", api.Require("orders.read")(api.Guard(jwtverify.HasACR("mfa"))(http.NotFoundHandler())))

	for _, call := range []struct{ method, path, authorization string }{
		{"GET", "/.well-known/oauth-protected-resource", ""},
		{"GET", "/orders", "Bearer alices-token"},
		{"GET", "/orders", ""},
		{"DELETE", "/orders", "Bearer alices-token"},
	} {
		r := httptest.NewRequest(call.method, call.path, nil)
		if call.authorization != "" {
			r.Header.Set("Authorization", call.authorization)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Result().Body)
		fmt.Printf("%d %s\n", w.Code, body)
		for _, challenge := range w.Header().Values("WWW-Authenticate") {
			fmt.Println(challenge)
		}
	}
	// Output:
	// 200 {"resource":"https://api.example.com","authorization_servers":["https://op.example.com"],"bearer_methods_supported":["header"]}
	// 200 the orders of alice
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"detail":"an access token is needed"}
	// Bearer scope="orders.read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"
	// 401 {"type":"about:blank","title":"Unauthorized","status":401,"detail":"a different authentication level is required","error":"insufficient_user_authentication"}
	// Bearer scope="orders.read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", error="insufficient_user_authentication", error_description="a different authentication level is required", acr_values="mfa"
}

// A program whose router has another idea of middleware answers by itself.
func ExampleBearer_Authenticate() {
	api := &jwtverify.Bearer{
		Tokens:   tokens{"alices-token": {Subject: "alice", Scope: []string{"orders.read"}}},
		Resource: "https://api.example.com",
	}
	orders := func(w http.ResponseWriter, r *http.Request) {
		token, err := api.Authenticate(r, jwtverify.HasScope("orders.write"))
		if err != nil {
			var refused *jwtverify.BearerError
			errors.As(err, &refused) // always is one
			maps.Copy(w.Header(), refused.Header)
			w.WriteHeader(refused.Status)
			return
		}
		fmt.Fprintf(w, "the orders of %s", token.Subject)
	}
	r := httptest.NewRequest("POST", "/orders", nil)
	r.Header.Set("Authorization", "Bearer alices-token")
	w := httptest.NewRecorder()
	orders(w, r)
	fmt.Println(w.Code)
	fmt.Println(w.Header().Get("WWW-Authenticate"))
	// Output:
	// 403
	// Bearer scope="orders.write", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", error="insufficient_scope", error_description="the access token lacks a scope"
}
