package session

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

type cartBefore struct{ Item string }

type cart struct {
	Items []string
	Note  string `json:",omitempty"`
}

var errUpgrade = errors.New("no way")

// A program whose types have changed reads what it wrote before.
func TestValueVersions(t *testing.T) {
	a := newApp(t)
	before := Value[cartBefore]{Name: "cart"}
	now := Value[cart]{Name: "cart", Version: 1, Upgrade: func(version uint, data []byte) (cart, error) {
		if version != 0 || string(data) != `{"Item":"tea"}` {
			t.Errorf("version %d: %s", version, data)
		}
		return cart{Items: []string{"tea"}}, nil
	}}
	forgetful := Value[cart]{Name: "cart", Version: 1}
	failing := Value[cart]{Name: "cart", Version: 1, Upgrade: func(uint, []byte) (cart, error) { return cart{}, errUpgrade }}
	b := a.browser()
	b.mustSignIn("alice")
	step := func(use func(*Session)) {
		t.Helper()
		a.open = func(_ *http.Request, s *Session) { use(s) }
		a.wantUser(b, "alice")
	}
	step(func(s *Session) {
		if _, ok, err := now.Get(s); ok || err != nil {
			t.Errorf("nothing yet: %t, %v", ok, err)
		}
		if err := before.Set(s, cartBefore{"tea"}); err != nil {
			t.Error(err)
		}
	})
	step(func(s *Session) {
		if got, ok, err := now.Get(s); !ok || err != nil || len(got.Items) != 1 || got.Items[0] != "tea" {
			t.Errorf("upgraded: %+v, %t, %v", got, ok, err)
		}
		if got, ok, err := forgetful.Get(s); ok || err != nil || got.Items != nil {
			t.Errorf("without Upgrade: %+v, %t, %v", got, ok, err)
		}
		if _, ok, err := failing.Get(s); ok || !errors.Is(err, errUpgrade) {
			t.Errorf("a failing Upgrade: %t, %v", ok, err)
		}
		if err := now.Set(s, cart{Items: []string{"tea", "milk"}}); err != nil {
			t.Error(err)
		}
	})
	step(func(s *Session) {
		if got, ok, err := now.Get(s); !ok || err != nil || len(got.Items) != 2 {
			t.Errorf("%+v, %t, %v", got, ok, err)
		}
		if _, ok, err := before.Get(s); ok || err == nil || !strings.Contains(err.Error(), "has version 1, and this program knows 0") {
			t.Errorf("of a later program: %t, %v", ok, err)
		}
		if err := s.Set("cart", []byte("\x01{")); err != nil {
			t.Error(err)
		}
		if _, ok, err := now.Get(s); ok || err == nil {
			t.Errorf("no JSON: %t, %v", ok, err)
		}
		if err := s.Set("cart", []byte{}); err != nil {
			t.Error(err)
		}
		if _, ok, err := now.Get(s); ok || err == nil || !strings.Contains(err.Error(), "not one of a Value") {
			t.Errorf("empty: %t, %v", ok, err)
		}
		if err := now.Remove(s); err != nil {
			t.Error(err)
		}
		if _, ok, err := now.Get(s); ok || err != nil {
			t.Errorf("removed: %t, %v", ok, err)
		}
		if err := (Value[func()]{Name: "f"}).Set(s, func() {}); err == nil {
			t.Error("a function has no JSON")
		}
	})
	if err := now.Set(From(t.Context()), cart{}); !errors.Is(err, ErrSignIn) {
		t.Errorf("nobody: %v", err)
	}
}
