package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/postern-go/postern/client"
)

// A sessionID names a session, from one sign-in to its end. It is random and
// known to nobody but us: it travels only under a seal.
type sessionID [16]byte

// A record is what a session cookie holds. Who reads one checks its times:
// nothing here compares them with a clock.
type record struct {
	id      sessionID
	key     recordKey // of a session in the Store; zero: all of it is in the cookie
	created time.Time // the sign-in
	expires time.Time // the hard end
	saved   time.Time // of two records of one session, the later one holds
	// provider is the name of the provider; empty where there is only one.
	provider string
	identity identity
	tried    demandKey // what the sign-in was to prove; zero: nothing in particular
	tokens   *client.Tokens
	others   map[string]*client.Tokens // access tokens for other APIs, by resource
	userInfo []byte                    // claims of the userinfo endpoint, a JSON object; nil: not asked
	values   map[string][]byte         // the app's own, by name
}

// recordVersion is the first byte of a record. Another one is undecryptable.
const recordVersion = 2

// What a record has, in its second byte: the usual one has none of these.
const (
	hasProvider = 1 << iota
	hasOtherSID // another than the ID token
	hasTried
	hasOthers
	hasUserInfo
)

// Format prints nothing of a record: it holds tokens.
func (r record) Format(f fmt.State, _ rune) { io.WriteString(f, "session.record[redacted]") }

// appendBinary appends the record to b. Times are kept to the millisecond, and of the
// identity what the ID token does not say.
func (r *record) appendBinary(b []byte) ([]byte, error) {
	for _, t := range [...]time.Time{r.created, r.expires, r.saved, r.identity.issued} {
		if !storable(t) {
			return nil, errors.New("a time of the session is not between 1970 and 9999")
		}
	}
	has := r.has()
	b = append(b, recordVersion, has)
	b = appendTime(append(b, r.id[:]...), r.created)
	for _, t := range [...]time.Time{r.expires, r.saved, r.identity.issued} { // they are near it
		b = binary.AppendVarint(b, t.UnixMilli()-r.created.UnixMilli())
	}
	if has&hasProvider != 0 {
		b = appendField(b, r.provider)
	}
	if has&hasOtherSID != 0 {
		b = appendField(b, r.identity.sid)
	}
	if has&hasTried != 0 {
		b = append(b, r.tried[:]...)
	}
	if has&hasUserInfo != 0 {
		b = appendField(b, r.userInfo)
	}
	b, err := appendTokens(b, r.tokens)
	if err != nil {
		return nil, err
	}
	if has&hasOthers != 0 {
		b = binary.AppendUvarint(b, uint64(len(r.others)))
		for _, resource := range slices.Sorted(maps.Keys(r.others)) {
			b = appendField(b, resource)
			if b, err = appendTokens(b, r.others[resource]); err != nil {
				return nil, err
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(r.values)))
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		b = appendField(b, name)
		b = appendField(b, r.values[name])
	}
	return b, nil
}

// grant is what the record has of tokens.
func (r *record) grant() grant { return grant{tokens: r.tokens, others: r.others, saved: r.saved} }

func (r *record) take(g grant) { r.tokens, r.others, r.saved = g.tokens, g.others, g.saved }

func (r *record) has() (has byte) {
	for _, part := range [...]struct {
		bit byte
		is  bool
	}{
		{hasProvider, r.provider != ""},
		{hasOtherSID, r.identity.sid != sidOf(r.tokens)},
		{hasTried, r.tried != demandKey{}},
		{hasOthers, len(r.others) > 0},
		{hasUserInfo, r.userInfo != nil},
	} {
		if part.is {
			has |= part.bit
		}
	}
	return has
}

func sidOf(t *client.Tokens) string {
	id, _ := identityOf(t)
	return id.sid
}

func appendTokens(b []byte, t *client.Tokens) ([]byte, error) {
	if t == nil {
		return appendField(b, ""), nil
	}
	data, err := t.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return appendField(b, data), nil
}

// unmarshal restores what appendBinary wrote, and takes nothing else. The
// values share memory with data, which must not change afterwards.
func (r *record) unmarshal(data []byte) error {
	if len(data) < 2 || data[0] != recordVersion {
		return errUndecryptable
	}
	has, d := data[1], decoder{rest: data[2:]}
	*r = record{}
	copy(r.id[:], d.take(uint64(len(r.id))))
	r.created = d.time()
	r.expires, r.saved = d.timeFrom(r.created), d.timeFrom(r.created)
	issued, sid := d.timeFrom(r.created), ""
	if has&hasProvider != 0 {
		r.provider = string(d.field())
	}
	if has&hasOtherSID != 0 {
		sid = string(d.field())
	}
	if has&hasTried != 0 {
		copy(r.tried[:], d.take(uint64(len(r.tried))))
	}
	if has&hasUserInfo != 0 {
		r.userInfo = d.field()
	}
	r.tokens = d.tokens()
	if has&hasOthers != 0 {
		eachNamed(&d, func(resource string) { d.put(&r.others, resource) })
	}
	eachNamed(&d, func(name string) {
		if r.values == nil {
			r.values = make(map[string][]byte)
		}
		r.values[name] = d.field()
	})
	r.identity, _ = identityOf(r.tokens)
	r.identity.issued = issued
	if has&hasOtherSID != 0 {
		r.identity.sid = sid
	}
	if d.failed || len(d.rest) > 0 || r.has() != has { // one form for one record
		return errUndecryptable
	}
	return nil
}

// eachNamed reads a count and then that many names in ascending order, so that none is
// there twice; read takes what stands behind each.
func eachNamed(d *decoder, read func(name string)) {
	first, last := true, ""
	for count := d.uint(); count > 0 && !d.failed; count-- {
		name := string(d.field())
		if !first && name <= last {
			d.failed = true
		}
		read(name)
		first, last = false, name
	}
}

func (d *decoder) put(all *map[string]*client.Tokens, resource string) {
	if *all == nil {
		*all = make(map[string]*client.Tokens)
	}
	t := d.tokens()
	if t == nil {
		d.failed = true
	}
	(*all)[resource] = t
}

func (d *decoder) tokens() *client.Tokens {
	data := d.field()
	if len(data) == 0 {
		return nil
	}
	t := new(client.Tokens)
	if err := t.UnmarshalBinary(data); err != nil {
		d.failed = true
		return nil
	}
	return t
}

// maxTime is the last millisecond of the year 9999.
const maxTime = 253402300799999

func storable(t time.Time) bool { return t.UnixMilli() >= 0 && t.UnixMilli() <= maxTime }

func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(b, uint64(t.UnixMilli()))
}

func appendField[T string | []byte](b []byte, field T) []byte {
	b = binary.AppendUvarint(b, uint64(len(field)))
	return append(b, field...)
}

// A decoder reads fields off the front of rest. After a failure it gives zero
// values, so that a reader looks at failed once, at the end.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.failed, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// take gives the next n bytes, which cannot grow into those behind them.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.rest)) {
		d.failed, d.rest = true, nil
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) field() []byte { return d.take(d.uint()) }

func (d *decoder) time() time.Time {
	ms := d.uint()
	if ms > maxTime {
		d.failed = true
		return time.Time{}
	}
	return time.UnixMilli(int64(ms))
}

// timeFrom reads a time by its distance from another one.
func (d *decoder) timeFrom(base time.Time) time.Time {
	distance, n := binary.Varint(d.rest)
	if n <= 0 || distance > maxTime || distance < -maxTime {
		d.failed, d.rest = true, nil
		return time.Time{}
	}
	d.rest = d.rest[n:]
	at := time.UnixMilli(base.UnixMilli() + distance)
	d.failed = d.failed || !storable(at)
	return at
}
