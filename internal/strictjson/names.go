package strictjson

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
		if ascii && !mayFold(r, name) {
			continue
		}
		if r == name {
			return nil
		}
		if strings.EqualFold(r, name) {
			return fmt.Errorf("member %q is not %q", cut(name), r)
		}
	}
	return nil
}

// mayFold tells cheaply of most names that they are not equal under case folding. Of
// names that are ASCII, the same letter of two cases differs in one bit.
func mayFold(r, name string) bool {
	return len(r) == len(name) && (len(r) == 0 || r[0]|0x20 == name[0]|0x20)
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

func cut(s string) string {
	if len(s) > quoted {
		return s[:quoted]
	}
	return s
}
