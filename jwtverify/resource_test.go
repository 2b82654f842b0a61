package jwtverify_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/postern-go/postern/jwtverify"
)

func TestResourceMetadata(t *testing.T) {
	for name, tc := range map[string]struct {
		bearer     *jwtverify.Bearer
		path, want string
	}{
		"the least": {&jwtverify.Bearer{Resource: "https://api.example.com"}, "",
			`{"resource":"https://api.example.com","bearer_methods_supported":["header"]}`},
		"a slash": {&jwtverify.Bearer{Resource: "https://api.example.com/"}, "",
			`{"resource":"https://api.example.com/","bearer_methods_supported":["header"]}`},
		"a path": {&jwtverify.Bearer{Resource: "https://api.example.com:8443/v1/orders"}, "/v1/orders",
			`{"resource":"https://api.example.com:8443/v1/orders","bearer_methods_supported":["header"]}`},
		"a path with a slash": {&jwtverify.Bearer{Resource: "http://localhost:8080/v1/"}, "/v1/",
			`{"resource":"http://localhost:8080/v1/","bearer_methods_supported":["header"]}`},
		"everything": {&jwtverify.Bearer{Resource: "https://api.example.com", FormToken: true, DPoP: &jwtverify.DPoP{Algorithms: []string{"ES256"}}, RequireBound: true,
			Metadata: jwtverify.ResourceMetadata{
				AuthorizationServers: []string{"https://op.example.com"}, Scopes: []string{"read", "write"}, Name: `Orders "1"`,
				Documentation: "https://d.example", Policy: "https://p.example", TermsOfService: "https://t.example", JWKS: "https://j.example",
			}}, "",
			`{"resource":"https://api.example.com","authorization_servers":["https://op.example.com"],"jwks_uri":"https://j.example",` +
				`"scopes_supported":["read","write"],"bearer_methods_supported":["header","body"],"resource_name":"Orders \"1\"",` +
				`"resource_documentation":"https://d.example","resource_policy_uri":"https://p.example","resource_tos_uri":"https://t.example",` +
				`"dpop_signing_alg_values_supported":["ES256"],"dpop_bound_access_tokens_required":true}`},
		"certificates or DPoP": {&jwtverify.Bearer{Resource: "https://api.example.com", DPoP: &jwtverify.DPoP{Algorithms: []string{"ES256"}}, RequireBound: true,
			Metadata: jwtverify.ResourceMetadata{CertificateBound: true}}, "",
			`{"resource":"https://api.example.com","bearer_methods_supported":["header"],` +
				`"tls_client_certificate_bound_access_tokens":true,"dpop_signing_alg_values_supported":["ES256"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAPI(t, tc.bearer)
			mux := http.NewServeMux()
			a.Routes(mux)
			path := "/.well-known/oauth-protected-resource" + tc.path
			if got := a.MetadataPath(); got != path {
				t.Errorf("MetadataPath is %q, want %q", got, path)
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != 200 || w.Body.String() != tc.want {
				t.Errorf("%d\n%s\nwant\n%s", w.Code, w.Body, tc.want)
			}
			for header, want := range map[string]string{
				"Content-Type": "application/json", "Access-Control-Allow-Origin": "*",
				"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff",
			} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s: %q, want %q", header, got, want)
				}
			}
			for _, other := range []string{path + "x", strings.TrimSuffix(path, "/") + "/x", "/.well-known/", "/"} {
				w := httptest.NewRecorder()
				if mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, other, nil)); w.Code != 404 {
					t.Errorf("%s: %d", other, w.Code)
				}
			}
			w = httptest.NewRecorder()
			if mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil)); w.Code != 405 {
				t.Errorf("POST: %d", w.Code)
			}
			resp := a.send(a.Require(), get())
			c, err := parseChallenge(resp.Header.Get("WWW-Authenticate"))
			if err != nil || !strings.HasSuffix(c.params["resource_metadata"], path) {
				t.Errorf("%v, %v", c, err)
			}
		})
	}
}

// TestNoMetadata: a Bearer without a resource, or one that refuses everything, says so.
func TestNoMetadata(t *testing.T) {
	for want, b := range map[string]*jwtverify.Bearer{
		"there is no metadata without it": {},
		"has no plain path":               {Resource: "https://a.example/%41"},
	} {
		a := newAPI(t, b)
		mux := http.NewServeMux()
		a.Routes(mux)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/.well-known/oauth-protected-resource", nil))
		a.wantRefused(w.Result(), 500, "", want)
	}
}
