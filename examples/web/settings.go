package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// setup is what the environment decides.
type setup struct {
	listener net.Listener // of the site
	client   client.Config
	session  session.Config
	hint     string       // printed under the address
	close    func() error // of the demo provider
}

// settings reads the environment; see the package comment.
func settings(env func(string) string) (*setup, error) {
	issuer := env("ISSUER")
	if issuer == "" && (env("CLIENT_ID") != "" || env("CLIENT_SECRET") != "") {
		return nil, errors.New("CLIENT_ID without ISSUER: which provider is it for?")
	}
	if issuer == "" {
		return demo(env)
	}

	addr := cmp.Or(env("ADDR"), "localhost:8080")
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	redirectURL := cmp.Or(env("REDIRECT_URL"), "http://"+addr+"/auth/callback")
	return &setup{
		listener: ln,
		client: client.Config{
			Issuer:       issuer,
			ClientID:     env("CLIENT_ID"),
			ClientSecret: env("CLIENT_SECRET"),
			RedirectURL:  redirectURL,
			Scopes:       strings.Fields(cmp.Or(env("SCOPES"), "profile email")),
		},
		session: sessionConfig(env, env("POST_LOGOUT_URL")),
		hint:    fmt.Sprintf("people sign in at %s, which sends them back to %s\n", issuer, redirectURL),
		close:   func() error { return nil },
	}, nil
}

func sessionConfig(env func(string) string, afterLogout string) session.Config {
	cfg := session.Config{
		Name:                  "postern-example",
		PostLogoutRedirectURL: afterLogout,
	}
	if secret := env("SECRET"); secret != "" {
		cfg.Secrets = []string{secret}
	}
	return cfg
}
