package strictjson

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

type scanner struct {
	text  string
	at    int
	again bool // Object has accepted the text before
}

func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) next() byte {
	c := s.peek()
	s.at++
	return c
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) value(depth int) error {
	if depth > maxDepth {
		return errDepth
	}
	switch c := s.peek(); {
	case c == '{':
		s.at++
		return s.object(depth, nil, nil)
	case c == '[':
		s.at++
		return s.array(depth)
	case c == '"':
		s.at++
		_, err := s.str()
		return err
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	}
	return errSyntax
}

// whole reads a text that is one object.
func (s *scanner) whole(registered []string, member func(string, Value) error) error {
	s.space()
	if s.next() != '{' {
		return errObject
	}
	if err := s.object(0, registered, member); err != nil {
		return err
	}
	s.space()
	if s.at != len(s.text) {
		return errSyntax
	}
	return nil
}

// object reads an object whose { is behind it. member is nil below the outermost one.
func (s *scanner) object(depth int, registered []string, member func(string, Value) error) error {
	names := nameSet{fold: member != nil}
	s.space()
	if s.peek() == '}' {
		s.at++
		return nil
	}
	for {
		if s.next() != '"' {
			return errSyntax
		}
		raw, err := s.str()
		if err != nil {
			return err
		}
		name := unquote(raw)
		if !s.again {
			if err := names.add(name, registered); err != nil {
				return err
			}
		}
		s.space()
		if s.next() != ':' {
			return errSyntax
		}
		s.space()
		start := s.at
		if err := s.value(depth + 1); err != nil {
			return err
		}
		if member != nil {
			if err := member(name, Value{s.text[start:s.at]}); err != nil {
				return err
			}
		}
		s.space()
		switch s.next() {
		case ',':
			s.space()
		case '}':
			return nil
		default:
			return errSyntax
		}
	}
}

func (s *scanner) array(depth int) error {
	s.space()
	if s.peek() == ']' {
		s.at++
		return nil
	}
	for {
		if err := s.value(depth + 1); err != nil {
			return err
		}
		s.space()
		switch s.next() {
		case ',':
			s.space()
		case ']':
			return nil
		default:
			return errSyntax
		}
	}
}

// str reads a string whose opening quote is behind it and returns what stands
// between the quotes, escapes and all.
func (s *scanner) str() (string, error) {
	start := s.at
	for {
		plain := plainLength(s.text[s.at:])
		s.at += plain
		switch s.peek() {
		case '"':
			s.at++
			return s.text[start : s.at-1], nil
		case '\\':
			if err := s.escape(); err != nil {
				return "", err
			}
		default: // a control character, or the end
			return "", errSyntax
		}
	}
}

// plainLength is how far a string goes on until its end, an escape or what none may have.
func plainLength(s string) int {
	for i := range len(s) {
		if c := s[i]; c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(s)
}

func (s *scanner) escape() error {
	s.at++
	switch s.next() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
	default:
		return errSyntax
	}
	r, ok := hex4(s.text[min(s.at, len(s.text)):])
	if !ok {
		return errSyntax
	}
	s.at += 4
	if !utf16.IsSurrogate(r) {
		return nil
	}
	if !strings.HasPrefix(s.text[s.at:], `\u`) {
		return errUTF8
	}
	low, _ := hex4(s.text[s.at+2:]) // 0, no half of a pair, where there are no four digits
	if utf16.DecodeRune(r, low) == unicode.ReplacementChar {
		return errUTF8 // half a surrogate pair: decoders disagree on what it means
	}
	s.at += 6
	return nil
}

func (s *scanner) number() error {
	if s.peek() == '-' {
		s.at++
	}
	switch c := s.next(); {
	case c == '0':
	case '1' <= c && c <= '9':
		s.digits()
	default:
		return errSyntax
	}
	if s.peek() == '.' {
		s.at++
		if s.digits() == 0 {
			return errSyntax
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.at++
		if c := s.peek(); c == '+' || c == '-' {
			s.at++
		}
		if s.digits() == 0 {
			return errSyntax
		}
	}
	return nil
}

func (s *scanner) digits() (n int) {
	for '0' <= s.peek() && s.peek() <= '9' {
		s.at++
		n++
	}
	return n
}

func (s *scanner) literal(word string) error {
	if !strings.HasPrefix(s.text[s.at:], word) {
		return errSyntax
	}
	s.at += len(word)
	return nil
}

// unquote resolves the escapes of a string that the scanner has accepted.
func unquote(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i >= 0 {
		b = append(b, s[:i]...)
		s = s[i+1:]
		switch c := s[0]; c {
		case 'u':
			r, _ := hex4(s[1:])
			s = s[5:]
			if utf16.IsSurrogate(r) {
				low, _ := hex4(s[2:])
				r = utf16.DecodeRune(r, low)
				s = s[6:]
			}
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, plainEscape(c))
			s = s[1:]
		}
		i = strings.IndexByte(s, '\\')
	}
	return string(append(b, s...))
}

func plainEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // one of " \ /
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}
