// Worker is a job that calls an API as itself, with no user anywhere. "go run
// ./examples/worker" brings its own provider and API along. With those of yours: ISSUER,
// CLIENT_ID, CLIENT_SECRET, API_URL (to GET), SCOPES, and where the provider wants to know
// what the token is for, AUDIENCE (Auth0) or RESOURCE (RFC 8707). EVERY is the time
// between two calls (1s).
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/postern-go/postern/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Getenv, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, env func(string) string, out io.Writer) (err error) {
	if env("ISSUER") == "" {
		if env, err = demo(ctx, env); err != nil {
			return err
		}
	}
	every, err := time.ParseDuration(cmp.Or(env("EVERY"), "1s"))
	if err != nil {
		return fmt.Errorf("EVERY: %w", err)
	}
	rp, err := client.New(client.Config{Issuer: env("ISSUER"), ClientID: env("CLIENT_ID"), ClientSecret: env("CLIENT_SECRET")})
	if err != nil {
		return err
	}
	// One source for the life of the program: it keeps the token until it is due.
	source := rp.ClientCredentialsSource(&client.GrantOptions{
		Scopes:   strings.Fields(env("SCOPES")),
		Audience: strings.Fields(env("AUDIENCE")),
		Resource: strings.Fields(env("RESOURCE")),
	})
	api := &http.Client{Transport: rp.Transport(nil, source), Timeout: 10 * time.Second}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := work(ctx, api, env("API_URL"), out); err != nil && ctx.Err() == nil {
			fmt.Fprintln(out, "failed, and will be tried again:", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// work is what there is to do: one call.
func work(ctx context.Context, api *http.Client, address string, out io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
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
	fmt.Fprintf(out, "%s: %q\n", resp.Status, text)
	return nil
}
