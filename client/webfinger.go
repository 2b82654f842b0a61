package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/postern-go/postern/internal/strictjson"
)

const (
	// issuerRelation is the rel of the link to a provider (Discovery 2).
	issuerRelation = "http://openid.net/specs/connect/1.0/issuer"
	// maxIdentifier bounds what a user types, in bytes. An email address has 254 at most.
	maxIdentifier = 512
)

// WebFinger finds the issuer of a user (OpenID Connect Discovery 2) by what they typed: an
// email address such as joe@example.com, a host, or a URL. It asks the host in it, over
// https, and follows at most three redirects, over https too.
//
// The issuer is what that host says and nothing more, for a Config with it to be made, whose
// metadata must then name it byte for byte. It may be anybody's: let a user of it be known
// by issuer and subject together, and register a client there (or know one already)
// before you send anybody to it.
//
// Who types chooses where the request goes. With a nil httpClient it goes to addresses of
// the public internet alone, directly, without the proxy of the environment. Of another
// one the Transport is used, which should see to that itself, and the Timeout where it is
// shorter than 10 s.
//
// The error wraps ErrUnsupported where the host knows no such user or no issuer,
// ErrUnavailable where it did not answer, ErrRejected where its answer was not accepted, and
// nothing where resource is none that could be looked up.
func WebFinger(ctx context.Context, resource string, httpClient *http.Client) (issuer string, err error) {
	resource, host, err := normalize(resource)
	if err != nil {
		return "", fmt.Errorf("client: WebFinger: resource %w", err)
	}
	cfg := Config{HTTPClient: httpClient}
	if httpClient == nil {
		transport := publicTransport()
		defer transport.CloseIdleConnections()
		cfg.HTTPClient = &http.Client{Transport: transport}
	}
	_, fetch := cfg.httpClients()
	fetch.CheckRedirect = staySecure
	from := endpoint{name: "WebFinger", accept: "application/jrd+json"}
	from.url = "https://" + host + "/.well-known/webfinger?" + url.Values{"resource": {resource}, "rel": {issuerRelation}}.Encode()
	a, err := send(ctx, fetch, from, message{method: http.MethodGet})
	if err != nil {
		return "", err
	}
	return a.issuer()
}

// normalize makes the resource to ask for, and the host to ask (Discovery 2.1.2).
func normalize(typed string) (resource, host string, err error) {
	switch {
	case typed == "" || len(typed) > maxIdentifier || !isVisible(typed):
		return "", "", fmt.Errorf("must have 1 to %d characters of visible ASCII", maxIdentifier)
	case strings.ContainsRune("=@!", rune(typed[0])): // 2.1.1: an XRI
		return "", "", errors.New("is an XRI, which nothing says how to look up")
	}
	resource, _, _ = strings.Cut(typed, "#")
	if len(resource) >= 5 && strings.EqualFold(resource[:5], "acct:") {
		return accountHost("acct:" + resource[5:])
	}
	bare := !strings.Contains(resource, "://")
	if bare {
		if name, host, ok := strings.Cut(resource, "@"); ok && !strings.ContainsAny(host, ":/?") && !strings.ContainsAny(name, ":/?") {
			return accountHost("acct:" + resource)
		}
		resource = "https://" + resource
	}
	u, err := url.Parse(resource)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !isHost(u.Host) {
		return "", "", errors.New("is neither an email address nor a host nor a URL")
	}
	if _, has := u.User.Password(); has {
		return "", "", errors.New("has a password in it")
	}
	if bare && u.Path == "" && u.RawQuery == "" { // 2.2.3
		resource += "/"
	}
	return resource, u.Host, nil
}

// accountHost returns the host of an acct URI (RFC 7565), which is behind the one @ in it.
func accountHost(resource string) (same, host string, err error) {
	name, host, _ := strings.Cut(strings.TrimPrefix(resource, "acct:"), "@")
	if _, err := url.Parse("https://" + host); err != nil || name == "" || !isHost(host) {
		return "", "", errors.New("is not an account at a host")
	}
	return resource, host, nil
}

// isHost tells whether host is a name or an address, perhaps with a port, in the characters
// that these have: net/url also takes escaped bytes.
func isHost(host string) bool {
	return strings.Trim(host, ":[]") != "" && !strings.ContainsFunc(host, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]", r)
	})
}

// staySecure follows redirects to any host that is https (RFC 7033 4.2): a domain may have
// somebody else answer for its users.
func staySecure(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects || next.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	return nil
}

// publicTransport connects to addresses of the public internet and to no others: what a
// stranger types must not reach the machines around this one.
func publicTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: httpTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		if !isPublic(address) {
			return errors.New("not an address of the public internet")
		}
		return nil
	}}
	return &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: httpTimeout, ForceAttemptHTTP2: true, DisableKeepAlives: true}
}

// isPublic judges the address that a connection is about to be made to, with its port.
func isPublic(address string) bool {
	to, _ := netip.ParseAddrPort(address) // the zero address is not public
	ip := to.Addr().Unmap()
	for _, inside := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", // RFC 6890
		"::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", // stand for IPv4 addresses
		"fec0::/10", // once for inside (RFC 3879)
	} {
		if netip.MustParsePrefix(inside).Contains(ip) {
			return false
		}
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate()
}

// issuer reads a JRD (RFC 7033 4.4): the first link to a provider.
func (a *answer) issuer() (string, error) {
	switch a.status {
	case http.StatusOK:
	case http.StatusNotFound:
		return "", a.noIssuer("nobody of this name is known")
	default:
		return "", a.refuse("no answer about the resource")
	}
	if t := a.mediaType(); t != "application/jrd+json" && t != "application/json" { // the second: many static hosts
		return "", a.refuse("the content type is not application/jrd+json")
	}
	var links strictjson.Value
	err := members(a.body, []string{"subject", "links"}, func(name string, v strictjson.Value) error {
		if name == "links" {
			links = v
		}
		return nil
	})
	if err != nil {
		return "", a.refuse(err.Error())
	}
	if !links.Exists() {
		return "", a.noIssuer("it has no links")
	}
	return a.linked(links)
}

func (a *answer) linked(links strictjson.Value) (issuer string, err error) {
	found := false
	err = links.Elements(func(link strictjson.Value) error {
		rel, _ := link.Member("rel")
		if text, _ := rel.String(); text != issuerRelation || found {
			return nil
		}
		found = true
		href, _ := link.Member("href")
		issuer, _ = href.String()
		return nil
	})
	if err != nil {
		return "", a.refuse("links is not a list")
	}
	if !found {
		return "", a.noIssuer("it has no link to an issuer")
	}
	if err := checkIssuer(issuer); err != nil {
		return "", a.refuse("the issuer " + err.Error())
	}
	if !strings.HasPrefix(issuer, "https:") { // Discovery 2: a host that is asked in public has no business with ours
		return "", a.refuse("the issuer must be https")
	}
	return strings.Clone(issuer), nil
}

func (a *answer) noIssuer(reason string) *ResponseError {
	e := a.refuse(reason)
	e.Err = ErrUnsupported
	return e
}
