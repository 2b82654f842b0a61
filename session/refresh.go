package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/jwtverify"
)

const (
	// refreshTimeout is for one refresh: the token request, and metadata and keys
	// where they are not at hand.
	refreshTimeout = 20 * time.Second
	// refreshPatience is how long a request waits for a refresh while the old
	// token lasts. The refresh goes on, and a later request has its result.
	refreshPatience = 3 * time.Second

	maxResults = 10_000
	// resultGrace is how long a result is kept after a request came with the new
	// cookie: those that left with the old one are still on their way.
	resultGrace = time.Minute
	// maxGenerations bounds how far an old cookie is followed, through refreshes
	// none of whose cookies came back.
	maxGenerations = 1_000

	firstBackoff   = time.Second
	longestBackoff = 30 * time.Second
	// rejectedPause is how long after a refresh that an API's 401 asked for another
	// 401 is believed to have other reasons than the token.
	rejectedPause = 30 * time.Second
	// failureMemory is how long failures in a row count as such.
	failureMemory = 10 * time.Minute
)

// A grant is the tokens of a session, and since when it has them.
type grant struct {
	tokens *client.Tokens            // never changed
	others map[string]*client.Tokens // likewise; by resource
	saved  time.Time
}

// due says whether to refresh. Without a refresh token, or without a known end,
// there is nothing to do.
func (g grant) due(now time.Time) bool {
	if g.tokens.RefreshToken == "" || g.tokens.Expiry.IsZero() {
		return false
	}
	return !now.Before(g.tokens.RefreshAt())
}

// over says whether the access token has expired.
func (g grant) over(now time.Time) bool {
	return !g.tokens.Expiry.IsZero() && !now.Before(g.tokens.Expiry)
}

// A refresher refreshes each grant once, however many requests want it, and
// remembers what came of it under a hash of issuer, client, session and the
// refresh token that was used up. So a request with an old cookie finds the
// tokens of today, whether the new cookie is on its way or was lost.
type refresher struct {
	now    func() time.Time
	logger *slog.Logger
	claims []string // to keep of ID tokens; nil: all

	results  *memory[grant]
	sources  *memory[memoryKey] // by the key of a result: the key it is under
	failures *memory[*failure]
	rejected *memory[struct{}] // by session: one was refreshed because of a 401 a moment ago

	mu      sync.Mutex
	running map[memoryKey]*refresh
}

// A refresh is on its way until done is closed. Then it has a grant or an error.
type refresh struct {
	done  chan struct{}
	grant grant
	err   error
}

// A renewal is a wish for a newer grant.
type renewal struct {
	rp       *client.Client
	id       sessionID
	grant    grant
	ends     time.Time // of the session
	rejected string    // an access token that an API refused; empty: refresh if it is due
}

func newRefresher(cfg *Config) *refresher {
	return &refresher{
		now: cfg.Now, logger: cfg.Logger, claims: cfg.Claims,
		results:  newMemory[grant](maxResults),
		sources:  newMemory[memoryKey](maxResults),
		failures: newMemory[*failure](maxResults),
		rejected: newMemory[struct{}](maxResults),
		running:  make(map[memoryKey]*refresh),
	}
}

// refreshKey is of a session and of one generation of its refresh token.
func refreshKey(id sessionID, g grant) memoryKey {
	return keyOf("refresh", string(id[:]), g.tokens.RefreshToken)
}

// newest is the last of the grants known to have come from g.
func (f *refresher) newest(id sessionID, g grant, now time.Time) grant {
	if f.results.empty() {
		return g
	}
	for range maxGenerations {
		if g.tokens.RefreshToken == "" {
			return g
		}
		next, ok := f.results.get(refreshKey(id, g), now)
		// A provider that does not rotate answers every refresh under one key.
		// Then a cookie from another process may have newer tokens than we do.
		if !ok || next.tokens.RefreshToken == g.tokens.RefreshToken && !next.saved.After(g.saved) {
			return g
		}
		g = next
	}
	return g
}

// presented notes that a request came with g, which nothing newer supersedes:
// the response with it has arrived.
func (f *refresher) presented(id sessionID, g grant, now time.Time) {
	if f.sources.empty() || g.tokens.RefreshToken == "" {
		return
	}
	key := refreshKey(id, g)
	if source, ok := f.sources.get(key, now); ok {
		f.results.shorten(source, now.Add(resultGrace))
		f.sources.forget(key)
	}
}

// refresh gives a newer grant than the one it is given, if it is still wanted
// when its turn comes. The error is a *failure, or that ctx ended; the refresh
// itself does not end with ctx.
func (f *refresher) refresh(ctx context.Context, want renewal) (grant, error) {
	underway, g, err := f.join(ctx, want)
	if underway == nil {
		return g, err
	}
	select {
	case <-underway.done:
		return underway.grant, underway.err
	case <-ctx.Done():
		return grant{}, fmt.Errorf("waiting for a refresh: %w", context.Cause(ctx))
	}
}

// join finds the refresh that is on its way, or starts it; nil: there is no need
// of one, or no use in it.
func (f *refresher) join(ctx context.Context, want renewal) (*refresh, grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	g := f.newest(want.id, want.grant, now)
	if g.tokens.AccessToken != want.rejected && (want.rejected != "" || !g.due(now)) {
		return nil, g, nil
	}
	key := refreshKey(want.id, g)
	failed, ok := f.failures.get(key, now)
	if ok && (failed.dead || now.Before(failed.retry)) {
		return nil, grant{}, failed
	}
	if underway := f.running[key]; underway != nil {
		return underway, grant{}, nil
	}
	if want.rejected != "" {
		pause := keyOf("rejected", string(want.id[:]))
		if _, ok := f.rejected.get(pause, now); ok {
			return nil, grant{}, errRejectedAgain
		}
		f.rejected.put(pause, struct{}{}, now, now.Add(rejectedPause))
	}
	underway := &refresh{done: make(chan struct{})}
	f.running[key] = underway
	want.grant = g
	go f.run(context.WithoutCancel(ctx), key, want, underway)
	return underway, grant{}, nil
}

var errRejectedAgain = errors.New("the token is new, and was refused all the same")

func (f *refresher) run(ctx context.Context, key memoryKey, want renewal, underway *refresh) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	tokens, err := f.request(ctx, want.rp, want.grant.tokens)
	failed := f.settle(key, want, underway, tokens, err)
	if failed == nil {
		return
	}
	// The app's log handler may wait, or panic, without harm to anybody's session.
	defer func() { _ = recover() }()
	level := slog.LevelWarn
	if failed.dead {
		level = slog.LevelInfo
	}
	f.logger.LogAttrs(ctx, level, "session: refresh failed", slog.String("reason", failed.reason),
		slog.Bool("ended", failed.dead), slog.String("session", want.id.hash()), causeAttr(err))
}

// settle remembers what came of a refresh, and tells who waits for it.
func (f *refresher) settle(key memoryKey, want renewal, underway *refresh, tokens *client.Tokens, err error) (failed *failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if err != nil {
		failed = f.fail(key, want, now, err)
		underway.err = failed
	} else {
		underway.grant = grant{tokens: tokens, others: want.grant.others, saved: after(want.grant.saved, now)}
		f.results.put(key, underway.grant, now, want.ends)
		f.sources.put(refreshKey(want.id, underway.grant), key, now, want.ends)
		f.failures.forget(key)
	}
	delete(f.running, key)
	close(underway.done)
	return failed
}

var errOtherUser = errors.New("the refreshed ID token is another user's")

// request sends the token request. It runs in a goroutine of its own, where a
// panic in the app's transport would end the program.
func (f *refresher) request(ctx context.Context, rp *client.Client, old *client.Tokens) (fresh *client.Tokens, err error) {
	defer func() {
		if p := recover(); p != nil {
			fresh, err = nil, fmt.Errorf("panic in a refresh: %T", p)
		}
	}()
	fresh, err = rp.Refresh(ctx, old)
	if err != nil {
		return nil, err
	}
	// Client.Refresh has compared them (Core 12.2); a session must not hang on that.
	before, _ := identityOf(old)
	if now, ok := identityOf(fresh); !ok || now.user() != before.user() {
		return nil, errOtherUser
	}
	return withClaims(fresh, f.claims), nil
}

// A failure is a refresh that did not work, remembered so that not every
// request tries again.
type failure struct {
	reason string
	err    error
	dead   bool      // the grant is over
	retry  time.Time // else: not before
	count  int       // in a row
}

func (e *failure) Error() string { return e.err.Error() }

// Unwrap gives ErrSignIn too where the grant is over.
func (e *failure) Unwrap() []error {
	if e.dead {
		return []error{ErrSignIn, e.err}
	}
	return []error{e.err}
}

func (f *refresher) fail(key memoryKey, want renewal, now time.Time, err error) *failure {
	failed := judge(err)
	until := want.ends
	if !failed.dead {
		if last, ok := f.failures.get(key, now); ok {
			failed.count = last.count + 1
		}
		failed.retry = now.Add(min(firstBackoff<<min(failed.count, 10), longestBackoff))
		until = now.Add(failureMemory)
	}
	f.failures.put(key, failed, now, until)
	return failed
}

// judge tells a dead grant from a provider in trouble, as client.Refresh does.
func judge(err error) *failure {
	failed := &failure{reason: ReasonRefreshFailed, err: err}
	var claim *jwtverify.ClaimError
	switch {
	case errors.Is(err, errOtherUser), errors.As(err, &claim) && (claim.Claim == "sub" || claim.Claim == "iss"):
		failed.reason, failed.dead = ReasonOtherUser, true
	case errors.Is(err, client.ErrInvalidGrant):
		failed.dead = true
	}
	return failed
}

// underway is the refresh of a grant that is running now; nil: none.
func (f *refresher) underway(id sessionID, g grant) *refresh {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[refreshKey(id, g)]
}
