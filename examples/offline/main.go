// Offline is a job that acts for a user who is not there. Once, somebody signs in with a
// browser anywhere; from then on the job lives from the refresh token, which it keeps in a
// file, sealed, and it goes on where it stopped when it is started again.
//
// "go run ./examples/offline" brings its own provider along, which forgets everything when
// it ends. With a provider of yours: ISSUER, CLIENT_ID, CLIENT_SECRET, API_URL (to GET;
// the userinfo endpoint), SCOPES (offline_access), FILE (tokens.sealed), KEY (of the file,
// 64 hexadecimal digits: openssl rand -hex 32) and EVERY (between two calls; 1s).
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, env func(string) string, out io.Writer) (err error) {
	if env("ISSUER") == "" {
		if env, err = demo(ctx, env); err != nil {
			return err
		}
	}
	db, err := open(cmp.Or(env("FILE"), "tokens.sealed"), env("KEY"))
	if err != nil {
		return err
	}
	every, err := time.ParseDuration(cmp.Or(env("EVERY"), "1s"))
	if err != nil {
		return fmt.Errorf("EVERY: %w", err)
	}
	rp, err := client.New(client.Config{
		Issuer: env("ISSUER"), ClientID: env("CLIENT_ID"), ClientSecret: env("CLIENT_SECRET"),
		Scopes: strings.Fields(cmp.Or(env("SCOPES"), "offline_access")),
	})
	if err != nil {
		return err
	}
	for {
		tokens, err := db.load()
		if errors.Is(err, fs.ErrNotExist) {
			tokens, err = signIn(ctx, rp, db, out)
		}
		if err != nil {
			return err
		}
		err = work(ctx, rp, db, tokens, job{env("API_URL"), every, out})
		if !errors.Is(err, client.ErrInvalidGrant) {
			return err
		}
		fmt.Fprintln(out, "the grant is over:", err)
		if err := db.forget(); err != nil {
			return err
		}
	}
}
