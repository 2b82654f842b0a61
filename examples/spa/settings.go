package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/session"
)

// setup is what the environment decides.
type setup struct {
	listener net.Listener // of the site
	address  string       // to open: cookies of a sign-in begun under another name would not come back
	api      string       // where calls of the page go
	client   client.Config
	session  session.Config
	hint     string       // printed under the address
	close    func() error // of what the demonstration brought along
}

// settings reads the environment; see the package comment.
func settings(env func(string) string) (*setup, error) {
	issuer := env("ISSUER")
	switch {
	case issuer == "" && (env("CLIENT_ID") != "" || env("CLIENT_SECRET") != "" || env("API_URL") != ""):
		return nil, errors.New("CLIENT_ID or API_URL without ISSUER: which provider is it for?")
	case issuer == "":
		return demo(env)
	case env("API_URL") == "":
		return nil, errors.New("ISSUER without API_URL: which API takes its tokens?")
	}

	addr := cmp.Or(env("ADDR"), "localhost:8080")
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	redirectURL, err := callbackURL(env, addr, ln)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return &setup{
		listener: ln,
		address:  originOf(redirectURL),
		api:      env("API_URL"),
		client: client.Config{
			Issuer:       issuer,
			ClientID:     env("CLIENT_ID"),
			ClientSecret: env("CLIENT_SECRET"),
			RedirectURL:  redirectURL,
			Scopes:       strings.Fields(cmp.Or(env("SCOPES"), "profile")),
		},
		session: sessionConfig(env, env("POST_LOGOUT_URL")),
		hint:    fmt.Sprintf("people sign in at %s, which sends them back to %s\n", issuer, redirectURL),
		close:   func() error { return nil },
	}, nil
}

// callbackURL is REDIRECT_URL, or where a browser on this machine finds ln.
func callbackURL(env func(string) string, addr string, ln net.Listener) (string, error) {
	if redirectURL := env("REDIRECT_URL"); redirectURL != "" {
		return redirectURL, nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "", fmt.Errorf("ADDR %q is every address of this machine: REDIRECT_URL must say which one people use", addr)
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return "", err
	}
	return "http://" + net.JoinHostPort(host, port) + "/auth/callback", nil
}

// originOf is the address without its path; what is no URL is refused later.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Scheme + "://" + u.Host
}

func sessionConfig(env func(string) string, afterLogout string) session.Config {
	cfg := session.Config{
		Name: "postern-spa",
		// A page that is open all day makes no page loads. This ends after Lifetime only;
		// with less, the page would have to be loaded now and then.
		Idle:                  session.DefaultLifetime,
		PostLogoutRedirectURL: afterLogout,
	}
	if secret := env("SECRET"); secret != "" {
		cfg.Secrets = []string{secret}
	}
	return cfg
}
