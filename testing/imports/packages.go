package imports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// module is the start of our import paths.
const module = "loggia/"

// pkg is what `go list` says of a package.
type pkg struct {
	ImportPath   string
	Dir          string
	Doc          string // first sentence of its comment
	Imports      []string
	GoFiles      []string
	TestGoFiles  []string
	XTestGoFiles []string
}

// list returns the packages of the module that stands in or above dir.
func list(dir string) (map[string]pkg, error) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", module+"...")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w\n%s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("go list: %w", err)
	}
	return decode(strings.NewReader(string(out)))
}

func decode(r io.Reader) (map[string]pkg, error) {
	all := map[string]pkg{}
	for dec := json.NewDecoder(r); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("output of go list: %w", err)
		}
		all[p.ImportPath] = p
	}
}

// room is the package's place in the repository.
func (p pkg) room() string { return strings.TrimPrefix(p.ImportPath, module) }

// in says whether path is one of tops, or below one.
func in(path string, tops []string) bool {
	return slices.ContainsFunc(tops, func(top string) bool {
		return path == top || strings.HasPrefix(path, top+"/")
	})
}

// reach returns the packages of ours that p imports, directly or not, and p.
func reach(all map[string]pkg, p pkg) []pkg {
	seen := map[string]bool{p.ImportPath: true}
	found := []pkg{p}
	for i := 0; i < len(found); i++ {
		for _, path := range found[i].Imports {
			if next, ok := all[path]; ok && !seen[path] {
				seen[path] = true
				found = append(found, next)
			}
		}
	}
	return found
}
