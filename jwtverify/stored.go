package jwtverify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/postern-go/postern/internal/jwtpack"
	"github.com/postern-go/postern/internal/strictjson"
)

// An IDToken is a verified ID token. A user is identified by Issuer and Subject
// together; no other claim does (email addresses change hands).
//
// It keeps the token itself, which is a secret, and prints as [redacted] in fmt,
// slog and JSON. Changing a field changes neither what Claims decodes nor what is stored.
type IDToken struct {
	Issuer          string    // iss
	Subject         string    // sub
	Audience        []string  // aud
	AuthorizedParty string    // azp; empty: absent
	Nonce           string    // nonce; empty: absent
	SessionID       string    // sid, the session at the provider; empty: absent
	ACR             string    // acr; empty: absent
	AMR             []string  // amr; nil: absent
	Expiry          time.Time // exp
	IssuedAt        time.Time // iat
	AuthTime        time.Time // auth_time; zero: the provider did not say

	raw     string         // compact form, where the token was verified here
	packed  jwtpack.Packed // where it was restored
	payload string         // the claims, as JSON
}

func newIDToken(c *claims, raw string) *IDToken {
	return &IDToken{
		Issuer:          c.issuer,
		Subject:         c.subject,
		Audience:        c.audience,
		AuthorizedParty: c.authorizedParty,
		Nonce:           c.nonce,
		SessionID:       c.sessionID,
		ACR:             c.acr,
		AMR:             c.amr,
		Expiry:          c.expiry,
		IssuedAt:        c.issuedAt,
		AuthTime:        c.authTime,
		raw:             raw,
		payload:         c.payload,
	}
}

// Raw returns the token itself, for id_token_hint: the signed one, where it came
// encrypted (Core 3.1.2.1). It is empty after WithoutRaw and Keep.
func (t *IDToken) Raw() string {
	if t.raw != "" {
		return t.raw
	}
	return t.packed.Token()
}

// WithoutRaw returns a copy that keeps all the claims but not the token itself,
// which saves the room of header and signature where the copy is stored.
func (t *IDToken) WithoutRaw() *IDToken {
	without := *t
	without.raw, without.packed = "", ""
	return &without
}

// fieldClaims are the claims that an IDToken has a field for: who, by whom and for whom,
// in which session, when and how. Keep keeps them whatever it is asked for, so that
// rules and logouts that rest on them go on.
var fieldClaims = []string{"iss", "sub", "aud", "azp", "nonce", "sid", "acr", "amr", "exp", "iat", "auth_time"}

// Keep returns a copy with fewer claims and without the token itself: those the fields
// are made of (iss, sub, aud, azp, nonce, sid, acr, amr, exp, iat, auth_time) and of the
// others the named ones, by their exact names; a name that the token lacks is ignored.
// The rest is gone for Claims and Texts, and for whoever restores the copy from storage.
//
// It is for tokens with more in them than there is room to store. As Raw is empty,
// such a copy is no id_token_hint: a provider that wants one asks the user at logout.
func (t *IDToken) Keep(names ...string) *IDToken {
	kept := t.WithoutRaw()
	payload := []byte{'{'}
	// It was read before, so that there is no error to come.
	_ = strictjson.Again(t.payload, func(name string, v strictjson.Value) error {
		if !slices.Contains(fieldClaims, name) && !slices.Contains(names, name) {
			return nil
		}
		if len(payload) > 1 {
			payload = append(payload, ',')
		}
		quoted, err := json.Marshal(name)
		payload = append(append(append(payload, quoted...), ':'), v.Raw()...)
		return err
	})
	if t.payload != "" {
		kept.payload = string(append(payload, '}'))
	}
	return kept
}

// Claims decodes all claims into v as encoding/json does, which takes the name of
// a field in any case. Where two claims could be taken for one, the token was refused.
func (t *IDToken) Claims(v any) error {
	if err := json.Unmarshal([]byte(t.payload), v); err != nil {
		return fmt.Errorf("jwtverify: decoding claims: %w", err)
	}
	return nil
}

// Versions of the stored form: what follows the first byte.
const (
	storedToken  = 1 // the whole token, packed
	storedClaims = 2 // the payload alone
)

// MarshalBinary is the one door to storage. The form is versioned, holds the token
// in clear, and belongs under a seal: UnmarshalBinary verifies nothing.
func (t *IDToken) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// AppendBinary appends what MarshalBinary returns to b. The form is a quarter shorter
// than the token, because it stores what the base64 stands for.
func (t *IDToken) AppendBinary(b []byte) ([]byte, error) {
	switch {
	case t.raw != "":
		return jwtpack.Append(append(b, storedToken), t.raw), nil
	case t.packed != "":
		return append(append(b, storedToken), t.packed...), nil
	case t.payload != "":
		return append(append(b, storedClaims), t.payload...), nil
	}
	return nil, errors.New("jwtverify: an IDToken that was never verified cannot be stored")
}

// UnmarshalBinary restores what MarshalBinary wrote, byte for byte. It verifies
// nothing again, neither signature nor expiry: feed it only what was under a seal of
// your own. On an error t is left as it was.
func (t *IDToken) UnmarshalBinary(data []byte) error {
	restored, err := restore(string(data))
	if err != nil {
		return fmt.Errorf("jwtverify: stored ID token: %w", err)
	}
	*t = restored
	return nil
}

var errStored = errors.New("damaged, or of a later version")

func restore(data string) (IDToken, error) {
	if data == "" {
		return IDToken{}, errStored
	}
	version, payload := data[0], data[1:]
	var packed jwtpack.Packed
	switch version {
	case storedToken:
		p, rest, err := jwtpack.Split(payload)
		if err != nil || rest != "" || p.Segments() != 3 {
			return IDToken{}, errStored
		}
		packed = p
		payload, _ = p.Segment(1)
	case storedClaims:
	default:
		return IDToken{}, errStored
	}
	c := claims{payload: payload}
	// It was verified before it was stored, and under a seal since.
	if err := strictjson.Again(payload, c.set); err != nil {
		return IDToken{}, unreadable("payload", err)
	}
	t := *newIDToken(&c, "")
	t.packed = packed
	return t, nil
}

const redacted = "[redacted]"

// Format keeps the token out of every kind of printing.
func (t IDToken) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the token out of logs.
func (t IDToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the token out of JSON; Claims and MarshalBinary give it out.
func (t IDToken) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }
