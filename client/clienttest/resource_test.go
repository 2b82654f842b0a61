package clienttest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client/clienttest"
)

const (
	apiA = "https://a.example.com"
	apiB = "https://b.example.com/v2"
)

// refreshFor refreshes with resources.
func (f *flow) refreshFor(token string, resources ...string) answer {
	f.t.Helper()
	return f.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "resource": resources})
}

func (f *flow) audience(accessToken string) string {
	f.t.Helper()
	_, claims := parts(f.t, accessToken)
	return fmt.Sprint(claims["aud"])
}

// TestResources has several access tokens by one refresh token after the other, and all of
// them are good.
func TestResources(t *testing.T) {
	f := newFlow(t, fast())
	first := f.tokens()
	a := f.refreshFor(first.RefreshToken, apiA)
	b := f.refreshFor(a.RefreshToken, apiB)
	both := f.refreshFor(b.RefreshToken, apiA, apiB)
	none := f.refresh(both.RefreshToken)
	for _, c := range []struct{ token, audience string }{
		{first.AccessToken, f.op.Issuer()},
		{a.AccessToken, apiA},
		{b.AccessToken, apiB},
		{both.AccessToken, "[" + apiA + " " + apiB + "]"},
		{none.AccessToken, f.op.Issuer()},
	} {
		if got := f.audience(c.token); got != c.audience || !f.alive(c.token) {
			t.Errorf("aud is %s, want %s; still good: %t", got, c.audience, f.alive(c.token))
		}
	}
	form := f.exchangeForm(f.signIn().Get("code"))
	form.Set("resource", apiA)
	if got := f.audience(f.token(form).AccessToken); got != apiA {
		t.Errorf("with the code aud is %s", got)
	}
}

// TestResourcesGranted: what the authorization request named is what can be had. A refusal
// uses no refresh token up.
func TestResourcesGranted(t *testing.T) {
	f := newFlow(t, fast())
	got := f.tokens("resource", apiA)
	if at := f.audience(got.AccessToken); at != apiA {
		t.Errorf("aud is %s", at)
	}
	refused(t, f.refreshFor(got.RefreshToken, apiB), "invalid_target", "did not name")
	refused(t, f.refreshFor(got.RefreshToken, apiA+"#x"), "invalid_target", "without a fragment")
	refused(t, f.refreshFor("unknown", apiA), "invalid_grant", "unknown refresh token")
	if again := f.refreshFor(got.RefreshToken); f.audience(again.AccessToken) != apiA {
		t.Errorf("a refresh without a resource has aud %s", f.audience(again.AccessToken))
	}
	if q := f.signIn("resource", "/relative"); q.Get("error") != "invalid_target" {
		t.Errorf("got %q", q)
	}
}

func resourceFaults() map[clienttest.Fault]check {
	return map[clienttest.Fault]check{
		clienttest.InvalidTarget: func(t *testing.T, f *flow) {
			token := f.tokens().RefreshToken
			refused(t, f.refreshFor(token, apiA), "invalid_target", "no token for this resource")
			if again := f.refresh(token); again.AccessToken == "" {
				t.Errorf("the refusal used the refresh token up: %s", again.Description)
			}
		},
		clienttest.ResourceIgnored: func(t *testing.T, f *flow) {
			if got := f.audience(f.refreshFor(f.tokens().RefreshToken, apiA).AccessToken); got != f.op.Issuer() {
				t.Errorf("aud is %s", got)
			}
		},
	}
}

// TestRefreshLeeway: a used refresh token is good for so long, and not a moment longer.
func TestRefreshLeeway(t *testing.T) {
	opts := fast()
	opts.RefreshLeeway = 10 * time.Second
	opts.Now = func() time.Time { return time.Unix(1_900_000_000, 0) }
	f := newFlow(t, opts)
	first := f.tokens()
	second := f.refresh(first.RefreshToken)
	f.op.Advance(9 * time.Second)
	again := f.refresh(first.RefreshToken)
	if again.RefreshToken == "" || again.RefreshToken == second.RefreshToken || !f.alive(second.AccessToken) {
		t.Fatalf("within the leeway: %d %s", again.Status, again.Description)
	}
	f.op.Advance(time.Second) // the second use did not lengthen it
	refused(t, f.refresh(first.RefreshToken), "invalid_grant", "used before")
	refused(t, f.refresh(again.RefreshToken), "invalid_grant", "revoked")
}

// TestHeldTokenRequests hangs up before a refresh was done, and after: the refresh token is
// good in the first case, and used up in the second.
func TestHeldTokenRequests(t *testing.T) {
	for fault, done := range map[clienttest.Fault]bool{clienttest.TokenSlow: false, clienttest.TokenAnswerSlow: true} {
		t.Run(string(fault), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFlow(t, fast())
				defer f.op.Close()
				token := f.tokens().RefreshToken
				f.op.SetFaults(fault)
				ctx, hangUp := context.WithCancel(t.Context())
				f.http.Transport = cancelled{f.http.Transport, ctx}
				ended := make(chan error)
				go func() {
					_, err := f.post("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
					ended <- err
				}()
				if err := f.op.AwaitHeld(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				hangUp()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Fatalf("got %v", err)
				}
				synctest.Wait()
				f.op.SetFaults()
				f.http = f.op.HTTPClient()
				if got := f.refresh(token); (got.Error == "invalid_grant") != done {
					t.Errorf("the refresh token afterwards: %d %s", got.Status, got.Description)
				}
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := f.op.AwaitHeld(short, 1); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("somebody is held: %v", err)
				}
			})
		})
	}
}

// cancelled hangs up when ctx is done.
type cancelled struct {
	next http.RoundTripper
	ctx  context.Context
}

func (c cancelled) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.next.RoundTrip(r.WithContext(c.ctx))
}

// slowAnswer holds a request that is done already.
func slowAnswer(t *testing.T, f *flow) {
	token := f.tokensBut(clienttest.TokenAnswerSlow).RefreshToken
	answered := make(chan string)
	go func() {
		response, err := f.post("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
		if err != nil {
			answered <- err.Error()
			return
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		answered <- string(text)
	}()
	if err := f.op.AwaitHeld(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	select {
	case text := <-answered:
		t.Fatalf("an answer before the release: %s", text)
	default:
	}
	f.op.SetFaults()
	if text := <-answered; len(text) < 100 {
		t.Errorf("after the release: %s", text)
	}
	refused(t, f.refresh(token), "invalid_grant", "used before")
}

// tokensBut signs alice in without a fault that is set after that.
func (f *flow) tokensBut(fault clienttest.Fault) answer {
	f.t.Helper()
	f.op.SetFaults()
	defer f.op.SetFaults(fault)
	return f.tokens()
}
