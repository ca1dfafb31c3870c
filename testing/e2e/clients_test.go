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
	packages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".gone") {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Unix(1e9, 0), strings.NewReader(strings.Repeat("a package ", 100_000)+"!"))
	}))
	t.Cleanup(packages.Close)
	imports := fmt.Sprintf("imports: {allow: ['%s'], networks: ['127.0.0.0/8']}\n", packages.URL)
	s := &stage{codes: map[fault.Code]bool{}, servers: federateWith(t, []string{"north", "east", "south"}, nil, imports)}
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
	work := t.TempDir()
	s.disk = image(t, filepath.Join(work, "disk.raw"), 8, seed(t))
	qcow2 := filepath.Join(work, "disk.qcow2")
	if out, err := exec.Command("qemu-img", "convert", "-f", "raw", "-O", "qcow2", s.disk, qcow2).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v\n%s", err, out)
	}
	s.at("north").ok(t, "upload", qcow2, "--name", "base", "--resource-group", "rg-base")
	s.big = image(t, filepath.Join(work, "big.raw"), 96, seed(t))
	s.at("north").ok(t, "upload", s.big, "--name", "big", "--resource-group", "rg-base")
	principal := read[program](t, s.user, "acl", "principal", "create", "somebody")
	expired := strings.TrimSpace(s.ok(t, "token", "create", "short", "--ttl", "1s", "-o", "json"))
	var short struct{ Secret string }
	if err := json.Unmarshal([]byte(expired), &short); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "STORY_PRINCIPAL="+principal.ID, "STORY_CLIENT_ID="+principal.ClientID, "STORY_CLIENT_SECRET="+principal.ClientSecret, "STORY_EXPIRED="+short.Secret, "STORY_REGIONS=north,east,south", "STORY_SNAPSHOT="+sub+"/resourceGroups/rg-base/providers/Microsoft.Compute/snapshots/base",
		"STORY_PACKAGE="+packages.URL+"/agent.tgz", "REQUESTS_CA_BUNDLE="+s.vars["LOGGIA_CACERT"], "NODE_EXTRA_CA_CERTS="+s.vars["LOGGIA_CACERT"],
		"AZURE_CONFIG_DIR="+filepath.Join(work, "azure"), "AZURE_CORE_COLLECT_TELEMETRY=no", "AZURE_CORE_NO_COLOR=true", "LOGGIA_ADDRESS="+s.address("north"))
	for _, name := range []string{"LOGGIA_CACERT", "LOGGIA_TENANT", "LOGGIA_SUBSCRIPTION", "LOGGIA_CLIENT_ID", "LOGGIA_CLIENT_SECRET"} {
		if s.vars[name] == "" {
			t.Fatalf("the environment lacks %s", name)
		}
		s.env = append(s.env, name+"="+s.vars[name])
	}
	return s
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

// polling starts a client that makes a version of the big snapshot in three regions and waits for it, and returns when the wait has begun.
func (s *stage) polling(t *testing.T, region, version string, client ...string) (wait func() (string, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	cmd := s.command(t, ctx, client[0], append(client[1:], "poll")...)
	cmd.Env = append(append([]string{}, s.env...), "STORY_SNAPSHOT=/subscriptions/"+s.vars["LOGGIA_SUBSCRIPTION"]+"/resourceGroups/rg-base/providers/Microsoft.Compute/snapshots/big",
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

// cutOff stops a target region: the operation stays in progress and names it, the others are usable, and it ends when the region is back.
func (s *stage) cutOff(t *testing.T) {
	leader := s.leader(t, "north")
	gone := "south"
	if leader == gone {
		gone = "east"
	}
	s.daemons[gone].kill(t)
	wait := s.polling(t, leader, "2.0.0", sdk(t))
	at := "/subscriptions/" + s.vars["LOGGIA_SUBSCRIPTION"] + "/resourceGroups/rg-keep/providers/Microsoft.Compute/galleries/gal_keep/images/debian/versions/2.0.0"
	eventually(t, "the other regions to be whole", func() error {
		r := s.arm.do("GET", s.address(leader)+at+"?api-version="+armVersion+"&$expand=ReplicationStatus", nil)
		rows, _ := r.at("properties.replicationStatus.summary").([]any)
		done := 0
		for _, x := range rows {
			if m := x.(map[string]any); m["state"] == "Completed" && m["region"] != gone {
				done++
			}
		}
		if done != 2 {
			return fmt.Errorf("%d regions are whole: %s", done, r.raw)
		}
		if r.at("properties.provisioningState") != "Creating" || r.at("properties.replicationStatus.aggregatedState") != "InProgress" {
			t.Fatalf("with a region cut off: %s", r.raw)
		}
		return nil
	})
	s.arm.t = t
	made := s.arm.want(201, "", "PUT", s.address(leader)+strings.Replace(at, "2.0.0", "2.0.1", 1), map[string]any{"location": "north", "properties": map[string]any{
		"publishingProfile": map[string]any{"targetRegions": []any{map[string]any{"name": "north"}, map[string]any{"name": gone}}},
		"storageProfile":    map[string]any{"source": map[string]any{"id": at}}}})
	if op := s.arm.do("GET", made.header.Get("Azure-AsyncOperation"), nil); op.body["status"] != "InProgress" || !strings.Contains(fmt.Sprint(op.body["details"]), gone) {
		t.Errorf("the operation does not say that it waits for %s: %s", gone, op.raw)
	}
	out := filepath.Join(t.TempDir(), "pulled.raw")
	other := map[string]string{"north": "east", "east": "north", "south": "north"}[gone]
	s.at(other).ok(t, "pull", "gal_keep/debian/2.0.0", "-o", out)
	same(t, s.big, out)
	s.begin(gone)
	defer s.ready(t, gone)
	if state, err := wait(); err != nil || state != "Succeeded" {
		t.Errorf("the poller ended with %q, %v", state, err)
	}
}

// lostLeader kills the leader in the middle of a copy, while three clients poll another node: they end without an error of their own. The copy ends
// when the leader's region is back.
func (s *stage) lostLeader(t *testing.T) {
	for _, r := range s.regions {
		s.ready(t, r)
	}
	leader := s.leader(t, "north")
	other := map[string]string{"north": "east", "east": "south", "south": "north"}[leader]
	waits := map[string]func() (string, error){}
	for version, client := range map[string][]string{"3.0.0": {sdk(t)}, "3.0.1": {"node", "story.mjs"}, "3.0.2": {"/usr/bin/python3", "story.py"}} {
		waits[version] = s.polling(t, other, version, client...)
	}
	s.daemons[leader].kill(t)
	eventually(t, "another leader", func() error {
		if s.leader(t, other) == leader {
			return errors.New("none yet")
		}
		return nil
	})
	s.begin(leader)
	defer s.ready(t, leader)
	for version, wait := range waits {
		if state, err := wait(); err != nil || state != "Succeeded" {
			t.Errorf("%s: the poller ended with %q, %v", version, state, err)
		}
	}
}
