package client

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestParseResponseType(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", "code"},
		{"code", "code"},
		{"id_token", "id_token"},
		{"code id_token", "code id_token"},
		{"id_token code", "code id_token"},
		{"code token", "code token"},
		{"token id_token", "id_token token"},
		{"token id_token code", "code id_token token"},
	} {
		got, err := parseResponseType(test.in)
		if err != nil || got.String() != test.want {
			t.Errorf("%q: got %q, %v, want %q", test.in, got, err, test.want)
		}
	}
	const implicit = "token alone is the implicit grant, which RFC 9700 2.1.2 advises against: use code"
	for _, test := range []struct{ in, want string }{
		{"token", implicit},
		{"none", `"none" is none of those of OpenID Connect`},
		{"code code", `"code code" is none of those of OpenID Connect`},
		{"code  id_token", `"code  id_token" is none of those of OpenID Connect`},
		{" code", `" code" is none of those of OpenID Connect`},
		{"Code", `"Code" is none of those of OpenID Connect`},
		{"code\tid_token", `"code\tid_token" is none of those of OpenID Connect`},
	} {
		if got, err := parseResponseType(test.in); err == nil || err.Error() != test.want || got != 0 {
			t.Errorf("%q: got %v, want %s", test.in, err, test.want)
		}
	}
}

// Which mode is sent for one that is named, and which one the answer comes by.
func TestResponseModes(t *testing.T) {
	const all = "code id_token token"
	for _, test := range []struct{ kind, mode, sent, effective string }{
		{"code", "", "", "query"},
		{"code", "query", "query", "query"},
		{"code", "fragment", "fragment", "fragment"},
		{"code", "form_post", "form_post", "form_post"},
		{"code", "jwt", "jwt", "query.jwt"},
		{"code", "query.jwt", "query.jwt", "query.jwt"},
		{"code", "fragment.jwt", "fragment.jwt", "fragment.jwt"},
		{"code", "form_post.jwt", "form_post.jwt", "form_post.jwt"},
		{all, "", "form_post", "form_post"},
		{all, "fragment", "fragment", "fragment"},
		{all, "jwt", "jwt", "fragment.jwt"},
		{all, "form_post.jwt", "form_post.jwt", "form_post.jwt"},
		{"id_token", "", "form_post", "form_post"},
	} {
		p := newOP(t)
		login := p.authorize(p.client(nil), &AuthorizeOptions{ResponseType: test.kind, ResponseMode: test.mode})
		q := parseQuery(t, login.URL())
		if q.Get("response_mode") != test.sent || login.ResponseMode() != test.effective || q.Get("response_type") != test.kind {
			t.Errorf("%s %q: sent %q, effective %q", test.kind, test.mode, q.Get("response_mode"), login.ResponseMode())
		}
		if hasPKCE := q.Has("code_challenge") && q.Has("code_challenge_method"); hasPKCE != strings.Contains(test.kind, "code") {
			t.Errorf("%s: PKCE: %t", test.kind, hasPKCE)
		}
		if q.Get("nonce") != login.nonce || len(login.nonce) != 43 {
			t.Errorf("%s: no nonce", test.kind)
		}
	}
	for _, kind := range []string{"id_token", "id_token token", "code token", "code id_token", all} {
		for _, mode := range []string{"query", "query.jwt"} {
			p := newOP(t)
			_, err := p.client(nil).Authorize(context.Background(), &AuthorizeOptions{ResponseType: kind, ResponseMode: mode})
			want := "client: AuthorizeOptions.ResponseMode: " + mode + " does not go with the response type " + kind + ", whose tokens must not be in a query"
			if err == nil || err.Error() != want {
				t.Errorf("%s %s: got %v, want %s", kind, mode, err, want)
			}
		}
	}
}

// What the metadata lists is all there is; metadata that lists nothing says nothing.
func TestAuthorizeUnsupported(t *testing.T) {
	for _, test := range []struct {
		name, member string
		list         any
		opts         AuthorizeOptions
		want         string // empty: no error
	}{
		{"type in another order", "response_types_supported", []string{"id_token code"}, AuthorizeOptions{ResponseType: "code id_token"}, ""},
		{"type not listed", "response_types_supported", []string{"code", "", "id_token token"}, AuthorizeOptions{ResponseType: "code id_token"},
			`response_types_supported of its metadata has no "code id_token"`},
		{"no types listed", "response_types_supported", []string{}, AuthorizeOptions{ResponseType: "id_token"}, ""},
		{"code is everywhere", "response_types_supported", []string{"code id_token"}, AuthorizeOptions{}, ""},
		{"mode listed", "response_modes_supported", []string{"form_post"}, AuthorizeOptions{ResponseType: "id_token"}, ""},
		{"mode by default not listed", "response_modes_supported", []string{"query", "fragment"}, AuthorizeOptions{ResponseType: "id_token"},
			`response_modes_supported of its metadata has no "form_post"`},
		{"mode by name not listed", "response_modes_supported", []string{"query", "query.jwt"}, AuthorizeOptions{ResponseMode: "jwt"},
			`response_modes_supported of its metadata has no "jwt"`},
		{"query is everywhere", "response_modes_supported", []string{"form_post"}, AuthorizeOptions{ResponseMode: "query"}, ""},
		{"details listed", "authorization_details_types_supported", []string{"a", "b"}, AuthorizeOptions{AuthorizationDetails: []byte(`[{"type":"b"}]`)}, ""},
		{"details not listed", "authorization_details_types_supported", []string{"a"}, AuthorizeOptions{AuthorizationDetails: []byte(`[{"type":"a"},{"type":"b"}]`)},
			`authorization_details_types_supported of its metadata has no "b"`},
		{"required to push, and nowhere to", "require_pushed_authorization_requests", true, AuthorizeOptions{},
			`its metadata has no pushed_authorization_request_endpoint`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.metadata[test.member] = test.list
			login, err := p.client(nil).Authorize(context.Background(), &test.opts)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if login != nil || !errors.Is(err, ErrUnsupported) || err.Error() != "client: not supported by the provider: "+test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
