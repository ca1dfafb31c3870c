package imports

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// clock are the functions of package time that read a clock or wait for one.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// source returns a sentence for each broken rule in a file of a package.
func source(fset *token.FileSet, f *ast.File, room string) []string {
	name := filepath.Base(fset.Position(f.Package).Filename)
	s := scan{fset: fset, file: room + "/" + name, test: strings.HasSuffix(name, "_test.go")}
	s.shipped = !s.test && !forTests(room)
	s.pure = s.shipped && in(room, []string{"fsm", "gallery"})
	s.time, s.virtual = imported(f, "time"), imported(f, "testing/synctest")
	if slices.Contains(nameless, strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test")) {
		s.fault(f.Package, "the file's name names no subject")
	}
	ast.Walk(&s, f)
	return s.faults
}

// imported returns the name under which a file knows a package, or "".
func imported(f *ast.File, path string) string {
	for _, spec := range f.Imports {
		if got, err := strconv.Unquote(spec.Path.Value); err != nil || got != path {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return filepath.Base(path)
	}
	return ""
}

// scan looks for calls that a room may not make.
type scan struct {
	fset                *token.FileSet
	file                string // for messages
	test, shipped, pure bool
	time, virtual       string // names of packages time and testing/synctest
	bubble              bool   // inside a call of synctest.Test, or where one may be around the caller
	faults              []string
}

func (s *scan) fault(pos token.Pos, what string) {
	s.faults = append(s.faults, fmt.Sprintf("%s:%d: %s", s.file, s.fset.Position(pos).Line, what))
}

// Visit implements ast.Visitor.
func (s *scan) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.GoStmt:
		if s.pure {
			s.fault(n.Pos(), "a goroutine in pure code")
		}
	case *ast.FuncDecl:
		if s.shipped && n.Recv == nil && n.Name.Name == "init" {
			s.fault(n.Pos(), "work in init")
		}
		// Files that know synctest have helpers that are called inside a bubble; tests themselves are not.
		s.bubble = s.virtual != "" && !isTest(n)
	case *ast.SelectorExpr:
		s.selector(n)
	case *ast.CallExpr:
		if sel, ok := n.Fun.(*ast.SelectorExpr); ok && s.of(sel, s.virtual) && sel.Sel.Name == "Test" {
			defer func(was bool) { s.bubble = was }(s.bubble)
			s.bubble = true
			for _, arg := range n.Args {
				ast.Walk(s, arg)
			}
			return nil
		}
	}
	return s
}

// isTest says whether go test calls the function.
func isTest(f *ast.FuncDecl) bool {
	return f.Recv == nil && slices.ContainsFunc([]string{"Test", "Benchmark", "Fuzz"}, func(kind string) bool {
		return strings.HasPrefix(f.Name.Name, kind)
	})
}

// of says whether the selector names something of the package known as name.
func (s *scan) of(sel *ast.SelectorExpr, name string) bool {
	id, ok := sel.X.(*ast.Ident)
	return ok && name != "" && id.Name == name
}

func (s *scan) selector(sel *ast.SelectorExpr) {
	switch {
	case s.of(sel, s.time) && s.pure && slices.Contains(clock, sel.Sel.Name):
		s.fault(sel.Pos(), "time."+sel.Sel.Name+" in pure code: time comes in the command")
	case s.of(sel, s.time) && s.test && !s.bubble && sel.Sel.Name == "Sleep":
		s.fault(sel.Pos(), "time.Sleep in a test, outside synctest.Test: wait for a condition")
	case s.test && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) && (s.of(sel, "t") || s.of(sel, "f") || s.of(sel, "b")):
		s.fault(sel.Pos(), "a test that skips: it must fail for want of a server or a right")
	}
}

// sources returns the broken rules in all files of a package, its tests included.
func sources(p pkg) ([]string, error) {
	var faults []string
	for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		faults = append(faults, source(fset, f, p.room())...)
	}
	return faults, nil
}
