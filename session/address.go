package session

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAddress bounds a return address in bytes: it travels in the attempt
// cookie, beside those of other tabs.
const maxAddress = 1024

// localAddress returns s byte for byte, and true, if every browser takes it as
// an address within this site; otherwise "/" and false. It is checked where an
// address comes in and once more where it goes out.
//
// What is accepted starts with one slash, has no control character, space or
// backslash, is valid UTF-8 with nothing but letters, marks and numbers beyond
// ASCII, and has a path that cannot be read as "//host" however often it is
// decoded or cleaned. Query and fragment are free, but for those characters.
func localAddress(s string) (string, bool) {
	if len(s) == 0 || len(s) > maxAddress || s[0] != '/' || !plainText(s) {
		return "/", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "/", false
	}
	path := s
	if end := strings.IndexAny(s, "?#"); end >= 0 {
		path = s[:end]
	}
	if !localPath(path) {
		return "/", false
	}
	return s, true
}

// plainText says whether s has only characters that no browser drops, turns
// into a slash, or reads differently from us.
func plainText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		switch {
		case c <= ' ' || c == 0x7f || c == '\\':
			return false
		case c > 0x7f && !unicode.In(c, unicode.L, unicode.M, unicode.N):
			return false // slashes, dots and spaces in disguise among them
		}
	}
	return true
}

// localPath looks at a path as it stands and as it is after one, two and three
// rounds of percent-decoding, for there are proxies that decode once more.
func localPath(path string) bool {
	for range 4 {
		if namesHost(path) {
			return false
		}
		decoded := unescaped(path)
		if decoded == path {
			return true
		}
		if !utf8.ValidString(decoded) || strings.ContainsFunc(decoded, neverInPath) {
			return false
		}
		path = decoded
	}
	return true
}

// unescaped decodes what is percent-encoded, and leaves alone what only looks like it: so
// do decoders that are less strict than url.PathUnescape, and what stands behind counts too.
func unescaped(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if i+3 <= len(path) {
			if c, _ := url.PathUnescape(path[i : i+3]); len(c) == 1 {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(path[i])
	}
	return b.String()
}

// neverInPath: a space may stand encoded in the name of a file, these may not.
func neverInPath(c rune) bool { return unicode.IsControl(c) || c == '\\' }

// namesHost reads a path in the worst way somebody does: without what is
// invisible, with every look-alike of slash and dot taken for one, without
// parameters (";x") in its segments, and without dot segments. If it then
// starts with two slashes, a browser would take what follows for a host.
func namesHost(path string) bool {
	worst := strings.Map(worstReading, path)
	if strings.HasPrefix(worst, "//") {
		return true
	}
	var segments []string
	for segment := range strings.SplitSeq(worst, "/") {
		name, _, _ := strings.Cut(segment, ";")
		switch name {
		case ".":
		case "..":
			// The first segment is the empty one before the leading slash.
			segments = segments[:max(1, len(segments)-1)]
		default:
			segments = append(segments, name)
		}
	}
	return len(segments) > 2 && segments[1] == ""
}

func worstReading(c rune) rune {
	switch c {
	case '\\', '\u2044', '\u2215', '\u2216', '\u2571', '\u27cb', '\u29f5', '\u29f8', '\u29f9', '\ufe68', '\uff0f', '\uff3c',
		'\u2100', '\u2101', '\u2105', '\u2106': // "a/c" and the like in one
		return '/'
	case '\u2024', '\u3002', '\ufe52', '\uff0e', '\uff61',
		'\u2025', '\ufe30': // two dots in one
		return '.'
	}
	if unicode.IsSpace(c) || !unicode.IsGraphic(c) || unicode.Is(unicode.Z, c) {
		return -1
	}
	return c
}
