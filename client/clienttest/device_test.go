package clienttest_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postern-go/postern/client"
)

func TestDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow(t, fast())
		rp := f.client()
		ctx := context.Background()
		login, err := rp.Device(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(10*time.Second, func() {
			if err := f.op.SignInDevice(strings.ToLower(strings.ReplaceAll(login.UserCode, "-", " ")), "alice"); err == nil {
				t.Error("another code is taken for it")
			}
			if err := f.op.SignInDevice(strings.ToLower(strings.ReplaceAll(login.UserCode, "-", "")), "alice"); err != nil {
				t.Error(err)
			}
		})
		tokens, err := rp.WaitDevice(ctx, login)
		if err != nil {
			t.Fatal(err)
		}
		if tokens.IDToken.Subject != "alice" || tokens.RefreshToken == "" || f.op.Count("token") < 10 {
			t.Errorf("%s after %d requests", tokens.IDToken.Subject, f.op.Count("token"))
		}
		if _, err := rp.WaitDevice(ctx, login); !errors.Is(err, client.ErrInvalidGrant) {
			t.Errorf("a device code twice: %v", err)
		}
		if err := f.op.SignInDevice(login.UserCode, "bob"); err == nil {
			t.Error("a user code twice")
		}
	})
}

func TestDeviceRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlow(t, fast())
		rp := f.client()
		login, err := rp.Device(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.op.SignInDevice(login.UserCode, ""); err != nil {
			t.Fatal(err)
		}
		_, err = rp.WaitDevice(context.Background(), login)
		var e *client.AuthError
		if !errors.As(err, &e) || e.Code != "access_denied" {
			t.Errorf("got %v", err)
		}
	})
}

func TestDeviceExpires(t *testing.T) {
	f := newFlow(t, fast())
	login, err := f.client().Device(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.op.Advance(10 * time.Minute)
	if err := f.op.SignInDevice(login.UserCode, "alice"); err == nil {
		t.Error("an old code is good")
	}
}

// The page asks for the code, shows it, and asks who the user is.
func TestDevicePage(t *testing.T) {
	f := newFlow(t, fast())
	login, err := f.client().Device(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	page := func(address string, form url.Values) string {
		t.Helper()
		if form == nil {
			return body(t, f.get(address))
		}
		response, err := f.post("/device", form)
		if err != nil {
			t.Fatal(err)
		}
		return body(t, response)
	}
	for _, step := range []struct{ name, got, want string }{
		{"no code", page(login.VerificationURI, nil), `name="user_code"`},
		{"another code", page(login.VerificationURI+"?user_code=AAAA-BBBB", nil), "No device waits for this code."},
		{"the code", page(login.VerificationURIComplete, nil), "The device shows " + login.UserCode},
		{"nobody", page("", url.Values{"user_code": {login.UserCode}}), `value="alice"`},
		{"alice", page("", url.Values{"user_code": {login.UserCode}, "subject": {"alice"}}), "You are signed in"},
		{"alice again", page("", url.Values{"user_code": {login.UserCode}, "subject": {"alice"}}), "No device waits for this code."},
	} {
		if !strings.Contains(step.got, step.want) {
			t.Errorf("%s: want %s in\n%s", step.name, step.want, step.got)
		}
	}
	if login, err = f.client().Device(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if got := page("", url.Values{"user_code": {login.UserCode}, "cancel": {"yes"}}); !strings.Contains(got, "You refused") {
		t.Errorf("cancel: %s", got)
	}
}
