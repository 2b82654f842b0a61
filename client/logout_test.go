package client

import (
	"context"
	"testing"
)

func TestLogoutURL(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	tokens := p.signIn(c)
	raw := tokens.IDToken.Raw()
	for _, test := range []struct {
		name, endpoint string
		opts           LogoutOptions
		want           string
	}{
		{"nothing", "/logout", LogoutOptions{}, "/logout?client_id=web"},
		{"all", "/logout", LogoutOptions{IDToken: tokens.IDToken, LogoutHint: "alice@example.com", PostLogoutRedirectURL: "https://app.example.com/bye?a=b&c", State: "s t", UILocales: []string{"de", "en"}},
			"/logout?client_id=web&id_token_hint=" + raw + "&logout_hint=alice%40example.com&post_logout_redirect_uri=https%3A%2F%2Fapp.example.com%2Fbye%3Fa%3Db%26c&state=s+t&ui_locales=de+en"},
		{"raw token dropped", "/logout", LogoutOptions{IDToken: tokens.IDToken.WithoutRaw()}, "/logout?client_id=web"},
		{"the endpoint's query", "/logout?p=policy", LogoutOptions{State: "s"}, "/logout?p=policy&client_id=web&state=s"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.metadata["end_session_endpoint"] = testIssuer + test.endpoint
			got, err := p.client(nil).LogoutURL(context.Background(), test.opts)
			if err != nil || got != testIssuer+test.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, testIssuer+test.want)
			}
		})
	}
}

func TestLogoutURLRejects(t *testing.T) {
	p := newOP(t)
	c := p.client(nil)
	id := *p.signIn(c).IDToken
	id.Issuer = "https://evil.example"
	for _, test := range []struct {
		opts LogoutOptions
		want string
	}{
		{LogoutOptions{IDToken: &id}, "IDToken is of another issuer"},
		{LogoutOptions{PostLogoutRedirectURL: "/bye"}, "PostLogoutRedirectURL is not an absolute URL"},
		{LogoutOptions{PostLogoutRedirectURL: "javascript:alert(1)"}, "PostLogoutRedirectURL must be https, http on a loopback host, or a private-use scheme with a dot in it"},
		{LogoutOptions{UILocales: []string{""}}, `UILocales: "" is empty or has spaces in it`},
	} {
		got, err := c.LogoutURL(context.Background(), test.opts)
		if got != "" || err == nil || err.Error() != "client: LogoutOptions."+test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
}
