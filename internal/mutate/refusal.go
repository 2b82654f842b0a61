package main

import (
	"go/ast"
	"go/token"
	"strings"
)

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
