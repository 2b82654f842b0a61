package jwtverify

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// defaultWindow and maxWindow bound DPoP.Window. RFC 9449 11.1 thinks of seconds or
	// minutes; all proofs of that time have to be remembered.
	defaultWindow = 60 * time.Second
	maxWindow     = 10 * time.Minute
	// replayMargin is how much longer than it is accepted a proof is remembered, for
	// guards that go by another clock.
	replayMargin = time.Minute
)

// DPoP checks proofs of possession for a resource server (RFC 9449): that whoever
// sends an access token also holds the private key that the token is bound to. Most
// programs want Bearer, which finds the proof in the request and answers with the
// right challenge.
//
// The zero value is ready for use. Use it by pointer: it may be used concurrently, and
// must neither be copied nor changed after its first use. It holds a secret and prints
// as [redacted].
type DPoP struct {
	// Algorithms are those that may sign a proof, of the names that Verifier.Algorithms
	// has for public keys. Nil allows all of these, and the client's key decides. Any
	// other name makes every proof refused.
	Algorithms []string

	// Window is how far a proof's iat may be from now, either way. Zero: 60 seconds.
	// Less than zero or more than 10 minutes makes every proof refused.
	Window time.Duration

	// Replay remembers the proofs that were used. Nil: a ReplayCache of this DPoP's own,
	// which knows nothing of other processes.
	Replay ReplayGuard

	// RequireNonce: a proof must carry a nonce that this server gave out; see Nonce and
	// ErrNonce. Proofs can then not be made in advance (RFC 9449 11.2), at the price of
	// one more round trip now and then. Otherwise a nonce is not looked at: it may be
	// that of another server at the same origin.
	RequireNonce bool

	// NonceSecret is what nonces are made with, and the same for all replicas of a
	// server: at least 32 bytes, random, or every proof is refused. Nil: a random one,
	// and the nonces of this process are known to no other.
	NonceSecret []byte

	Now func() time.Time // nil: time.Now

	once sync.Once
	made *proofState
}

// A proofState is what a DPoP makes of its fields when it is first used.
type proofState struct {
	guard    ReplayGuard
	nonceKey []byte
	err      error // why every proof is refused
}

// ExpectProof says what a proof must fit. All fields are required: an empty one makes
// every proof refused. It holds an access token and prints as [redacted].
type ExpectProof struct {
	Method string // of the request, compared with htm byte for byte

	// URL is that of the request as the client knows it, with scheme and host: behind a
	// proxy, not what the server sees. It is compared with htu after the normalization
	// of RFC 3986 6.2.2 and 6.2.3, without query and fragment.
	URL string

	AccessToken string // as it was sent; ath must be its hash
	JKT         string // cnf.jkt of the access token; must be the thumbprint of the proof's key
}

// Verify checks proof, the value of the header DPoP, by RFC 9449 4.3 and in its order,
// but for the nonce, which is last of what the proof says. Then, when all is right, its
// jti is recorded, so that the proof is good for one request and a wrong one takes no
// room. That there was only one such header is for the caller to check, as is the
// access token itself.
//
// Beyond the letter of the RFC: at most 8 KiB, a jti of at most 256 bytes, iat within
// the window also where a nonce says how old the proof is, exp and nbf respected where
// they are there, no duplicate or case-folded names.
//
// An error wraps exactly one of ErrInvalid and ErrKeys: with ErrInvalid the proof is
// refused for good, and ErrNonce beside it means that one with another nonce will do;
// ErrKeys means that the ReplayGuard failed, nobody knows, and the request is refused
// for now.
func (d *DPoP) Verify(ctx context.Context, proof string, want ExpectProof) error {
	if err := d.verify(ctx, proof, &want); err != nil {
		return fmt.Errorf("jwtverify: DPoP proof: %w", err)
	}
	return nil
}

func (d *DPoP) verify(ctx context.Context, raw string, want *ExpectProof) error {
	s := d.state()
	if s.err != nil {
		return s.err
	}
	if err := want.ready(); err != nil {
		return err
	}
	payload, jkt, err := d.open(raw) // steps 2 and 4 to 7
	if err != nil {
		return err
	}
	p, err := readProof(payload) // step 3
	if err != nil {
		return err
	}
	if err := p.request(want); err != nil { // steps 8 and 9
		return err
	}
	now := d.now()
	if err := p.age(now, d.window()); err != nil { // step 11
		return err
	}
	if err := p.bound(want, jkt); err != nil { // step 12
		return err
	}
	if d.RequireNonce { // step 10
		if err := s.checkNonce(p.nonce, now); err != nil {
			return err
		}
	}
	return s.use(ctx, jkt, p.id, p.issuedAt.Add(d.window()+replayMargin)) // RFC 9449 11.1
}

// state makes, once, what the fields stand for.
func (d *DPoP) state() *proofState {
	d.once.Do(func() {
		s := &proofState{guard: d.Replay}
		if s.guard == nil {
			s.guard = &ReplayCache{Now: d.Now}
		}
		if s.nonceKey, s.err = newNonceKey(d.NonceSecret); s.err == nil {
			s.err = d.ready()
		}
		d.made = s
	})
	return d.made
}

// ready refuses settings that somebody relied on and that would do nothing.
func (d *DPoP) ready() error {
	if d.Window < 0 || d.Window > maxWindow {
		return invalid("DPoP.Window is %v, and must be from 0 to %v", d.Window, maxWindow)
	}
	for _, name := range d.Algorithms {
		if _, ok := asymmetric(name); !ok {
			return invalid("DPoP.Algorithms has %s, which is no signature algorithm of a public key", quote(name))
		}
	}
	return nil
}

// ready refuses expectations that lack what a check would compare with.
func (want *ExpectProof) ready() error {
	if want.Method == "" {
		return invalid("ExpectProof.Method is empty")
	}
	if _, ok := proofTarget(want.URL); !ok {
		return invalid("ExpectProof.URL is no http or https URL with a host and without user information")
	}
	if want.AccessToken == "" {
		return invalid("ExpectProof.AccessToken is empty")
	}
	if want.JKT == "" {
		return invalid("ExpectProof.JKT is empty")
	}
	return nil
}

func (d *DPoP) window() time.Duration { return cmp.Or(d.Window, defaultWindow) }

func (d *DPoP) now() time.Time {
	if d.Now != nil {
		return d.Now()
	}
	return time.Now()
}

// Format keeps the secret of nonces out of every kind of printing.
func (d *DPoP) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the secret of nonces out of logs.
func (d *DPoP) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the secret of nonces out of JSON.
func (d *DPoP) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Format keeps the access token out of every kind of printing.
func (want ExpectProof) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// LogValue keeps the access token out of logs.
func (want ExpectProof) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON keeps the access token out of JSON.
func (want ExpectProof) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }
