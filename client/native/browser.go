package native

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"time"
)

// openTime is how long the command may take to say that it failed. On some desktops it
// lives as long as the browser that it starts.
const openTime = 3 * time.Second

// OpenBrowser opens an address in the browser of the system: by xdg-open, on macOS open, on
// Windows rundll32. It returns when the command has ended or runs for three seconds, and
// leaves it running then. The address is an argument of the command; see [SignIn] for who
// can see that.
func OpenBrowser(ctx context.Context, address string) error {
	name, args := browserCommand(runtime.GOOS, address)
	return run(ctx, exec.Command(name, args...))
}

// browserCommand has no shell in it, so that nothing in an address means anything.
func browserCommand(system, address string) (name string, args []string) {
	switch system {
	case "darwin", "ios":
		return "open", []string{address}
	case "windows":
		return "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	return "xdg-open", []string{address}
}

// run gives the command its time. Its end is waited for by a goroutine of its own, which
// lives as long as the command does.
func run(ctx context.Context, command *exec.Cmd) error {
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	patience := time.NewTimer(openTime)
	defer patience.Stop()
	select {
	case err := <-ended:
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return errors.New(command.Args[0] + ": " + exit.Error()) // its output may be the address
		}
		return err
	case <-patience.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
