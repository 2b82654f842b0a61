package main

import (
	"context"
	"fmt"
	"io"

	"github.com/postern-go/postern/client"
)

// signInDevice is for a machine without a browser (RFC 8628): somebody opens the address
// on another one, and enters the code.
func signInDevice(ctx context.Context, cfg client.Config, out io.Writer) error {
	rp, err := client.New(cfg)
	if err != nil {
		return err
	}
	login, err := rp.Device(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "to sign in, open\n%s\non any device, and enter the code %s\n", login.VerificationURI, login.UserCode)
	tokens, err := rp.WaitDevice(ctx, login)
	if err != nil {
		return err
	}
	return greet(ctx, rp, tokens, out)
}
