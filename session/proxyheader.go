package session

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// notPassedOn are headers of a request that an API may take for ours, or that are of no use
// to it: those of who is calling, from where, and what is really asked for.
// (httputil.ReverseProxy takes out Forwarded and the headers of connections.)
func notPassedOn() []string {
	return []string{
		"cookie", "authorization", "dpop", "origin", "referer", "expect",
		"client-ip", "x-client-ip", "x-cluster-client-ip", "x-real-ip", "true-client-ip", "cf-connecting-ip", "fastly-client-ip",
		"x-originating-ip", "x-host",
		"x-user", "x-username", "x-user-id", "x-user-name", "x-user-email", "x-user-groups", "x-user-roles", "x-email", "x-groups",
		"x-userinfo", "x-id-token", "x-access-token", "x-jwt-assertion", "x-anonymous-consumer",
		"x-http-method", "x-http-method-override", "x-method-override", "x-rewrite-url",
	}
}

func notPassedOnPrefixes() []string {
	return []string{
		"x-forwarded", "x-original-", "x-remote-", "remote-", "x-auth-request-", "x-authenticated-", "x-webauth-", "x-ssl-", "x-client-cert", "ssl-", "sec-fetch-", "access-control-", "proxy-",
		// What load balancers and identity-aware proxies say of users they have checked.
		"x-amzn-oidc-", "x-amzn-mtls-", "x-goog-authenticated-user-", "x-goog-iap-", "x-ms-client-principal", "x-ms-token-",
		"cf-access-", "x-authentik-", "tailscale-user-", "x-envoy-", "x-pomerium-", "x-vouch-", "x-consumer-", "x-credential-", "oidc-",
		"x-appengine-", "x-azure-",
		// Whom a caller who may wants to be (Kubernetes): the token decides that.
		"impersonate-",
	}
}

// passesOn says whether a header of a request goes to an API. A server that hands headers to
// programs as variables makes X_User, and perhaps X.User, the same as X-User.
func passesOn(name string) bool {
	plain := func(c rune) bool {
		return c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	if strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return false
	}
	return !named(strings.ToLower(name), notPassedOn(), notPassedOnPrefixes())
}

// named: one of the names, or below one of the prefixes. All are in lower case.
func named(name string, names, prefixes []string) bool {
	return slices.Contains(names, name) ||
		slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// cleanRequest leaves in h what passes on, and says where the request came from, to which
// address of ours. The token comes later.
func (m *Manager) cleanRequest(h http.Header, in *http.Request) {
	for name := range h {
		if !passesOn(name) || strings.EqualFold(name, m.cfg.AntiForgeryHeader) {
			delete(h, name)
		}
	}
	if ip, _, err := net.SplitHostPort(in.RemoteAddr); err == nil {
		h.Set("X-Forwarded-For", ip)
	}
	h.Set("X-Forwarded-Host", m.origin.Host)
	h.Set("X-Forwarded-Proto", m.origin.Scheme)
}

// cleanAnswer takes out of h what would be said in the name of this site as a whole: to
// browsers, or to a server in front of it. The user's page gets data and nothing else.
func cleanAnswer(h http.Header) {
	names := []string{
		"set-cookie", "set-cookie2", "clear-site-data", "strict-transport-security", "alt-svc", "refresh",
		"report-to", "reporting-endpoints", "nel", "service-worker-allowed", "dpop-nonce", "authentication-info",
		"x-sendfile", "x-lighttpd-send-file", "x-reproxy-url", "x-accel-redirect", "x-litespeed-location",
		"x-sendfile2", "x-lighttpd-send-tempfile", "x-archive-files",
		"expect-ct", "accept-ch", "timing-allow-origin", "set-login", "sec-session-registration", "secure-session-registration", "use-as-dictionary",
		"x-content-type-options", // serve has said it
	}
	for name := range h {
		if ordersCache(name) || named(strings.ToLower(name), names, []string{"access-control-", "public-key-pins", "proxy-"}) {
			delete(h, name)
		}
	}
	// An answer that somebody opens as a page has no origin, and runs nothing.
	h.Add("Content-Security-Policy", "default-src 'none'; sandbox")
}

func headerBytes(h http.Header) (n int) {
	for name, values := range h {
		for _, value := range values {
			n += len(name) + len(value) + len(": \r\n")
		}
	}
	return n
}

// plainPath says whether there is only one way to read an escaped path, whoever decodes it,
// and however often: no segment is or becomes a dot segment, or two, and none but the last
// is empty.
func plainPath(escaped string) bool {
	segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, segment := range segments {
		if segment == "" && i < len(segments)-1 || !plainSegment(segment) {
			return false
		}
	}
	return true
}

// plainSegment reads a segment as namesHost does. Parameters (";x") are for some servers no
// part of its name.
func plainSegment(segment string) bool {
	for range 4 {
		if !utf8.ValidString(segment) || strings.ContainsFunc(segment, neverInPath) {
			return false
		}
		worst := strings.Map(worstReading, segment)
		name, _, _ := strings.Cut(worst, ";")
		if strings.Contains(worst, "/") || name == "." || name == ".." || name == "" && segment != "" {
			return false
		}
		decoded := unescaped(segment)
		if decoded == segment {
			return true
		}
		segment = decoded
	}
	return false
}
