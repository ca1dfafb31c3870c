package imports

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// repository lists our packages, once per test.
func repository(t *testing.T) map[string]pkg {
	t.Helper()
	all, err := list(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found %d packages; is this the repository?", len(all))
	}
	return all
}

func TestImportsPointDown(t *testing.T) {
	for _, fault := range check(repository(t)) {
		t.Error(fault)
	}
}

func TestEveryPackageHasASentence(t *testing.T) {
	for _, p := range repository(t) {
		if len(p.GoFiles) > 0 && !strings.HasSuffix(p.Doc, ".") {
			t.Errorf("%s: its comment begins %q; want one sentence", p.room(), p.Doc)
		}
	}
}

func TestPackagesHaveNames(t *testing.T) {
	for _, p := range repository(t) {
		if name := path.Base(p.room()); slices.Contains(slices.Concat(nameless, taken), name) {
			t.Errorf("%s: no package is called %s: name its subject", p.room(), name)
		}
	}
}

func TestModule(t *testing.T) {
	text, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "module " + strings.TrimSuffix(module, "/") + "\n"; !strings.HasPrefix(string(text), want) {
		t.Errorf("go.mod does not begin with %q", want)
	}
}

func TestSources(t *testing.T) {
	for _, p := range repository(t) {
		faults, err := sources(p)
		if err != nil {
			t.Error(err)
		}
		for _, fault := range faults {
			t.Error(fault)
		}
	}
}

func TestTestingHoldsNoFile(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), ".go") {
			t.Errorf("testing/%s makes a package called testing", e.Name())
		}
	}
}

func TestCheckFinds(t *testing.T) {
	for name, c := range map[string]struct {
		from, imports, want string
	}{
		"upward":           {"transfer/pack", "loggia/fsm/state", "fsm stands above transfer"},
		"no layer":         {"transfer/pack", "loggia/misc", "room misc has no layer"},
		"owned":            {"node/service", "github.com/hashicorp/raft", "only cluster/consensus may"},
		"owned below":      {"node/service", "github.com/klauspost/compress/zstd", "only transfer/codec may"},
		"not its namesake": {"node/service", "github.com/hashicorp/raftier", ""},
		"owner":            {"cluster/consensus", "github.com/hashicorp/raft", ""},
		"banned":           {"fsm/machine", "net/http", "no network"},
		"banned deep":      {"fsm/machine", "loggia/internal/leaf", "fsm/machine, through internal/leaf, imports os"},
		"own rule":         {"transfer/pack", "loggia/gallery", "content has no names"},
		"testing":          {"gallery", "testing", "for tests only"},
		"rig":              {"node", "loggia/testing/faults", "for tests only"},
		"helper":           {"node", "loggia/blobstore/storetest", "for tests only"},
		"a rig may":        {"testing/faults", "testing", ""},
		"down":             {"node", "loggia/gallery", ""},
	} {
		t.Run(name, func(t *testing.T) {
			all := map[string]pkg{
				"loggia/internal/leaf": {ImportPath: "loggia/internal/leaf", Imports: []string{"os"}},
				module + c.from:        {ImportPath: module + c.from, Imports: []string{c.imports}},
			}
			got := strings.Join(check(all), "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestSourceFinds(t *testing.T) {
	const (
		sleeps = `package p; import ("time"; "testing/synctest"); func TestF(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }`
		helper = `package p; import ("time"; "testing/synctest"); var _ = synctest.Wait; func wait() { time.Sleep(1) }`
	)
	for name, c := range map[string]struct {
		file, room, text, want string
	}{
		"clock":           {"a.go", "fsm/machine", `package p; import "time"; var x = time.Now()`, "time.Now in pure code"},
		"clock, renamed":  {"a.go", "gallery", `package p; import clock "time"; var x = clock.Now`, "time.Now in pure code"},
		"clock elsewhere": {"a.go", "node", `package p; import "time"; var x = time.Now()`, ""},
		"duration":        {"a.go", "fsm", `package p; import "time"; var x = time.Second`, ""},
		"goroutine":       {"a.go", "fsm", `package p; func f() { go f() }`, "a goroutine"},
		"init":            {"a.go", "node", `package p; func init() {}`, "work in init"},
		"sleep":           {"a_test.go", "node", `package p; import "time"; func f() { time.Sleep(1) }`, "wait for a condition"},
		"virtual sleep":   {"a_test.go", "node", sleeps, ""},
		"sleep of helper": {"a_test.go", "node", helper, ""},
		"sleep after it":  {"a_test.go", "node", strings.TrimSuffix(sleeps, "}") + "; time.Sleep(1) }", "wait for a condition"},
		"skip":            {"a_test.go", "node", `package p; func f(t *testing.T) { t.Skip() }`, "a test that skips"},
		"name":            {"util_test.go", "node", `package p`, "names no subject"},
	} {
		t.Run(name, func(t *testing.T) {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, c.file, c.text, 0)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(source(fset, f, c.room), "\n")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestRulesAreNotEmpty(t *testing.T) {
	all := repository(t)
	for _, o := range owners {
		for _, room := range o.rooms {
			if !slices.ContainsFunc(slices.Collect(maps.Values(all)), func(p pkg) bool { return in(p.room(), []string{room}) }) {
				t.Errorf("%s belongs to %s, which does not exist", o.library, room)
			}
		}
	}
}
