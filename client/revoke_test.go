package client

import (
	"context"
	"errors"
	"net/http"
	"testing"
)

func TestRevoke(t *testing.T) {
	const refused = `{"error":"invalid_client"}`
	for _, test := range []struct {
		name   string
		tokens Tokens
		status int
		body   string
		sent   []string
		want   error
	}{
		{"both", Tokens{AccessToken: "a", RefreshToken: "r"}, 200, "", []string{"token=r&token_type_hint=refresh_token", "token=a&token_type_hint=access_token"}, nil},
		{"status 204", Tokens{AccessToken: "a"}, 204, "", []string{"token=a&token_type_hint=access_token"}, nil},
		{"no access token", Tokens{RefreshToken: "r"}, 200, "", []string{"token=r&token_type_hint=refresh_token"}, nil},
		{"no tokens", Tokens{}, 200, "", nil, nil},
		{"unsupported access token", Tokens{AccessToken: "a"}, 400, `{"error":"unsupported_token_type"}`, []string{"token=a&token_type_hint=access_token"}, nil},
		{"unsupported refresh token", Tokens{AccessToken: "a", RefreshToken: "r"}, 400, `{"error":"unsupported_token_type"}`, []string{"token=r&token_type_hint=refresh_token"}, ErrRejected},
		{"unknown token", Tokens{RefreshToken: "r"}, 400, `{"error":"invalid_token"}`, []string{"token=r&token_type_hint=refresh_token"}, nil},
		{"refused", Tokens{AccessToken: "a", RefreshToken: "r"}, 401, refused, []string{"token=r&token_type_hint=refresh_token"}, ErrRejected},
		{"access token refused", Tokens{AccessToken: "a"}, 401, refused, []string{"token=a&token_type_hint=access_token"}, ErrRejected},
		{"down", Tokens{AccessToken: "a", RefreshToken: "r"}, 503, "", []string{"token=r&token_type_hint=refresh_token"}, ErrUnavailable},
		{"redirect", Tokens{AccessToken: "a"}, 307, "", []string{"token=a&token_type_hint=access_token"}, ErrRejected},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newOP(t)
			p.reply("/revoke", test.status, "application/json", test.body)
			if err := p.client(nil).Revoke(context.Background(), &test.tokens); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			var want []sentRequest
			for _, body := range test.sent {
				want = append(want, sentRequest{"POST", testIssuer + "/revoke", http.Header{
					"Accept":        {"application/json"},
					"Authorization": {"Basic d2ViOmNsaWVudC1zZWNyZXQtQ0FOQVJZLTAxMjM0NTY3ODk="},
					"Content-Type":  {"application/x-www-form-urlencoded"},
					"User-Agent":    {userAgent},
				}, body})
			}
			p.wantRequests("/revoke", want...)
		})
	}
}
