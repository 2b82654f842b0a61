package strictjson

import (
	"slices"
	"testing"
)

func TestAt(t *testing.T) {
	const document = `{"a":{"b.c":["x"]},"s":"y","n":null}`
	for _, test := range []struct {
		document string
		path     []string
		want     string
		ok       bool
	}{
		{document, nil, document, true},
		{document, []string{"a", "b.c"}, `["x"]`, true},
		{document, []string{"n"}, `null`, true},
		{document, []string{"a", "b", "c"}, "", false},
		{document, []string{"s", "y"}, "", false},
		{document, []string{"A"}, "", false},
		{`{"a":1,"a":2}`, []string{"a"}, "", false},
		{`{"a":{"b":1,"b":2}}`, []string{"a", "b"}, "", false},
		{``, nil, "", false},
	} {
		if got, ok := At(test.document, test.path); got.Raw() != test.want || ok != test.ok {
			t.Errorf("%s at %q: got %s, %t", test.document, test.path, got.Raw(), ok)
		}
	}
}

func TestTexts(t *testing.T) {
	for text, want := range map[string][]string{
		`"a b"`: {"a b"}, `["a","b"]`: {"a", "b"}, `[]`: {}, `null`: nil, `1`: nil, `["a",1]`: nil, `{}`: nil,
	} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := v.Texts(); !slices.Equal(got, want) || ok != (want != nil) || ok && got == nil {
			t.Errorf("%s: got %q, %t", text, got, ok)
		}
	}
	if _, ok := (Value{}).Texts(); ok {
		t.Error("no value has texts")
	}
}
