package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/postern-go/postern/internal/jwtcrypt"
)

const (
	encryptionMaxAge   = time.Hour
	encryptionCooldown = 10 * time.Second // after a failure
)

// encryptionKeys are the keys of the provider that requests are encrypted for. They are
// asked for when they are needed, and used past their time while there are no newer ones.
type encryptionKeys struct {
	turn  chan struct{} // holds the one who looks after the fields below
	keys  []jwtcrypt.Key
	err   error // of the last question
	place string
	until time.Time
}

// encryptRequest encrypts a signed request object (RFC 9101 6.1).
func (c *Client) encryptRequest(ctx context.Context, s *snapshot, object string) (string, error) {
	keys, err := c.encryptionKeys(ctx, s)
	if err != nil {
		return "", err
	}
	o := c.cfg.RequestObject
	encrypted, err := jwtcrypt.Encrypt(keys, o.EncryptionAlgorithm, o.ContentEncryption, object)
	if errors.Is(err, jwtcrypt.ErrNoKey) {
		return "", fmt.Errorf("client: %w: its jwks_uri has no key for %s", ErrUnsupported, o.EncryptionAlgorithm)
	}
	if err != nil {
		return "", fmt.Errorf("client: request object: %w", err)
	}
	return encrypted, nil
}

// encryptionKeys returns the provider's keys. One caller asks for all, and is not
// disturbed when it leaves.
func (c *Client) encryptionKeys(ctx context.Context, s *snapshot) ([]jwtcrypt.Key, error) {
	k := &c.encryption
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return nil, unavailable(endpoint{name: "jwks"}, ctx.Err())
	}
	now := c.Now()
	if place := s.metadata.JWKSURI; place != k.place {
		k.keys, k.err, k.place, k.until = nil, nil, place, time.Time{}
	}
	if !now.Before(k.until) {
		keys, err := c.fetchEncryptionKeys(context.WithoutCancel(ctx), k.place)
		k.err, k.until = err, now.Add(encryptionCooldown)
		if err == nil {
			k.keys, k.until = keys, now.Add(encryptionMaxAge)
		}
	}
	if k.keys == nil {
		return nil, k.err
	}
	return k.keys, nil
}

func (c *Client) fetchEncryptionKeys(ctx context.Context, place string) ([]jwtcrypt.Key, error) {
	a, err := send(ctx, c.fetch, endpoint{name: "jwks", url: place}, message{method: http.MethodGet})
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, a.refuse("no key set")
	}
	keys, err := jwtcrypt.ParseKeys(a.body)
	if err != nil {
		return nil, a.refuse("not a JWK set")
	}
	return append([]jwtcrypt.Key{}, keys...), nil
}
