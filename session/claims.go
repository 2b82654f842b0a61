package session

import (
	"encoding/json"
	"fmt"

	"github.com/postern-go/postern/internal/strictjson"
)

// What is known of a user is the claims of the verified ID token and, where
// Config.UserInfoClaims has names, those of the userinfo endpoint at the sign-in that its ID
// token lacked. Where both have a claim, the ID token has it right, and all of it: a refresh
// may bring a newer one.

// source is the ID token or, of a provider without OpenID Connect, the account.
func (s *Session) source() interface {
	Claims(v any) error
	Claim(path ...string) (json.RawMessage, bool)
} {
	if t := s.tokens(); t.IDToken == nil {
		return t.Account
	}
	return s.tokens().IDToken
}

// Claims decodes all claims into v, as encoding/json does. It fails with ErrSignIn if
// nobody is signed in.
func (s *Session) Claims(v any) error {
	if !s.SignedIn() {
		return ErrSignIn
	}
	if info := s.userInfo(); info != nil {
		if err := json.Unmarshal(info, v); err != nil {
			return fmt.Errorf("session: %w", err)
		}
	}
	if err := s.source().Claims(v); err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// Claim returns the JSON value of a claim, or of a member of one where path has more than
// one element; see [jwtverify.IDToken.Claim]. ok is false where there is none, and if nobody
// is signed in.
func (s *Session) Claim(path ...string) (value json.RawMessage, ok bool) {
	if !s.SignedIn() || len(path) == 0 {
		return nil, false
	}
	if _, ok = s.source().Claim(path[0]); ok {
		return s.source().Claim(path...)
	}
	v, ok := strictjson.At(string(s.presented.userInfo), path)
	if !ok {
		return nil, false
	}
	return json.RawMessage(v.Raw()), true
}

// userInfo are the claims of the userinfo endpoint that the ID token does not have: a claim
// is of the one or the other as a whole. nil: it was not asked.
func (s *Session) userInfo() []byte {
	if s.presented.userInfo == nil {
		return nil
	}
	lacking := map[string]json.RawMessage{}
	_ = strictjson.Again(string(s.presented.userInfo), func(name string, v strictjson.Value) error { // ours, see keep
		if _, ok := s.source().Claim(name); !ok {
			lacking[name] = json.RawMessage(v.Raw())
		}
		return nil
	})
	info, err := json.Marshal(lacking)
	if err != nil {
		return nil
	}
	return info
}

// Texts returns the strings of a claim that is one string or an array of them, such as
// groups or roles; see [jwtverify.IDToken.Texts].
//
//	roles, _ := s.Texts("realm_access", "roles") // Keycloak
func (s *Session) Texts(path ...string) (list []string, ok bool) {
	value, ok := s.Claim(path...)
	if !ok {
		return nil, false
	}
	v, err := strictjson.Parse(string(value))
	if err != nil {
		return nil, false
	}
	return v.Texts()
}

// keep makes a JSON object of those claims of a userinfo answer that have one of the names.
func keep(names []string, claim func(path ...string) (json.RawMessage, bool)) ([]byte, error) {
	kept := make(map[string]json.RawMessage, len(names))
	for _, name := range names {
		if value, ok := claim(name); ok {
			kept[name] = value
		}
	}
	return json.Marshal(kept)
}
