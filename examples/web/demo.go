package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/postern-go/postern/client/clienttest"
)

// demo starts a provider in this process. It listens at localhost and the site
// at 127.0.0.1, because cookies ignore ports: to a browser, two ports of one
// name are the same site, and nothing would be as it is in production.
func demo(env func(string) string) (*setup, error) {
	ln, err := listen(env("ADDR"))
	if err != nil {
		return nil, err
	}
	redirectURL, err := callbackURL(env, cmp.Or(env("ADDR"), ln.Addr().String()), ln)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	address := originOf(redirectURL)

	provider := clienttest.New(nil)
	if err := provider.Listen("localhost:0"); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &setup{
		listener: ln,
		address:  address,
		client:   provider.Config(redirectURL),
		session:  sessionConfig(env, address+"/auth/logout"),
		hint:     fmt.Sprintf("people sign in at a provider for demonstration, %s; sign in as anybody\n", provider.Issuer()),
		close:    provider.Close,
	}, nil
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
