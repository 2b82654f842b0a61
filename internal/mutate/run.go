package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A mutation is one run over some targets.
type mutation struct {
	root     string // of the module
	targets  []target
	tests    string // pattern of test names
	only     map[int]bool
	workers  int
	timeout  time.Duration
	excused  string // the text of survivors.txt
	progress func(format string, args ...any)

	excuses []excuse
	checks  []*check
	looked  map[string]bool // files scanned
	work    string          // temporary directory

	mu   sync.Mutex
	told map[string]string // by file and function: the test that was red last
}

// run finds, builds, traces and disables; the verdicts are in m.checks afterwards.
func (m *mutation) run() (err error) {
	m.told = make(map[string]string)
	if m.excuses, err = parseExcuses(m.excused); err != nil {
		return err
	}
	clean, err := m.prepare()
	if err != nil {
		return err
	}
	defer clean()
	for _, t := range m.targets {
		if err := m.judge(t.dir); err != nil {
			return fmt.Errorf("%s: %w", t.dir, err)
		}
	}
	return nil
}

// list prints the checks and runs nothing.
func (m *mutation) list(w io.Writer) error {
	clean, err := m.prepare()
	if err != nil {
		return err
	}
	defer clean()
	for _, c := range m.checks {
		fmt.Fprintf(w, "%3d %s:%d: %s\n", c.id, c.file, c.line, c.key)
	}
	return nil
}

// prepare finds the checks and writes the overlay; clean removes it.
func (m *mutation) prepare() (clean func(), err error) {
	if m.root, err = filepath.Abs(m.root); err != nil {
		return nil, err
	}
	if m.work, err = os.MkdirTemp("", "mutate"); err != nil {
		return nil, err
	}
	clean = func() { os.RemoveAll(m.work) }
	overlay := make(map[string]string)
	for _, t := range m.targets {
		if err == nil {
			err = m.scan(t, overlay)
		}
	}
	if err == nil {
		err = m.writeOverlay(overlay)
	}
	if err != nil {
		clean()
		return nil, err
	}
	return clean, nil
}

func (m *mutation) wanted(c *check) bool { return m.only == nil || m.only[c.id] }

func (m *mutation) verdict(c *check) string {
	if c.red != "" {
		return "red"
	}
	if slices.ContainsFunc(m.excuses, func(e excuse) bool { return e.key == c.key }) {
		return "excused"
	}
	return "SURVIVED"
}

// judge builds the tests of a package, and finds for each of its checks a test
// that is red without it.
func (m *mutation) judge(dir string) error {
	binary, err := m.build(dir)
	if err != nil {
		return err
	}
	names, err := m.testNames(dir, binary)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := m.trace(dir, binary, names); err != nil {
		return err
	}
	traced := time.Since(begin)

	var mine []*check
	for _, c := range m.checks {
		if c.dir == dir && m.wanted(c) {
			mine = append(mine, c)
		}
	}
	begin = time.Now()
	err = m.inParallel(len(mine), func(i int) error { return m.disable(dir, binary, mine[i]) })
	m.progress("%s: %d checks, %d tests; traced in %.1f s, disabled one by one in %.1f s",
		dir, len(mine), len(names), traced.Seconds(), time.Since(begin).Seconds())
	return err
}

func (m *mutation) build(dir string) (string, error) {
	binary := filepath.Join(m.work, strings.ReplaceAll(dir, "/", "_")+".test")
	cmd := exec.Command("go", "test", "-c", "-overlay", filepath.Join(m.work, "overlay.json"), "-o", binary, "./"+dir)
	cmd.Dir = m.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	if _, err := os.Stat(binary); err != nil {
		return "", errors.New("has no tests")
	}
	return binary, nil
}

// testNames gives the names of the tests, fuzz targets (their seeds) and examples.
func (m *mutation) testNames(dir, binary string) ([]string, error) {
	out, err := m.exec(dir, binary, nil, "-test.list", m.tests)
	if err != nil {
		return nil, fmt.Errorf("listing tests: %w\n%s", err, out)
	}
	var names []string
	for _, name := range strings.Fields(out) {
		if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.HasPrefix(name, "Example") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no test matches")
	}
	return names, nil
}

// trace runs each test with all checks in force and notes which of them refuse
// something. In each check's list vectors come first, because they say most, and
// then what is quick.
func (m *mutation) trace(dir, binary string, names []string) error {
	type outcome struct {
		name  string
		took  time.Duration
		fired map[int]bool
	}
	outcomes := make([]outcome, len(names))
	err := m.inParallel(len(names), func(i int) error {
		file := filepath.Join(m.work, fmt.Sprintf("trace%d", i))
		defer os.Remove(file)
		begin := time.Now()
		out, err := m.test(dir, binary, names[i], "POSTERN_MUTATE_TRACE="+file)
		if err != nil {
			return fmt.Errorf("%s fails before anything is disabled: %w\n%s", names[i], err, out)
		}
		fired, err := readTrace(file)
		outcomes[i] = outcome{names[i], time.Since(begin), fired}
		return err
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(outcomes, func(a, b outcome) int {
		first := func(o outcome) bool { return strings.Contains(o.name, "Vectors") }
		switch {
		case first(a) && !first(b):
			return -1
		case first(b) && !first(a):
			return 1
		}
		return cmp.Compare(a.took, b.took)
	})
	for _, c := range m.checks {
		for _, o := range outcomes {
			if c.dir == dir && o.fired[c.id] {
				c.fired = append(c.fired, o.name)
			}
		}
	}
	return nil
}

func readTrace(file string) (map[int]bool, error) {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	fired := make(map[int]bool)
	for _, field := range strings.Fields(string(data)) {
		n, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		fired[n] = true
	}
	return fired, nil
}

// disable runs the tests in which c refuses something without it, until one is
// red. One that says what is wrong is better than one that dies of it. The test that
// was red for a check nearby is likely to be red again.
func (m *mutation) disable(dir, binary string, c *check) error {
	near, _, _ := strings.Cut(c.key, ": ")
	m.mu.Lock()
	likely := m.told[near]
	m.mu.Unlock()
	for _, name := range likeliest(c.fired, likely) {
		out, err := m.test(dir, binary, name, "POSTERN_MUTATE_DISABLE="+strconv.Itoa(c.id))
		if err == nil {
			continue
		}
		end := cause(out)
		if c.red == "" || end == "" {
			c.red = innermost(name, out) + end
		}
		if end == "" {
			m.mu.Lock()
			m.told[near] = name
			m.mu.Unlock()
		}
		if end == "" || end == hangs { // the next one would hang as long
			return nil
		}
	}
	return nil
}

// likeliest puts one of the tests first.
func likeliest(tests []string, first string) []string {
	if i := slices.Index(tests, first); i > 0 {
		return slices.Concat(tests[i:i+1], tests[:i], tests[i+1:])
	}
	return tests
}

const hangs = " (hangs)"

// cause says how a test ended that did not just fail.
func cause(out string) string {
	for line := range strings.Lines(out) {
		switch {
		case strings.HasPrefix(line, "panic: test timed out"):
			return hangs
		case strings.HasPrefix(line, "panic:"), strings.HasPrefix(line, "fatal error:"):
			return " (crashes)"
		}
	}
	return ""
}

// innermost names the first subtest that failed, which is the vector where there is one.
func innermost(test, out string) string {
	name := test
	for line := range strings.Lines(out) {
		after, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: ")
		if !ok {
			continue
		}
		after, _, _ = strings.Cut(after, " (")
		if strings.HasPrefix(after, name+"/") {
			name = after
		}
	}
	return name
}

// test runs one test of a package's binary; an error means that it is red.
func (m *mutation) test(dir, binary, name, env string) (string, error) {
	return m.exec(dir, binary, []string{env},
		"-test.run", "^"+name+"$", "-test.short", "-test.failfast", "-test.timeout", m.timeout.String())
}

func (m *mutation) exec(dir, binary string, env []string, args ...string) (string, error) {
	// The binary ends itself at m.timeout; this is for one that cannot.
	ctx, cancel := context.WithTimeout(context.Background(), m.timeout+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir = filepath.Join(m.root, filepath.FromSlash(dir))
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// inParallel calls do for 0 to n-1 on m.workers goroutines and joins the errors.
func (m *mutation) inParallel(n int, do func(int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	jobs := make(chan int)
	for range max(1, m.workers) {
		wg.Go(func() {
			for i := range jobs {
				errs[i] = do(i)
			}
		})
	}
	for i := range n {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	return errors.Join(errs...)
}

// writeOverlay writes the file that tells the go command which files to read instead.
func (m *mutation) writeOverlay(replace map[string]string) error {
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.work, "overlay.json"), data, 0o600)
}
