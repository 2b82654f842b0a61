package graph

import (
	"go/ast"
	"go/token"
	"slices"
	"testing"
)

// secrets are the names under which the packages hold what an attacker might guess
// byte by byte, were it compared until the first difference.
var secrets = []string{"state", "nonce", "verifier", "accessTokenHash", "codeHash", "stateHash", "Nonce", "State"}

// TestV44SecretsAreComparedInConstantTime: == and != are for asking whether a secret
// is there at all.
func TestV44SecretsAreComparedInConstantTime(t *testing.T) {
	seen := 0
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if named(n.Fun) == "ConstantTimeCompare" {
					seen++
				}
			case *ast.BinaryExpr:
				if (n.Op == token.EQL || n.Op == token.NEQ) && comparesSecret(n) && s.pkg != "client/clienttest" {
					t.Errorf("%s: a secret is compared with %s", s.at(n), n.Op)
				}
			}
			return true
		})
	}
	if seen < 2 {
		t.Errorf("ConstantTimeCompare is called %d times; is this test looking at the right files?", seen)
	}
}

func comparesSecret(b *ast.BinaryExpr) bool {
	secret := slices.Contains(secrets, named(b.X)) || slices.Contains(secrets, named(b.Y))
	return secret && !empty(b.X) && !empty(b.Y)
}

// named is the last part of a name; "" for what is none.
func named(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func empty(e ast.Expr) bool {
	if lit, ok := e.(*ast.BasicLit); ok {
		return lit.Value == `""`
	}
	return named(e) == "nil"
}
