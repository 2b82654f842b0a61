package session

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// What happened to a session.
const (
	EventLogin   = "login"   // somebody signed in: told once, with the first answer that has the cookie, before it goes out
	EventRefresh = "refresh" // the tokens were refreshed, or could not be: see Event.Err
	EventLogout  = "logout"  // somebody signed out here
	EventExpired = "expired" // a request came with a session that was over: Event.Reason says why
	// EventRevoked: the provider, or Manager.RevokeUser, ended sessions, which are not known
	// by name: Event.Session is empty. Requests that then come with them are told of by an
	// EventRevoked too, one for each session and process, with Event.Session. So a count
	// needs to look at that. (A front-channel logout that has the cookie knows its session.)
	EventRevoked = "revoked"
)

// An Event is what happened to a session, for an audit log. It has no secret in it.
type Event struct {
	Type     string // one of the constants Event...
	Time     time.Time
	Provider string // its name; empty where there is one only
	Issuer   string
	Subject  string
	Session  string // names the session, as the log does, and opens nothing; empty: several, or none
	Reason   string // one of the constants Reason...; empty: nothing is wrong
	Err      error  // the cause; nil: none
}

// emit hands an event to the app. A panic in its hook is the app's own, except where it
// would end the program: there emit is called by somebody who recovers.
func (m *Manager) emit(ctx context.Context, e Event) {
	if m.cfg.OnEvent == nil {
		return
	}
	e.Time = m.cfg.Now()
	m.cfg.OnEvent(ctx, e)
}

// contained runs what is the app's own, such as a hook or a log handler, behind something that
// its panic must not undo. The log is told, unless it is the one that panics.
func contained(logger *slog.Logger, do func()) {
	defer func() {
		if p := recover(); p != nil {
			defer func() { _ = recover() }()
			logger.Error("session: a panic in what the app has given us", slog.String("panic", fmt.Sprintf("%T", p)))
		}
	}()
	do()
}

// eventOf is an event about one session.
func eventOf(kind string, rec *record) Event {
	return Event{
		Type: kind, Provider: rec.provider, Issuer: rec.identity.issuer, Subject: rec.identity.subject, Session: rec.id.hash(),
	}
}

// observe tells Config.Observe that an operation begins, and gives what tells it that
// it is over.
func (m *Manager) observe(ctx context.Context, operation string) (context.Context, func(error)) {
	if m.cfg.Observe == nil {
		return ctx, func(error) {}
	}
	return m.cfg.Observe(ctx, operation)
}

// LogValue logs all but the cause, which stands in the log already.
func (e Event) LogValue() slog.Value {
	return slog.GroupValue(slog.String("type", e.Type), slog.Time("time", e.Time), slog.String("provider", e.Provider),
		slog.String("issuer", e.Issuer), slog.String("subject", e.Subject), slog.String("session", e.Session), slog.String("reason", e.Reason))
}
