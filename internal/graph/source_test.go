package graph

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// A source is one parsed file that is no test.
type source struct {
	pkg  string // below the module's path
	file *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, p := range packages(t) {
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, source{below(p.ImportPath), file, fset})
		}
	}
	return all
}

func (s source) at(n ast.Node) string {
	p := s.fset.Position(n.Pos())
	return fmt.Sprintf("%s/%s:%d", s.pkg, filepath.Base(p.Filename), p.Line)
}

// TestNoPackageState: two clients, two sessions or two tests in one process must
// not see each other, so a package keeps nothing between calls. A package-level
// var may only be something that is never written to.
func TestNoPackageState(t *testing.T) {
	all := sources(t)
	for _, s := range all {
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					t.Errorf("%s: an init function runs in every program that imports us", s.at(d))
				}
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					checkVars(t, all, s, d)
				}
			}
		}
	}
}

func checkVars(t *testing.T, all []source, s source, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		embedded := strings.Contains(text(d.Doc)+text(v.Doc), "//go:embed")
		for i, name := range v.Names {
			switch {
			case name.Name == "_", embedded:
			case i >= len(v.Values) || !constant(v.Values[i]):
				t.Errorf("%s: package variable %s is neither an error, a compiled constant nor a table", s.at(name), name.Name)
			}
			if at := writtenAt(all, s.pkg, name.Name); at != "" && name.Name != "_" {
				t.Errorf("%s: package variable %s is written to at %s", s.at(name), name.Name, at)
			}
		}
	}
}

func text(g *ast.CommentGroup) string {
	if g == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range g.List {
		b.WriteString(c.Text + "\n")
	}
	return b.String()
}

// constant tells an initial value of something that does not change: an error,
// a compiled expression or template, a replacer, a big number, a table.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr:
		f, ok := e.Fun.(*ast.SelectorExpr)
		if !ok {
			_, conversion := e.Fun.(*ast.ArrayType)
			return conversion
		}
		if x, ok := f.X.(*ast.Ident); ok {
			switch x.Name + "." + f.Sel.Name {
			case "errors.New", "regexp.MustCompile", "template.Must", "strings.NewReplacer", "big.NewInt", "time.Unix", "time.Date":
				return true
			}
		}
		return f.Sel.Name == "Strict" // base64's encodings
	}
	return false
}

// writtenAt finds a place in the package where name, or a part of it, is
// assigned to or its address taken. It goes by the name alone, so a local
// variable of that name counts too; give it another.
func writtenAt(all []source, pkg, name string) string {
	found := ""
	for _, s := range all {
		if s.pkg != pkg {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			var targets []ast.Expr
			switch n := n.(type) {
			case *ast.AssignStmt:
				targets = n.Lhs
			case *ast.IncDecStmt:
				targets = []ast.Expr{n.X}
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					targets = []ast.Expr{n.X}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 && (f.Name == "delete" || f.Name == "clear" || f.Name == "copy") {
					targets = n.Args[:1]
				}
			}
			for _, target := range targets {
				if rootOf(target) == name {
					found = s.at(n)
				}
			}
			return true
		})
	}
	return found
}

// rootOf gives the variable at the bottom of x, x.f, x[i], x[i:j] and *x.
func rootOf(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return ""
		}
	}
}

// TestClientKnowsNoBrowser: client is for programs with other sessions, for
// command lines and for gRPC servers as well.
func TestClientKnowsNoBrowser(t *testing.T) {
	for _, s := range sources(t) {
		if s.pkg != "client" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || rootOf(sel.X) != "http" {
				return true
			}
			switch sel.Sel.Name {
			case "ResponseWriter", "Cookie", "SetCookie", "Handler", "HandlerFunc", "Redirect":
				t.Errorf("%s: http.%s is the browser's; it belongs in session", s.at(n), sel.Sel.Name)
			}
			return true
		})
	}
}

// TestExportedSurface: options are struct fields, and the types of go-jose and
// go-oidc stay inside, because replacing them must not need a new major version.
// The two methods that exist to hand a go-oidc type out are the exception.
func TestExportedSurface(t *testing.T) {
	doors := map[string]bool{"client.Provider": true, "client.KeySet": true}
	for _, s := range sources(t) {
		if strings.HasPrefix(s.pkg, "internal/") || strings.HasPrefix(s.pkg, "examples/") {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if !d.Name.IsExported() {
					continue
				}
				if after, ok := strings.CutPrefix(d.Name.Name, "With"); ok && d.Recv == nil && token.IsExported(after) {
					t.Errorf("%s: %s: a struct literal configures", s.at(d), d.Name.Name)
				}
				if foreign := foreignType(d.Type); foreign != "" && !doors[s.pkg+"."+d.Name.Name] {
					t.Errorf("%s: %s has %s in its signature", s.at(d), d.Name.Name, foreign)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if ts, ok := spec.(*ast.TypeSpec); ok && ts.Name.IsExported() {
						if foreign := foreignType(exportedPart(ts.Type)); foreign != "" {
							t.Errorf("%s: %s shows %s", s.at(ts), ts.Name.Name, foreign)
						}
					}
				}
			}
		}
	}
}

// exportedPart leaves out the fields of a struct that nobody else sees.
func exportedPart(e ast.Expr) ast.Node {
	st, ok := e.(*ast.StructType)
	if !ok {
		return e
	}
	seen := &ast.FieldList{}
	for _, f := range st.Fields.List {
		if len(f.Names) == 0 || f.Names[0].IsExported() {
			seen.List = append(seen.List, f)
		}
	}
	return &ast.StructType{Fields: seen}
}

func foreignType(n ast.Node) string {
	found := ""
	ast.Inspect(n, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x := rootOf(sel.X); x == "jose" || x == "oidc" || x == "securecookie" {
				found = x + "." + sel.Sel.Name
			}
		}
		return true
	})
	return found
}
