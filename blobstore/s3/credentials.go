package s3

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Credentials says where the keys come from: exactly one of the three.
type Credentials struct {
	// Static keys. SessionToken may be empty.
	AccessKey, SecretKey, SessionToken string

	// Names of environment variables, read when the store is opened. TokenEnv may be empty.
	AccessKeyEnv, SecretKeyEnv, TokenEnv string

	// File in the form of ~/.aws/credentials (names with or without "aws_", its profile Profile
	// or "default"), readable by its owner only. It is read again whenever it changes, so keys
	// can be rotated without a restart.
	File    string
	Profile string
}

// String keeps secrets out of logs.
func (c Credentials) String() string {
	switch {
	case c.File != "":
		return "file " + c.File
	case c.AccessKeyEnv != "":
		return "environment " + c.AccessKeyEnv
	}
	return "static (hidden)"
}

// GoString keeps secrets out of %#v too.
func (c Credentials) GoString() string { return "s3.Credentials{" + c.String() + "}" }

// Validate reports a choice that is none, or more than one.
func (c Credentials) Validate() error {
	static := c.AccessKey != "" || c.SecretKey != ""
	env := c.AccessKeyEnv != "" || c.SecretKeyEnv != ""
	n := 0
	for _, given := range []bool{static, env, c.File != ""} {
		if given {
			n++
		}
	}
	switch {
	case n != 1:
		return errors.New("s3: credentials: give either static keys, names of variables, or a file")
	case static && (c.AccessKey == "" || c.SecretKey == ""):
		return errors.New("s3: credentials: both the access key and the secret key are needed")
	case env && (c.AccessKeyEnv == "" || c.SecretKeyEnv == ""):
		return errors.New("s3: credentials: both the access key's and the secret key's variable are needed")
	}
	return nil
}

// open returns the provider for minio-go. It reads once, so that a wrong file is found at the start.
func (c Credentials) open() (*credentials.Credentials, error) {
	switch {
	case c.File != "":
		p := &fileProvider{path: c.File, profile: c.Profile}
		if _, err := p.Retrieve(); err != nil {
			return nil, err
		}
		return credentials.New(p), nil
	case c.AccessKeyEnv != "":
		v := value{accessKey: os.Getenv(c.AccessKeyEnv), secretKey: os.Getenv(c.SecretKeyEnv)}
		if c.TokenEnv != "" {
			v.token = os.Getenv(c.TokenEnv)
		}
		if v.accessKey == "" || v.secretKey == "" {
			return nil, fmt.Errorf("s3: credentials: %s or %s is not set", c.AccessKeyEnv, c.SecretKeyEnv)
		}
		return credentials.NewStaticV4(v.accessKey, v.secretKey, v.token), nil
	}
	return credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken), nil
}

type value struct{ accessKey, secretKey, token string }

// fileProvider is a credentials.Provider that looks at the file before every request (one stat).
// A file that is broken while it is being replaced does not take the last good keys away.
type fileProvider struct {
	path, profile string

	mu   sync.Mutex
	seen stamp // of the file that was read last, good or not
	good *value
}

// stamp tells whether a file changed.
type stamp struct {
	mod  time.Time
	size int64
	mode fs.FileMode
}

// maxCredentials bounds the file, in bytes.
const maxCredentials = 64 << 10

// IsExpired implements credentials.Provider.
func (p *fileProvider) IsExpired() bool {
	st, err := os.Stat(p.path)
	p.mu.Lock()
	defer p.mu.Unlock()
	return err == nil && stampOf(st) != p.seen
}

func stampOf(st fs.FileInfo) stamp {
	return stamp{mod: st.ModTime(), size: st.Size(), mode: st.Mode()}
}

// RetrieveWithCredContext implements credentials.Provider.
func (p *fileProvider) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return p.Retrieve()
}

// Retrieve implements credentials.Provider.
func (p *fileProvider) Retrieve() (credentials.Value, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	v, st, err := readCredentials(p.path, p.profile)
	if st != nil {
		p.seen = stampOf(st)
	}
	switch {
	case err == nil:
		p.good = &v
	case p.good == nil:
		return credentials.Value{}, fmt.Errorf("s3: credentials: %w", err)
	}
	return credentials.Value{AccessKeyID: p.good.accessKey, SecretAccessKey: p.good.secretKey, SessionToken: p.good.token,
		SignerType: credentials.SignatureV4}, nil
}

func readCredentials(path, profile string) (value, fs.FileInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return value{}, nil, err
	}
	defer f.Close() // read only
	st, err := f.Stat()
	if err != nil {
		return value{}, nil, err
	}
	if !st.Mode().IsRegular() || st.Mode().Perm()&0o077 != 0 {
		return value{}, st, fmt.Errorf("%s has mode %v; only its owner may read it (chmod 600)", path, st.Mode())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	if err != nil {
		return value{}, st, err
	}
	v, err := parseCredentials(b, profile)
	if err != nil {
		return value{}, st, fmt.Errorf("%s: %w", path, err)
	}
	return v, st, nil
}

// parseCredentials reads lines "name = value" in sections "[profile]"; lines before the first
// section belong to every profile. Its errors say nothing of the content.
func parseCredentials(b []byte, profile string) (value, error) {
	if len(b) > maxCredentials {
		return value{}, fmt.Errorf("longer than %d bytes", maxCredentials)
	}
	if profile == "" {
		profile = "default"
	}
	var v value
	section := profile
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, maxCredentials+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' && line[len(line)-1] == ']' {
			section = strings.TrimSpace(line[1 : len(line)-1])
			continue
		}
		name, text, ok := strings.Cut(line, "=")
		if !ok {
			return value{}, fmt.Errorf("line %d is no name = value", n)
		}
		if section == profile {
			v.set(strings.TrimPrefix(strings.TrimSpace(name), "aws_"), strings.TrimSpace(text))
		}
	}
	if v.accessKey == "" || v.secretKey == "" {
		return value{}, fmt.Errorf("no access_key_id and secret_access_key for profile %q", profile)
	}
	return v, lines.Err()
}

func (v *value) set(name, text string) {
	switch name {
	case "access_key_id":
		v.accessKey = text
	case "secret_access_key":
		v.secretKey = text
	case "session_token":
		v.token = text
	}
}
