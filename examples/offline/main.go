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
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/oauth2"

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

// signIn asks somebody to sign in, in a browser anywhere.
func signIn(ctx context.Context, rp *client.Client, db *database, out io.Writer) (*client.Tokens, error) {
	login, err := rp.Device(ctx, nil)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "open %s and type %s\n", login.VerificationURI, login.UserCode)
	tokens, err := rp.WaitDevice(ctx, login)
	if err != nil {
		return nil, err
	}
	if tokens.RefreshToken == "" {
		return nil, errors.New("the provider gave no refresh token: does the client have the grant, and SCOPES what it takes?")
	}
	return tokens, db.save(ctx, tokens)
}

type job struct {
	address string
	every   time.Duration
	out     io.Writer
}

// work calls the API until ctx ends, or the grant. The source saves a refresh token that
// rotated before anybody uses what came with it.
func work(ctx context.Context, rp *client.Client, db *database, tokens *client.Tokens, j job) error {
	if j.address == "" {
		metadata, err := rp.Metadata(ctx)
		if err != nil {
			return err
		}
		j.address = metadata.UserInfoEndpoint
	}
	api := &http.Client{Transport: &oauth2.Transport{Source: rp.TokenSource(tokens, db.save)}, Timeout: 10 * time.Second}
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	for {
		if err := call(ctx, api, j); errors.Is(err, client.ErrInvalidGrant) {
			return err
		} else if err != nil && ctx.Err() == nil {
			fmt.Fprintln(j.out, "failed, and will be tried again:", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func call(ctx context.Context, api *http.Client, j job) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, j.address, nil)
	if err != nil {
		return err
	}
	resp, err := api.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return err
	}
	fmt.Fprintf(j.out, "%s: %q\n", resp.Status, text)
	return nil
}
