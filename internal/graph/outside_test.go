package graph

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The README opens with a program. These limits keep it an opening.
const (
	programLines = 30 // at most this long
	programStart = 15 // and not further down
	apiLines     = 20 // of the second one, which protects an API
)

// TestReadmeProgram vets the programs of the README as an importer would have them.
func TestReadmeProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rest := string(readme)
	for i, limit := range []int{programLines, apiLines} {
		before, after, ok := strings.Cut(rest, "\n```go\n")
		program, remaining, closed := strings.Cut(after, "\n```\n")
		if !ok || !closed {
			t.Fatalf("README.md has %d Go programs", i)
		}
		if n := strings.Count(before, "\n") + 2; i == 0 && n >= programStart {
			t.Errorf("the program starts at line %d, want it before line %d", n, programStart)
		}
		if n := strings.Count(program, "\n") + 1; n > limit {
			t.Errorf("program %d has %d lines, want at most %d", i+1, n, limit)
		}
		vetOutside(t, map[string][]byte{"main.go": []byte(program + "\n")})
		rest = remaining
	}
}

// TestExampleOutsideTheTree: whoever copies an example into a program of theirs
// must not find that it leans on something of ours.
func TestExampleOutsideTheTree(t *testing.T) {
	for _, example := range []string{
		"web", "api", "worker", "offline", "exchange", "register", "cli", "spa", "tenants", "formpost", "stepup",
	} {
		t.Run(example, func(t *testing.T) {
			dir := filepath.Join("../../examples", example)
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			files := make(map[string][]byte)
			for _, e := range entries {
				if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
					t.Fatal(err)
				}
			}
			vetOutside(t, files)
		})
	}
}

// vetOutside vets the files in a module of their own that requires this one.
func vetOutside(t *testing.T, files map[string][]byte) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(string(mod), "module "+module+"\n", "module example.com/outside\n", 1) +
		"\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n"
	dir := t.TempDir()
	files["go.mod"], files["go.sum"] = []byte(own), sum
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "vet", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}
