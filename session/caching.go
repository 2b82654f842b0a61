package session

import (
	"net/http"
	"slices"
	"strings"
)

// forbidStoring is for answers that are for this one browser and moment.
func forbidStoring(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Del("Expires")
	forbidSharing(h)
	varyByCookie(h)
}

// forbidSharing takes out what tells a CDN, or a server in front, to store an answer: there it
// would win over Cache-Control, whatever that says.
func forbidSharing(h http.Header) {
	for name := range h {
		if ordersCache(name) {
			delete(h, name)
		}
	}
}

// ordersCache knows the headers of RFC 9213 section 2.2 and what was there before it, and those
// of nginx and LiteSpeed.
func ordersCache(name string) bool {
	const targeted = "CDN-Cache-Control"
	if len(name) >= len(targeted) && strings.EqualFold(name[len(name)-len(targeted):], targeted) {
		return true
	}
	for _, known := range [...]string{"Surrogate-Control", "Edge-Control", "X-Accel-Expires", "X-LiteSpeed-Cache-Control"} {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}

func varyByCookie(h http.Header) {
	for _, line := range h["Vary"] {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, "Cookie") {
				return
			}
		}
	}
	h.Add("Vary", "Cookie")
}

// storesPrivately says whether a handler has thought about who may store its
// answer: nobody, or this browser alone. no-cache does not say so, and neither
// does private with a list of fields.
func storesPrivately(h http.Header) bool {
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			directive = strings.TrimSpace(directive)
			if slices.ContainsFunc([]string{"no-store", "private"}, func(s string) bool { return strings.EqualFold(s, directive) }) {
				return true
			}
		}
	}
	return false
}
