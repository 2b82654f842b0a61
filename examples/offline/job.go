package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/postern-go/postern/client"
)

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
	api := &http.Client{Transport: rp.Transport(nil, rp.TokenSource(tokens, db.save)), Timeout: 10 * time.Second}
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
