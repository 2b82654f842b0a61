package session

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
)

// A witness keeps what an app is told by Config.OnEvent and Config.Observe.
type witness struct {
	mu         sync.Mutex
	events     []Event
	operations []string // "login begins", "login ends", with what went wrong
}

type witnessKey struct{}

func (w *witness) listen(c *appConfig) {
	c.session.OnEvent = func(_ context.Context, e Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	c.session.Observe = func(ctx context.Context, operation string) (context.Context, func(error)) {
		w.note(operation + " begins")
		return context.WithValue(ctx, witnessKey{}, operation), func(err error) {
			var e *Error
			switch {
			case errors.As(err, &e):
				w.note(operation + " ends: " + e.Reason)
			case err != nil:
				w.note(operation + " ends: " + err.Error())
			default:
				w.note(operation + " ends")
			}
		}
	}
}

func (w *witness) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.operations = append(w.operations, what)
}

// take gives what there is about some operations since the last time.
func (w *witness) take(operations ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := slices.DeleteFunc(w.operations, func(line string) bool {
		name, _, _ := strings.Cut(line, " ")
		return !slices.Contains(operations, name)
	})
	w.operations = nil
	return kept
}

func (w *witness) want(t *testing.T, lines ...string) {
	t.Helper()
	if got := w.take("login", "callback"); !slices.Equal(got, lines) {
		t.Errorf("observed %q, want %q", got, lines)
	}
}

func TestEvents(t *testing.T) {
	var w witness
	a := newApp(t, w.listen)
	b := a.browser()
	b.mustSignIn("alice")
	hash := ""
	a.open = func(_ *http.Request, s *Session) { hash = s.presented.id.hash() }
	a.wantUser(b, "alice")
	signedIn := a.op.Now()
	a.op.Advance(time.Minute)
	b.post("/auth/logout")
	want := []Event{
		{Type: EventLogin, Time: signedIn, Issuer: a.op.Issuer(), Subject: "alice", Session: hash},
		{Type: EventLogout, Time: signedIn.Add(time.Minute), Issuer: a.op.Issuer(), Subject: "alice", Session: hash},
	}
	if len(w.events) != len(want) {
		t.Fatalf("events %+v", w.events)
	}
	for i, got := range w.events {
		if d := got.Time.Sub(want[i].Time); d < -time.Second || d > time.Second {
			t.Errorf("%s at %v, want %v", got.Type, got.Time, want[i].Time)
		}
		got.Time = want[i].Time
		if got != want[i] {
			t.Errorf("got %+v, want %+v", got, want[i])
		}
	}
}

// Who was not let in has not signed in.
func TestNoEventWithoutLogin(t *testing.T) {
	var w witness
	a := newApp(t, w.listen, func(c *appConfig) {
		c.session.OnLogin = func(context.Context, *Session) error { return errors.New("not one of us") }
	})
	b := a.browser()
	a.wantPage(b.signIn("/", "mallory"), http.StatusForbidden, ReasonLoginRefused)
	if len(w.events) > 0 {
		t.Errorf("events %+v", w.events)
	}
	w.want(t, "login begins", "login ends", "callback begins", "callback ends: "+ReasonLoginRefused)
}

// One sign-in is told of once, however often its answer comes; and to begin with only when a
// browser is given its cookie.
func TestLoginIsToldOnce(t *testing.T) {
	var w witness
	a := newApp(t, w.listen)
	b := a.browser()
	callback := b.callbackOf(b.begin("/"), "alice")
	budget := a.m.cookies.budget
	a.m.cookies.budget = attemptRoom
	resp := b.lost(b.request("GET", callback, fromProvider...))
	if a.wantPage(resp, http.StatusInternalServerError, ReasonTooLarge); len(w.events) > 0 {
		t.Errorf("events %v", w.events)
	}
	a.m.cookies.budget = budget
	var requests sync.WaitGroup
	for range 10 {
		r := b.request("GET", callback, fromProvider...)
		requests.Go(func() { b.lost(r) })
	}
	requests.Wait()
	b.get(callback, fromProvider...)
	if a.wantUser(b, "alice"); len(w.events) != 1 || w.events[0].Type != EventLogin || w.events[0].Subject != "alice" {
		t.Errorf("events %v", w.events)
	}
}

// With several providers an event names the one of the session.
func TestEventsNameTheProvider(t *testing.T) {
	var events []Event
	a, _, blue := newTwo(t, func(c *Config) { c.OnEvent = func(_ context.Context, e Event) { events = append(events, e) } })
	b := a.browser()
	b.signInAt(blue, "blue", "alice")
	b.post("/auth/logout")
	for i, kind := range []string{EventLogin, EventLogout} {
		if i >= len(events) || events[i].Type != kind || events[i].Provider != "blue" || events[i].Issuer != blue.Issuer() {
			t.Errorf("event %d of %+v, want %s with blue", i, events, kind)
		}
	}
}

func TestObserve(t *testing.T) {
	var w witness
	a := newApp(t, w.listen)
	a.silently()
	b := a.browser()
	b.mustSignIn("alice")
	w.want(t, "login begins", "login ends", "callback begins", "callback ends")

	location := b.get("/auth/login").Header.Get("Location")
	a.op.SetFaults(clienttest.WrongNonce)
	a.wantPage(b.get(b.callbackOf(location, "alice"), fromProvider...), http.StatusBadRequest, ReasonCallbackRejected)
	w.want(t, "login begins", "login ends", "callback begins", "callback ends: "+ReasonCallbackRejected)

	a.op.SetFaults()
	b = a.browser()
	b.get(b.callbackOf(b.get("/public").Header.Get("Location"), "nobody"), fromProvider...)
	w.want(t, "login begins", "login ends", "callback begins", "callback ends") // nobody is there: that is an answer
}

// An operation that fails is over too, and its error is told.
func TestObserveLoginFails(t *testing.T) {
	var w witness
	a := newApp(t, w.listen, func(c *appConfig) {
		c.session.Authorize = func(*http.Request) (*client.AuthorizeOptions, error) { return nil, errors.New("no such tenant") }
	})
	a.wantPage(a.browser().get("/"), http.StatusInternalServerError, ReasonInternal)
	w.want(t, "login begins", "login ends: no such tenant")
}

// The context of Observe is that of what is within: hooks, and requests to the provider.
func TestObserveContext(t *testing.T) {
	var w witness
	var within []string
	carry := func(ctx context.Context, where string) {
		operation, _ := ctx.Value(witnessKey{}).(string)
		within = append(within, where+" in "+operation)
	}
	op := clienttest.New(&clienttest.Options{Algorithm: "ES256"})
	t.Cleanup(func() { op.Close() })
	cfg := op.Config(appCallback)
	transport := cfg.HTTPClient.Transport
	cfg.HTTPClient = &http.Client{Transport: roundTripFunc(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/token") {
			carry(r.Context(), "token request")
		}
		return transport.RoundTrip(r)
	})}
	rp, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	told := appConfig{}
	w.listen(&told)
	m, err := New(rp, Config{
		Secrets: []string{testSecret(1)}, Logger: slog.New(slog.DiscardHandler), Observe: told.session.Observe,
		OnLogin: func(ctx context.Context, _ *Session) error { carry(ctx, "OnLogin"); return nil },
		OnEvent: func(ctx context.Context, e Event) { carry(ctx, e.Type) },
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t: t, op: op, m: m, mux: http.NewServeMux(), logs: &logBuffer{}, base: parseURL(t, appURL+"/")}
	a.handler = a.mux
	m.Routes(a.mux)
	a.mux.Handle("/", m.Require(http.HandlerFunc(a.page)))
	a.browser().mustSignIn("alice")
	if want := []string{"token request in callback", "OnLogin in callback", "login in callback"}; !slices.Equal(within, want) {
		t.Errorf("got %q, want %q", within, want)
	}
}

// An event can go into a log as it is: without the cause, which may be long and stands there.
func TestEventInLog(t *testing.T) {
	logs := &logBuffer{}
	logs.logger().Info("audit", "event", Event{Type: EventLogin, Provider: "blue", Issuer: "https://op", Subject: "alice", Session: "abc", Reason: "r", Err: errors.New("cause")})
	text := logs.String()
	for _, want := range []string{`"type":"login"`, `"provider":"blue"`, `"issuer":"https://op"`, `"subject":"alice"`, `"session":"abc"`, `"reason":"r"`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	if strings.Contains(text, "cause") {
		t.Error(text)
	}
}

// What ends all sessions of somebody is in the log, without saying whose they are.
func TestRevokeUserIsTold(t *testing.T) {
	var w witness
	a := newApp(t, w.listen)
	if err := a.m.RevokeUser(t.Context(), a.op.Issuer(), "alice"); err != nil {
		t.Fatal(err)
	}
	if text := a.logs.String(); !strings.Contains(text, "session: ended by the app") || !a.logs.has(ReasonRevoked) || strings.Contains(text, "alice") {
		t.Errorf("log %s", text)
	}
	if len(w.events) != 1 || w.events[0].Type != EventRevoked || w.events[0].Subject != "alice" {
		t.Errorf("events %+v", w.events)
	}
}
