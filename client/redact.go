package client

import (
	"fmt"
	"io"
	"log/slog"
)

// Format covers every verb of fmt, where String and GoString leave some out; slog
// and encoding/json need a method each.

const redacted = "[redacted]"

var redactedJSON = []byte(`"` + redacted + `"`)

// Format prints the configuration without its secret, whatever the verb.
func (cfg Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Issuer:%s ClientID:%s ClientSecret:%s RedirectURL:%s Scopes:%v}",
		cfg.Issuer, cfg.ClientID, cfg.secretNote(), cfg.RedirectURL, cfg.Scopes)
}

// LogValue logs the configuration without its secret.
func (cfg Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("issuer", cfg.Issuer), slog.String("client_id", cfg.ClientID),
		slog.String("client_secret", cfg.secretNote()), slog.String("redirect_url", cfg.RedirectURL))
}

// MarshalJSON encodes "[redacted]".
func (cfg Config) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

func (cfg Config) secretNote() string {
	if cfg.ClientSecret == "" {
		return "none"
	}
	return redacted
}

// Format prints [redacted], whatever the verb.
func (a PrivateKeyJWT) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (a PrivateKeyJWT) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (a PrivateKeyJWT) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// Format prints [redacted], whatever the verb.
func (a AppleSecret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (a AppleSecret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (a AppleSecret) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// Format prints issuer and client ID, whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{Issuer:%s ClientID:%s}", c.cfg.Issuer, c.cfg.ClientID)
}

// Format prints [redacted], whatever the verb.
func (l Login) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (l Login) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (l Login) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// Format prints [redacted], whatever the verb.
func (s LoginSecrets) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (s LoginSecrets) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (s LoginSecrets) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// Format prints [redacted], whatever the verb.
func (t Tokens) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (t Tokens) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (t Tokens) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// Format prints [redacted], whatever the verb.
func (o LogoutOptions) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue logs [redacted].
func (o LogoutOptions) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (o LogoutOptions) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// Format prints [redacted], whatever the verb.
func (s *tokenSource) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }
