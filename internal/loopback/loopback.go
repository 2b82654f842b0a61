// Package loopback knows the hosts that http is safe with: those of this very
// machine.
package loopback

import (
	"net/netip"
	"strings"
)

// Host says whether host is "localhost", in upper or lower case, or the literal of a
// loopback address, without brackets and port, as url.URL.Hostname gives it (RFC 8252
// 7.3 and 8.3).
//
// It asks no resolver. Names below localhost and spellings of an address that only
// some parsers know are not taken: what one program reads as this machine is another
// one to the next.
func Host(host string) bool {
	const name = "localhost"
	if len(host) == len(name) && strings.EqualFold(host, name) { // U+017F folds to an s, and is longer
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() && ip.Zone() == "" // browsers refuse zones
}
