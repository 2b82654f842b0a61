// Backchannel is a site that several processes answer for, and whose people can be signed out
// from outside: by the provider, which says so to any one of the processes (OpenID Connect
// Back-Channel Logout 1.0), and by the site itself, in every browser at once. Sessions stay in
// cookies; what the processes share is who has been signed out, in Redis.
//
// "go run ." in this directory brings a provider along, and answers at two addresses, as two
// processes would. Without REDIS_URL they share a memory. Sign in with two browsers, then sign
// out at the provider with one of them.
//
// With a provider of yours run it once for each address, with the same variables for all:
// ISSUER, CLIENT_ID, CLIENT_SECRET, REDIS_URL (redis://localhost:6379), SECRET (at least 32
// random bytes), ADDRESS (of the site to browsers, in front of all processes; the first of
// ADDR) and ADDR (to listen at). Register there ADDRESS with /auth/callback as the redirect
// URL, with /auth/logout as the post-logout redirect URL, and with /auth/backchannel-logout as
// the back-channel logout URL, with the session required.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
	"github.com/postern-go/postern/session/redisstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); ctx.Err() == nil {
		log.Fatal(err)
	}
}

// run serves the site at all its addresses, until ctx ends or one of them fails.
func run(ctx context.Context, env func(string) string, out io.Writer) error {
	listeners, err := listen(strings.Fields(cmp.Or(env("ADDR"), "127.0.0.1:8080 127.0.0.1:8081")))
	if err != nil {
		return err
	}
	if env("ISSUER") != "" && env("SECRET") == "" {
		return errors.Join(errors.New("SECRET is missing: all processes need the same"), closeAll(listeners))
	}
	address := cmp.Or(env("ADDRESS"), "http://"+listeners[0].Addr().String())
	if env("ISSUER") == "" {
		if env, err = demo(ctx, env, address); err != nil {
			return errors.Join(err, closeAll(listeners))
		}
	}
	store, closeStore, err := newStore(env("REDIS_URL"))
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	defer closeStore()
	// What a cookie is sealed with is the same in all processes: each would take those of the
	// others for forgeries otherwise.
	secret := cmp.Or(env("SECRET"), rand.Text()+rand.Text())
	var sites []http.Handler
	for i := range listeners {
		site, err := newSite(env, address, session.Config{Secrets: []string{secret}, Store: store}, i+1)
		if err != nil {
			return errors.Join(err, closeAll(listeners))
		}
		sites = append(sites, site)
	}
	for i, ln := range listeners {
		fmt.Fprintf(out, "open http://%s (process %d)\n", ln.Addr(), i+1)
	}
	return serve(ctx, listeners, sites)
}

func listen(addrs []string) (listeners []net.Listener, err error) {
	for _, addr := range addrs {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, errors.Join(err, closeAll(listeners))
		}
		listeners = append(listeners, ln)
	}
	return listeners, nil
}

func closeAll(listeners []net.Listener) (err error) {
	for _, ln := range listeners {
		err = errors.Join(err, ln.Close())
	}
	return err
}

// serve answers at each listener with the site of its process. The error is why the first one
// to end did.
func serve(ctx context.Context, listeners []net.Listener, sites []http.Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var serving sync.WaitGroup
	for i, ln := range listeners {
		srv := &http.Server{Handler: sites[i], ReadHeaderTimeout: 5 * time.Second}
		context.AfterFunc(ctx, func() { srv.Close() })
		serving.Go(func() { cancel(srv.Serve(ln)) })
	}
	serving.Wait()
	return context.Cause(ctx)
}

// newStore is what the processes share. A MemoryStore does for the two of this program, and
// would not for two programs.
func newStore(redisURL string) (store session.Store, closeStore func() error, err error) {
	if redisURL == "" {
		return new(session.MemoryStore), func() error { return nil }, nil
	}
	options, err := redis.ParseURL(redisURL)
	if err != nil {
		return nil, nil, errors.New("REDIS_URL is not the address of a Redis") // which err has in full, with the password
	}
	// A Redis that is not there is not worth waiting for: see the documentation of redisstore.
	options.MaxRetries, options.DialerRetries = 1, 1
	c := redis.NewClient(options)
	return &redisstore.Store{Client: c, Prefix: "backchannel-example:"}, c.Close, nil
}

// newSite is that of one process; cfg is what the processes have in common.
func newSite(env func(string) string, address string, cfg session.Config, process int) (http.Handler, error) {
	rp, err := client.New(client.Config{
		Issuer:       env("ISSUER"),
		ClientID:     env("CLIENT_ID"),
		ClientSecret: env("CLIENT_SECRET"),
		RedirectURL:  address + "/auth/callback",
		Scopes:       []string{"profile"},
	})
	if err != nil {
		return nil, err
	}
	cfg.Name = "postern-backchannel"
	cfg.PostLogoutRedirectURL = address + "/auth/logout"
	auth, err := session.New(rp, cfg)
	if err != nil {
		return nil, err
	}
	return (&site{rp: rp, auth: auth, process: process}).handler(), nil
}
