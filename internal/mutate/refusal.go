package main

import (
	"go/ast"
	"go/token"
	"strings"
)

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

// refuses tells whether a statement list is a refusal in a function of shape s.
func refuses(s shape, list []ast.Stmt) bool {
	if len(list) == 0 {
		return false
	}
	switch last := list[len(list)-1].(type) {
	case *ast.BranchStmt:
		return len(list) == 1 && last.Tok == token.CONTINUE
	case *ast.ReturnStmt:
		return refusing(s, last)
	case *ast.AssignStmt:
		return isName(last.Lhs[len(last.Lhs)-1], "err") && makesError(last.Rhs[len(last.Rhs)-1])
	}
	return false
}

func refusing(s shape, ret *ast.ReturnStmt) bool {
	if len(ret.Results) == 0 {
		return s.results == 0
	}
	last := ret.Results[len(ret.Results)-1]
	switch {
	case len(ret.Results) < s.results:
		return rejects(last)
	case s.isError:
		return !isName(last, "nil")
	case s.isBool && s.results == 1:
		return isName(last, "false") || isName(last, "true")
	case s.isBool:
		return isName(last, "false")
	}
	return s.results == 1 && isName(last, "nil")
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

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}

// rejects tells a call that gives all results of a refusal, by its name.
func rejects(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	name = strings.ToLower(name)
	return strings.HasPrefix(name, "reject") || strings.HasPrefix(name, "refuse") || strings.HasPrefix(name, "fail")
}

// errNotNil gives the name in a condition of the form name != nil, else "".
func errNotNil(cond ast.Expr) string {
	b, ok := cond.(*ast.BinaryExpr)
	if !ok || b.Op != token.NEQ {
		return ""
	}
	x, okX := b.X.(*ast.Ident)
	y, okY := b.Y.(*ast.Ident)
	if !okX || !okY || y.Name != "nil" {
		return ""
	}
	return x.Name
}

// assigned gives the call that stmt assigns to name, and whether name is all it assigns.
func assigned(stmt ast.Stmt, name string) (call *ast.CallExpr, alone bool) {
	a, ok := stmt.(*ast.AssignStmt)
	if !ok || len(a.Rhs) != 1 {
		return nil, false
	}
	last, ok := a.Lhs[len(a.Lhs)-1].(*ast.Ident)
	if !ok || last.Name != name {
		return nil, false
	}
	call, ok = a.Rhs[0].(*ast.CallExpr)
	if !ok {
		return nil, false
	}
	return call, len(a.Lhs) == 1
}

// passesOn tells whether a refusal hands on the error called name, as it is or wrapped.
func passesOn(list []ast.Stmt, name string) bool {
	ret, ok := list[len(list)-1].(*ast.ReturnStmt)
	if !ok || len(ret.Results) == 0 {
		return false
	}
	found := false
	ast.Inspect(ret.Results[len(ret.Results)-1], func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		found = found || ok && id.Name == name
		return true
	})
	return found
}
