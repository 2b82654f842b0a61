package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// A check is one condition under which a function refuses; see the package comment.
type check struct {
	id   int
	dir  string // of the package
	file string // with the directory
	line int
	key  string // file:function: text; its name in survivors.txt

	fired []string // the tests in which it refuses something
	red   string   // the first of them that fails without it
}

// An edit inserts text at an offset of a file.
type edit struct {
	at   int
	text string
}

// A finder collects the checks of one file and the edits that put each behind its number.
type finder struct {
	fset  *token.FileSet
	dir   string
	path  string // of the file, from the module's root
	src   []byte
	fn    string // the function we are in
	next  int    // number of the next check
	seen  map[string]int
	found []*check
	edits []edit
}

// scan finds the checks of a file; numbers start at first.
func scan(dir, path string, src []byte, first int) (*finder, error) {
	f := &finder{fset: token.NewFileSet(), dir: dir, path: path, src: src, next: first, seen: make(map[string]int)}
	file, err := parser.ParseFile(f.fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if f.fn = decl.Name.Name; decl.Body != nil {
				f.function(decl.Type, decl.Body)
			}
		case *ast.GenDecl:
			f.variables(decl)
		}
	}
	return f, nil
}

// variables looks at the lists and functions that variables of the package are made of.
func (f *finder) variables(decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		vars, ok := spec.(*ast.ValueSpec)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		f.fn = vars.Names[0].Name
		for _, value := range vars.Values {
			ast.Inspect(value, f.visit(shape{results: -1}, nil))
		}
	}
}

// function collects the checks of one function body, and of the function literals in it.
func (f *finder) function(t *ast.FuncType, body *ast.BlockStmt) {
	s := shapeOf(t)
	ast.Inspect(body, f.visit(s, body))
	f.ending(s, body)
}

// visit looks at one node of a function of shape s.
func (f *finder) visit(s shape, body *ast.BlockStmt) func(ast.Node) bool {
	return func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			f.function(n.Type, n.Body)
			return false
		case *ast.BlockStmt:
			f.statements(s, n.List)
		case *ast.CaseClause:
			f.statements(s, n.Body)
		case *ast.CommClause:
			f.statements(s, n.Body)
		case *ast.SwitchStmt:
			f.switches(s, n.Tag != nil, n.Body, isLast(body, n))
		case *ast.TypeSwitchStmt:
			f.switches(s, true, n.Body, isLast(body, n))
		case *ast.AssignStmt:
			f.assignment(n)
		case *ast.ReturnStmt:
			f.verdict(s, n)
		case *ast.CompositeLit:
			f.entries(n)
		}
		return true
	}
}

func isLast(body *ast.BlockStmt, s ast.Stmt) bool {
	return len(body.List) > 0 && body.List[len(body.List)-1] == s
}

// statements looks at the ifs of a list, each with the statement before it.
func (f *finder) statements(s shape, list []ast.Stmt) {
	var before ast.Stmt
	for _, stmt := range list {
		branch, ok := stmt.(*ast.IfStmt)
		for ok {
			f.branch(s, branch, before)
			branch, ok = branch.Else.(*ast.IfStmt)
		}
		before = stmt
	}
}

func (f *finder) branch(s shape, branch *ast.IfStmt, before ast.Stmt) {
	if !refuses(s, branch.Body.List) {
		f.allows(branch.Cond, "only if ")
		return
	}
	name := errNotNil(branch.Cond)
	if name == "" {
		f.forbids(branch.Cond, "")
		return
	}
	if branch.Init != nil {
		before = branch.Init
	}
	call, alone := assigned(before, name)
	switch {
	case call == nil:
	case alone:
		f.condition(branch.Cond, "mutateIf", f.text(call)+" != nil")
	case !passesOn(branch.Body.List, name):
		f.condition(branch.Cond, "mutateIf", "error of "+f.text(call))
	}
}

// switches looks at the cases of a switch.
func (f *finder) switches(s shape, tagged bool, body *ast.BlockStmt, last bool) {
	for _, stmt := range body.List {
		clause := stmt.(*ast.CaseClause)
		switch refused := refuses(s, clause.Body); {
		case tagged && refused, refused && clause.List == nil:
			f.clause(s, clause, last)
			if len(clause.List) > 1 {
				f.values(clause.List, "case ")
			}
		case tagged:
			f.values(clause.List, "case ")
		case refused:
			for _, cond := range clause.List {
				f.forbids(cond, "case ")
			}
		default:
			for _, cond := range clause.List {
				f.allows(cond, "only case ")
			}
		}
	}
}

// clause puts a way round a refusing clause before it.
func (f *finder) clause(s shape, clause *ast.CaseClause, last bool) {
	text := "default"
	if clause.List != nil {
		text = "case " + f.source(clause.List[0].Pos(), clause.List[len(clause.List)-1].End())
	}
	leave := "break"
	if last {
		value, ok := s.accepted()
		if !ok {
			return
		}
		leave = "return " + value
	}
	f.leave(clause.Body[0], leave, text)
}

// entries looks at what a list of strings has.
func (f *finder) entries(lit *ast.CompositeLit) {
	if list, ok := lit.Type.(*ast.ArrayType); ok && isName(list.Elt, "string") {
		f.values(lit.Elts, "entry ")
	}
}

// values makes a check of each literal string of a list.
func (f *finder) values(list []ast.Expr, prefix string) {
	for _, value := range list {
		if lit, ok := value.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			f.condition(lit, "mutateValue", prefix+lit.Value)
		}
	}
}

// assignment looks at a bool that is put together before it is asked for.
func (f *finder) assignment(a *ast.AssignStmt) {
	for i, expr := range a.Rhs {
		b, ok := expr.(*ast.BinaryExpr)
		if ok && (b.Op == token.LAND || b.Op == token.LOR) && len(a.Lhs) == len(a.Rhs) {
			f.decides(b, f.text(a.Lhs[i])+" = ")
		}
	}
}

// verdict looks at a return that decides by a bool expression.
func (f *finder) verdict(s shape, ret *ast.ReturnStmt) {
	if !s.isBool || len(ret.Results) != s.results {
		return
	}
	last := ret.Results[len(ret.Results)-1]
	if _, name := last.(*ast.Ident); name {
		return
	}
	if b, ok := last.(*ast.BinaryExpr); ok && s.results == 1 && b.Op == token.LOR {
		f.condition(last, "mutateMust", "true: "+f.text(ret))
	} else if s.results == 1 {
		f.condition(last, "mutateIf", "false: "+f.text(ret))
	}
	f.decides(last, "return ")
}

// decides looks at an expression of which only a name says what true means: its
// operands are disabled so that they let the others decide.
func (f *finder) decides(expr ast.Expr, prefix string) {
	if b, ok := expr.(*ast.BinaryExpr); ok && b.Op == token.LOR {
		f.forbids(expr, prefix)
		return
	}
	f.allows(expr, prefix)
}

// ending looks at the refusal at the end of a function.
func (f *finder) ending(s shape, body *ast.BlockStmt) {
	if s.results != 1 || len(body.List) == 0 {
		return
	}
	ret, ok := body.List[len(body.List)-1].(*ast.ReturnStmt)
	if !ok || len(ret.Results) != 1 {
		return
	}
	last := ret.Results[0]
	way := ""
	switch {
	case s.isBool && isName(last, "false"):
		way = "return true"
	case s.isBool && isName(last, "true"):
		way = "return false"
	case s.isError && makesError(last):
		way = "return nil"
	}
	if way != "" {
		f.leave(ret, way, "at the end: "+f.text(ret))
	}
}

// forbids looks at a condition that refuses where it is true: each operand of ||
// is a check, and below && each that forbids or allows something by itself.
func (f *finder) forbids(expr ast.Expr, prefix string) {
	if x, y, ok := operands(expr, token.LOR); ok {
		f.forbids(x, prefix)
		f.forbids(y, prefix)
		return
	}
	f.condition(expr, "mutateIf", prefix+f.text(expr))
	f.below(expr, token.LAND, token.LOR, f.forbids, f.allows)
}

// allows is forbids for a condition that lets pass where it is true.
func (f *finder) allows(expr ast.Expr, prefix string) {
	if x, y, ok := operands(expr, token.LAND); ok {
		f.allows(x, prefix)
		f.allows(y, prefix)
		return
	}
	f.condition(expr, "mutateMust", prefix+f.text(expr))
	f.below(expr, token.LOR, token.LAND, f.allows, f.forbids)
}

// below looks for alternatives inside what outer joins: those of inner say the
// same as the whole, and those that ! turns round the opposite.
func (f *finder) below(expr ast.Expr, outer, inner token.Token, same, opposite func(ast.Expr, string)) {
	if x, y, ok := operands(expr, outer); ok {
		f.below(x, outer, inner, same, opposite)
		f.below(y, outer, inner, same, opposite)
		return
	}
	if _, _, ok := operands(expr, inner); ok {
		same(expr, "in ")
		return
	}
	if not, ok := ast.Unparen(expr).(*ast.UnaryExpr); ok && not.Op == token.NOT {
		if _, _, ok := operands(not.X, outer); ok {
			opposite(not.X, "in ")
		}
	}
}

// operands takes an expression apart that op joins.
func operands(expr ast.Expr, op token.Token) (x, y ast.Expr, ok bool) {
	b, ok := ast.Unparen(expr).(*ast.BinaryExpr)
	if !ok || b.Op != op {
		return nil, nil, false
	}
	return b.X, b.Y, true
}

// condition puts expr behind a guard.
func (f *finder) condition(expr ast.Expr, guard, text string) {
	id := f.add(expr, text)
	f.edits = append(f.edits,
		edit{f.offset(expr.Pos()), fmt.Sprintf("%s(%d, ", guard, id)},
		edit{f.offset(expr.End()), ")"})
}

// leave puts a way round stmt before it.
func (f *finder) leave(stmt ast.Stmt, way, text string) {
	id := f.add(stmt, text)
	f.edits = append(f.edits, edit{f.offset(stmt.Pos()), fmt.Sprintf("if mutateReached(%d) { %s }; ", id, way)})
}

func (f *finder) add(n ast.Node, text string) int {
	key := fmt.Sprintf("%s:%s: %s", f.path, f.fn, text)
	f.seen[key]++
	if again := f.seen[key]; again > 1 {
		key = fmt.Sprintf("%s #%d", key, again)
	}
	c := &check{id: f.next, dir: f.dir, file: f.path, line: f.fset.Position(n.Pos()).Line, key: key}
	f.next++
	f.found = append(f.found, c)
	return c.id
}

func (f *finder) offset(p token.Pos) int { return f.fset.Position(p).Offset }

func (f *finder) text(n ast.Node) string { return f.source(n.Pos(), n.End()) }

// source is the text between two positions on one line, cut to 100 bytes.
func (f *finder) source(from, to token.Pos) string {
	s := strings.Join(strings.Fields(string(f.src[f.offset(from):f.offset(to)])), " ")
	if len(s) > 100 {
		s = s[:97] + "..."
	}
	return s
}
