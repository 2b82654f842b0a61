package session

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// A recordKey opens what the Store has of one session. Only the browser has it, in its
// cookie: who sees the Store, and knows all the secrets of the server, opens nothing.
type recordKey [32]byte

// Format prints nothing of a key.
func (recordKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (recordKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// newRecordKey is for a session that begins; the zero key is for one in a cookie.
func (m *Manager) newRecordKey() (key recordKey) {
	if m.cfg.SessionsInStore {
		rand.Read(key[:]) // never fails
	}
	return key
}

// movedKey is for a session that began in a cookie and moves to the Store. All processes
// that move it at once must find the same one. The ID is as secret as a key: it travels
// under a seal, and the Store has its hash only.
func movedKey(id sessionID) recordKey { return recordKey(keyOf("moved record", string(id[:]))) }

// inStore says that the cookie has a ticket, and the Store the rest.
func (r *record) inStore() bool { return r.key != recordKey{} }

// ticketVersion is the first byte of a ticket, in the place of a recordVersion: a cookie
// has the one or the other.
const ticketVersion = 0x81

// appendCookie appends what the cookie of a session has: all of it, or for a session in
// the Store a ticket. That is what it takes to ask for everything in one round trip, and
// to end the session while the Store is down.
func (r *record) appendCookie(b []byte) ([]byte, error) {
	if !r.inStore() {
		return r.appendBinary(b)
	}
	if !storable(r.created) || !storable(r.expires) || !storable(r.identity.issued) {
		return nil, errors.New("a time of the session is not between 1970 and 9999")
	}
	b = append(b, ticketVersion)
	b = append(append(b, r.id[:]...), r.key[:]...)
	b = appendTime(appendTime(appendTime(b, r.created), r.expires), r.identity.issued)
	for _, field := range [...]string{r.provider, r.identity.issuer, r.identity.subject, r.identity.sid} {
		b = appendField(b, field)
	}
	return b, nil
}

// A carried is a record as a cookie has it.
type carried record

// unmarshal restores what appendCookie wrote. Of a session in the Store there are no
// tokens and values yet.
func (c *carried) unmarshal(data []byte) error {
	r := (*record)(c)
	if len(data) == 0 || data[0] != ticketVersion {
		return r.unmarshal(data)
	}
	d := decoder{rest: data[1:]}
	*r = record{}
	copy(r.id[:], d.take(uint64(len(r.id))))
	copy(r.key[:], d.take(uint64(len(r.key))))
	r.created, r.expires, r.identity.issued = d.time(), d.time(), d.time()
	r.saved = r.created
	for _, field := range [...]*string{&r.provider, &r.identity.issuer, &r.identity.subject, &r.identity.sid} {
		*field = string(d.field())
	}
	if d.failed || len(d.rest) > 0 || !r.inStore() {
		return errUndecryptable
	}
	return nil
}

// sealedVersion is the first byte of what is sealed for the Store.
const sealedVersion = 1

// sealFor encrypts plain for a name in the Store: under another name it does not open.
func (k recordKey) sealFor(name string, plain []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	return aead.Seal([]byte{sealedVersion}, nil, plain, []byte(name)), nil
}

func (k recordKey) openFrom(name string, sealed []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	if len(sealed) == 0 || sealed[0] != sealedVersion {
		return nil, errUndecryptable
	}
	plain, err := aead.Open(nil, nil, sealed[1:], []byte(name))
	if err != nil {
		return nil, errUndecryptable
	}
	return plain, nil
}

// aead is AES-256-GCM. A key seals a session's few thousand changes at most, and random
// nonces are good for billions.
func (k recordKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
