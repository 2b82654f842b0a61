// Package graph holds the rules between the packages of this module as tests:
// who may import whom, what the module may require, and what no package may
// keep in its variables. Each rule stands beside its reason.
package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/postern-go/postern"

// Modules that may be imported at all.
const (
	goOIDC       = "github.com/coreos/go-oidc/v3/oidc"
	oauth2       = "golang.org/x/oauth2"
	goJose       = "github.com/go-jose/go-jose/v4"
	securecookie = "github.com/gorilla/securecookie"
)

// A rule says what a package may import beside the standard library.
type rule struct {
	pkg    string   // below the module's path
	may    []string // packages of ours below the module's path; others in full
	reason string
}

// rules lists every package there is: one that is missing here fails the test,
// so that a new arrow is always a decision.
var rules = [...]rule{
	{"pkce", nil,
		"RFC 7636 is forty lines of the standard library; a native app takes it alone"},
	{"internal/strictjson", nil,
		"the reading of foreign JSON is a leaf: it decides nothing"},
	{"internal/jwtpack", nil,
		"the packing of tokens for storage is a leaf"},
	{"internal/jwtsign", nil,
		"the making of signatures is a leaf; what is signed is decided elsewhere"},
	{"internal/jwtcrypt", []string{goJose, "internal/strictjson"},
		"the encryption of requests is a leaf, so that client, which imports it, makes nothing of go-jose itself"},
	{"internal/loopback", nil,
		"which hosts need no TLS is said once, for all who check a URL"},
	{"internal/origin", nil,
		"where a token may follow a redirect is said once, for all who send one"},
	{"jwtverify", []string{goJose, "internal/strictjson", "internal/jwtpack", "internal/loopback"},
		"an API that only verifies wants no login, no x/oauth2 and no cookies"},
	{"client", []string{"pkce", "jwtverify", "internal/strictjson", "internal/jwtpack", "internal/jwtsign", "internal/jwtcrypt", "internal/loopback", "internal/origin", goOIDC, oauth2},
		"the protocol without a browser: tokens are verified by jwtverify, never here, so no go-jose"},
	{"client/clienttest", []string{"client", "pkce", "internal/strictjson", "internal/jwtsign", goJose, oauth2},
		"a provider has no session; it may sign what jwtverify verifies"},
	{"client/native", []string{"client", "internal/loopback"},
		"a loopback port and a browser for a program on somebody's machine: all that is checked is checked by client"},
	{"session", []string{"client", "jwtverify", "pkce", oauth2, securecookie, "internal/strictjson", "internal/loopback", "internal/origin"},
		"the browser: the only place that seals cookies, and no second road to the provider"},
	{"session/sessiontest", []string{"session"},
		"the contracts of a store: what its author runs needs nothing but the contract"},
	{"session/scsstore", nil,
		"the stores of scs fit by their shape: neither scs nor we import the other"},
	{"examples/web", []string{"client", "session", "jwtverify", "client/clienttest", oauth2},
		"what a user writes, with the public packages only"},
	{"examples/api", []string{"client", "jwtverify", "client/clienttest"},
		"what a user writes; only the demonstration needs more than jwtverify"},
	{"examples/worker", []string{"client", "jwtverify", "client/clienttest", oauth2},
		"what a user writes; only the demonstration needs more than client"},
	{"examples/exchange", []string{"client", "jwtverify", "pkce", "client/clienttest"},
		"what a user writes; only the demonstration needs more than client and pkce"},
	{"examples/offline", []string{"client", "client/clienttest", oauth2},
		"what a user writes, with the public packages only"},
	{"examples/register", []string{"client", "session", "client/clienttest"},
		"what a user writes; only the demonstration needs clienttest"},
	{"examples/spa", []string{"client", "session", "jwtverify", "client/clienttest"},
		"what a user writes; only the demonstration needs jwtverify and clienttest"},
	{"examples/cli", []string{"client", "client/native", "client/clienttest"},
		"what a user writes, with the public packages only"},
	{"examples/tenants", []string{"client", "session", "client/clienttest"},
		"what a user writes; only the demonstration needs clienttest"},
	{"examples/formpost", []string{"client", "session", "client/clienttest"},
		"what a user writes; only the demonstration needs clienttest"},
	{"examples/stepup", []string{"client", "session", "jwtverify", "client/clienttest"},
		"what a user writes; jwtverify is for the API that stands beside the site"},
	{"internal/mutate", nil,
		"a tool of the build: it may not pull a module into go.mod"},
	{"internal/leak", nil,
		"what every TestMain ends with; it imports no package testing, and nothing but tests imports it"},
	{"internal/graph", nil,
		"tests only"},
}

// A listed package is what the go command says of one.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(goCommand(t, "list", "-json=ImportPath,Dir,GoFiles,Imports,Deps", module+"/...")))
	var all []listed
	for {
		var p listed
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		t.Fatal("go list names no package")
	}
	return all
}

func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command("go", args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// standard tells a package of the standard library: no dot in the first element.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

func below(path string) string {
	return strings.TrimPrefix(path, module+"/")
}

func TestImports(t *testing.T) {
	seen := make(map[string]bool)
	for _, p := range packages(t) {
		name := below(p.ImportPath)
		seen[name] = true
		i := slices.IndexFunc(rules[:], func(r rule) bool { return r.pkg == name })
		if i < 0 {
			t.Errorf("%s has no rule: say in this file what it may import, and why", name)
			continue
		}
		for _, imported := range p.Imports {
			if !standard(imported) && !slices.Contains(rules[i].may, below(imported)) {
				t.Errorf("%s imports %s, and may import only %q: %s", name, imported, rules[i].may, rules[i].reason)
			}
		}
	}
	for _, r := range rules {
		if !seen[r.pkg] {
			t.Errorf("the rule for %s is about no package", r.pkg)
		}
	}
}

// TestRulesHaveNoCycle keeps the arrows pointing down: a package may only be
// imported by those that come later in the list.
func TestRulesHaveNoCycle(t *testing.T) {
	above := make(map[string]bool)
	for _, r := range rules {
		for _, may := range r.may {
			if !strings.Contains(strings.Split(may, "/")[0], ".") && !above[may] {
				t.Errorf("%s may import %s, which stands below it", r.pkg, may)
			}
		}
		above[r.pkg] = true
	}
}

// TestForbiddenImports is about single packages of the standard library and of
// ours that would be in the wrong place wherever they stood in a program.
func TestForbiddenImports(t *testing.T) {
	forbidden := map[string]string{
		"math/rand":                         "secrets come from crypto/rand, and nothing else here needs chance",
		"math/rand/v2":                      "secrets come from crypto/rand, and nothing else here needs chance",
		"testing":                           "it registers flags in the programs of our importers; clienttest runs in demos too",
		"net/http/httptest":                 "it links testing's flags into programs",
		"net/http/pprof":                    "it registers handlers in http.DefaultServeMux",
		"expvar":                            "it registers handlers in http.DefaultServeMux",
		"encoding/gob":                      "it executes a description from outside; what we store is versioned bytes",
		"unsafe":                            "nothing here is worth it",
		"crypto/md5":                        "broken",
		"golang.org/x/net":                  "a fifth module",
		"github.com/go-jose/go-jose/v4/jwt": "it verifies with optional checks; tokens take the road of jwtverify",
	}
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if reason := forbidden[imported]; reason != "" {
				t.Errorf("%s imports %s: %s", below(p.ImportPath), imported, reason)
			}
		}
		if slices.Contains(p.Deps, "testing") {
			t.Errorf("%s links package testing, through one of its imports", below(p.ImportPath))
		}
		if slices.Contains(p.Imports, module+"/client/clienttest") && !strings.HasPrefix(below(p.ImportPath), "examples/") {
			t.Errorf("%s imports clienttest: a provider for tests has no place in a library", below(p.ImportPath))
		}
	}
}

// TestDirectRequirements: an importer downloads what we require, so the root
// module requires four modules and no tool, replaces nothing and excludes nothing.
func TestDirectRequirements(t *testing.T) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace, Exclude, Tool []any
	}
	if err := json.Unmarshal(goCommand(t, "mod", "edit", "-json", "../../go.mod"), &mod); err != nil {
		t.Fatal(err)
	}
	var direct []string
	for _, r := range mod.Require {
		if r.Indirect {
			t.Errorf("go.mod lists %s, which nothing of ours imports", r.Path)
		} else {
			direct = append(direct, r.Path)
		}
	}
	want := []string{
		"github.com/coreos/go-oidc/v3",
		"github.com/go-jose/go-jose/v4",
		"github.com/gorilla/securecookie",
		"golang.org/x/oauth2",
	}
	slices.Sort(direct)
	if !slices.Equal(direct, want) {
		t.Errorf("direct requirements are %q, want %q", direct, want)
	}
	if len(mod.Replace)+len(mod.Exclude)+len(mod.Tool) > 0 {
		t.Errorf("go.mod has replace, exclude or tool lines: they do not reach importers, or weigh on them")
	}
}
