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
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			f.fn = fn.Name.Name
			f.function(fn.Type, fn.Body)
		}
	}
	return f, nil
}

// A shape is what the results of a function say about refusing.
type shape struct {
	results int
	isError bool // the last result is an error
	isBool  bool // the last result is a bool
}

func shapeOf(t *ast.FuncType) shape {
	var s shape
	if t.Results == nil {
		return s
	}
	s.results = t.Results.NumFields()
	last := t.Results.List[len(t.Results.List)-1].Type
	if ptr, ok := last.(*ast.StarExpr); ok {
		name, ok := ptr.X.(*ast.Ident)
		s.isError = ok && strings.HasSuffix(name.Name, "Error")
		return s
	}
	name, ok := last.(*ast.Ident)
	s.isError = ok && name.Name == "error"
	s.isBool = ok && name.Name == "bool"
	return s
}

// accepted is what a function of this shape returns when it refuses nothing.
func (s shape) accepted() (string, bool) {
	switch {
	case s.results == 1 && s.isError:
		return "nil", true
	case s.results == 1 && s.isBool:
		return "true", true
	default:
		return "", false
	}
}

// function collects the checks of one function body, and of the function literals in it.
func (f *finder) function(t *ast.FuncType, body *ast.BlockStmt) {
	s := shapeOf(t)
	ast.Inspect(body, func(n ast.Node) bool {
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
		case *ast.ReturnStmt:
			f.verdict(s, n)
		}
		return true
	})
	f.ending(s, body)
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
		return
	}
	name := errNotNil(branch.Cond)
	if name == "" {
		f.operands(branch.Cond, token.LOR, "mutateIf", "")
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

// switches looks at the refusing cases of a switch.
func (f *finder) switches(s shape, tagged bool, body *ast.BlockStmt, last bool) {
	for _, stmt := range body.List {
		clause := stmt.(*ast.CaseClause)
		if !refuses(s, clause.Body) {
			continue
		}
		if !tagged && clause.List != nil {
			for _, cond := range clause.List {
				f.operands(cond, token.LOR, "mutateIf", "case ")
			}
			continue
		}
		text := "default"
		if clause.List != nil {
			text = "case " + f.source(clause.List[0].Pos(), clause.List[len(clause.List)-1].End())
		}
		leave := "break"
		if last {
			value, ok := s.accepted()
			if !ok {
				continue
			}
			leave = "return " + value
		}
		f.leave(clause.Body[0], leave, text)
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
		f.operands(last, token.LOR, "mutateIf", "return ")
		return
	}
	if s.results == 1 {
		f.condition(last, "mutateIf", "false: "+f.text(ret))
	}
	f.operands(last, token.LAND, "mutateMust", "return ")
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

// makesError tells an expression that is an error, or decides about one, from
// nil and from a variable whose error is passed on.
func makesError(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CallExpr, *ast.UnaryExpr:
		return true
	case *ast.Ident:
		return strings.HasPrefix(e.Name, "Err") || strings.HasPrefix(e.Name, "err") && len(e.Name) > 3
	}
	return false
}

// operands makes a check of each operand of op in expr.
func (f *finder) operands(expr ast.Expr, op token.Token, guard, prefix string) {
	inner := expr
	for {
		paren, ok := inner.(*ast.ParenExpr)
		if !ok {
			break
		}
		inner = paren.X
	}
	if b, ok := inner.(*ast.BinaryExpr); ok && b.Op == op {
		f.operands(b.X, op, guard, prefix)
		f.operands(b.Y, op, guard, prefix)
		return
	}
	f.condition(expr, guard, prefix+f.text(expr))
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
