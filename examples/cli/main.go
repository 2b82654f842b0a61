// Cli is a command line that people sign in to, and that says who they are. Without any
// environment it brings its own provider along:
//
//	go run ./examples/cli
//
// With a provider of yours, at which the client is registered as a native one with the
// redirect URL http://127.0.0.1/callback for every port:
//
//	ISSUER=https://op.example.com CLIENT_ID=my-cli go run ./examples/cli
//
// Further variables: CLIENT_SECRET, where the provider gives one to native apps too,
// REDIRECT_URL for another path, host or a fixed port, and SCOPES (profile email). With
// -check it says what does not fit between this configuration and the provider. With
// -no-browser it prints the address only, and with -device an address and a code for a
// browser on another device.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/native"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, env func(string) string, out io.Writer) error {
	flags := flag.NewFlagSet("cli", flag.ContinueOnError)
	flags.SetOutput(out)
	check := flags.Bool("check", false, "compare the configuration with the provider")
	noBrowser := flags.Bool("no-browser", false, "print the address, and open no browser")
	device := flags.Bool("device", false, "sign in with a browser on another device")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg := client.Config{
		Issuer:       env("ISSUER"),
		ClientID:     env("CLIENT_ID"),
		ClientSecret: env("CLIENT_SECRET"),
		RedirectURL:  env("REDIRECT_URL"),
		Scopes:       strings.Fields(cmp.Or(env("SCOPES"), "profile email")),
	}
	if cfg.Issuer == "" {
		provider, err := demo(out)
		if err != nil {
			return err
		}
		defer provider.Close()
		cfg = provider.Config("")
	}
	if *check {
		return checkConfig(ctx, cfg, out)
	}
	if *device {
		return signInDevice(ctx, cfg, out)
	}
	rp, tokens, err := native.SignIn(ctx, cfg, &native.Options{Open: func(ctx context.Context, address string) error {
		fmt.Fprintf(out, "to sign in, open\n%s\n", address)
		if *noBrowser || native.OpenBrowser(ctx, address) != nil {
			fmt.Fprintln(out, "(no browser was opened)")
		}
		return nil
	}})
	if err != nil {
		return err
	}
	return greet(ctx, rp, tokens, out)
}

// greet says who has signed in: whoever was first to open the address, and no other.
func greet(ctx context.Context, rp *client.Client, tokens *client.Tokens, out io.Writer) error {
	if tokens.IDToken == nil { // a device, at a provider that did not grant openid
		fmt.Fprintln(out, "signed in, and the provider does not say as whom")
		return nil
	}
	fmt.Fprintf(out, "signed in at %s as %q\n", tokens.IDToken.Issuer, tokens.IDToken.Subject)
	info, err := rp.UserInfo(ctx, tokens)
	if errors.Is(err, client.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	var claims struct{ Name, Email string }
	if err := info.Claims(&claims); err != nil {
		return err
	}
	fmt.Fprintf(out, "name %q, email %q\n", claims.Name, claims.Email)
	return nil
}

// checkConfig prints what the doctor says.
func checkConfig(ctx context.Context, cfg client.Config, out io.Writer) error {
	cfg.RedirectURL = cmp.Or(cfg.RedirectURL, "http://127.0.0.1/callback")
	rp, err := client.New(cfg)
	if err != nil {
		return err
	}
	findings := rp.Check(ctx)
	for _, finding := range findings {
		fmt.Fprintln(out, finding)
	}
	if len(findings) == 0 {
		fmt.Fprintln(out, "nothing is known to be wrong")
	}
	return nil
}
