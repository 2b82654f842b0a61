package strictjson

import "testing"

func TestMember(t *testing.T) {
	const text = ` { "a" : 1 , "A":{ "a":[1,{"b":2}] }, "\u0062":"x", "":null,"d.e":{"":{}}, "empty" : { } } `
	v, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"a": "1", "A": `{ "a":[1,{"b":2}] }`, "b": `"x"`, "": "null", "d.e": `{"":{}}`, "empty": "{ }",
	} {
		if m, ok := v.Member(name); !ok || m.Raw() != want {
			t.Errorf("Member(%q) = %s, %v; want %s", name, m.Raw(), ok, want)
		}
	}
	for _, name := range []string{"d", "e", `\u0062`, "B", "EMPTY", "a "} {
		if m, ok := v.Member(name); ok || m.Exists() {
			t.Errorf("Member(%q) = %s", name, m.Raw())
		}
	}
}

func TestMemberOfWhatIsNoObject(t *testing.T) {
	for _, text := range []string{`[{"a":1}]`, `["a",1]`, `["a","a"]`, `"a"`, `1`, `null`, `true`, `{}`} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := v.Member("a"); ok || m.Exists() {
			t.Errorf("Member of %s = %s", text, m.Raw())
		}
	}
	if m, ok := (Value{}).Member("a"); ok || m.Exists() {
		t.Errorf("Member of no value = %s", m.Raw())
	}
}
