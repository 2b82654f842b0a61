package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/jwtverify"
)

const testAPI = "https://api.example.com"

// vouch makes the provider answer with the members of a good token, changed: nil takes one away.
func (p *op) vouch(change map[string]any) {
	p.handle("/introspect", func(*http.Request) (*http.Response, error) { return jsonResponse(200, p.vouched(change)), nil })
}

func (p *op) vouched(change map[string]any) map[string]any {
	answer := map[string]any{
		"active": true, "iss": testIssuer, "aud": testAPI, "sub": "alice", "client_id": "spa", "scope": "read write",
		"token_type": "Bearer", "exp": testStart.Add(5 * time.Minute).Unix(), "iat": testStart.Unix(),
	}
	maps.Copy(answer, change)
	maps.DeleteFunc(answer, func(_ string, v any) bool { return v == nil })
	return answer
}

func (p *op) introspector(change func(*Introspector)) *Introspector {
	i := &Introspector{Client: p.client(nil), Audience: testAPI}
	if change != nil {
		change(i)
	}
	return i
}

func TestIntrospector(t *testing.T) {
	p := newOP(t)
	p.vouch(map[string]any{"tenant": "a"})
	got, err := p.introspector(nil).AccessToken(context.Background(), "token")
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Tenant string }
	if err := got.Claims(&claims); err != nil || claims.Tenant != "a" {
		t.Errorf("the claims are %+v, %v", claims, err)
	}
	if fmt.Sprint(got.Issuer, got.Subject, got.ClientID, got.Audience, got.Scope) != fmt.Sprint(testIssuer, "alice", "spa", []string{testAPI}, []string{"read", "write"}) || !got.Expiry.Equal(testStart.Add(5*time.Minute)) {
		t.Errorf("got %s %s %s %q %q %v", got.Issuer, got.Subject, got.ClientID, got.Audience, got.Scope, got.Expiry)
	}
}

// Each answer differs from a good one in what its name says.
func TestIntrospectorAccepts(t *testing.T) {
	byClient := func(i *Introspector) { i.ClientIDs = []string{"cli", "spa"} }
	for _, test := range []struct {
		name   string
		answer map[string]any
		change func(*Introspector)
	}{
		{"several audiences", map[string]any{"aud": []string{"https://other.example.com", testAPI}}, nil},
		{"no iss", map[string]any{"iss": nil}, nil},
		{"no exp", map[string]any{"exp": nil}, nil},
		{"no token_type", map[string]any{"token_type": nil}, nil},
		{"token_type in lower case", map[string]any{"token_type": "bearer"}, nil},
		{"exp within the leeway", map[string]any{"exp": testStart.Add(-time.Minute + time.Second).Unix()}, nil},
		{"bound to a key", map[string]any{"token_type": "DPoP", "cnf": map[string]any{"jkt": strings.Repeat("A", 43)}}, nil},
		{"no sub", map[string]any{"sub": nil}, nil},
		{"by client", map[string]any{"aud": nil}, byClient},
		{"by client, aud null", map[string]any{"aud": json.RawMessage("null")}, byClient},
		{"by client, aud an empty list", map[string]any{"aud": []string{}}, byClient},
		{"by client alone", map[string]any{"aud": nil}, func(i *Introspector) { byClient(i); i.Audience = "" }},
		{"an audience in spite of the clients", nil, func(i *Introspector) { i.ClientIDs = []string{"cli"} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.vouch(test.answer)
			if got, err := p.introspector(test.change).AccessToken(context.Background(), "token"); err != nil || got == nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestIntrospectorRefuses(t *testing.T) {
	byClient := func(i *Introspector) { i.ClientIDs = []string{"cli", "spa"} }
	for _, test := range []struct {
		name   string
		answer map[string]any
		change func(*Introspector)
		want   error
		text   string
	}{
		{"inactive", map[string]any{"active": false}, nil, jwtverify.ErrInvalid, "not active"},
		{"another audience", map[string]any{"aud": "https://other.example.com"}, nil, jwtverify.ErrInvalid, "aud does not name this audience"},
		{"no audience", map[string]any{"aud": nil}, nil, jwtverify.ErrInvalid, "aud does not name this audience"},
		{"an empty audience", map[string]any{"aud": ""}, nil, jwtverify.ErrInvalid, "aud does not name this audience"},
		{"an audience longer by a slash", map[string]any{"aud": testAPI + "/"}, nil, jwtverify.ErrInvalid, "aud does not name this audience"},
		{"aud an object", map[string]any{"aud": map[string]any{}}, nil, jwtverify.ErrInvalid, "aud is neither"},
		{"another issuer", map[string]any{"iss": "https://evil.example"}, nil, jwtverify.ErrInvalid, "iss is another issuer"},
		{"over", map[string]any{"exp": testStart.Add(-time.Minute).Unix()}, nil, jwtverify.ErrExpired, "exp is over"},
		{"to come", map[string]any{"nbf": testStart.Add(time.Minute + time.Second).Unix()}, nil, jwtverify.ErrInvalid, "nbf is in the future"},
		{"exp a string", map[string]any{"exp": "1893456000"}, nil, jwtverify.ErrInvalid, "exp is not a number"},
		{"refresh token by its type", map[string]any{"token_type": "refresh_token"}, nil, jwtverify.ErrInvalid, "token_type is that of another kind"},
		{"refresh token of Keycloak", map[string]any{"typ": "Refresh"}, nil, jwtverify.ErrInvalid, "typ is that of another kind"},
		{"refresh token of Hydra", map[string]any{"token_use": "refresh_token"}, nil, jwtverify.ErrInvalid, "token_use is that of another kind"},
		{"ID token of Keycloak", map[string]any{"typ": "ID"}, nil, jwtverify.ErrInvalid, "typ is that of another kind"},
		{"ID token by its hash", map[string]any{"at_hash": "x"}, nil, jwtverify.ErrInvalid, "at_hash is that of an ID token"},
		{"ID token by its nonce", map[string]any{"nonce": "x", "token_type": nil}, nil, jwtverify.ErrInvalid, "nonce is that of an ID token"},
		{"bound to what is not said", map[string]any{"token_type": "DPoP"}, nil, jwtverify.ErrInvalid, "cnf names no key"},
		{"bound in an unknown way", map[string]any{"cnf": map[string]any{"kid": "a"}}, nil, jwtverify.ErrInvalid, "cnf names no key"},

		{"by client: another one", map[string]any{"aud": nil, "client_id": "other"}, byClient, jwtverify.ErrInvalid, "its client_id is none of Introspector.ClientIDs"},
		{"by client: none", map[string]any{"aud": nil, "client_id": nil}, byClient, jwtverify.ErrInvalid, "its client_id is none of Introspector.ClientIDs"},
		{"by client: of no type", map[string]any{"aud": nil, "token_type": nil}, byClient, jwtverify.ErrInvalid, "neither aud nor token_type"},
		{"by client: a refresh token", map[string]any{"aud": nil, "token_type": "refresh_token"}, byClient, jwtverify.ErrInvalid, "token_type is that of another kind"},
		{"by client: an audience all the same", map[string]any{"aud": "https://other.example.com"}, byClient, jwtverify.ErrInvalid, "aud does not name this audience"},
		{"by client alone: an audience", nil, func(i *Introspector) { byClient(i); i.Audience = "" }, jwtverify.ErrInvalid, "Introspector.Audience is empty"},

		{"no Audience", nil, func(i *Introspector) { i.Audience = "" }, jwtverify.ErrInvalid, "token invalid: Introspector.Audience is empty"},
		{"no Client", nil, func(i *Introspector) { i.Client = nil }, jwtverify.ErrInvalid, "Introspector.Client is nil"},
		{"the zero one", nil, func(i *Introspector) { *i = Introspector{} }, jwtverify.ErrInvalid, "Introspector.Client is nil"},
		{"active a string", map[string]any{"active": "true"}, nil, jwtverify.ErrKeys, "active is not a boolean"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.vouch(test.answer)
			got, err := p.introspector(test.change).AccessToken(context.Background(), "token")
			if got != nil {
				t.Fatal("accepted")
			}
			wantVerdict(t, err, test.want, test.text)
		})
	}
}

// wantVerdict asserts that exactly one of the three errors that a caller branches on is there.
func wantVerdict(t *testing.T, err, want error, text string) {
	t.Helper()
	for _, e := range []error{jwtverify.ErrExpired, jwtverify.ErrInvalid, jwtverify.ErrKeys} {
		if errors.Is(err, e) != (e == want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	if err == nil || !strings.Contains(err.Error(), text) || !strings.HasPrefix(err.Error(), "client: ") {
		t.Errorf("got %v, want %q in it", err, text)
	}
}

// A provider that repeats the token in its answer: what is logged of it has none.
func TestIntrospectorShowsNoToken(t *testing.T) {
	const raw = "opaque-CANARY-token-of-a-user"
	for _, name := range []string{"iss", "aud", "token_type", "token_use", "typ"} {
		p := newOP(t)
		p.vouch(map[string]any{name: "you asked about " + raw})
		_, err := p.introspector(nil).AccessToken(context.Background(), raw)
		var claim *jwtverify.ClaimError
		if !errors.Is(err, jwtverify.ErrInvalid) || !errors.As(err, &claim) || claim.Claim != name || !strings.Contains(err.Error(), redacted) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// Where the provider gives no verdict there is none.
func TestIntrospectorUndecided(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*op)
		want  error
	}{
		{"down", func(p *op) { p.reply("/introspect", 503, "", "") }, ErrUnavailable},
		{"no answer", func(p *op) {
			p.handle("/introspect", func(*http.Request) (*http.Response, error) { return nil, errors.New("reset") })
		}, ErrUnavailable},
		{"client refused", func(p *op) { p.reply("/introspect", 401, "application/json", `{"error":"invalid_client"}`) }, ErrRejected},
		{"HTML", func(p *op) { p.reply("/introspect", 200, "text/html", `<html>`) }, ErrRejected},
		{"JWT", func(p *op) { p.reply("/introspect", 200, "application/token-introspection+jwt", `e30.e30.e30`) }, ErrUnsupported},
		{"no endpoint", func(p *op) { delete(p.metadata, "introspection_endpoint") }, ErrUnsupported},
		{"no metadata", func(p *op) { p.reply("/.well-known/openid-configuration", 500, "", "") }, ErrUnavailable},
		{"panic", func(p *op) {
			p.handle("/introspect", func(*http.Request) (*http.Response, error) { panic("token-CANARY") })
		}, ErrUnavailable},
		{"end of the goroutine", func(p *op) {
			p.handle("/introspect", func(*http.Request) (*http.Response, error) { runtime.Goexit(); return nil, nil })
		}, ErrUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wantUndecided(t, test.spoil, test.want)
				time.Sleep(httpTimeout) // of the bubble: net/http's timer outlives a panic
			})
		})
	}
}

func wantUndecided(t *testing.T, spoil func(*op), want error) {
	p := newOP(t)
	document := maps.Clone(p.metadata)
	spoil(p)
	i := p.introspector(func(i *Introspector) { i.MaxAge = time.Hour })
	got, err := i.AccessToken(context.Background(), "token-CANARY")
	if got != nil || !errors.Is(err, want) || strings.Contains(fmt.Sprintf("%v %+v", err, err), "CANARY") {
		t.Errorf("got %v, want %v", err, want)
	}
	wantVerdict(t, err, jwtverify.ErrKeys, "")
	p.handle("/.well-known/openid-configuration", func(*http.Request) (*http.Response, error) { return jsonResponse(200, document), nil })
	p.advance(metadataMaxAge)
	p.vouch(map[string]any{"exp": nil})
	if _, err := i.AccessToken(context.Background(), "token-CANARY"); err != nil {
		t.Errorf("a failure was kept: %v", err)
	}
}

func (p *op) asked(want int) {
	p.t.Helper()
	if n := len(p.seen("/introspect")); n != want {
		p.t.Errorf("the provider was asked %d times, want %d", n, want)
	}
}

func TestIntrospectorAsksEveryTime(t *testing.T) {
	p := newOP(t)
	p.vouch(nil)
	i := p.introspector(nil)
	for n := range 3 {
		if _, err := i.AccessToken(context.Background(), "token"); err != nil {
			t.Fatal(err)
		}
		p.asked(n + 1)
	}
	p.vouch(map[string]any{"active": false})
	_, err := i.AccessToken(context.Background(), "token")
	wantVerdict(t, err, jwtverify.ErrInvalid, "not active")
}

func TestIntrospectorMaxAge(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer map[string]any
		maxAge time.Duration
		good   time.Duration // so long it is believed
	}{
		{"MaxAge", nil, time.Minute, time.Minute},
		{"exp", nil, time.Hour, 5 * time.Minute}, // no leeway: the provider is there to be asked
		{"no exp", map[string]any{"exp": nil}, time.Hour, time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.vouch(test.answer)
			i := p.introspector(func(i *Introspector) { i.MaxAge = test.maxAge })
			call := func() error {
				_, err := i.AccessToken(context.Background(), "token")
				return err
			}
			if err := call(); err != nil {
				t.Fatal(err)
			}
			p.vouch(map[string]any{"active": false})
			p.advance(test.good - time.Second)
			if err := call(); err != nil {
				t.Errorf("a second before: %v", err)
			}
			p.asked(1)
			p.advance(time.Second)
			wantVerdict(t, call(), jwtverify.ErrInvalid, "not active")
			p.asked(2)
		})
	}
}

// An answer that was refused, or is over within the leeway, or is large, is not kept.
func TestIntrospectorDoesNotKeep(t *testing.T) {
	for name, answer := range map[string]map[string]any{
		"inactive":         {"active": false},
		"another audience": {"aud": "https://other.example.com"},
		"over":             {"exp": testStart.Unix()},
		"large":            {"roles": strings.Repeat("a", maxKept)},
	} {
		p := newOP(t)
		p.vouch(answer)
		i := p.introspector(func(i *Introspector) { i.MaxAge = time.Hour })
		for range 2 {
			_, err := i.AccessToken(context.Background(), "token")
			if refused := name == "inactive" || name == "another audience"; (err != nil) != refused {
				t.Errorf("%s: got %v", name, err)
			}
		}
		p.asked(2)
		if len(i.recent)+len(i.former) > 0 {
			t.Errorf("%s: the answer is kept", name)
		}
	}
}

// A token is found by all of it, and what a caller does to what it gets stays with that caller.
func TestIntrospectorKeepsApart(t *testing.T) {
	p := newOP(t)
	p.vouch(nil)
	i := p.introspector(func(i *Introspector) { i.MaxAge = time.Hour })
	first, err := i.AccessToken(context.Background(), "token")
	if err != nil {
		t.Fatal(err)
	}
	first.Subject, first.Scope[0], first.Audience[0] = "mallory", "admin", "x"
	again, err := i.AccessToken(context.Background(), "token")
	if err != nil || again.Subject != "alice" || again.Scope[0] != "read" || again.Audience[0] != testAPI {
		t.Errorf("got %q %q, %v", again.Subject, again.Scope, err)
	}
	p.asked(1)
	p.vouch(map[string]any{"active": false})
	_, err = i.AccessToken(context.Background(), "Token")
	wantVerdict(t, err, jwtverify.ErrInvalid, "not active")
}

func TestIntrospectorSize(t *testing.T) {
	p := newOP(t)
	p.vouch(nil)
	i := p.introspector(func(i *Introspector) { i.MaxAge, i.Size = time.Hour, 10 })
	call := func(token string) {
		t.Helper()
		if _, err := i.AccessToken(context.Background(), token); err != nil {
			t.Fatal(err)
		}
	}
	call("favourite")
	for n := range 100 {
		call(fmt.Sprint("token", n))
		call("favourite")
		if kept := len(i.recent) + len(i.former); kept > 10 {
			t.Fatalf("%d answers are kept", kept)
		}
	}
	p.asked(101)
	for _, size := range []int{1, -1} {
		i := p.introspector(func(i *Introspector) { i.MaxAge, i.Size = time.Hour, size })
		for n := range 3 {
			if _, err := i.AccessToken(context.Background(), fmt.Sprint(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// hold makes the provider wait with its answer until the returned function is called.
func (p *op) hold(answer map[string]any) (release func()) {
	released := make(chan struct{})
	p.handle("/introspect", func(r *http.Request) (*http.Response, error) {
		select {
		case <-released:
			return jsonResponse(200, answer), nil
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	})
	return sync.OnceFunc(func() { close(released) })
}

func TestIntrospectorAsksOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		release := p.hold(p.vouched(nil))
		i := p.introspector(nil)
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() {
				if _, err := i.AccessToken(context.Background(), "token"); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Go(func() {
			if _, err := i.AccessToken(context.Background(), "another"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		p.asked(2)
		release()
		calls.Wait()
		p.asked(2)
		if len(i.questions) != 0 {
			t.Error("a question is left open")
		}
	})
}

func TestIntrospectorCallerHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		release := p.hold(p.vouched(nil))
		i := p.introspector(nil)
		ctx, hangUp := context.WithCancel(context.Background())
		var calls sync.WaitGroup
		calls.Go(func() { // asks, and goes
			_, err := i.AccessToken(ctx, "token")
			wantVerdict(t, err, jwtverify.ErrKeys, "canceled")
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
		synctest.Wait()
		calls.Go(func() { // joins, and stays
			if _, err := i.AccessToken(context.Background(), "token"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		hangUp()
		synctest.Wait()
		release()
		calls.Wait()
		p.asked(1)
	})
}

func TestIntrospectorTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		p.hold(nil)
		start := time.Now()
		_, err := p.introspector(nil).AccessToken(context.Background(), "token")
		wantVerdict(t, err, jwtverify.ErrKeys, "timed out")
		if waited := time.Since(start); waited != httpTimeout {
			t.Errorf("waited for %v", waited)
		}
	})
}

func TestIntrospectorOpenQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newOP(t)
		release := p.hold(p.vouched(nil))
		i := p.introspector(nil)
		var calls sync.WaitGroup
		for n := range maxQuestions {
			calls.Go(func() {
				if _, err := i.AccessToken(context.Background(), fmt.Sprint(n)); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		_, err := i.AccessToken(context.Background(), "one more")
		wantVerdict(t, err, jwtverify.ErrKeys, "too many questions are open")
		calls.Go(func() {
			if _, err := i.AccessToken(context.Background(), "0"); err != nil {
				t.Errorf("one that is under way: %v", err)
			}
		})
		synctest.Wait()
		release()
		calls.Wait()
		if _, err := i.AccessToken(context.Background(), "one more"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestIntrospectorRedaction(t *testing.T) {
	p := newOP(t)
	p.vouch(map[string]any{"sub": "sub-CANARY"})
	i := p.introspector(func(i *Introspector) { i.MaxAge = time.Hour })
	if _, err := i.AccessToken(context.Background(), "token-CANARY"); err != nil {
		t.Fatal(err)
	}
	if text := renderings(t, i); strings.Contains(text, "CANARY") || !strings.Contains(text, testAPI) {
		t.Errorf("it shows %s", text)
	}
	if got := fmt.Sprint(&Introspector{}); got != "Introspector{Audience: ClientIDs:[] MaxAge:0s}" {
		t.Errorf("the zero one shows %s", got)
	}
}
