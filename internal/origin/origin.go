// Package origin knows where one website or API ends and another begins.
package origin

import (
	"net/http"
	"net/url"
	"strings"
)

// Of is what a browser sends for u in the Origin header: in lower case, and without the
// port that goes without saying.
func Of(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":") // an empty port is none
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// Left says whether r follows redirects that have left the origin of the first request,
// even if they came back to it: whoever was in between has chosen the address. It goes by
// the requests that responses name, so a RoundTripper that asks must see to it that they
// do.
func Left(r *http.Request) bool {
	for at := r; at.Response != nil && at.Response.Request != nil; at = at.Response.Request {
		if Of(at.URL) != Of(at.Response.Request.URL) {
			return true
		}
	}
	return false
}
