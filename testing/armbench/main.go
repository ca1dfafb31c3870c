// Command armbench times what people wait for on Azure's wire: the answer to a new version, and a full list of a thousand.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

func main() {
	loggia := flag.String("loggia", "bin/loggia", "the program")
	versions := flag.Int("versions", 1000, "versions in the list")
	flag.Parse()
	if err := run(*loggia, *versions); err != nil {
		fmt.Fprintln(os.Stderr, "armbench:", err)
		os.Exit(1)
	}
}

// wire is a client of Resource Manager.
type wire struct {
	http        *http.Client
	base, token string
	sub         string
	pid         int // of the cluster
}

// cpu is the processor time that the cluster has used, in steps of 10 ms; zero where the system does not say.
func (w *wire) cpu() time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", w.pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name before may hold anything
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(f[11]) // what is no number counts as none
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func run(loggia string, versions int) (err error) {
	dir, err := os.MkdirTemp("", "loggia-armbench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dev := exec.CommandContext(ctx, loggia, "dev", "--regions", "a,b,c", "--data", filepath.Join(dir, "data"), "--env-file", filepath.Join(dir, "env"), "--port", "0")
	dev.Stderr = io.Discard
	if err := dev.Start(); err != nil {
		return err
	}
	defer func() {
		_ = dev.Process.Signal(os.Interrupt)
		_ = dev.Wait() // it was told to end
	}()
	env, err := source(ctx, filepath.Join(dir, "env"))
	if err != nil {
		return err
	}
	w, err := newWire(env)
	if err != nil {
		return err
	}
	w.pid = dev.Process.Pid
	return w.measure(ctx, loggia, dir, env, versions)
}

// source waits for the environment of a cluster that is ready.
func source(ctx context.Context, file string) (map[string]string, error) {
	for {
		b, err := os.ReadFile(file)
		if err == nil {
			env := map[string]string{}
			for line := range strings.Lines(string(b)) {
				name, value, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "export ")), "=")
				env[name] = strings.Trim(value, "'")
			}
			return env, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("the cluster did not come up: %w", err)
		}
	}
}

func newWire(env map[string]string) (*wire, error) {
	pem, err := os.ReadFile(env["LOGGIA_CACERT"])
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &wire{http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 16}},
		base: env["LOGGIA_ADDRESS"], token: env["LOGGIA_TOKEN"], sub: "/subscriptions/" + env["LOGGIA_SUBSCRIPTION"]}, nil
}

func (w *wire) do(ctx context.Context, method, path string, body, out any) error {
	var in bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&in).Encode(body); err != nil {
			return err
		}
	}
	if !strings.HasPrefix(path, "https:") {
		path = w.base + path + "?api-version=2025-12-03"
	}
	req, err := http.NewRequestWithContext(ctx, method, path, &in)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	resp, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

type object = map[string]any

func (w *wire) measure(ctx context.Context, loggia, dir string, env map[string]string, versions int) error {
	group := w.sub + "/resourceGroups/bench"
	gal := group + "/providers/Microsoft.Compute/galleries/bench"
	image := gal + "/images/i"
	snapshot := group + "/providers/Microsoft.Compute/snapshots/s"
	for _, put := range []struct {
		path string
		body object
	}{{group, object{"location": "a"}}, {gal, object{"location": "a"}},
		{image, object{"location": "a", "properties": object{"osType": "Linux", "osState": "Generalized", "identifier": object{"publisher": "p", "offer": "o", "sku": "s"}}}}} {
		if err := w.do(ctx, http.MethodPut, put.path, put.body, nil); err != nil {
			return err
		}
	}
	disk := filepath.Join(dir, "disk.raw")
	if err := os.WriteFile(disk, bytes.Repeat([]byte("loggia-bench...."), 1<<16), 0o600); err != nil {
		return err
	}
	upload := exec.CommandContext(ctx, loggia, "upload", disk, "--name", "s", "--resource-group", "bench")
	for name, v := range env {
		upload.Env = append(upload.Env, name+"="+v)
	}
	upload.Env = append(upload.Env, "HOME="+dir)
	if out, err := upload.CombinedOutput(); err != nil {
		return fmt.Errorf("upload: %w: %s", err, out)
	}
	version := func(n int) error {
		return w.do(ctx, http.MethodPut, fmt.Sprintf("%s/versions/1.0.%d", image, n), object{"location": "a", "properties": object{
			"publishingProfile": object{"targetRegions": []object{{"name": "a"}, {"name": "b"}, {"name": "c"}}},
			"storageProfile":    object{"osDiskImage": object{"source": object{"id": snapshot}}}}}, nil)
	}
	var answers []time.Duration
	for n := range 20 {
		began := time.Now()
		if err := version(n); err != nil {
			return err
		}
		answers = append(answers, time.Since(began))
	}
	slices.Sort(answers)
	fmt.Printf("a new version of a published snapshot, three target regions: answered after %v (median of 20), worst %v\n", answers[10].Round(10*time.Microsecond), answers[19].Round(10*time.Microsecond))
	var g errgroup.Group
	g.SetLimit(8)
	for n := 20; n < versions; n++ {
		g.Go(func() error { return version(n) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return w.lists(ctx, image+"/versions", versions)
}

// lists reads the whole list, page by page, several times.
func (w *wire) lists(ctx context.Context, path string, want int) error {
	var took []time.Duration
	before := w.cpu()
	for range 10 {
		began := time.Now()
		got, pages := 0, 0
		for next := path; next != ""; pages++ {
			var page struct {
				Value []object `json:"value"`
				Next  string   `json:"nextLink"`
			}
			if err := w.do(ctx, http.MethodGet, next, nil, &page); err != nil {
				return err
			}
			got, next = got+len(page.Value), page.Next
		}
		if got != want {
			return fmt.Errorf("the list has %d versions, want %d", got, want)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	fmt.Printf("a full list of %d versions: %v (median of 10), worst %v; %v of the cluster's processor time\n", want, took[5].Round(100*time.Microsecond), took[9].Round(100*time.Microsecond),
		(w.cpu()-before)/10)
	return nil
}
