package client

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// maxHint bounds a login_hint that came from outside, in bytes.
const maxHint = 512

// InitiateLogin checks a request to sign somebody in that came from elsewhere
// (third-party initiated login, Core 4), at the client's initiate_login_uri: params are
// its query or its form. It returns the options for [Client.Authorize], and where to go
// after the sign-in; empty: the request did not say.
//
// iss must be this client's issuer, whatever else it may be discovered by; of the other
// parameters login_hint goes into the options, and nothing else of the request. The
// target is an address on the host of Config.RedirectURL, or the request is refused: it
// would make an open redirector of the program.
//
// Anybody can send such a request, so let it start a sign-in and do nothing more. The
// error wraps ErrRejected.
func (c *Client) InitiateLogin(params url.Values) (opts *AuthorizeOptions, target string, err error) {
	if err := c.checkInitiation(params); err != nil {
		return nil, "", fmt.Errorf("client: login initiation %w: %w", ErrRejected, err)
	}
	return &AuthorizeOptions{LoginHint: params.Get("login_hint")}, params.Get("target_link_uri"), nil
}

func (c *Client) checkInitiation(params url.Values) error {
	for _, name := range [...]string{"iss", "login_hint", "target_link_uri"} {
		if len(params[name]) > 1 {
			return fmt.Errorf("%s is there more than once", name)
		}
	}
	if !c.cfg.isIssuer(params.Get("iss")) {
		return errors.New("iss is not the issuer")
	}
	if hint := params.Get("login_hint"); len(hint) > maxHint || strings.ContainsFunc(hint, unicode.IsControl) {
		return fmt.Errorf("login_hint has control characters, or more than %d bytes", maxHint)
	}
	if target := params.Get("target_link_uri"); target != "" && !c.isOwnAddress(target) {
		return errors.New("target_link_uri is not on the host of the redirect URL")
	}
	return nil
}

// isOwnAddress tells whether an address is of the same origin as the redirect URL. A
// redirect URL with a private-use scheme has none.
func (c *Client) isOwnAddress(address string) bool {
	u, err := parseURL(address)
	if err != nil || checkSecure(u) != nil {
		return false
	}
	own, err := url.Parse(c.cfg.RedirectURL)
	return err == nil && u.Scheme == own.Scheme && strings.EqualFold(u.Host, own.Host)
}
