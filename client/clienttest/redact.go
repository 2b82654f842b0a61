package clienttest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

func (c Client) public() map[string]any {
	return map[string]any{
		"ID": c.ID, "AuthMethod": c.AuthMethod,
		"RedirectURLs": c.RedirectURLs, "PostLogoutRedirectURLs": c.PostLogoutRedirectURLs,
		"BackChannelLogoutURI": c.BackChannelLogoutURI, "FrontChannelLogoutURI": c.FrontChannelLogoutURI,
	}
}

// Format prints the client without its secret, whatever the verb.
func (c Client) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "Client{%s %s %s %q}", c.ID, redacted, c.AuthMethod, c.RedirectURLs)
}

// LogValue logs the client without its secret.
func (c Client) LogValue() slog.Value { return slog.AnyValue(c.public()) }

// MarshalJSON encodes the client without its secret.
func (c Client) MarshalJSON() ([]byte, error) { return json.Marshal(c.public()) }

// String is method, path and status.
func (r Request) String() string {
	return fmt.Sprintf("%s %s %s %d", r.Endpoint, r.Method, r.Path, r.Status)
}

// Format prints what String returns, whatever the verb: header and form hold secrets.
func (r Request) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

// LogValue logs what String returns.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON encodes what String returns.
func (r Request) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }

// Format prints the issuer, whatever the verb.
func (p *Provider) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "clienttest.Provider(%s)", p.Issuer()) }

// Format prints the issuer, whatever the verb: the cookie is a secret.
func (b *Browser) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "clienttest.Browser(%s)", b.provider.Issuer())
}
