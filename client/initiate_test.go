package client

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestInitiateLogin(t *testing.T) {
	c := newOP(t).client(nil)
	for _, test := range []struct {
		name   string
		params url.Values
		hint   string
		target string
	}{
		{"iss alone", url.Values{"iss": {testIssuer}}, "", ""},
		{"all", url.Values{"iss": {testIssuer}, "login_hint": {"älice@example.com"}, "target_link_uri": {"https://app.example.com/a?b=c"}},
			"älice@example.com", "https://app.example.com/a?b=c"},
		{"host in capitals", url.Values{"iss": {testIssuer}, "target_link_uri": {"https://APP.example.com/"}}, "", "https://APP.example.com/"},
		{"others are ignored", url.Values{"iss": {testIssuer}, "scope": {"admin"}, "prompt": {"none", "login"}, "client_id": {"x"}}, "", ""},
	} {
		opts, target, err := c.InitiateLogin(test.params)
		if err != nil || target != test.target || !reflect.DeepEqual(opts, &AuthorizeOptions{LoginHint: test.hint}) {
			t.Errorf("%s: got %+v, %q, %v", test.name, opts, target, err)
		}
	}
}

func TestInitiateLoginRejects(t *testing.T) {
	c := newOP(t).client(nil)
	const foreign = "target_link_uri is not on the host of the redirect URL"
	hint := "login_hint has control characters, or more than 512 bytes"
	good := url.Values{"iss": {testIssuer}, "login_hint": {"a"}, "target_link_uri": {"https://app.example.com/"}}
	if _, _, err := c.InitiateLogin(good); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, param string
		values      []string
		want        string
	}{
		{"no iss", "iss", nil, "iss is not the issuer"},
		{"other iss", "iss", []string{"https://evil.example"}, "iss is not the issuer"},
		{"iss with a slash", "iss", []string{testIssuer + "/"}, "iss is not the issuer"},
		{"iss twice", "iss", []string{testIssuer, testIssuer}, "iss is there more than once"},
		{"hint twice", "login_hint", []string{"a", "b"}, "login_hint is there more than once"},
		{"hint with a line break", "login_hint", []string{"a\r\n"}, hint},
		{"long hint", "login_hint", []string{strings.Repeat("a", 513)}, hint},
		{"target twice", "target_link_uri", []string{"https://app.example.com/", "https://app.example.com/"}, "target_link_uri is there more than once"},
		{"target elsewhere", "target_link_uri", []string{"https://evil.example/"}, foreign},
		{"target on a subdomain", "target_link_uri", []string{"https://x.app.example.com/"}, foreign},
		{"target with a longer host", "target_link_uri", []string{"https://app.example.com.evil.example/"}, foreign},
		{"target on another port", "target_link_uri", []string{"https://app.example.com:8443/"}, foreign},
		{"target over http", "target_link_uri", []string{"http://app.example.com/"}, foreign},
		{"target with a user", "target_link_uri", []string{"https://app.example.com@evil.example/"}, foreign},
		{"target with a backslash", "target_link_uri", []string{`https://app.example.com\@evil.example/`}, foreign},
		{"target relative", "target_link_uri", []string{"/a"}, foreign},
		{"target without a scheme", "target_link_uri", []string{"//app.example.com/"}, foreign},
		{"target a script", "target_link_uri", []string{"javascript:alert(1)"}, foreign},
	} {
		t.Run(test.name, func(t *testing.T) {
			params := url.Values{}
			for name, values := range good {
				params[name] = values
			}
			params[test.param] = test.values
			opts, target, err := c.InitiateLogin(params)
			if opts != nil || target != "" || !errors.Is(err, ErrRejected) || err.Error() != "client: login initiation rejected: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	native, err := New(changed(func(cfg *Config) { cfg.RedirectURL, cfg.ClientSecret = "com.example.app:/cb", "" }))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := native.InitiateLogin(good); !errors.Is(err, ErrRejected) || !strings.HasSuffix(err.Error(), foreign) {
		t.Errorf("a native app: got %v, want %s", err, foreign)
	}
}
