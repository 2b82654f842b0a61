package main

import (
	"bytes"
	"go/format"
	"strings"
	"testing"
	"time"
)

const fixture = "internal/mutate/testdata/fixture"

func mutated(t *testing.T, excused string) *mutation {
	t.Helper()
	m := &mutation{
		root:     "../..",
		targets:  []target{{dir: fixture}},
		tests:    ".",
		workers:  2,
		timeout:  time.Minute,
		excused:  excused,
		progress: t.Logf,
	}
	if err := m.run(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestFixture disables the checks of a package of which some are not tested,
// and expects exactly those to survive.
func TestFixture(t *testing.T) {
	prefix := fixture + "/fixture.go:"
	want := map[string]string{
		"Age: error of strconv.Atoi(s)":                "red TestAge/not_a_number",
		"Age: n < 0":                                   "red TestAge/negative",
		"Age: n > 200":                                 "SURVIVED",
		"Enter: known(name) != nil":                    "red TestEnter",
		"Enter: painted(colour) != nil":                "excused",
		`known: case "alice"`:                          "red TestEnter",
		`known: case "bob"`:                            "SURVIVED",
		`known: case ""`:                               "SURVIVED", // the end of known refuses it as well
		"known: at the end: return errRefused":         "red TestEnter",
		`painted: entry ""`:                            "SURVIVED",
		`painted: entry "red"`:                         "red TestEnter",
		`painted: entry "blue"`:                        "SURVIVED",
		`painted: c == ""`:                             "SURVIVED",
		"painted: only if c == colour":                 "SURVIVED",
		"painted: at the end: return errRefused":       "SURVIVED",
		"Between: return low <= n":                     "red TestBetween",
		"Between: false: return low <= n && n <= high": "red TestBetween",
		"Between: return n <= high":                    "red TestBetween",
	}
	m := mutated(t, prefix+"Enter: painted(colour) != nil\n\tthe fixture wants an excuse\n")
	got := make(map[string]string)
	for _, c := range m.checks {
		got[strings.TrimPrefix(c.key, prefix)] = strings.TrimSpace(m.verdict(c) + " " + c.red)
	}
	for key, verdict := range want {
		if got[key] != verdict {
			t.Errorf("%s: got %q, want %q", key, got[key], verdict)
		}
	}
	for key, verdict := range got {
		if want[key] == "" {
			t.Errorf("found %s (%s), which is not a check", key, verdict)
		}
	}
	var out bytes.Buffer
	if m.report(&out, false) {
		t.Errorf("report is content with survivors:\n%s", &out)
	}
	if !strings.Contains(out.String(), "18 checks, 9 red when disabled, 1 survive for a stated reason, 8 SURVIVED") {
		t.Errorf("report has other sums:\n%s", &out)
	}
}

func TestStaleExcuses(t *testing.T) {
	const tested = fixture + "/fixture.go:Age: n < 0"
	const gone = fixture + "/fixture.go:Age: n < 1000"
	m := mutated(t, tested+"\n\tit is tested after all\n"+gone+"\n\tit was removed\nelsewhere/x.go:F: x\n\tnot looked at\n")
	want := map[string]string{
		tested: "a test does turn red: TestAge/negative",
		gone:   "there is no such check",
	}
	stale := m.stale()
	for _, s := range stale {
		if want[s.key] != s.why {
			t.Errorf("%s: got %q, want %q", s.key, s.why, want[s.key])
		}
	}
	if len(stale) != len(want) {
		t.Errorf("got %d stale entries, want %d", len(stale), len(want))
	}
}

func TestParseExcuses(t *testing.T) {
	for text, want := range map[string]string{
		"a.go:F: x\n":                   "survivors.txt:1: a.go:F: x has no reason",
		"# head\n\n\treason of nothing": "survivors.txt:3: a reason without a check",
	} {
		if _, err := parseExcuses(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	got, err := parseExcuses("a.go:F: x\n\tone\n\ttwo\n")
	if err != nil || len(got) != 1 || got[0].reason != "one two" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestDecisiveFiles keeps the list of files from rotting: each must exist, and
// what the rewriting makes of it must be Go.
func TestDecisiveFiles(t *testing.T) {
	m := &mutation{root: "../..", work: t.TempDir()}
	for _, target := range decisive() {
		before := len(m.checks)
		if err := m.scan(target, make(map[string]string)); err != nil {
			t.Error(err)
		}
		if len(m.checks) == before {
			t.Errorf("%s: no checks found", target.dir)
		}
	}
}

func TestApply(t *testing.T) {
	for src, want := range map[string]string{
		"if (a || b) && c { return false }":  "if mutateIf(1, (mutateIf(2, a) || mutateIf(3, b)) && c) { return false }",
		"if !(a && b) || c { return false }": "if mutateIf(1, !(mutateMust(2, a) && mutateMust(3, b))) || mutateIf(4, c) { return false }",
		"if a && b { x = c }":                "if mutateMust(1, a) && mutateMust(2, b) { x = c }",
		"if a && b || c { x = c }":           "if mutateMust(1, mutateMust(2, a) && mutateMust(3, b) || c) { x = c }",
		"if !(a || b) { x = c }":             "if mutateMust(1, !(mutateIf(2, a) || mutateIf(3, b))) { x = c }",
		"if a { err = errors.New(s) }":       "if mutateIf(1, a) { err = errors.New(s) }",
		"x := a && b":                        "x := mutateMust(1, a) && mutateMust(2, b)",
		"switch { case a && b: x = c }":      "switch { case mutateMust(1, a) && mutateMust(2, b): x = c }",
		"switch { case a, b: return false }": "switch { case mutateIf(1, a), mutateIf(2, b): return false }",
		`switch s { case "a", "b": x = c }`:  `switch s { case mutateValue(1, "a"), mutateValue(2, "b"): x = c }`,
		`l := []string{"a", s}`:              `l := []string{mutateValue(1, "a"), s}`,
		"return a && g(func() bool { return b && c })": "return mutateIf(1, mutateMust(2, a) && mutateMust(3, g(func() bool { " +
			"return mutateIf(4, mutateMust(5, b) && mutateMust(6, c)) })))",
	} {
		src := "package p\n\nfunc f(a, b, c, x bool, s string) bool {\n" + src + "\n}\n"
		f, err := scan("p", "p/p.go", []byte(src), 1)
		if err != nil {
			t.Fatal(err)
		}
		got := string(apply([]byte(src), f.edits))
		if _, err := format.Source([]byte(got)); err != nil {
			t.Errorf("not Go: %v\n%s", err, got)
		}
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("want %s\nin %s", want, got)
		}
	}
}

// TestPackageVariables: lists and functions outside of functions are looked at as well.
func TestPackageVariables(t *testing.T) {
	const src = "package p\n\nvar list = []string{\"a\"}\n\nvar f = func(a bool) error {\n\tif a {\n\t\treturn errA\n\t}\n\treturn nil\n}\n"
	f, err := scan("p", "p/p.go", []byte(src), 1)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, c := range f.found {
		keys = append(keys, c.key)
	}
	if got := strings.Join(keys, "; "); got != `p/p.go:list: entry "a"; p/p.go:f: a` {
		t.Errorf("found %s", got)
	}
}
