// Package strictjson reads JSON that came from outside, for code whose security
// hangs on one reading of it: one pass, members by their exact name, no duplicate
// member at any depth, valid UTF-8, bounded depth, nothing after the value.
//
// encoding/json folds the case of member names and keeps the last duplicate, so
// that {"sub":"alice","SUB":"mallory"} means mallory to it and alice to others.
package strictjson

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth = 32 // arrays and objects inside one another; real tokens have 4
	fewNames = 16 // members of an object up to which names are compared one by one
	quoted   = 40 // bytes of a foreign name that an error may show
)

var (
	errSyntax = errors.New("not valid JSON")
	errUTF8   = errors.New("not valid UTF-8")
	errDepth  = errors.New("JSON nested too deep")
	errObject = errors.New("not a JSON object")
	errArray  = errors.New("not a JSON array")
)

// Object reads text, which must be one JSON object, and calls member for each of
// its members in order. Two members of one name are an error, at any depth. So
// are two members of the outermost object whose names differ only in case, and one
// whose name differs only in case from a registered name: code that folds case
// would read another value than the one that was checked.
//
// An error of member ends the reading and is returned as it is. The Values remain
// valid, and alias text.
func Object(text string, registered []string, member func(name string, v Value) error) error {
	if !utf8.ValidString(text) {
		return errUTF8
	}
	s := scanner{text: text}
	s.space()
	if s.next() != '{' {
		return errObject
	}
	if err := s.object(0, registered, member); err != nil {
		return err
	}
	s.space()
	if s.at != len(text) {
		return errSyntax
	}
	return nil
}

// Parse reads text, which must be one JSON value of any kind, under the rules of
// Object.
func Parse(text string) (Value, error) {
	if !utf8.ValidString(text) {
		return Value{}, errUTF8
	}
	s := scanner{text: text}
	s.space()
	start := s.at
	if err := s.value(0); err != nil {
		return Value{}, err
	}
	v := Value{text[start:s.at]}
	s.space()
	if s.at != len(text) {
		return Value{}, errSyntax
	}
	return v, nil
}

// A Value is a well-formed JSON value, as text. Its accessors do not convert: a
// number is not a string, null is neither. The zero Value is no value and every
// accessor refuses it.
type Value struct{ raw string }

// Raw returns the text of the value.
func (v Value) Raw() string { return v.raw }

// Exists tells a value from no value at all.
func (v Value) Exists() bool { return v.raw != "" }

// IsNull tells whether the value is null.
func (v Value) IsNull() bool { return v.raw == "null" }

// IsObject tells whether the value is an object.
func (v Value) IsObject() bool { return v.raw != "" && v.raw[0] == '{' }

// IsArray tells whether the value is an array.
func (v Value) IsArray() bool { return v.raw != "" && v.raw[0] == '[' }

// String returns the text of a JSON string.
func (v Value) String() (string, bool) {
	if v.raw == "" || v.raw[0] != '"' {
		return "", false
	}
	return unquote(v.raw[1 : len(v.raw)-1]), true
}

// Bool returns a JSON boolean.
func (v Value) Bool() (value, ok bool) { return v.raw == "true", v.raw == "true" || v.raw == "false" }

// Number returns the text of a JSON number.
func (v Value) Number() (string, bool) {
	if v.raw == "" || v.raw[0] != '-' && (v.raw[0] < '0' || v.raw[0] > '9') {
		return "", false
	}
	return v.raw, true
}

// Strings returns a JSON array whose elements are all strings; it is never nil
// where ok is true.
func (v Value) Strings() (list []string, ok bool) {
	list = []string{}
	err := v.Elements(func(e Value) error {
		s, ok := e.String()
		if !ok {
			return errSyntax
		}
		list = append(list, s)
		return nil
	})
	if err != nil {
		return nil, false
	}
	return list, true
}

// Elements calls element for each element of a JSON array in order. An error of
// element ends the reading and is returned as it is.
func (v Value) Elements(element func(Value) error) error {
	if !v.IsArray() {
		return errArray
	}
	s := scanner{text: v.raw, at: 1}
	s.space()
	for s.peek() != ']' {
		start := s.at
		if err := s.value(1); err != nil {
			return err
		}
		if err := element(Value{v.raw[start:s.at]}); err != nil {
			return err
		}
		s.space()
		if s.peek() == ',' {
			s.at++
			s.space()
		}
	}
	return nil
}

type scanner struct {
	text string
	at   int
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
		if err := names.add(name, registered); err != nil {
			return err
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
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[start : s.at-1], nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return "", err
			}
		case c < ' ':
			return "", errSyntax
		default:
			s.at++
		}
	}
	return "", errSyntax
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

// nameSet holds the member names of one object. Few names are compared one by one,
// which costs no allocation; more go into a map, so that an object of thousands of
// members costs no more than its length.
type nameSet struct {
	fold  bool // names that differ only in case count as one
	mixed bool // a name so far is not plain lower case, so that folding can matter
	few   [fewNames]string
	n     int
	many  map[string]struct{}
}

func (s *nameSet) add(name string, registered []string) error {
	if s.fold {
		if err := notNearly(name, registered); err != nil {
			return err
		}
		s.mixed = s.mixed || !plainLower(name)
	}
	if s.n < fewNames {
		for _, other := range s.few[:s.n] {
			if other == name || s.mixed && strings.EqualFold(other, name) {
				return fmt.Errorf("duplicate member %q", cut(name))
			}
		}
		s.few[s.n] = name
		s.n++
		return nil
	}
	if s.many == nil {
		s.many = make(map[string]struct{}, 2*fewNames)
		for _, other := range s.few {
			s.many[s.key(other)] = struct{}{}
		}
	}
	key := s.key(name)
	if _, ok := s.many[key]; ok {
		return fmt.Errorf("duplicate member %q", cut(name))
	}
	s.many[key] = struct{}{}
	return nil
}

func (s *nameSet) key(name string) string {
	if !s.fold {
		return name
	}
	return strings.Map(lowestFold, name)
}

// notNearly refuses a name that is not a registered one but equals it when case is folded.
func notNearly(name string, registered []string) error {
	ascii := isASCII(name)
	for _, r := range registered {
		if r == name {
			return nil
		}
		if (len(r) == len(name) || !ascii) && strings.EqualFold(r, name) {
			return fmt.Errorf("member %q is not %q", cut(name), r)
		}
	}
	return nil
}

func plainLower(s string) bool {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lowestFold returns the same rune for all runes that are equal under case folding.
func lowestFold(r rune) rune {
	lowest := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		lowest = min(lowest, f)
	}
	return lowest
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

func cut(s string) string {
	if len(s) > quoted {
		return s[:quoted]
	}
	return s
}
