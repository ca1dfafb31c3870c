//go:build clients

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"loggia/api/azure/fault"
)

// gallery of clients: three regions as processes, and the environment from which alone the clients work.
type stage struct {
	*servers
	arm  *arm
	disk string // raw, what the snapshot holds
	big  string // the same of the snapshot for those who wait
	env  []string
	dir  string // of the stories
	// codes are the errors that a client was shown.
	codes map[fault.Code]bool
}

func newStage(t *testing.T) *stage {
	t.Helper()
	work := t.TempDir()
	disk := image(t, filepath.Join(work, "disk.raw"), 8, seed(t))
	qcow2 := convert(t, disk, "qcow2", filepath.Join(work, "disk.qcow2"))
	vhd := convert(t, disk, "vpc", filepath.Join(work, "disk.vhd"), "-o", "subformat=fixed,force_size=on")
	packages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, ".gone"):
			http.NotFound(w, r)
			return
		case strings.HasSuffix(r.URL.Path, ".vhd"):
			http.ServeFile(w, r, vhd)
			return
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(strings.Repeat("a package ", 100_000)+"!"))
	}))
	t.Cleanup(packages.Close)
	imports := fmt.Sprintf("imports: {allow: ['%s'], networks: ['127.0.0.0/8']}\n", packages.URL)
	s := &stage{codes: map[fault.Code]bool{}, disk: disk, servers: federateWith(t, []string{"north", "east", "south"}, nil, imports)}
	dir, err := filepath.Abs("../clients")
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	for line := range strings.Lines(s.ok(t, "acl", "bootstrap")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "export ")), "="); ok {
			s.vars[name] = strings.Trim(value, "'")
		}
	}
	s.arm = newARM(t, &s.cluster, "north")
	sub := "/subscriptions/" + s.vars["LOGGIA_SUBSCRIPTION"]
	s.arm.want(201, "", "PUT", sub+"/resourceGroups/rg-base", map[string]any{"location": "north"})
	s.at("north").ok(t, "upload", qcow2, "--name", "base", "--resource-group", "rg-base")
	s.big = image(t, filepath.Join(work, "big.raw"), 96, seed(t))
	s.at("north").ok(t, "upload", s.big, "--name", "big", "--resource-group", "rg-base")
	base := sub + "/resourceGroups/rg-base/providers/Microsoft.Compute/snapshots/base"
	s.paged(sub, base)
	principal := read[program](t, s.user, "acl", "principal", "create", "somebody")
	expired := strings.TrimSpace(s.ok(t, "token", "create", "short", "--ttl", "1s", "-o", "json"))
	var short struct{ Secret string }
	if err := json.Unmarshal([]byte(expired), &short); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "STORY_PRINCIPAL="+principal.ID, "STORY_CLIENT_ID="+principal.ClientID, "STORY_CLIENT_SECRET="+principal.ClientSecret, "STORY_EXPIRED="+short.Secret, "STORY_REGIONS=north,east,south", "STORY_SNAPSHOT="+base, fmt.Sprintf("STORY_PAGED=%d", pagedSnapshots), "STORY_DIR="+work,
		"STORY_PACKAGE="+packages.URL+"/agent.tgz", "STORY_VHD="+packages.URL+"/disk.vhd", "REQUESTS_CA_BUNDLE="+s.vars["LOGGIA_CACERT"], "NODE_EXTRA_CA_CERTS="+s.vars["LOGGIA_CACERT"],
		"AZURE_CONFIG_DIR="+filepath.Join(work, "azure"), "AZURE_CORE_COLLECT_TELEMETRY=no", "AZURE_CORE_NO_COLOR=true", "LOGGIA_ADDRESS="+s.address("north"))
	for _, name := range []string{"LOGGIA_CACERT", "LOGGIA_TENANT", "LOGGIA_SUBSCRIPTION", "LOGGIA_CLIENT_ID", "LOGGIA_CLIENT_SECRET"} {
		if s.vars[name] == "" {
			t.Fatalf("the environment lacks %s", name)
		}
		s.env = append(s.env, name+"="+s.vars[name])
	}
	return s
}

// pagedSnapshots are more than a page of a list holds, which is 200.
const pagedSnapshots = 205

// paged makes the snapshots that every client lists.
func (s *stage) paged(sub, source string) {
	group := sub + "/resourceGroups/rg-pages"
	s.arm.want(201, "", "PUT", group, map[string]any{"location": "north"})
	for i := range pagedSnapshots {
		s.arm.want(200, "", "PUT", fmt.Sprintf("%s/providers/Microsoft.Compute/snapshots/s%d", group, i), map[string]any{"location": "north",
			"properties": map[string]any{"creationData": map[string]any{"createOption": "Copy", "sourceResourceId": source}}})
	}
}

// command is one client; a client that is not installed fails.
func (s *stage) command(t *testing.T, ctx context.Context, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not installed (scripts/setup.sh clients): %v", name, err)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir = s.env, s.dir
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// story runs one client's story; what it prints is shown.
func (s *stage) story(t *testing.T, name string, args ...string) {
	t.Helper()
	s.storyWith(t, nil, name, args...)
}

func (s *stage) storyWith(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	began := time.Now()
	cmd := s.command(t, ctx, name, args...)
	cmd.Env = append(append([]string{}, s.env...), env...)
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "code" {
			s.codes[fault.Code(f[2])] = true
		}
	}
	t.Logf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), time.Since(began).Round(time.Millisecond), out)
	if err != nil {
		t.Errorf("the story failed: %v", err)
	}
}

// sdk is the program of the Go SDK's stories, which its make target builds.
func sdk(t *testing.T) string {
	t.Helper()
	path := os.Getenv("LOGGIA_GOSDK")
	if path == "" {
		t.Fatal("LOGGIA_GOSDK names no program: use make test-clients")
	}
	return path
}

// TestClients runs the stock clients of Azure, unmodified, against three regions of real processes.
func TestClients(t *testing.T) {
	s := newStage(t)
	t.Run("Go", func(t *testing.T) { s.story(t, sdk(t), "v8", "v5") })
	t.Run("JavaScript", func(t *testing.T) { s.story(t, "node", "story.mjs") })
	t.Run("Python", func(t *testing.T) { s.story(t, "/usr/bin/python3", "story.py") })
	t.Run("CLI", func(t *testing.T) {
		s.story(t, "/usr/bin/python3", "az.py")
		out := filepath.Join(t.TempDir(), "pulled.raw")
		s.at("east").ok(t, "pull", "gal_keep/debian/1.0.0", "-o", out)
		same(t, s.disk, out)
	})
	t.Run("errors", func(t *testing.T) { s.story(t, sdk(t), "errors") })
	t.Run("a region that is cut off", func(t *testing.T) { s.cutOff(t) })
	t.Run("the leader is lost in a poll", func(t *testing.T) { s.lostLeader(t) })
	t.Run("a store that is full", func(t *testing.T) { s.full(t) })
	t.Run("no leader", func(t *testing.T) {
		s.daemons["north"].kill(t)
		s.daemons["south"].kill(t)
		s.storyWith(t, []string{"LOGGIA_ADDRESS=" + s.address("east")}, sdk(t), "alone")
	})
	t.Run("every code was shown", func(t *testing.T) {
		for _, code := range fault.Codes() {
			if why := unseen[code]; s.codes[code] == (why != "") {
				t.Errorf("%s: shown %t, though %q", code, s.codes[code], why)
			}
		}
	})
}

// unseen are the codes that no client can be shown here, and why.
var unseen = map[fault.Code]string{
	fault.ImageNotFound:       "answers of the regional read models, which are not there yet",
	fault.ScopeLocked:         "locks are not there yet",
	fault.InternalServerError: "no request is known that has it",
	fault.GroupBeingDeleted:   "a group's deletion is over within a moment, whatever is cut off",
	fault.OperationTimedOut:   "an operation fails by itself after a day only",
}

// full gives a region's store no room: the operation fails and names the region; with room again, the same request heals the version.
func (s *stage) full(t *testing.T) {
	for _, r := range s.regions {
		s.ready(t, r)
	}
	leader := s.leader(t, "north")
	region := "east"
	if leader == "east" {
		region = "south"
	}
	// What no region but the north has.
	s.at("north").ok(t, "upload", image(t, filepath.Join(t.TempDir(), "new.raw"), 8, seed(t)), "--name", "new", "--resource-group", "rg-base")
	conf, err := os.ReadFile(s.conf[region])
	if err != nil {
		t.Fatal(err)
	}
	again := func(text string) {
		t.Helper()
		if err := os.WriteFile(s.conf[region], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.daemons[region].kill(t)
		s.begin(region)
		s.ready(t, region)
	}
	env := []string{"LOGGIA_ADDRESS=" + s.address(leader), "STORY_SNAPSHOT=/subscriptions/" + s.vars["LOGGIA_SUBSCRIPTION"] + "/resourceGroups/rg-base/providers/Microsoft.Compute/snapshots/new", "STORY_GROUP=rg-keep", "STORY_GALLERY=gal_keep"}
	again(strings.Replace(string(conf), "reserve: 1MiB", "reserve: 1000TiB", 1))
	s.storyWith(t, append(env, "STORY_FULL="+region), sdk(t), "full")
	again(string(conf))
	s.storyWith(t, env, sdk(t), "full")
}

// pollers are the clients that wait for an operation, by their versions' last number.
func pollers(t *testing.T) [][]string {
	return [][]string{{sdk(t)}, {"node", "story.mjs"}, {"/usr/bin/python3", "story.py"}, {"/usr/bin/python3", "az.py"}}
}

// polls starts every client: each makes a version of a snapshot in three regions, asking a region's node, and waits for it by its own poller. It
// returns when all wait; wait returns when they are done, and says who did not end well.
func (s *stage) polls(t *testing.T, region, snapshot, version string) (wait func()) {
	t.Helper()
	var waits []func() (string, error)
	for i, client := range pollers(t) {
		waits = append(waits, s.polling(t, region, snapshot, fmt.Sprintf("%s.%d", version, i), client...))
	}
	return func() {
		t.Helper()
		for i, wait := range waits {
			if state, err := wait(); err != nil || state != "Succeeded" {
				t.Errorf("%s: the poller ended with %q, %v", filepath.Base(pollers(t)[i][len(pollers(t)[i])-1]), state, err)
			}
		}
	}
}

// polling starts one client, and returns when its wait has begun.
func (s *stage) polling(t *testing.T, region, snapshot, version string, client ...string) (wait func() (string, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	cmd := s.command(t, ctx, client[0], append(client[1:], "poll")...)
	cmd.Env = append(append([]string{}, s.env...), "STORY_SNAPSHOT=/subscriptions/"+s.vars["LOGGIA_SUBSCRIPTION"]+"/resourceGroups/rg-base/providers/Microsoft.Compute/snapshots/"+snapshot,
		"LOGGIA_ADDRESS="+s.address(region), "STORY_GROUP=rg-keep", "STORY_GALLERY=gal_keep", "STORY_IMAGE=debian", "STORY_VERSION="+version)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if strings.TrimSpace(first) != "polling" {
		t.Fatalf("the story said %q, %v %v\n%s", first, err, cmd.Wait(), errs.String())
	}
	return func() (string, error) {
		defer cancel()
		rest, _ := io.ReadAll(lines)
		if err := cmd.Wait(); err != nil {
			return "", fmt.Errorf("%w: %s", err, errs.String())
		}
		return strings.TrimSpace(string(rest)), nil
	}
}

// version is the resource of a kept version.
func (s *stage) version(name string) string {
	return "/subscriptions/" + s.vars["LOGGIA_SUBSCRIPTION"] + "/resourceGroups/rg-keep/providers/Microsoft.Compute/galleries/gal_keep/images/debian/versions/" + name
}

// underWay checks that a version is whole in every region but one, and that its operation is in progress and names that one.
func (s *stage) underWay(t *testing.T, from, version, but string) {
	t.Helper()
	a := s.arm.on(t)
	eventually(t, version+" to be whole but in "+but, func() error {
		r := a.do("GET", s.address(from)+s.version(version)+"?api-version="+armVersion+"&$expand=ReplicationStatus", nil)
		rows, _ := r.at("properties.replicationStatus.summary").([]any)
		done := 0
		for _, x := range rows {
			if m := x.(map[string]any); m["state"] == "Completed" && m["region"] != but {
				done++
			}
		}
		if done != 2 {
			return fmt.Errorf("%d regions are whole: %s", done, r.raw)
		}
		if r.at("properties.provisioningState") != "Creating" || r.at("properties.replicationStatus.aggregatedState") != "InProgress" {
			t.Fatalf("with a region missing: %s", r.raw)
		}
		return nil
	})
}

// cutOff stops a target region: each client's operation stays in progress and names it, the others are usable, and it ends when the region is back.
func (s *stage) cutOff(t *testing.T) {
	leader := s.leader(t, "north")
	gone := "south"
	if leader == gone {
		gone = "east"
	}
	s.daemons[gone].kill(t)
	wait := s.polls(t, leader, "big", "2.0")
	for i := range pollers(t) {
		s.underWay(t, leader, fmt.Sprintf("2.0.%d", i), gone)
	}
	made := s.arm.on(t).want(201, "", "PUT", s.address(leader)+s.version("2.1.0"), map[string]any{"location": "north", "properties": map[string]any{
		"publishingProfile": map[string]any{"targetRegions": []any{map[string]any{"name": "north"}, map[string]any{"name": gone}}},
		"storageProfile":    map[string]any{"source": map[string]any{"id": s.version("2.0.0")}}}})
	if op := s.arm.on(t).do("GET", made.header.Get("Azure-AsyncOperation"), nil); op.body["status"] != "InProgress" || !strings.Contains(fmt.Sprint(op.body["details"]), gone) ||
		op.body["percentComplete"] != 50.0 {
		t.Errorf("the operation does not say that it is half done and waits for %s: %s", gone, op.raw)
	}
	s.storyWith(t, []string{"LOGGIA_ADDRESS=" + s.address(leader), "STORY_GROUP=rg-keep", "STORY_GALLERY=gal_keep", "STORY_IMAGE=debian", "STORY_VERSION=2.2.0"}, sdk(t), "withdrawn")
	out := filepath.Join(t.TempDir(), "pulled.raw")
	other := map[string]string{"north": "east", "east": "north", "south": "north"}[gone]
	s.at(other).ok(t, "pull", "gal_keep/debian/2.0.0", "-o", out)
	same(t, s.big, out)
	s.begin(gone)
	defer s.ready(t, gone)
	wait()
}

// lostLeader kills the leader in the middle of a copy, while every client polls another node: they end without an error of their own. The copy cannot
// be done before: the store of the leader's region is away. It ends when the region is back.
func (s *stage) lostLeader(t *testing.T) {
	for _, r := range s.regions {
		s.ready(t, r)
	}
	leader := s.leader(t, "north")
	other := map[string]string{"north": "east", "east": "south", "south": "north"}[leader]
	s.at(other).ok(t, "upload", image(t, filepath.Join(t.TempDir(), "lost.raw"), 8, seed(t)), "--name", "lost", "--resource-group", "rg-base")
	store := filepath.Join(s.home(leader), "store")
	if err := os.Rename(store, store+".away"); err != nil {
		t.Fatal(err)
	}
	wait := s.polls(t, other, "lost", "3.0")
	for i := range pollers(t) {
		s.underWay(t, other, fmt.Sprintf("3.0.%d", i), leader)
	}
	s.daemons[leader].kill(t)
	s.storyWith(t, []string{"LOGGIA_ADDRESS=" + s.address(other)}, sdk(t), "write")
	eventually(t, "another leader", func() error {
		if s.leader(t, other) == leader {
			return errors.New("none yet")
		}
		return nil
	})
	for i := range pollers(t) {
		s.underWay(t, other, fmt.Sprintf("3.0.%d", i), leader)
	}
	if err := os.Rename(store+".away", store); err != nil {
		t.Fatal(err)
	}
	s.begin(leader)
	defer s.ready(t, leader)
	wait()
}
