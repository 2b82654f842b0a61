package jwtverify

import (
	"context"
	"time"
)

// A ReplayGuard remembers what may be used once.
type ReplayGuard interface {
	Use(ctx context.Context, id string, expires time.Time) (first bool, err error)
}
