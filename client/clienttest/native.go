package clienttest

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// takes says whether a redirect URL is registered: byte for byte, but for the port where a
// public client is registered at a loopback address, because a native app listens at
// whichever is free (RFC 8252 section 7.3).
func (c *registered) takes(redirect string) bool {
	if slices.Contains(c.RedirectURLs, redirect) {
		return true
	}
	asked := withoutPort(redirect)
	return asked != "" && c.Secret == "" && slices.ContainsFunc(c.RedirectURLs, func(r string) bool { return withoutPort(r) == asked })
}

// withoutPort returns an http address on a loopback host without its port; empty: it is
// none.
func withoutPort(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.User != nil {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return ""
	}
	u.Host = net.JoinHostPort(host, "")
	return u.String()
}
