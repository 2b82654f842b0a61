package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/postern-go/postern/client"
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
	kept   bool // the Store has it
}

// of gives the tokens for a resource, or for the usual one, which is the empty string;
// nil: there are none yet.
func (g grant) of(resource string) *client.Tokens {
	if resource == "" {
		return g.tokens
	}
	return g.others[resource]
}

// due says whether to refresh. Without a refresh token, or without a known end,
// there is nothing to do.
func (g grant) due(resource string, now time.Time) bool {
	t := g.of(resource)
	return g.tokens.RefreshToken != "" && (t == nil || !t.Expiry.IsZero() && !now.Before(t.RefreshAt()))
}

// over says whether the access token has expired, or there is none.
func (g grant) over(resource string, now time.Time) bool {
	t := g.of(resource)
	return t == nil || !t.Expiry.IsZero() && !now.Before(t.Expiry)
}

// A refresher refreshes each grant once, however many requests want it, and
// remembers what came of it under a hash of issuer, client, session and the
// refresh token that was used up. So a request with an old cookie finds the
// tokens of today, whether the new cookie is on its way or was lost.
type refresher struct {
	m      *Manager
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
	found bool   // another process had it already, and it may be old itself
	about string // the resource it was for
	err   error
}

// A renewal is a wish for a newer grant.
type renewal struct {
	rp       *client.Client
	rec      *record // the session, as it was presented; not changed
	begins   bool    // no other process can have it, nor the Store
	grant    grant
	resource string // which access token is wanted; empty: the usual one
	rejected string // an access token that an API refused; empty: refresh if it is due
}

// met says whether g is what was wished for.
func (want *renewal) met(g grant, now time.Time) bool {
	t := g.of(want.resource)
	switch {
	case t == nil:
		return false
	case want.rejected != "":
		return t.AccessToken != want.rejected
	}
	return !g.due(want.resource, now)
}

// failureKey: an API that the provider knows nothing of does not stop the usual refresh.
func (want *renewal) failureKey(key memoryKey) memoryKey {
	if want.resource == "" {
		return key
	}
	return keyOf("refresh for", string(key[:]), want.resource)
}

func newRefresher(m *Manager) *refresher {
	return &refresher{
		m: m, now: m.cfg.Now, logger: m.cfg.Logger, claims: m.cfg.Claims,
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
		if !ok || !next.supersedes(g) {
			return g
		}
		g = next
	}
	return g
}

// supersedes says whether g, which was had for the refresh token of old, is newer. A
// provider that does not rotate answers every refresh under one key: then a cookie from
// another process may have newer tokens than we do.
func (g grant) supersedes(old grant) bool {
	return g.tokens.RefreshToken != old.tokens.RefreshToken || g.saved.After(old.saved)
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
	for range maxGenerations {
		underway, g, err := f.join(ctx, want)
		if underway == nil {
			return g, err
		}
		select {
		case <-underway.done:
		case <-ctx.Done():
			return grant{}, fmt.Errorf("waiting for a refresh: %w", context.Cause(ctx))
		}
		var failed *failure
		switch same := underway.about == want.resource; {
		case errors.As(underway.err, &failed) && (same || failed.dead):
			return grant{}, failed
		case underway.err != nil: // what it was for is none of our business
		case same && !underway.found:
			return underway.grant, nil
		default:
			want.grant = underway.grant
		}
	}
	return grant{}, errTooManyGenerations
}

var (
	errRejectedAgain      = errors.New("the token is new, and was refused all the same")
	errTooManyGenerations = errors.New("other processes have refreshed it too often to follow")
)

// join finds the refresh that is on its way, or starts it; nil: there is no need
// of one, or no use in it.
func (f *refresher) join(ctx context.Context, want renewal) (*refresh, grant, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, id := f.now(), want.rec.id
	g := f.newest(id, want.grant, now)
	if want.met(g, now) {
		return nil, g, nil
	}
	key := refreshKey(id, g)
	failed, ok := f.failures.get(want.failureKey(key), now)
	if ok && (failed.dead || now.Before(failed.retry)) {
		return nil, grant{}, failed
	}
	if underway := f.running[key]; underway != nil {
		return underway, grant{}, nil
	}
	if want.rejected != "" {
		pause := keyOf("rejected", string(id[:]), want.resource)
		if _, ok := f.rejected.get(pause, now); ok {
			return nil, grant{}, errRejectedAgain
		}
		f.rejected.put(pause, struct{}{}, now, now.Add(rejectedPause))
	}
	underway := &refresh{done: make(chan struct{}), about: want.resource}
	f.running[key] = underway
	want.grant = g
	go f.run(context.WithoutCancel(ctx), key, want, underway)
	return underway, grant{}, nil
}

func (f *refresher) run(ctx context.Context, key memoryKey, want renewal, underway *refresh) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	fresh, found, err := f.renew(ctx, want)
	failed := f.settle(key, want, underway, fresh, found, err)
	// The app's log handler and its hook may wait, or panic, without harm to anybody's session.
	contained(f.logger, func() { f.report(ctx, want, found, failed, err) })
}

// renew asks the provider, or finds that another process has. It runs in a goroutine of its
// own, where a panic in the app's transport or hooks would end the program.
func (f *refresher) renew(ctx context.Context, want renewal) (fresh grant, found bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			fresh, found, err = grant{}, false, fmt.Errorf("panic in a refresh: %T", p)
		}
	}()
	ctx, done := f.m.observe(ctx, "refresh")
	defer func() { contained(f.logger, func() { done(err) }) }() // what the provider has given counts
	if f.m.shared != nil && !want.begins {
		return f.renewShared(ctx, want)
	}
	fresh, err = f.request(ctx, want)
	f.bury(want, err)
	return fresh, false, err
}

// settle remembers what came of a refresh, and tells who waits for it.
func (f *refresher) settle(key memoryKey, want renewal, underway *refresh, fresh grant, found bool, err error) (failed *failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if err != nil {
		failed = f.fail(key, want, now, err)
		underway.err = failed
	} else {
		underway.grant, underway.found = fresh, found
		ends := f.m.ends(want.rec)
		f.results.put(key, fresh, now, ends)
		f.sources.put(refreshKey(want.rec.id, fresh), key, now, ends)
		f.failures.forget(want.failureKey(key))
	}
	delete(f.running, key)
	close(underway.done)
	return failed
}

// report is for the log and for the app.
func (f *refresher) report(ctx context.Context, want renewal, found bool, failed *failure, err error) {
	if found {
		return
	}
	e := eventOf(EventRefresh, want.rec)
	if failed != nil {
		level := slog.LevelWarn
		if failed.dead {
			level = slog.LevelInfo
		}
		f.logger.LogAttrs(ctx, level, "session: refresh failed", slog.String("reason", failed.reason),
			slog.Bool("ended", failed.dead), slog.String("session", want.rec.id.hash()), causeAttr(err))
		e.Reason, e.Err = failed.reason, err
	}
	f.m.emit(ctx, e)
}

var errOtherUser = errors.New("the refreshed ID token is another user's")

// request sends the token request.
func (f *refresher) request(ctx context.Context, want renewal) (grant, error) {
	old := want.grant
	fresh, err := want.send(ctx)
	if err != nil {
		return grant{}, err
	}
	// Client.Refresh has compared them (Core 12.2); a session must not hang on that.
	was, _ := identityOf(old.tokens)
	is, ok := identityOf(fresh)
	if !ok || is.user() != was.user() {
		return grant{}, errOtherUser
	}
	return old.with(want.resource, withClaims(fresh, f.claims), after(old.saved, f.now())), nil
}

// bury ends the session of a grant that is found to be over, everywhere: its cookie may
// still have an access token that looks good.
func (f *refresher) bury(want renewal, err error) {
	if err == nil {
		return
	}
	if failed := judge(err); failed.dead {
		f.m.end(presenceOf(want.rec), failed.reason, f.now())
	}
}

// underway is the refresh of a grant that is running now; nil: none.
func (f *refresher) underway(id sessionID, g grant) *refresh {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running[refreshKey(id, g)]
}
