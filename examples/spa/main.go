// Spa is a page of scripts without a framework, and the small server that it needs (a backend
// for frontend): the server signs people in and keeps their tokens, and the page calls an API
// through it. No script ever sees a token, so none can be stolen from one.
//
// Without any environment it brings its own provider and its own API along and prints the
// address to open:
//
//	go run ./examples/spa
//
// With a provider of yours, at which REDIRECT_URL is registered, and an API that takes its
// access tokens, with GET, POST and DELETE of /notes:
//
//	ISSUER=https://accounts.example.com CLIENT_ID=... CLIENT_SECRET=... API_URL=https://api.example.com go run ./examples/spa
//
// Further variables, each with a default: ADDR to listen at (localhost:8080; in the
// demonstration 127.0.0.1:8080, or any free port), REDIRECT_URL
// (http://ADDR/auth/callback), and SECRET (random: a restart signs everybody out),
// at least 32 random bytes. For a provider of yours also SCOPES (profile) and
// POST_LOGOUT_URL (none: after signing out, people stay at the provider).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run serves the site until ctx ends.
func run(ctx context.Context, env func(string) string, out io.Writer) error {
	set, err := settings(env)
	if err != nil {
		return err
	}
	defer set.close()

	rp, err := client.New(set.client)
	if err != nil {
		return err
	}
	auth, err := session.New(rp, set.session)
	if err != nil {
		return err
	}
	site, err := handler(auth, set.api)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "open %s\n%s", set.address, set.hint)
	return serve(ctx, set.listener, site)
}

// serve answers requests until ctx ends, and lets those under way finish.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      time.Minute, // longer than the API may take; for streams see http.ResponseController
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := srv.Shutdown(grace)
	if serveErr := <-failed; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
