package client

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

const (
	// introspectTimeout bounds a question: the discovery that may be due, and the
	// request itself.
	introspectTimeout = 2 * httpTimeout
	// defaultKept is some 10 MB of answers.
	defaultKept = 10_000
	// maxQuestions bounds the questions that are open at one time: whoever makes up tokens
	// faster than the provider answers gets no more of its time, nor of our memory.
	maxQuestions = 1_000
	// maxKept is the largest answer that is kept, in bytes; they have some 500.
	maxKept = 16 << 10
)

// An Introspector is a [jwtverify.AccessTokenVerifier] that asks the provider about
// every token (RFC 7662). It is for opaque tokens, and for APIs where a token that was
// revoked must not pass. For JWT access tokens a [jwtverify.Verifier] costs no request.
//
//	api := &jwtverify.Bearer{Tokens: &client.Introspector{Client: rp, Audience: "https://api.example.com"}}
//
// The provider must say that the token is active, and [jwtverify.Verifier.Introspection]
// accept its answer: for Audience, by this issuer if it names one, not over, and not that
// of an ID or refresh token. Where there is no such answer nothing is known of the token,
// and the error wraps jwtverify.ErrKeys beside what [Client.Introspect] said.
//
// Calls with the same token at the same time share one question, so an answer may be as
// old as the question that was under way. A caller who hangs up ends nobody's question.
//
// Use it by pointer, from as many goroutines as you like; do not copy or change it after
// its first use.
type Introspector struct {
	// Client asks, by its own credentials at the provider: an API has a ClientID and a
	// ClientSecret for this, and needs no RedirectURL. Required.
	Client *Client

	// Audience is what aud of an answer must name: the API itself. An answer that names
	// others only is refused, and so is one without aud, but for ClientIDs. Required,
	// unless there are ClientIDs.
	Audience string

	// ClientIDs is for a provider that says in no aud whom a token is for (RFC 7662
	// leaves that open): an answer without aud is accepted where its client_id is one of
	// these. It must then have a token_type, which tells an access token from a refresh
	// token. Whatever these clients get tokens for is then accepted here too, so name
	// those alone that call this API and no other. Nil: an answer without aud is refused.
	ClientIDs []string

	// MaxAge is how long an answer that was accepted is believed without asking again,
	// and with it how long a token that was revoked still passes: never beyond its exp.
	// Tokens that were refused are asked about again, because one that the provider does
	// not know yet must not stay refused, and because those that anybody can make up
	// would push out the good ones. Zero or less: every call asks.
	MaxAge time.Duration

	// Size is how many answers are kept at most; zero or less: 10,000. When it is full,
	// those not asked for lately are dropped.
	Size int

	mu        sync.Mutex
	questions map[tokenHash]*question
	recent    map[tokenHash]*kept // at most half of Size
	former    map[tokenHash]*kept // what was recent before; found there, an answer moves
}

var _ jwtverify.AccessTokenVerifier = (*Introspector)(nil)

// A tokenHash is the SHA-256 of a whole token.
type tokenHash [sha256.Size]byte

// A question is one request that all callers of its time wait for.
type question struct {
	done   chan struct{}
	answer *Introspection
	err    error
}

// A kept answer was accepted, and is judged again whenever it is used.
type kept struct {
	answer *Introspection
	until  time.Time
}

// AccessToken implements [jwtverify.AccessTokenVerifier].
func (i *Introspector) AccessToken(ctx context.Context, raw string) (*jwtverify.AccessToken, error) {
	if i.Client == nil {
		return nil, refuse("Introspector.Client is nil")
	}
	if i.Audience == "" && len(i.ClientIDs) == 0 {
		return nil, refuse("Introspector.Audience is empty")
	}
	answer, err := i.answer(ctx, raw)
	if err != nil {
		return nil, &undecided{err}
	}
	t, err := i.judge(answer)
	if err != nil {
		return nil, newVerdict(err, []string{raw})
	}
	return t, nil
}

func refuse(reason string) error {
	return fmt.Errorf("client: %w: %s", jwtverify.ErrInvalid, reason)
}

// judge decides about a token by an answer. It is quick, and does not share what it
// returns.
func (i *Introspector) judge(a *Introspection) (*jwtverify.AccessToken, error) {
	c := i.Client
	v := jwtverify.Verifier{Issuer: c.cfg.Issuer, Tenants: c.cfg.Tenants, Audience: i.Audience, Leeway: c.cfg.Leeway, Now: c.cfg.Now}
	switch {
	case !a.Active:
		return nil, refuse("the provider says that the token is not active")
	case !a.audience && len(i.ClientIDs) > 0:
		if !slices.Contains(i.ClientIDs, a.clientID) {
			return nil, refuse("the answer has no aud, and its client_id is none of Introspector.ClientIDs")
		}
		if a.tokenType == "" {
			return nil, refuse("the answer has neither aud nor token_type")
		}
		v.Audience, v.AudienceClaim = a.clientID, "client_id"
	case i.Audience == "":
		return nil, refuse("the answer has an aud, and Introspector.Audience is empty")
	}
	t, err := v.Introspection([]byte(a.answer))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return t, nil
}

// answer returns what is known of a token: what is kept, or what the provider says.
func (i *Introspector) answer(ctx context.Context, raw string) (*Introspection, error) {
	key, now := tokenHash(sha256.Sum256([]byte(raw))), i.Client.Now()
	detached := context.WithoutCancel(ctx) // it may panic, as Now may: not while the lock is held
	i.mu.Lock()
	if a := i.find(key, now); a != nil {
		i.mu.Unlock()
		return a, nil
	}
	q := i.questions[key]
	if q == nil && len(i.questions) >= maxQuestions {
		i.mu.Unlock()
		return nil, unanswered("too many questions are open")
	}
	if q == nil {
		q = &question{done: make(chan struct{}), err: unanswered("the HTTP transport ended the goroutine")}
		if i.questions == nil {
			i.questions = map[tokenHash]*question{}
		}
		i.questions[key] = q
		go i.ask(detached, q, key, raw, now)
	}
	i.mu.Unlock()
	select {
	case <-q.done:
		return q.answer, q.err
	case <-ctx.Done():
		return nil, unavailable(endpoint{name: "introspection"}, ctx.Err())
	}
}

// ask puts one question, at the time now. It ends whatever the transport or the clock of
// the program does.
func (i *Introspector) ask(ctx context.Context, q *question, key tokenHash, raw string, now time.Time) {
	var until time.Time
	defer func() {
		if p := recover(); p != nil { // its text may be a request
			q.answer, q.err = nil, unanswered(fmt.Sprintf("panic of type %T", p))
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.questions, key)
		if q.err == nil && now.Before(until) {
			i.keep(key, &kept{q.answer, until})
		}
		close(q.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, introspectTimeout)
	defer cancel()
	answer, err := i.Client.Introspect(ctx, raw)
	if err == nil {
		until = i.believable(answer, now)
	}
	q.answer, q.err = answer, err
}

func unanswered(reason string) error {
	return &ResponseError{Endpoint: "introspection", Err: fmt.Errorf("%w: %s", ErrUnavailable, reason)}
}

// believable returns until when an answer to a question that was put at now is kept;
// zero: not at all.
func (i *Introspector) believable(a *Introspection, now time.Time) time.Time {
	if i.MaxAge <= 0 || len(a.answer) > maxKept {
		return time.Time{}
	}
	t, err := i.judge(a)
	if err != nil {
		return time.Time{}
	}
	until := now.Add(i.MaxAge)
	if !t.Expiry.IsZero() && t.Expiry.Before(until) {
		until = t.Expiry
	}
	return until
}

// find returns the answer that is kept for a token; nil: none. i.mu is held.
func (i *Introspector) find(key tokenHash, now time.Time) *Introspection {
	k, ok := i.recent[key]
	if !ok {
		if k, ok = i.former[key]; !ok {
			return nil
		}
		delete(i.former, key)
		i.keep(key, k)
	}
	if !now.Before(k.until) {
		delete(i.recent, key)
		return nil
	}
	return k.answer
}

// keep makes room by forgetting what was not asked for since the recent half was last
// full. i.mu is held.
func (i *Introspector) keep(key tokenHash, k *kept) {
	size := i.Size
	if size <= 0 {
		size = defaultKept
	}
	if i.recent == nil || len(i.recent) >= max(size/2, 1) {
		i.former, i.recent = i.recent, map[tokenHash]*kept{}
	}
	i.recent[key] = k
}

// Format prints what is asked for, and neither tokens nor answers.
func (i *Introspector) Format(f fmt.State, _ rune) {
	io.WriteString(f, "Introspector{")
	if i.Client != nil {
		fmt.Fprintf(f, "Client:%v ", i.Client)
	}
	fmt.Fprintf(f, "Audience:%s ClientIDs:%v MaxAge:%v}", i.Audience, i.ClientIDs, i.MaxAge)
}

// An undecided error is one that says nothing about the token.
type undecided struct{ cause error }

func (e *undecided) Error() string { return e.cause.Error() }

// Unwrap returns ErrKeys, which is what a caller of a verifier branches on, and the cause.
func (e *undecided) Unwrap() []error { return []error{jwtverify.ErrKeys, e.cause} }
