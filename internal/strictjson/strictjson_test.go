package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

var registered = []string{"sub", "kid", "Key"}

// read returns the members of an object as an application would keep them.
func read(text string) (map[string]Value, error) {
	members := map[string]Value{}
	err := Object(text, registered, func(name string, v Value) error {
		members[name] = v
		return nil
	})
	return members, err
}

func TestObjectAccepts(t *testing.T) {
	for text, want := range map[string]map[string]string{
		`{}`:                              {},
		" \t\r\n{ \n} ":                   {},
		`{"a":1}`:                         {"a": "1"},
		` { "a" : 1 , "b" : [ 1 , 2 ] } `: {"a": "1", "b": "[ 1 , 2 ]"},
		`{"":null}`:                       {"": "null"},
		`{"\u0073ub":"x"}`:                {"sub": `"x"`},
		`{"a":{"b":{"c":[{}]}},"b":{}}`:   {"a": `{"b":{"c":[{}]}}`, "b": "{}"},
		`{"x":{"SUB":1,"sub":2}}`:         {"x": `{"SUB":1,"sub":2}`},
		`{"Key":true,"n":-0.5e-7}`:        {"Key": "true", "n": "-0.5e-7"},
		`{"\ud83d\ude00":"\ud83d\ude00"}`: {"😀": `"\ud83d\ude00"`},
		`{"a":` + nest(30) + `}`:          {"a": nest(30)},
	} {
		members, err := read(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := map[string]string{}
		for name, v := range members {
			got[name] = v.Raw()
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func nest(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func TestObjectRefuses(t *testing.T) {
	syntax, object, utf8 := "not valid JSON", "not a JSON object", "not valid UTF-8"
	for text, reason := range map[string]string{
		"": object, " ": object, "[]": object, "null": object, `"a"`: object, "\ufeff{}": object,
		"{": syntax, "}": object, "{}{}": syntax, "{} x": syntax, "{a:1}": syntax, "{'a':1}": syntax,
		`{"a"}`: syntax, `{"a":}`: syntax, `{"a" 1}`: syntax, `{"a":1,}`: syntax, `{,"a":1}`: syntax,
		`{"a":1 "b":2}`: syntax, `{"a":1;"b":2}`: syntax, `{"a`: syntax, `{"a":"b`: syntax, `{"a":1`: syntax,
		`{"a":01}`: syntax, `{"a":1.}`: syntax, `{"a":.5}`: syntax, `{"a":+1}`: syntax, `{"a":-}`: syntax,
		`{"a":1e}`: syntax, `{"a":1e+}`: syntax, `{"a":0x1}`: syntax, `{"a":NaN}`: syntax, `{"a":-Infinity}`: syntax,
		`{"a":tru}`: syntax, `{"a":True}`: syntax, `{"a":nul}`: syntax, `{"a":undefined}`: syntax, `{"a":fals}`: syntax,
		`{"a":[1,]}`: syntax, `{"a":[,1]}`: syntax, `{"a":[1 2]}`: syntax, `{"a":[1}`: syntax, `{"a":[`: syntax,
		`{"a":"\x"}`: syntax, `{"a":"\u12"}`: syntax, `{"a":"\u12g4"}`: syntax, `{"a":"\u`: syntax, `{"a":"\`: syntax,
		"{\"a\":\"\n\"}": syntax, "{\"a\":\"\x00\"}": syntax, "{\"a\":1\v}": syntax, `{"a":1/**/}`: syntax,
		`{xa":1}`: syntax, `{"a"=1}`: syntax, `{"a":[1;2]}`: syntax, `{"a":"\x0041"}`: syntax, `{"a":-x}`: syntax,
		`{"a":trux}`: syntax, `{"a":nulL}`: syntax, `{"a":falsy}`: syntax, `{"a":"\u+123"}`: syntax, `{"a":"\u00_1"}`: syntax,
		"{\"a\":\"\xff\"}": utf8, "{\"a\":\"\xed\xa0\x80\"}": utf8, `{"a":"\ud800"}`: utf8, `{"a":"\ud800x"}`: utf8,
		`{"a":"\udc00\ud800"}`: utf8, `{"a":"\ud800\ud800"}`: utf8, `{"a":"\ud800\u12"}`: utf8, `{"\udfff":1}`: utf8,
		`{"a":1,"a":2}`: `duplicate member "a"`, `{"a":1,"b":2,"a":1}`: `duplicate member "a"`,
		`{"a":1,"\u0061":2}`: `duplicate member "a"`, `{"x":{"a":1,"a":2}}`: `duplicate member "a"`,
		`{"x":[[{"a":1,"a":2}]]}`: `duplicate member "a"`, `{"a":1,"A":2}`: `duplicate member "A"`,
		`{"a":1,"\u212a":1,"k":2}`: `"k"`, `{"ſ":1,"s":1}`: `duplicate member "s"`, `{"É":1,"é":1}`: `duplicate member "é"`,
		`{"SUB":1}`: `member "SUB" is not "sub"`, `{"Sub":1,"sub":2}`: `member "Sub" is not "sub"`,
		`{"ſub":1}`: `member "ſub" is not "sub"`, `{"\u212aid":1}`: `is not "kid"`, `{"key":1}`: `member "key" is not "Key"`,
		`{"a":` + nest(33) + `}`: "JSON nested too deep", `{"a":` + nest(100000) + `}`: "JSON nested too deep",
		`{"` + strings.Repeat("n", 100) + `":1,"` + strings.Repeat("n", 100) + `":1}`: `"` + strings.Repeat("n", 40) + `"`,
	} {
		members, err := read(text)
		if err == nil {
			t.Errorf("accepted %.100s as %v", text, members)
		} else if !strings.Contains(err.Error(), reason) {
			t.Errorf("%.100s: %v, want %s", text, err, reason)
		}
	}
}

// Objects of many members are compared by a map: the same rules hold there.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `"n%d":%d,`, i, i)
	}
	for tail, reason := range map[string]string{
		`"n3":1`: `duplicate member "n3"`, `"N99":1`: `duplicate member "N99"`, `"n50":1`: `duplicate member "n50"`,
		`"x":{` + b.String() + `"n99":1}`: `duplicate member "n99"`, `"last":1`: "", `"x":{` + b.String() + `"N99":1}`: "",
	} {
		_, err := read("{" + b.String() + tail + "}")
		if reason == "" && err != nil || reason != "" && (err == nil || !strings.Contains(err.Error(), reason)) {
			t.Errorf("%.60s: %v, want %q", tail, err, reason)
		}
	}
}

func TestObjectEndsWithTheErrorOfMember(t *testing.T) {
	stop, seen := errors.New("stop"), 0
	err := Object(`{"a":1,"b":2,"c":}`, nil, func(string, Value) error {
		seen++
		if seen == 2 {
			return stop
		}
		return nil
	})
	if err != stop || seen != 2 {
		t.Errorf("%v after %d members", err, seen)
	}
}

func TestValue(t *testing.T) {
	members, err := read(`{"s":"a\/\"\\\b\f\n\r\t\u00e4\ud83d\ude00z","n":-1.5e3,"t":true,"f":false,"z":null,"l":["a","b"],"m":["a",1],"e":[],"o":{}}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"s": "string exists", "n": "number exists", "t": "bool exists", "f": "bool exists", "z": "null exists",
		"l": "array strings exists", "m": "array exists", "e": "array strings exists", "o": "object exists", "absent": "",
	} {
		v := members[name]
		var got []string
		add := func(what string, is bool) {
			if is {
				got = append(got, what)
			}
		}
		_, isString := v.String()
		_, isNumber := v.Number()
		_, isBool := v.Bool()
		list, isStrings := v.Strings()
		add("string", isString)
		add("number", isNumber)
		add("bool", isBool)
		add("null", v.IsNull())
		add("array", v.IsArray())
		add("strings", isStrings)
		add("object", v.IsObject())
		add("exists", v.Exists())
		if strings.Join(got, " ") != want {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
		if isStrings != (list != nil) {
			t.Errorf("%s: list %v beside %v", name, list, isStrings)
		}
	}
	if s, _ := members["s"].String(); s != "a/\"\\\b\f\n\r\tä😀z" {
		t.Errorf("string %q", s)
	}
	if n, _ := members["n"].Number(); n != "-1.5e3" {
		t.Errorf("number %q", n)
	}
	if value, _ := members["t"].Bool(); !value {
		t.Error("true is not")
	}
	if value, _ := members["f"].Bool(); value {
		t.Error("false is not")
	}
	if list, _ := members["l"].Strings(); !reflect.DeepEqual(list, []string{"a", "b"}) {
		t.Errorf("strings %v", list)
	}
	stop := errors.New("stop")
	if err := members["l"].Elements(func(Value) error { return stop }); err != stop {
		t.Errorf("Elements: %v", err)
	}
	if err := members["o"].Elements(func(Value) error { return nil }); err != errArray {
		t.Errorf("Elements of an object: %v", err)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{" null ": "null", "1": "1", ` "a" `: `"a"`, "[1, 2]": "[1, 2]", `{"a":{"a":1}}`: `{"a":{"a":1}}`} {
		if v, err := Parse(text); err != nil || v.Raw() != want {
			t.Errorf("%s: %q, %v", text, v.Raw(), err)
		}
	}
	for text, reason := range map[string]string{
		"": "not valid JSON", "1 2": "not valid JSON", "\"\xff\"": "not valid UTF-8", `{"a":1,"a":1}`: "duplicate", nest(34): "nested too deep",
	} {
		if v, err := Parse(text); err == nil || v.Exists() || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %q, %v, want %s", text, v.Raw(), err, reason)
		}
	}
}

// FuzzParse: what is accepted here encoding/json accepts with the same values, and
// what it accepts is refused only for a reason of ours.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{}`, `[]`, `null`, `-0`, `1e400`, `"\ud83d\ude00"`, `{"a":[1,2.5,{"b":null}],"c":"\u0000"}`, `{"a":1,"A":2}`, `{"a":1,"a":2}`,
		`{"sub":"a","SUB":"b"}`, `"\ud800"`, "\"\xff\"", nest(40), ` { "x" : true , "y" : false } `, `{"iss":"https:\/\/op","aud":["a","b"],"exp":1.5e9}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text)
		if err != nil {
			if errors.Is(err, errSyntax) && json.Valid([]byte(text)) {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil || dec.More() {
			t.Fatalf("encoding/json says %v", err)
		}
		if got := decode(t, v); !reflect.DeepEqual(got, want) {
			t.Fatalf("read as %#v, and encoding/json reads %#v", got, want)
		}
		if _, err := read(text); err == nil && !v.IsObject() {
			t.Fatal("Object accepts what is none")
		}
	})
}

// decode turns a Value into what encoding/json makes of its text.
func decode(t *testing.T, v Value) any {
	if s, ok := v.String(); ok {
		return s
	}
	if n, ok := v.Number(); ok {
		return json.Number(n)
	}
	if b, ok := v.Bool(); ok {
		return b
	}
	if v.IsNull() {
		return nil
	}
	if v.IsArray() {
		list := []any{}
		if err := v.Elements(func(e Value) error { list = append(list, decode(t, e)); return nil }); err != nil {
			t.Fatal(err)
		}
		return list
	}
	members := map[string]any{}
	err := Object(v.Raw(), nil, func(name string, e Value) error { members[name] = decode(t, e); return nil })
	if err != nil && !strings.Contains(err.Error(), "duplicate member") { // by folding, which counts outermost only
		t.Fatal(err)
	}
	if err != nil {
		var folded map[string]any
		dec := json.NewDecoder(strings.NewReader(v.Raw()))
		dec.UseNumber()
		if err := dec.Decode(&folded); err != nil {
			t.Fatal(err)
		}
		return folded
	}
	return members
}

// FuzzAgain: what Object has read comes once more, and what it refuses is at least
// no panic.
func FuzzAgain(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":1,"b":[1,"x",{"c":null}]}`, ` { "a\"\\" : "\ud83d\ude00" , "" : "\"" } `, `{"iss":"https:\/\/op","aud":["a","b"],"exp":1.5e9}`,
		`{"a":1,"a":2}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\n\"}", `{"a":"\"}`, `{"a`, `{"a"`, `{"a":`, `[]`, nest(40),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var first, second []string
		into := func(list *[]string) func(string, Value) error {
			return func(name string, v Value) error {
				s, _ := v.String()
				*list = append(*list, name, v.Raw(), s)
				return nil
			}
		}
		accepted := Object(text, nil, into(&first))
		err := Again(text, into(&second))
		if accepted == nil && (err != nil || !reflect.DeepEqual(first, second)) {
			t.Fatalf("read %q at first, then %q, %v", first, second, err)
		}
	})
}

func TestAgainReadsObjectsOnly(t *testing.T) {
	for text, want := range map[string]error{
		`[]`: errObject, ``: errObject, `{} {}`: errSyntax, `{"a":1`: errSyntax, `{"a"}`: errSyntax, `{"a`: errSyntax, `{"a":"\u12"}`: errSyntax,
	} {
		if err := Again(text, func(string, Value) error { return nil }); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
}
