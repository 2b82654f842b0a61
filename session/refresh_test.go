package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client"
	"github.com/postern-go/postern/client/clienttest"
	"github.com/postern-go/postern/jwtverify"
)

// refreshes counts the token requests with a refresh token.
func refreshes(a *app) int {
	n := 0
	for _, r := range a.op.Requests() {
		if r.Endpoint == "token" && r.Form.Get("grant_type") == "refresh_token" {
			n++
		}
	}
	return n
}

func access(resp *http.Response) string {
	fields := strings.Fields(body(resp))
	if len(fields) < 2 {
		return "no answer"
	}
	return fields[1]
}

func TestRefreshAhead(t *testing.T) {
	tests := []struct {
		life, quiet, due time.Duration
	}{
		{5 * time.Minute, 3*time.Minute + 50*time.Second, 4*time.Minute + 5*time.Second},
		{time.Minute, 40 * time.Second, 46 * time.Second},
		{time.Hour / 2, 28 * time.Minute, 29*time.Minute + 5*time.Second},
	}
	for _, tt := range tests {
		a := newApp(t, func(cfg *appConfig) { cfg.op.AccessTokenTTL = tt.life })
		b := a.browser()
		b.mustSignIn("alice")
		first := access(b.fetch("/"))
		a.op.Advance(tt.quiet)
		if got := access(b.fetch("/")); got != first || refreshes(a) != 0 {
			t.Errorf("%v: refreshed after %v", tt.life, tt.quiet)
		}
		a.op.Advance(tt.due - tt.quiet)
		resp := b.fetch("/")
		if got := access(resp); got == first || refreshes(a) != 1 {
			t.Errorf("%v: not refreshed after %v", tt.life, tt.due)
		}
		if len(resp.Cookies()) == 0 {
			t.Errorf("%v: no cookie", tt.life)
		}
	}
}

func TestFiftyParallelRequestsOneRefresh(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	old := access(b.fetch("/"))
	a.expireToken()
	a.op.SetFaults(clienttest.TokenSlow)
	answers := make([]*http.Response, 50)
	var wg sync.WaitGroup
	for i := range answers {
		r := b.request("GET", "/", fetchHeaders...)
		wg.Go(func() { answers[i] = b.lost(r) })
	}
	for a.op.Count("token") < 2 { // the sign-in and the refresh
		waitABit()
	}
	a.op.SetFaults()
	wg.Wait()
	tokens := map[string]bool{}
	for _, resp := range answers {
		if resp.StatusCode != http.StatusOK || len(resp.Cookies()) == 0 {
			t.Fatalf("%d, cookies %v", resp.StatusCode, resp.Cookies())
		}
		tokens[access(resp)] = true
	}
	if refreshes(a) != 1 || len(tokens) != 1 || tokens[old] {
		t.Errorf("%d refreshes, %d tokens", refreshes(a), len(tokens))
	}
	// Any of the answers may be the last to arrive.
	b.take(answers[17])
	a.wantUser(b, "alice")
	if refreshes(a) != 1 {
		t.Errorf("%d refreshes", refreshes(a))
	}
}

func waitABit() { <-time.After(time.Millisecond) }

// One caller who hangs up fails nobody else, and what was begun is not lost.
func TestRefreshSurvivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.mustSignIn("alice")
		a.expireToken()
		a.op.SetFaults(clienttest.TokenSlow)
		ctx, cancel := context.WithCancel(t.Context())
		first := b.request("GET", "/", fetchHeaders...).WithContext(ctx)
		second := b.request("GET", "/", fetchHeaders...)
		var wg sync.WaitGroup
		wg.Go(func() { b.lost(first) })
		synctest.Wait()
		var answer *http.Response
		wg.Go(func() { answer = b.lost(second) })
		synctest.Wait()
		cancel()
		synctest.Wait()
		a.op.SetFaults()
		wg.Wait()
		if got := access(answer); got == "none" || refreshes(a) != 1 {
			t.Errorf("access token %q, %d refreshes", got, refreshes(a))
		}
		a.op.Close()
	})
}

// The response with the new cookie is cut on its way, and the next request, five
// minutes later, still has the old one: with a refresh token that is used up.
func TestLostResponse(t *testing.T) {
	for _, rotates := range []bool{true, false} {
		t.Run(fmt.Sprintf("rotation %v", rotates), func(t *testing.T) {
			a := newApp(t, func(cfg *appConfig) { cfg.op.NoRotation = !rotates })
			b := a.browser()
			b.mustSignIn("alice")
			a.expireToken()
			lost := access(b.lost(b.request("GET", "/", fetchHeaders...)))
			a.op.Advance(3 * time.Minute)
			resp := b.lost(b.request("GET", "/", fetchHeaders...))
			if got := access(resp); got != lost || len(resp.Cookies()) == 0 {
				t.Errorf("the old cookie gets another token, or no cookie: %v", resp.Cookies())
			}
			a.op.Advance(2 * time.Minute)
			a.wantUser(b, "alice")
			if refreshes(a) != 2 { // the result of the first is near its end now
				t.Errorf("%d refreshes", refreshes(a))
			}
			for range 5 { // several in a row
				a.expireToken()
				b.lost(b.request("GET", "/", fetchHeaders...))
			}
			a.wantUser(b, "alice")
			a.expireToken()
			a.wantUser(b, "alice")
		})
	}
}

// The memory ends a minute after the new cookie has come back.
func TestResultIsForgotten(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.expireToken()
	old := b.request("GET", "/", fetchHeaders...)
	a.wantUser(b, "alice") // refreshes
	a.op.Advance(2 * time.Minute)
	if got := access(b.lost(old)); got == "none" || refreshes(a) != 1 {
		t.Errorf("before the new cookie came back: %q, %d refreshes", got, refreshes(a))
	}
	a.wantUser(b, "alice") // presents it
	a.op.Advance(resultGrace - 5*time.Second)
	if resp := b.lost(old); resp.StatusCode != http.StatusOK || refreshes(a) != 1 {
		t.Errorf("within the grace: %d, %d refreshes", resp.StatusCode, refreshes(a))
	}
	a.op.Advance(5 * time.Second)
	if a.m.refresher.sources.empty() != true {
		t.Error("the source is remembered")
	}
	if _, ok := a.m.refresher.results.get(keyOf("none"), a.op.Now()); ok {
		t.Error("something under a key nobody made")
	}
	a.m.refresher.results.put(keyOf("other"), grant{}, a.op.Now().Add(time.Hour), a.op.Now())
	if n := len(a.m.refresher.results.entries); n != 1 {
		t.Errorf("%d results after a sweep", n)
	}
}

// A slow response, made from the record of before a refresh, lands after the
// response with the new tokens.
func TestLostUpdate(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	started, goOn := make(chan struct{}), make(chan struct{})
	a.mux.Handle("/slow", a.m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := From(r.Context()).Set("slow", []byte(r.URL.RawQuery)); err != nil {
			t.Error(err)
		}
		started <- struct{}{}
		<-goOn
	})))
	// slowly runs do while a request is on its way that sets a value, and lets its
	// answer arrive last.
	slowly := func(target string, do func()) *record {
		t.Helper()
		r := b.request("GET", target, fetchHeaders...)
		var slow *http.Response
		var wg sync.WaitGroup
		wg.Go(func() { slow = b.lost(r) })
		<-started
		do()
		goOn <- struct{}{}
		wg.Wait()
		b.take(slow)
		rec, err := a.m.cookies.readSession(b.request("GET", "/"))
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	var fresh string
	rec := slowly("/slow?one", func() {
		a.expireToken()
		fresh = access(b.fetch("/")) // refreshes, and its answer arrives
	})
	if rec.tokens.AccessToken != fresh || string(rec.values["slow"]) != "one" {
		t.Errorf("old tokens, or no value: %q", rec.values)
	}
	// What another request has set in the meantime stays too.
	rec = slowly("/slow?two", func() {
		a.open = func(_ *http.Request, s *Session) {
			if err := s.Set("quick", []byte("yes")); err != nil {
				t.Error(err)
			}
		}
		b.fetch("/")
		a.open = nil
	})
	if string(rec.values["quick"]) != "yes" || string(rec.values["slow"]) != "two" {
		t.Errorf("values %q", rec.values)
	}
	a.wantUser(b, "alice")
	if n := refreshes(a); n != 1 {
		t.Errorf("%d refreshes", n)
	}
}

// A header that went out before the refresh, and arrives after it.
func TestLateHeader(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.open = func(_ *http.Request, s *Session) { s.Set("x", []byte("y")) }
	late := b.lost(b.request("GET", "/", fetchHeaders...)) // has a cookie with the tokens of today
	a.open = nil
	a.expireToken()
	fresh := access(b.fetch("/"))
	b.take(late)
	if got := access(b.fetch("/")); got != fresh || refreshes(a) != 1 {
		t.Errorf("%d refreshes", refreshes(a))
	}
}

// What ends a session and what does not.
func TestDeadGrantOrNetworkError(t *testing.T) {
	tests := map[string]struct {
		faults  []clienttest.Fault
		revoked bool
		now     string // while the token lasts
		expired string
		later   string // when the provider is well again
	}{
		"nothing wrong":     {now: "alice", expired: "alice", later: "alice"},
		"invalid_grant":     {faults: []clienttest.Fault{clienttest.InvalidGrant}, now: "nobody: refresh-failed", expired: "nobody: refresh-failed", later: "nobody: refresh-failed"},
		"revoked":           {revoked: true, now: "nobody: refresh-failed", expired: "nobody: refresh-failed", later: "nobody: refresh-failed"},
		"empty 400":         {faults: []clienttest.Fault{clienttest.RefreshEmpty400}, now: "alice", expired: "nobody: refresh-failed", later: "alice"},
		"another user":      {faults: []clienttest.Fault{clienttest.RefreshOtherSub}, now: "nobody: other-user", expired: "nobody: other-user", later: "nobody: other-user"},
		"500":               {faults: []clienttest.Fault{clienttest.Token500}, now: "alice", expired: "alice", later: "alice"},
		"429":               {faults: []clienttest.Fault{clienttest.Token429}, now: "alice", expired: "alice", later: "alice"},
		"invalid_client":    {faults: []clienttest.Fault{clienttest.InvalidClient}, now: "alice", expired: "alice", later: "alice"},
		"HTML":              {faults: []clienttest.Fault{clienttest.TokenHTML}, now: "alice", expired: "alice", later: "alice"},
		"other host":        {faults: []clienttest.Fault{clienttest.TokenRedirect}, now: "alice", expired: "alice", later: "alice"},
		"no access token":   {faults: []clienttest.Fault{clienttest.NoAccessToken}, now: "alice", expired: "alice", later: "nobody: refresh-failed"},
		"no new ID token":   {faults: []clienttest.Fault{clienttest.RefreshNoIDToken}, now: "alice", expired: "alice", later: "alice"},
		"no new RT":         {faults: []clienttest.Fault{clienttest.RefreshNoRotation}, now: "alice", expired: "alice", later: "alice"},
		"keys not reached":  {faults: []clienttest.Fault{clienttest.JWKS500}, now: "alice", expired: "alice", later: "alice"},
		"no end of a token": {faults: []clienttest.Fault{clienttest.NoExpiresIn}, now: "alice", expired: "alice", later: "alice"},
	}
	for name, tt := range tests {
		for _, expired := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, token expired %v", name, expired), func(t *testing.T) {
				a := newApp(t)
				b := a.browser()
				b.mustSignIn("alice")
				a.op.Advance(4*time.Minute + 30*time.Second)
				want := tt.now
				if expired {
					a.op.Advance(time.Minute)
					want = tt.expired
				}
				if tt.revoked {
					a.op.RevokeGrants("alice")
				}
				a.op.SetFaults(tt.faults...)
				held := b.request("GET", "/", fetchHeaders...)
				a.wantUser(b, want)
				if gone := strings.HasPrefix(want, "nobody"); gone {
					// Remembered: the dead token is not tried again, and the old cookie is no way back.
					n := a.op.Count("token")
					resp := b.lost(held)
					if resp.StatusCode != http.StatusUnauthorized || a.op.Count("token") != n {
						t.Errorf("once more: %d, %d token requests more", resp.StatusCode, a.op.Count("token")-n)
					}
					a.wantRedirectToProvider(b)
					return
				}
				a.op.SetFaults()
				a.op.Advance(2 * longestBackoff)
				a.wantUser(b, tt.later)
			})
		}
	}
}

// wantRedirectToProvider: the next page load signs in again and deletes what is over.
func (a *app) wantRedirectToProvider(b *browser) {
	a.t.Helper()
	b.begin("/")
	if b.cookie("") != "" {
		a.t.Errorf("the old cookie is left")
	}
}

// While the provider is down it is not asked with every request.
func TestBackoff(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.expireToken()
	a.op.SetFaults(clienttest.Token500)
	for range 600 { // ten minutes, a request a second
		a.wantUser(b, "alice")
		a.op.Advance(time.Second)
	}
	if n := refreshes(a); n < 20 || n > 40 {
		t.Errorf("%d refreshes in ten minutes", n)
	}
}

// A provider that does not answer holds a request up only while its token is over.
func TestRefreshPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newApp(t)
		b := a.browser()
		b.mustSignIn("alice")
		time.Sleep(4*time.Minute + 30*time.Second)
		a.op.SetFaults(clienttest.TokenSlow)
		start := time.Now()
		old := access(b.fetch("/"))
		if waited := time.Since(start); waited != refreshPatience {
			t.Errorf("waited %v", waited)
		}
		a.op.SetFaults()
		synctest.Wait()
		if got := access(b.fetch("/")); got == old || refreshes(a) != 1 {
			t.Errorf("the refresh was lost: %d", refreshes(a))
		}
		a.op.Close()
	})
}

func TestRefreshNeverExtendsTheSession(t *testing.T) {
	a := newApp(t, func(cfg *appConfig) { cfg.session.Idle = 24 * time.Hour })
	b := a.browser()
	b.mustSignIn("alice")
	rec, _ := a.m.cookies.readSession(b.request("GET", "/"))
	end := rec.expires
	for a.op.Now().Before(end.Add(-6 * time.Minute)) {
		a.expireToken()
		a.wantUser(b, "alice")
	}
	if refreshes(a) < 100 {
		t.Errorf("%d refreshes", refreshes(a))
	}
	a.op.Advance(end.Sub(a.op.Now()) - 5*time.Second)
	a.wantUser(b, "alice")
	held := allCookies(b)
	a.op.Advance(5 * time.Second)
	r := b.request("GET", "/", fetchHeaders...)
	r.Header.Set("Cookie", held)
	if resp := b.lost(r); problemReason(t, resp) != ReasonExpired {
		t.Errorf("%d", resp.StatusCode)
	}
}

func TestV13cClaimsOfTheRefresh(t *testing.T) {
	a := newApp(t)
	b := a.browser()
	b.mustSignIn("alice")
	a.op.SetUser(clienttest.User{Subject: "alice", Claims: map[string]any{"groups": []string{"new"}}})
	a.expireToken()
	a.open = func(_ *http.Request, s *Session) {
		var claims struct{ Groups []string }
		if err := s.Claims(&claims); err != nil || len(claims.Groups) != 1 || claims.Groups[0] != "new" {
			t.Errorf("groups %q, %v", claims.Groups, err)
		}
	}
	a.wantUser(b, "alice")
}

// 100 users, 10 parallel requests each, all with an expired token.
func TestV30NobodyGetsAnothersToken(t *testing.T) {
	a := newApp(t)
	browsers := make([]*browser, 100)
	for i := range browsers {
		browsers[i] = a.browser()
		browsers[i].mustSignIn(fmt.Sprintf("user%02d", i))
	}
	a.expireToken()
	var wg sync.WaitGroup
	var mu sync.Mutex
	owners := map[string]string{}
	for i, b := range browsers {
		for range 10 {
			r := b.request("GET", "/", fetchHeaders...)
			wg.Go(func() {
				fields := strings.Fields(body(b.lost(r)))
				mu.Lock()
				defer mu.Unlock()
				user, token := fields[0], fields[1]
				if user != fmt.Sprintf("user%02d", i) || owners[token] != "" && owners[token] != user {
					t.Errorf("%s has a token of %s", user, owners[token])
				}
				if got := subjectOf(t, token); got != user {
					t.Errorf("%s has a token of %s", user, got)
				}
				owners[token] = user
			})
		}
	}
	wg.Wait()
	if len(owners) != 100 || refreshes(a) != 100 {
		t.Errorf("%d tokens, %d refreshes", len(owners), refreshes(a))
	}
}

// subjectOf reads the access token of the test provider, which is a JWT.
func subjectOf(t *testing.T, token string) string {
	payload, err := strict.DecodeString(strings.Split(token, ".")[1])
	var claims struct{ Sub string }
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Errorf("no JWT: %v", err)
	}
	return claims.Sub
}

// The refresher compares the user by itself too.
func TestJudge(t *testing.T) {
	answer := func(status int, code string) error {
		return fmt.Errorf("wrapped: %w", &client.ResponseError{Endpoint: "token", Status: status, Code: code, Err: client.ErrRejected})
	}
	claim := func(name string) error {
		return fmt.Errorf("wrapped: %w", &jwtverify.ClaimError{Claim: name, Err: jwtverify.ErrInvalid})
	}
	tests := map[string]struct {
		err    error
		dead   bool
		reason string
	}{
		"invalid_grant": {fmt.Errorf("x: %w", client.ErrInvalidGrant), true, ReasonRefreshFailed},
		"other user":    {errOtherUser, true, ReasonOtherUser},
		"sub":           {claim("sub"), true, ReasonOtherUser},
		"iss":           {claim("iss"), true, ReasonOtherUser},
		"aud":           {claim("aud"), false, ReasonRefreshFailed},
		"400":           {answer(400, "invalid_request"), false, ReasonRefreshFailed},
		"deadline":      {context.DeadlineExceeded, false, ReasonRefreshFailed},
	}
	for name, tt := range tests {
		f := judge(tt.err)
		if f.dead != tt.dead || f.reason != tt.reason || errors.Is(f, ErrSignIn) != tt.dead || !errors.Is(f, tt.err) {
			t.Errorf("%s: dead is %v, reason %q", name, f.dead, f.reason)
		}
	}
}

// A hook that panics in the goroutine of a refresh ends neither the program nor the session.
func TestRefreshOutlivesAHookThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var panics atomic.Bool
		a := newApp(t, func(cfg *appConfig) {
			cfg.session.Observe = func(ctx context.Context, operation string) (context.Context, func(error)) {
				if panics.Load() && operation == "refresh" {
					panic("boom")
				}
				return ctx, func(error) {}
			}
		})
		defer a.op.Close()
		b := a.browser()
		b.mustSignIn("alice")
		a.expireToken()
		panics.Store(true)
		if got := access(b.fetch("/")); got != "none" || refreshes(a) != 0 {
			t.Errorf("token %q after %d refreshes", got, refreshes(a))
		}
		synctest.Wait() // the log is written behind the answer
		if logs := a.logs.String(); !strings.Contains(logs, "panic in a refresh: string") {
			t.Errorf("the log does not say so: %s", logs)
		}
		panics.Store(false)
		time.Sleep(firstBackoff)
		if got := access(b.fetch("/")); got == "none" || refreshes(a) != 1 {
			t.Errorf("token %q after %d refreshes", got, refreshes(a))
		}
	})
}
