package interop

import "testing"

func stopHydra() {}

var _ = testing.Short
