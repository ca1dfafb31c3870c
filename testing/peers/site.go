package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"loggia/testing/clusterlab"
	"loggia/testing/measure"
)

// Regions, and the network of the client.
const (
	regionA = "a"
	regionB = "b"
	client  = "client"
)

// site is the set-up of one repetition.
type site struct {
	b   *bench
	dir string
	c   *clusterlab.Cluster
	env []string // for every script
	lib string   // shell functions, before every script
}

const s3Lib = `
put() { mc pipe -q "a/$BUCKET/$1" >/dev/null; }
get() { mc cat "a/$BUCKET/$1"; }
mirror() { mc mirror -q "a/$BUCKET" "b/$BUCKET"; }
`

const directoryLib = `
put() { cat >"$A/$BUCKET/$1"; }
get() { cat "$A/$BUCKET/$1"; }
mirror() { cp -an "$A/$BUCKET/." "$B/$BUCKET/"; }
`

func (b *bench) site(ctx context.Context, rep int) (*site, error) {
	s := &site{b: b, dir: filepath.Join(b.dir, fmt.Sprintf("rep%d", rep))}
	o := clusterlab.Options{Loggia: b.Loggia, Dir: filepath.Join(s.dir, "cluster"), LogLevel: "warn",
		Regions: []string{regionA, regionB}, Extra: []string{client}, Networks: true}
	if b.Store != "filesystem" {
		o.S3 = b.Store
	}
	var err error
	if s.c, err = clusterlab.New(ctx, o); err != nil {
		return nil, err
	}
	s.env = append(os.Environ(), "LOGGIA="+b.Loggia, "LOGGIA_ADDRESS="+s.c.Address(regionA), "LOGGIA_TOKEN="+s.c.Token(), "LOGGIA_CACERT="+s.c.CACert(),
		"XDG_STATE_HOME="+filepath.Join(s.dir, "state"), "XDG_CACHE_HOME="+filepath.Join(s.dir, "known"), "LOGGIA_OUTPUT=table",
		"RESTIC_PASSWORD=peers", "RESTIC_FROM_PASSWORD=peers", "RESTIC_PROGRESS_FPS=0.01", "KOPIA_PASSWORD=peers-peers", "KOPIA_CHECK_FOR_UPDATES=false")
	if o.S3 != "" {
		err = s.useS3()
	} else {
		err = s.useDirectories()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// useS3 tells every tool in its own words where the two servers are.
func (s *site) useS3() error {
	var bundle []byte
	a, b := s.c.S3(regionA), s.c.S3(regionB)
	for _, one := range []*clusterlab.Bucket{a, b} {
		pem, err := os.ReadFile(one.CAFile)
		if err != nil {
			return err
		}
		bundle = append(bundle, pem...)
	}
	ca := filepath.Join(s.dir, "ca.pem")
	if err := os.WriteFile(ca, bundle, 0o600); err != nil {
		return err
	}
	s.lib = s3Lib
	s.env = append(s.env, "A="+a.Endpoint, "B="+b.Endpoint, "CA="+ca, "SSL_CERT_FILE="+ca, "AWS_CA_BUNDLE="+ca,
		"AWS_ACCESS_KEY_ID="+a.AccessKey, "AWS_SECRET_ACCESS_KEY="+a.SecretKey, "S3_ACCESS_KEY="+a.AccessKey, "S3_SECRET_KEY="+a.SecretKey,
		"AWS_DEFAULT_REGION=us-east-1", "S3_REGION=us-east-1", "AWS_MAX_ATTEMPTS=1", "AWS_EC2_METADATA_DISABLED=true")
	for name, one := range map[string]*clusterlab.Bucket{"a": a, "b": b} {
		upper, host := strings.ToUpper(name), strings.TrimPrefix(one.Endpoint, "https://")
		s.env = append(s.env, fmt.Sprintf("MC_HOST_%s=https://%s:%s@%s", name, one.AccessKey, one.SecretKey, host),
			"REPO_"+upper+"=s3:"+one.Endpoint+"/$BUCKET", "CHUNKS_"+upper+"=s3+"+one.Endpoint+"/$BUCKET",
			fmt.Sprintf("KOPIA_%s=s3 --bucket $BUCKET --endpoint %s --access-key %s --secret-access-key %s --region us-east-1 --root-ca-pem-path %s", upper, host, one.AccessKey, one.SecretKey, ca),
			"RCLONE_CONFIG_"+upper+"_TYPE=s3", "RCLONE_CONFIG_"+upper+"_PROVIDER=Other", "RCLONE_CONFIG_"+upper+"_ENDPOINT="+one.Endpoint,
			"RCLONE_CONFIG_"+upper+"_ACCESS_KEY_ID="+one.AccessKey, "RCLONE_CONFIG_"+upper+"_SECRET_ACCESS_KEY="+one.SecretKey, "RCLONE_CONFIG_"+upper+"_REGION=us-east-1")
	}
	return nil
}

// useDirectories gives everybody a folder in each region.
func (s *site) useDirectories() error {
	s.lib = directoryLib
	for _, name := range []string{"a", "b"} {
		dir, upper := filepath.Join(s.dir, "folders", name), strings.ToUpper(name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		s.env = append(s.env, upper+"="+dir, "REPO_"+upper+"="+dir+"/$BUCKET", "CHUNKS_"+upper+"="+dir+"/$BUCKET",
			"KOPIA_"+upper+"=filesystem --path "+dir+"/$BUCKET",
			"RCLONE_CONFIG_"+upper+"_TYPE=alias", "RCLONE_CONFIG_"+upper+"_REMOTE="+dir)
	}
	return nil
}

func (s *site) close() error { return errors.Join(s.c.Close(), os.RemoveAll(s.dir)) }

func (s *site) work(t tool) string { return filepath.Join(s.dir, "work", t.Name) }

// out is the file that a pull writes.
func (s *site) out(t tool, image string) string { return filepath.Join(s.work(t), "out", image+".raw") }

// script makes a command that runs a tool's script in a region's network.
func (s *site) script(t tool, where, script string, vars ...string) *exec.Cmd {
	bucket := "peer-" + strings.ToLower(t.Name)
	cmd := s.c.Lab.Command(where, "bash", "-e", "-o", "pipefail", "-c", s.lib+script)
	cmd.SysProcAttr.Pdeathsig = 0 // the thread that forks may end; the lab's end kills it anyway
	work := s.work(t)
	for _, v := range s.env {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(v, "$BUCKET", bucket))
	}
	cmd.Env = append(cmd.Env, "BUCKET="+bucket, "WORK="+work, "HOME="+work, "TMPDIR="+work, "MC_CONFIG_DIR="+work+"/mc", "RCLONE_CONFIG="+work+"/rclone.conf",
		"RESTIC_CACHE_DIR="+work+"/cache", "KOPIA_CONFIG_PATH="+work+"/kopia.config", "KOPIA_LOG_DIR="+work+"/log", "KOPIA_CACHE_DIRECTORY="+work+"/cache")
	cmd.Env = append(cmd.Env, vars...)
	return cmd
}

// fresh gives a tool its buckets and its folder, and lets it make ready.
func (s *site) fresh(ctx context.Context, t tool) error {
	if err := os.MkdirAll(filepath.Join(s.work(t), "out"), 0o700); err != nil {
		return err
	}
	make := `mkdir -p "$A/$BUCKET" "$B/$BUCKET"`
	if s.b.Store != "filesystem" {
		make = `mc mb -q a/$BUCKET b/$BUCKET`
	}
	if t.Name == loggia {
		make = ":"
	}
	_, err := measure.Probe{}.Run(ctx, s.script(t, regionA, make+"\n"+t.before))
	return err
}

// stored is what a tool keeps in a region.
func (s *site) stored(t tool, region string) (bytes, objects int64, err error) {
	bucket := "peer-" + strings.ToLower(t.Name)
	dir := filepath.Join(s.dir, "folders", region, bucket)
	switch {
	case t.Name == loggia && s.b.Store == "filesystem":
		dir = filepath.Join(s.dir, "cluster", region, "store")
	case t.Name == loggia:
		bucket = s.c.S3(region).Bucket
	}
	if s.b.Store != "filesystem" {
		return s.listed(t, region, bucket)
	}
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			bytes, objects = bytes+info.Size(), objects+1
		}
		return err
	})
	return bytes, objects, err
}

// listed asks the S3 server for a bucket's objects.
func (s *site) listed(t tool, region, bucket string) (bytes, objects int64, err error) {
	out, err := s.script(t, region, fmt.Sprintf("mc du --json %s/%s", region, bucket)).Output()
	if err != nil {
		return 0, 0, fmt.Errorf("list %s/%s: %w", region, bucket, err)
	}
	var sum struct{ Size, Objects int64 }
	err = json.Unmarshal(out, &sum)
	return sum.Size, sum.Objects, err
}
