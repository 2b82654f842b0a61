package jwtverify

import "strings"

// proofTarget brings a URL into the one form in which htu is compared (RFC 9449 4.3
// step 9): without query and fragment, after the normalization of RFC 3986 6.2.2 and
// 6.2.3. It is false for what is no absolute http or https URL, and for one with user
// information, which no request target has.
func proofTarget(raw string) (target string, ok bool) {
	if i := strings.IndexAny(raw, "?#"); i >= 0 {
		raw = raw[:i]
	}
	scheme, rest, _ := strings.Cut(raw, "://") // without it there is no host
	scheme = strings.ToLower(scheme)           // 6.2.2.1
	if scheme != "https" && scheme != "http" {
		return "", false
	}
	authority, path := rest, "/" // 6.2.3: an empty path is "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	authority, ok = normalAuthority(scheme, authority)
	if !ok {
		return "", false
	}
	path, ok = normalPath(path)
	if !ok {
		return "", false
	}
	return scheme + "://" + authority + withoutDots(path), true
}

// normalAuthority writes the host in lower case (6.2.2.1) and leaves out the port that
// the scheme has anyway (6.2.3).
func normalAuthority(scheme, authority string) (normal string, ok bool) {
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
	}
	if host == "" || strings.ContainsFunc(host, notOfHost) {
		return "", false
	}
	if strings.Trim(port, "0123456789") != "" {
		return "", false
	}
	host = strings.ToLower(host)
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return host, true
	}
	return host + ":" + port, true
}

// notOfHost tells what is no part of a DNS name or an IP address: "@" above all, and
// "%", which no host that resolves has.
func notOfHost(r rune) bool {
	return r >= 0x80 || !unreserved(byte(r)) && !strings.ContainsRune("[]:", r)
}

// normalPath writes percent-encoding in one way: in upper case (6.2.2.1), and not at
// all where it is not needed (6.2.2.2). What is reserved stays as it was: "%2F" is not
// "/". Octets that cannot stand in a path are encoded, as net/url does with those that
// browsers send as they are.
func normalPath(path string) (normal string, ok bool) {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c, plain := path[i], false
		switch {
		case c <= ' ' || c == 0x7f:
			return "", false
		case c == '%':
			if c, ok = percentEncoded(path[i:]); !ok {
				return "", false
			}
			plain = unreserved(c)
			i += 2
		default:
			plain = unreserved(c) || strings.IndexByte("/:@!$&'()*+,;=", c) >= 0
		}
		if plain {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b), true
}

// percentEncoded reads the octet that s begins with, as "%" and two hexadecimal digits.
func percentEncoded(s string) (c byte, ok bool) {
	if len(s) < 3 {
		return 0, false
	}
	for _, digit := range []byte(strings.ToLower(s[1:3])) {
		value := strings.IndexByte("0123456789abcdef", digit)
		if value < 0 {
			return 0, false
		}
		c = c<<4 | byte(value)
	}
	return c, true
}

// unreserved: RFC 3986 2.3.
func unreserved(c byte) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	return letter || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

// withoutDots resolves "." and ".." (6.2.2.3) in a path that begins with "/".
func withoutDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, s := range segments {
		if s != "." && s != ".." {
			kept = append(kept, s)
			continue
		}
		if s == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		if i == len(segments)-1 { // the slash before it stays
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}
