package native

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestBrowserCommand(t *testing.T) {
	const address = "https://op.example.com/a?b=c&d=$(e)"
	for system, want := range map[string][]string{
		"linux":   {"xdg-open", address},
		"freebsd": {"xdg-open", address},
		"darwin":  {"open", address},
		"windows": {"rundll32", "url.dll,FileProtocolHandler", address},
	} {
		name, args := browserCommand(system, address)
		if got := append([]string{name}, args...); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", system, got, want)
		}
	}
}

func TestOpenBrowserWithoutOne(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := OpenBrowser(t.Context(), "https://op.example.com/"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

// The commands are this test binary, without tests.
func TestRun(t *testing.T) {
	if err := run(t.Context(), exec.Command(os.Args[0], "-test.run=^$")); err != nil {
		t.Error(err)
	}
	err := run(t.Context(), exec.Command(os.Args[0], "-no-such-flag"))
	if err == nil || !strings.HasSuffix(err.Error(), ": exit status 2") {
		t.Errorf("got %v", err)
	}
	if err := run(t.Context(), exec.Command("/no/such/command")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, exec.Command(os.Args[0], "-test.run=^$")); !errors.Is(err, context.Canceled) && err != nil {
		t.Errorf("got %v", err)
	}
}
