package strictjson

// Member returns the member of a JSON object that has exactly this name. Names that
// differ only in case are different here: inside a token they may be the client IDs
// or file names of somebody.
func (v Value) Member(name string) (Value, bool) {
	if !v.IsObject() {
		return Value{}, false
	}
	s := scanner{text: v.raw, at: 1}
	s.space()
	for s.next() == '"' {
		raw, _ := s.str() // neither this nor the value can fail: a Value is well-formed
		s.space()
		s.next()
		s.space()
		start := s.at
		_ = s.value(1)
		if unquote(raw) == name {
			return Value{v.raw[start:s.at]}, true
		}
		s.space()
		s.next()
		s.space()
	}
	return Value{}, false
}
