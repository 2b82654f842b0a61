package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

// demo starts a provider and an API in this process. They listen at localhost and the site
// at 127.0.0.1, because cookies ignore ports: to a browser, two ports of one
// name are the same site, and nothing would be as it is in production.
func demo(env func(string) string) (set *setup, err error) {
	ln, err := listen(env("ADDR"))
	if err != nil {
		return nil, err
	}
	closers := []func() error{ln.Close}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(closers))
		}
	}()
	redirectURL, err := callbackURL(env, cmp.Or(env("ADDR"), ln.Addr().String()), ln)
	if err != nil {
		return nil, err
	}
	apiListener, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return nil, err
	}
	closers = append(closers, apiListener.Close)
	_, port, err := net.SplitHostPort(apiListener.Addr().String())
	if err != nil {
		return nil, err
	}
	resource := "http://" + net.JoinHostPort("localhost", port)

	provider := clienttest.New(&clienttest.Options{Audience: resource})
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, err
	}
	closers = append(closers, provider.Close)
	api := &http.Server{Handler: notesAPI(provider, resource), ReadHeaderTimeout: 5 * time.Second}
	go api.Serve(apiListener)
	closers[1] = api.Close // and its listener

	address := originOf(redirectURL)
	cfg := provider.Config(redirectURL)
	cfg.Scopes = []string{"profile", "email", "offline_access", "notes"}
	return &setup{
		listener: ln,
		address:  address,
		api:      resource,
		client:   cfg,
		session:  sessionConfig(env, address+"/auth/logout"),
		hint:     fmt.Sprintf("people sign in at a provider for demonstration, %s; sign in as anybody\n", provider.Issuer()),
		close:    func() error { return closeAll(closers[1:]) }, // the listener ends with the server
	}, nil
}

func closeAll(closers []func() error) error {
	var errs []error
	for _, c := range closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// listen takes port 8080, or any free one if that is taken and none was asked for.
func listen(addr string) (net.Listener, error) {
	if addr != "" {
		if !strings.Contains(addr, ":") {
			return nil, fmt.Errorf("ADDR: %q has no port", addr)
		}
		return net.Listen("tcp", addr)
	}
	if ln, err := net.Listen("tcp", "127.0.0.1:8080"); err == nil {
		return ln, nil
	}
	return net.Listen("tcp", "127.0.0.1:0")
}

// notesAPI is an API as somebody else might have it: it knows access tokens and no cookies.
// To delete takes a stronger sign-in than to read.
func notesAPI(provider *clienttest.Provider, resource string) http.Handler {
	api := &jwtverify.Bearer{
		Resource: resource,
		Tokens: &jwtverify.Verifier{
			Issuer: provider.Issuer(), Audience: resource, Now: provider.Now,
			Keys: &jwtverify.RemoteKeys{URL: provider.Issuer() + "/jwks"},
		},
	}
	all := &notes{of: make(map[string][]string)}
	mux := http.NewServeMux()
	mux.Handle("GET /notes", api.Require("notes")(http.HandlerFunc(all.list)))
	mux.Handle("POST /notes", api.Require("notes")(http.HandlerFunc(all.add)))
	mux.Handle("DELETE /notes", api.Require("notes")(api.Guard(jwtverify.HasACR("mfa"))(http.HandlerFunc(all.clear))))
	return mux
}

// notes are kept by the subject of the token: whoever asks gets their own.
type notes struct {
	mu sync.Mutex
	of map[string][]string
}

func (n *notes) list(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	own := n.of[jwtverify.AccessTokenFrom(r.Context()).Subject]
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(append([]string{}, own...))
}

func (n *notes) add(w http.ResponseWriter, r *http.Request) {
	var text string
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&text); err != nil {
		http.Error(w, "A note is a JSON string.", http.StatusBadRequest)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	const most = 100
	subject := jwtverify.AccessTokenFrom(r.Context()).Subject
	own := append(n.of[subject], text)
	n.of[subject] = own[max(0, len(own)-most):]
	w.WriteHeader(http.StatusCreated)
}

func (n *notes) clear(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.of, jwtverify.AccessTokenFrom(r.Context()).Subject)
	w.WriteHeader(http.StatusNoContent)
}
