package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

//go:embed survivors.txt
var survivorsFile string

// A target is a package, as a directory below the module's root, and those of
// its files whose checks are disabled; no files means all.
type target struct {
	dir   string
	files []string
}

// decisive lists the files that decide who is signed in.
func decisive() []target {
	return []target{
		{dir: "jwtverify"},
		{dir: "client", files: []string{"callback.go", "exchange.go", "token.go", "refresh.go", "userinfo.go", "discover.go", "metadata.go", "http.go",
			"introspect.go", "introspector.go", "signing.go", "oauth.go", "account.go", "verifylogout.go"}},
		{dir: "session", files: []string{"address.go", "attempt.go", "backchannel.go", "chunk.go", "configcheck.go", "demand.go", "ending.go", "open.go",
			"proxyheader.go", "recall.go", "record.go", "revocation.go", "rule.go", "seal.go", "stepup.go", "ticket.go"}},
	}
}

func main() {
	list := flag.Bool("list", false, "only list the checks, with their numbers")
	verbose := flag.Bool("v", false, "list every check and the test that turns red")
	only := flag.String("only", "", "numbers of the checks to disable, with commas")
	tests := flag.String("run", ".", "run only tests that match `pattern`")
	workers := flag.Int("p", min(2, runtime.NumCPU()), "tests to run at once")
	timeout := flag.Duration("timeout", 30*time.Second, "a test that takes longer is red")
	flag.Parse()

	m := &mutation{
		root:    ".",
		tests:   *tests,
		workers: *workers,
		timeout: *timeout,
		excused: survivorsFile,
		progress: func(format string, args ...any) {
			fmt.Fprintf(os.Stderr, format+"\n", args...)
		},
	}
	var err error
	if m.targets, err = parseTargets(flag.Args()); err == nil {
		m.only, err = parseNumbers(*only)
	}
	if err == nil && *list {
		err = m.list(os.Stdout)
	} else if err == nil {
		err = m.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(2)
	}
	if *list {
		return
	}
	if !m.report(os.Stdout, *verbose) {
		os.Exit(1)
	}
}

// parseTargets reads dir or dir:file,file arguments; none means the decisive files.
func parseTargets(args []string) ([]target, error) {
	if len(args) == 0 {
		return decisive(), nil
	}
	var targets []target
	for _, arg := range args {
		dir, files, named := strings.Cut(arg, ":")
		t := target{dir: filepath.ToSlash(filepath.Clean(dir))}
		if named {
			t.files = strings.Split(files, ",")
		} else {
			for _, d := range decisive() {
				if d.dir == t.dir {
					t = d
				}
			}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

func parseNumbers(s string) (map[int]bool, error) {
	if s == "" {
		return nil, nil
	}
	only := make(map[int]bool)
	for field := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("-only: %q is not a number", field)
		}
		only[n] = true
	}
	return only, nil
}

// report prints what became of the checks and tells whether all is well: every
// survivor has a reason, and every reason a survivor.
func (m *mutation) report(w io.Writer, verbose bool) bool {
	var out bytes.Buffer
	defer func() { w.Write(out.Bytes()) }()

	counts := make(map[string]int)
	survivors := 0
	for _, t := range m.targets {
		clear(counts)
		for _, c := range m.checks {
			if c.dir != t.dir || !m.wanted(c) {
				continue
			}
			verdict := m.verdict(c)
			counts[verdict]++
			if verdict == "SURVIVED" {
				survivors++
			}
			if verdict == "SURVIVED" || verbose {
				fmt.Fprintf(&out, "%-8s %3d %s:%d: %s%s\n", verdict, c.id, c.file, c.line, c.key, becauseOf(c))
			}
		}
		fmt.Fprintf(&out, "%s: %d checks, %d red when disabled, %d survive for a stated reason, %d SURVIVED\n",
			t.dir, counts["red"]+counts["excused"]+counts["SURVIVED"], counts["red"], counts["excused"], counts["SURVIVED"])
	}
	stale := m.stale()
	for _, s := range stale {
		fmt.Fprintf(&out, "STALE    survivors.txt:%d: %s: %s\n", s.line, s.key, s.why)
	}
	return survivors == 0 && len(stale) == 0
}

func becauseOf(c *check) string {
	switch {
	case c.red != "":
		return "  <- " + c.red
	case len(c.fired) == 0:
		return "  (no test makes it refuse)"
	case len(c.fired) > 6:
		return fmt.Sprintf("  (still green: %s and %d more)", strings.Join(c.fired[:6], ", "), len(c.fired)-6)
	default:
		return "  (still green: " + strings.Join(c.fired, ", ") + ")"
	}
}
