package strictjson

// At returns the value at a path of member names in document, which is an object; the
// document itself where the path is empty. Names are exact and never split. Nothing is
// read twice in two ways: a document that has a member twice has none.
func At(document string, path []string) (Value, bool) {
	v, err := Parse(document)
	if err != nil {
		return Value{}, false
	}
	ok := true
	for _, name := range path {
		if v, ok = v.Member(name); !ok {
			return Value{}, false
		}
	}
	return v, true
}

// Texts returns one string, or an array of them, as a list that is not nil. No value is
// neither.
func (v Value) Texts() ([]string, bool) {
	if text, ok := v.String(); ok {
		return []string{text}, true
	}
	return v.Strings()
}
