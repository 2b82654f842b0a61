// Package strictjson reads JSON that came from outside, for code whose security
// hangs on one reading of it: one pass, members by their exact name, no duplicate
// member at any depth, valid UTF-8, bounded depth, nothing after the value.
//
// encoding/json folds the case of member names and keeps the last duplicate, so
// that {"sub":"alice","SUB":"mallory"} means mallory to it and alice to others.
package strictjson

import (
	"errors"
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
	return s.whole(registered, member)
}

// Again reads a text that Object has accepted and nobody could reach since, in half
// the time: it calls member with the same names and values, and compares no names and
// looks for no invalid UTF-8 once more. Text that is no JSON object is still an error.
func Again(text string, member func(name string, v Value) error) error {
	s := scanner{text: text, again: true}
	return s.whole(nil, member)
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
