package main

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// guards is the file added to each package: what the edits call.
const guards = `package %s

import (
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutateOff, _ = strconv.Atoi(os.Getenv("POSTERN_MUTATE_DISABLE"))
	mutateFile   = os.Getenv("POSTERN_MUTATE_TRACE")
	mutateSeen   [%d]atomic.Bool // no map: some tests count allocations
)

// mutateIf is a condition under which something is refused.
func mutateIf(id int, refused bool) bool {
	if refused {
		mutateFired(id)
	}
	return refused && id != mutateOff
}

// mutateMust is a condition without which something is refused.
func mutateMust(id int, accepted bool) bool {
	if !accepted {
		mutateFired(id)
	}
	return accepted || id == mutateOff
}

// mutateValue is a string that something is compared with; disabled, it is one
// that nothing equals.
func mutateValue(id int, s string) string {
	mutateFired(id)
	if id == mutateOff {
		return "\x00mutate"
	}
	return s
}

// mutateReached stands before a refusal and tells whether to go round it.
func mutateReached(id int) bool {
	mutateFired(id)
	return id == mutateOff
}

func mutateFired(id int) {
	if mutateFile == "" {
		return
	}
	if mutateSeen[id].Swap(true) {
		return
	}
	f, err := os.OpenFile(mutateFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strconv.Itoa(id) + "\n"); err != nil {
		panic(err)
	}
}
`

// scan finds the checks of a target and writes copies of its files with each
// check behind its number; overlay says which copy stands for which file.
func (m *mutation) scan(t target, overlay map[string]string) error {
	files, err := m.files(t)
	if err != nil {
		return err
	}
	name := ""
	for _, file := range files {
		full := filepath.Join(m.root, filepath.FromSlash(file))
		src, err := os.ReadFile(full)
		if err != nil {
			return err
		}
		f, err := scan(t.dir, file, src, len(m.checks)+1)
		if err != nil {
			return err
		}
		if m.looked == nil {
			m.looked = make(map[string]bool)
		}
		m.looked[file] = true
		m.checks = append(m.checks, f.found...)
		if name == "" {
			if name, err = packageName(src); err != nil {
				return err
			}
		}
		if err := m.replace(overlay, full, apply(src, f.edits)); err != nil {
			return err
		}
	}
	added := filepath.Join(m.root, filepath.FromSlash(t.dir), "zz_mutate.go")
	return m.replace(overlay, added, fmt.Appendf(nil, guards, name, len(m.checks)+1))
}

// files lists the files of a target, from the module's root.
func (m *mutation) files(t target) ([]string, error) {
	var files []string
	for _, name := range t.files {
		files = append(files, path.Join(t.dir, name))
	}
	if files != nil {
		return files, nil
	}
	entries, err := os.ReadDir(filepath.Join(m.root, filepath.FromSlash(t.dir)))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			files = append(files, path.Join(t.dir, e.Name()))
		}
	}
	if files == nil {
		return nil, fmt.Errorf("%s: no Go files", t.dir)
	}
	return files, nil
}

func (m *mutation) replace(overlay map[string]string, file string, content []byte) error {
	copied := filepath.Join(m.work, fmt.Sprintf("%d.go", len(overlay)))
	overlay[file] = copied
	return os.WriteFile(copied, content, 0o600)
}

func packageName(src []byte) (string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.PackageClauseOnly)
	if err != nil {
		return "", err
	}
	return f.Name.Name, nil
}

// apply makes the insertions. At one place, what closes comes before what opens.
func apply(src []byte, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return closing(b) - closing(a)
	})
	var out bytes.Buffer
	last := 0
	for _, e := range edits {
		out.Write(src[last:e.at])
		out.WriteString(e.text)
		last = e.at
	}
	out.Write(src[last:])
	return out.Bytes()
}

func closing(e edit) int {
	if e.text == ")" {
		return 1
	}
	return 0
}
