package session

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// A Value is a value of the app's own in sessions, with a type and a version: a program
// that changes the type still reads what it wrote before, and nobody is signed out. Make
// one for the whole program:
//
//	var cart = session.Value[Cart]{Name: "cart", Version: 2, Upgrade: upgradeCart}
//
// It is kept as [Session.Set] keeps values, in JSON by encoding/json with the version in
// front, and what is said there holds. So a name is for one Value, and not for Session.Set
// as well. A Value may be used concurrently, and must not be changed.
type Value[T any] struct {
	Name string // of Session.Set; required
	// Version is of T as it is written. Raise it when T changes in a way that makes the
	// JSON of before mean something else; a new field needs none.
	Version uint
	// Upgrade makes a T of the JSON of an older version. It runs at each Get until the value
	// is Set again, and its error is that of Get. nil: a value of an older version counts as
	// none.
	Upgrade func(version uint, data []byte) (T, error)
}

// Get gives the value of a session, and whether there is one. What a later version of the
// program wrote, which happens while it is being deployed, is an error, and so is what
// cannot be read; then Set overwrites it.
func (v Value[T]) Get(s *Session) (value T, ok bool, err error) {
	var none T
	data, ok := s.Get(v.Name)
	if !ok {
		return none, false, nil
	}
	version, n := binary.Uvarint(data)
	switch {
	case n <= 0:
		return none, false, v.failed("is not one of a Value")
	case version > uint64(v.Version):
		return none, false, v.failed(fmt.Sprintf("has version %d, and this program knows %d", version, v.Version))
	case version == uint64(v.Version):
		err = json.Unmarshal(data[n:], &value)
	case v.Upgrade == nil:
		return none, false, nil
	default:
		value, err = v.Upgrade(uint(version), data[n:])
	}
	if err != nil {
		return none, false, fmt.Errorf("session: value %q: %w", cut(v.Name), err)
	}
	return value, true, nil
}

func (v Value[T]) failed(why string) error {
	return fmt.Errorf("session: value %q %s", cut(v.Name), why)
}

// Set keeps a value in a session. It fails as Session.Set does, and where encoding/json
// does.
func (v Value[T]) Set(s *Session, value T) error {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("session: value %q: %w", cut(v.Name), err)
	}
	return s.Set(v.Name, append(binary.AppendUvarint(nil, uint64(v.Version)), data...))
}

// Remove takes the value out of a session. It fails as Session.Set does.
func (v Value[T]) Remove(s *Session) error { return s.Set(v.Name, nil) }
