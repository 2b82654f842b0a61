package clienttest_test

import (
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/postern-go/postern/client/clienttest"
)

const frontURL = appOrigin + "/front?app=1"

// framed is a flow whose client hears of a sign-out by an iframe.
func framed(t *testing.T, session bool) *flow {
	t.Helper()
	return newFlow(t, &clienttest.Options{Algorithm: "ES256", Clients: []clienttest.Client{{
		ID: "web", Secret: "s", FrontChannelLogoutURI: frontURL, FrontChannelLogoutSessionRequired: session,
	}}})
}

// TestFrontChannel signs out in a browser with pages: the iframe has iss and sid, and is
// allowed; then it goes on.
func TestFrontChannel(t *testing.T) {
	f := framed(t, true)
	b, idToken := signedIn(f)
	_, claims := parts(t, idToken)
	response, page := b.open(logoutURL(f, "id_token_hint", idToken, "post_logout_redirect_uri", signedOutURL, "state", "s"))
	values := url.Values{"iss": {f.op.Issuer()}, "sid": {claims["sid"].(string)}}
	frame := html.EscapeString(frontURL + "&" + values.Encode())
	if response.StatusCode != 200 || !strings.Contains(page, `<iframe hidden title="sign-out" src="`+frame+`">`) {
		t.Fatalf("got %s, and no iframe %s: %s", response.Status, frame, page)
	}
	if !strings.Contains(page, `<a id="next" href="`+signedOutURL+`?state=s">`) || !strings.Contains(page, "location.replace") {
		t.Error("the page does not go on")
	}
	if policy := response.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "; frame-src "+appOrigin) {
		t.Errorf("the policy is %s", policy)
	}
	if b.knows(f) {
		t.Error("still signed in")
	}
	if response, _ := b.open(logoutURL(f, "id_token_hint", idToken, "post_logout_redirect_uri", signedOutURL)); response.StatusCode != 303 {
		t.Errorf("without a session: %s", response.Status)
	}
}

// TestBrowserSignOut does the same without pages.
func TestBrowserSignOut(t *testing.T) {
	f := framed(t, false)
	b, _, tokens := f.in("alice")
	out, err := b.SignOut(logoutURL(f, "id_token_hint", tokens.IDToken, "post_logout_redirect_uri", signedOutURL, "state", "a b"))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.Frames, []string{frontURL}) || out.Return.String() != signedOutURL+"?state=a+b" {
		t.Errorf("got %+v", out)
	}
	if q := f.visit(b, "", "prompt", "none"); q.Get("error") != "login_required" {
		t.Errorf("still signed in: %q", q)
	}
	other, _, _ := f.in("bob")
	if out, err := other.SignOut(logoutURL(f)); err != nil || out.Return != nil || len(out.Frames) != 1 {
		t.Errorf("without an ID token: %+v, %v", out, err)
	}
	for address, why := range map[string]string{
		logoutURL(f, "id_token_hint", "forged"): "not issued here",
		f.op.Issuer() + "/token":                "is not the end_session endpoint",
	} {
		if _, err := other.SignOut(address); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", address, err)
		}
	}
	for fault, why := range map[clienttest.Fault]string{clienttest.NoEndSession: "there is no", clienttest.EndSession500: "out of order"} {
		f.op.SetFaults(fault)
		b, _, _ := f.in("carol")
		if _, err := b.SignOut(logoutURL(f)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", fault, err)
		}
		if q := f.visit(b, "", "prompt", "none"); q.Get("code") == "" {
			t.Errorf("%s: signed out all the same", fault)
		}
	}
	if n := f.op.Count("end_session"); n != 5 {
		t.Errorf("%d requests are on record", n)
	}
}

// returnFaults are of the way back to the application.
func returnFaults() map[clienttest.Fault]check {
	returns := func(ok func(state []string) bool) check {
		return func(t *testing.T, f *flow) {
			b, _, tokens := f.in("alice")
			out, err := b.SignOut(logoutURL(f, "id_token_hint", tokens.IDToken, "post_logout_redirect_uri", signedOutURL, "state", "sent"))
			if err != nil {
				t.Fatal(err)
			}
			if !ok(out.Return.Query()["state"]) {
				t.Errorf("the way back is %s", out.Return)
			}
		}
	}
	return map[clienttest.Fault]check{
		clienttest.LogoutMissingState: returns(func(state []string) bool { return state == nil }),
		clienttest.LogoutWrongState:   returns(func(state []string) bool { return len(state) == 1 && state[0] != "sent" }),
		clienttest.NoFrontChannelLogout: func(t *testing.T, f *flow) {
			if m := f.metadata(); m["frontchannel_logout_supported"] != nil || m["frontchannel_logout_session_supported"] != nil {
				t.Error("the metadata promises it")
			}
			f = framed(t, true)
			f.op.SetFaults(clienttest.NoFrontChannelLogout)
			b, _, _ := f.in("alice")
			if out, err := b.SignOut(logoutURL(f)); err != nil || out.Frames != nil {
				t.Errorf("got %+v, %v", out, err)
			}
		},
	}
}
