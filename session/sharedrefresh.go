package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/postern-go/postern/client"
)

const (
	// lockPatience is for the refresh of another process. Who has waited that long leaves
	// half of refreshTimeout to nobody, and comes again with the next request.
	lockPatience = refreshTimeout / 2
	// markPatience is how long somebody without the lock waits for what another process has
	// begun. If that has died, this is all that is lost.
	markPatience = 3 * time.Second
	// refusedPatience is likewise, where the provider has refused: the other may be about
	// to save why.
	refusedPatience = time.Second
	markInterval    = 100 * time.Millisecond
	// resultLife is how long the Store has the result of a refresh, for a cookie that does
	// not know of it: a response was lost, and the browser comes back to another process.
	resultLife = time.Hour
)

// What the Store has of a refresh token, in the first byte: sealedVersion, and then the
// grant that came of it; or that somebody has begun to use it, and who.
const startedMark = 2

var (
	errLeaseLost = errors.New("the lock was lost before the refresh began")
	errLost      = errors.New("another process had begun to refresh, and has not saved what came of it")
)

// A turn is what one process finds out about a refresh token before it uses it.
type turn struct {
	name      string // of the refresh token in the Store
	exclusive bool   // no other process uses it meanwhile
	newer     *grant // that came of it already; nil: none is known
	marked    bool   // the mark in the Store is another process's
	started   bool   // it was at some time
}

// renewShared refreshes a grant where other processes may do so too. Who has the lock looks
// whether another has been faster, leaves a mark, uses the refresh token, saves what comes
// of it, and lets go. All others then find the result, or that the grant is over.
//
// If a process dies, its lease ends. If its request had not left, the next one does it. If
// it had, the next one tries: many providers take a refresh token once more for some
// seconds. If the provider says then that the grant is over, the mark tells why.
//
// While the Locker is down, or there is none, the mark does as well as it can. While the
// Store is down, sessions in cookies refresh as if there was none, and those in it do not:
// what came of it could not be saved. Nobody waits for it in full more than once.
func (f *refresher) renewShared(ctx context.Context, want renewal) (fresh grant, found bool, err error) {
	sh := f.m.shared
	t := turn{name: sh.key(kindRefresh, string(want.rec.id[:]), want.grant.tokens.RefreshToken)}
	ctx = sh.hurried(ctx)
	held, unlock, lockErr := sh.lock(ctx, lockPatience, t.name)
	defer unlock()
	err = f.look(ctx, want, &t)
	t.exclusive = sh.locker != nil && lockErr == nil
	if lockErr != nil {
		f.warn(ctx, want, "session: refresh without a lock", lockErr)
	}
	if err == nil && t.marked && !t.exclusive {
		err = f.await(ctx, want, &t, markPatience, func() bool { return t.marked })
	}
	switch {
	case t.newer != nil:
		return *t.newer, true, nil
	case isOver(err), err != nil && f.m.keepsInStore(want.rec):
		return grant{}, isOver(err), err
	case err != nil:
		f.warn(ctx, want, "session: refresh for this process alone", err)
	case errors.Is(lockErr, errLockBusy): // the Store answers: so somebody has it, and works
		return grant{}, false, lockErr
	}
	err = sh.save(ctx, t.name, append([]byte{startedMark}, sh.process...), f.resultUntil(want))
	if err != nil && f.m.keepsInStore(want.rec) {
		return grant{}, false, err
	}
	f.ignore(ctx, want, err)
	if held.Err() != nil {
		return grant{}, false, errLeaseLost
	}
	fresh, err = f.request(ctx, want)
	if err == nil {
		contained(f.logger, func() { fresh = f.publish(ctx, want, t.name, fresh) }) // the refresh token of before is used up
		return fresh, false, nil
	}
	return f.refused(ctx, want, &t, err)
}

func isOver(err error) bool {
	var over *overError
	return errors.As(err, &over)
}

// refused decides what an error of the provider means.
func (f *refresher) refused(ctx context.Context, want renewal, t *turn, err error) (grant, bool, error) {
	var answer *client.ResponseError
	if !judge(err).dead {
		// Who says no has not used the refresh token up. A gateway may say 502 after that.
		if errors.As(err, &answer) && answer.Status >= 400 && answer.Status < 500 {
			f.ignore(ctx, want, f.m.shared.delete(ctx, t.name))
		}
		return grant{}, false, err
	}
	if !t.exclusive {
		f.ignore(ctx, want, f.await(ctx, want, t, refusedPatience, func() bool { return true }))
	}
	if t.newer != nil {
		return *t.newer, true, nil // another one was faster
	}
	if t.started && errors.Is(err, client.ErrInvalidGrant) {
		err = &overError{ReasonRefreshLost, fmt.Errorf("%w: %w", errLost, err)}
	}
	f.bury(want, err)
	return grant{}, false, err
}

// look reads what the Store has of a refresh token and its session.
func (f *refresher) look(ctx context.Context, want renewal, t *turn) error {
	m, id := f.m, want.rec.id
	ended, record := m.endedName(id), m.recordName(id)
	names := []string{t.name, ended}
	if m.keepsInStore(want.rec) {
		names = append(names, record)
	}
	found, err := m.shared.load(ctx, names...) // a moment after a failure too: see hurried
	if err != nil {
		return err
	}
	if data, ok := found[ended]; ok {
		e := endingOfBytes(data)
		m.rememberEnding(id, e, want.rec.expires)
		if !f.now().Before(e.at) {
			return &overError{e.reason, errEnded}
		}
	}
	mark := found[t.name]
	t.marked = len(mark) > 0 && mark[0] == startedMark && string(mark[1:]) != m.shared.process
	t.started = t.started || t.marked
	newer := f.resultIn(mark, want, t.name)
	if m.keepsInStore(want.rec) {
		newer, err = f.recordIn(found, want, record)
	}
	t.newer = newer
	return err
}

// resultIn opens the result of a refresh; nil: there is none, or it is not for us, or it is
// no newer than what we have.
func (f *refresher) resultIn(sealed []byte, want renewal, name string) *grant {
	plain, err := resultKey(want).openFrom(name, sealed)
	var rec record
	if err != nil || rec.unmarshal(plain) != nil {
		return nil
	}
	if g := rec.grant(); g.supersedes(want.grant) {
		return &g
	}
	return nil
}

// recordIn is the grant that a session in the Store has, if it is newer.
func (f *refresher) recordIn(found map[string][]byte, want renewal, name string) (*grant, error) {
	latest := *want.rec
	if err := f.m.fill(&latest, found, name); err != nil {
		return nil, &overError{ReasonExpired, err}
	}
	g := latest.grant()
	g.kept = true
	// What this process could not save is newer than what it could.
	if f.newest(latest.id, g, f.now()).same(want.grant) {
		return nil, nil
	}
	return &g, nil
}

// await gives another process that has begun the time to end.
func (f *refresher) await(ctx context.Context, want renewal, t *turn, most time.Duration, going func() bool) error {
	for deadline := time.Now().Add(most); t.newer == nil && going() && time.Now().Before(deadline); {
		select {
		case <-time.After(markInterval):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if err := f.look(ctx, want, t); err != nil {
			return err
		}
	}
	return nil
}

// publish saves what came of a refresh, before anybody uses it. If that fails this process
// has it all the same, and the browser soon, or the Store with the next change.
func (f *refresher) publish(ctx context.Context, want renewal, name string, fresh grant) grant {
	sh := f.m.shared
	if !f.m.keepsInStore(want.rec) {
		f.ignore(ctx, want, f.saveResult(ctx, want, name, fresh))
		return fresh
	}
	save := func() error {
		return f.m.rewrite(ctx, want.rec, func(latest *record) {
			saved := later(fresh.saved, latest.saved)
			latest.take(fresh)
			latest.saved = saved
		})
	}
	err := save()
	if err != nil {
		err = save()
	}
	fresh.kept = err == nil
	if err == nil {
		err = sh.delete(ctx, name)
	}
	f.ignore(ctx, want, err)
	return fresh
}

func (f *refresher) saveResult(ctx context.Context, want renewal, name string, fresh grant) error {
	rec := *want.rec
	rec.take(fresh)
	rec.values, rec.userInfo = nil, nil
	plain, err := f.m.encodeStored(&rec)
	if err != nil {
		return err
	}
	sealed, err := resultKey(want).sealFor(name, plain)
	if err != nil {
		return err
	}
	return f.m.shared.save(ctx, name, sealed, f.resultUntil(want))
}

// resultKey seals a result for those who come with the cookie of before.
func resultKey(want renewal) recordKey {
	return recordKey(keyOf("refresh result", string(want.rec.id[:]), want.grant.tokens.RefreshToken))
}

func (f *refresher) resultUntil(want renewal) time.Time {
	until := f.now().Add(resultLife)
	if ends := f.m.ends(want.rec); ends.Before(until) {
		return ends
	}
	return until
}

// ignore is for what does not change the outcome.
func (f *refresher) ignore(ctx context.Context, want renewal, err error) {
	if err != nil {
		f.warn(ctx, want, "session: a refresh was not shared", err)
	}
}

func (f *refresher) warn(ctx context.Context, want renewal, message string, err error) {
	f.logger.LogAttrs(ctx, slog.LevelWarn, message, slog.String("reason", ReasonStoreDown),
		slog.String("session", want.rec.id.hash()), causeAttr(err))
}
