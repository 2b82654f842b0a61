// Web is a small site that people sign in to: the program of the README, grown
// up. It shows who is signed in, calls an API with their access token, and signs
// them out, here and at the provider.
//
// Without any environment it brings its own provider along and prints the
// address to open:
//
//	go run ./examples/web
//
// With a provider of yours, at which REDIRECT_URL is registered:
//
//	ISSUER=https://accounts.google.com CLIENT_ID=... CLIENT_SECRET=... go run ./examples/web
//
// Further variables, each with a default: ADDR to listen at (localhost:8080; in the
// demonstration 127.0.0.1:8080, or any free port), REDIRECT_URL
// (http://ADDR/auth/callback), and SECRET (random: a restart signs everybody out),
// at least 32 random bytes. For a provider of yours also SCOPES (profile email) and
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

	// Who may sign people in here. Nothing is sent yet: a provider that is down
	// does not keep the site from starting.
	rp, err := client.New(set.client)
	if err != nil {
		return err
	}

	// What keeps them signed in: sealed cookies.
	auth, err := session.New(rp, set.session)
	if err != nil {
		return err
	}

	site := &site{rp: rp, auth: auth}
	fmt.Fprintf(out, "open %s\n%s", set.address, set.hint)
	return serve(ctx, set.listener, site.handler())
}

// serve answers requests until ctx ends, and lets those under way finish.
func serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
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
