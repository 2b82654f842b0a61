package interop

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-go/postern/client"
)

// wrong are the findings that are more than notes.
func wrong(findings []client.Finding) []client.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f client.Finding) bool { return f.Severity == client.SeverityNote })
}

// The doctor has nothing to say about a configuration that is right, and about one that is
// wrong exactly what is wrong.
func TestCheck(t *testing.T) {
	reg := op.register(t, callbackURL, nil)
	right := func(cfg *client.Config) { cfg.Scopes = []string{"profile", "email", "offline_access"} }
	if findings := op.client(t, reg, right).Check(t.Context()); len(findings) != 0 {
		t.Errorf("got %v", findings)
	}
	now := time.Now
	for _, test := range []struct {
		name   string
		change func(*client.Config)
		want   []string // "severity field: part of the problem"
	}{
		{"several things", func(cfg *client.Config) {
			cfg.RedirectURL = "http://127.0.0.1:80/callback/"
			cfg.Scopes = []string{"profile", "emial"}
			cfg.IDTokenSignedResponseAlg = "HS256"
			cfg.Now = func() time.Time { return now().Add(-time.Hour) }
		}, []string{
			"warning Config.RedirectURL: the port 80",
			"note Config.RedirectURL: ends with a slash",
			"error Config.Now: behind the provider's",
			"warning Config.Scopes: emial",
			"note Config.Scopes: offline_access",
			"warning Config.IDTokenSignedResponseAlg: HS256",
		}},
		{"a slash", func(cfg *client.Config) { cfg.Issuer += "/" }, []string{"error Config.Issuer: only the slash at the end differs"}},
		{"another port", func(cfg *client.Config) { cfg.Issuer = "http://localhost:1" }, []string{"error Config.Issuer: connection refused"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			findings := op.client(t, reg, func(cfg *client.Config) {
				right(cfg)
				test.change(cfg)
			}).Check(t.Context())
			if len(findings) != len(test.want) {
				t.Fatalf("got %v, want %q", findings, test.want)
			}
			for i, f := range findings {
				head, problem, _ := strings.Cut(test.want[i], ": ")
				if string(f.Severity)+" "+f.Field != head || !strings.Contains(f.Problem, problem) || f.Fix == "" {
					t.Errorf("got %v, want %s", f, test.want[i])
				}
			}
		})
	}
}
