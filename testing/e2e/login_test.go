package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"loggia/api/v1"
)

// provider is a certified OpenID provider in a process of its own (testing/oidcop).
type provider struct {
	url, ca string
}

var buildProvider = sync.OnceValues(func() (string, error) {
	out := filepath.Join(filepath.Dir(loggia), "oidcop")
	cmd := exec.Command("go", "build", "-C", "../oidcop", "-o", out, ".")
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if b, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the OpenID provider: %w\n%s", err, b)
	}
	return out, nil
})

func newProvider(t *testing.T) *provider {
	t.Helper()
	bin, err := buildProvider()
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{ca: filepath.Join(t.TempDir(), "op.pem")}
	cmd := exec.Command(bin, "-ca", p.ca)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close() // it ends with that
		if err := cmd.Wait(); err != nil {
			t.Errorf("the OpenID provider: %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.url = strings.TrimSpace(line)
	return p
}

// browser is a person's: it keeps cookies and trusts the provider.
func (p *provider) browser(t *testing.T) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(p.ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Jar: jar, Timeout: patience}
}

// login is a running `loggia login`.
type login struct {
	cmd    *exec.Cmd
	says   *bufio.Reader
	rest   bytes.Buffer
	cancel context.CancelFunc
}

func (u user) login(t *testing.T, args ...string) *login {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	l := &login{cmd: exec.CommandContext(ctx, loggia, append([]string{"login"}, args...)...), cancel: cancel}
	l.cmd.Env = u.env
	out, err := l.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	l.says = bufio.NewReader(io.TeeReader(out, &l.rest))
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return l
}

// line reads what it tells the person, behind a word.
func (l *login) line(t *testing.T, word string) string {
	t.Helper()
	text, err := l.says.ReadString('\n')
	if err != nil || !strings.HasPrefix(text, word) {
		t.Fatalf("login says %q, %v; want %s...", l.rest.String(), err, word)
	}
	return strings.TrimSpace(strings.TrimPrefix(text, word))
}

// ended returns the exit code and everything that it said.
func (l *login) ended() (int, string) {
	_, _ = io.Copy(io.Discard, l.says)
	_ = l.cmd.Wait() // the exit code says it
	l.cancel()
	return l.cmd.ProcessState.ExitCode(), l.rest.String()
}

func submit(t *testing.T, b *http.Client, to string, form url.Values) string {
	t.Helper()
	resp, err := b.PostForm(to, form)
	if err != nil {
		t.Fatal(err)
	}
	return page(t, resp)
}

func page(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode >= 400 {
		t.Fatalf("%s: %s %s %v", resp.Request.URL, resp.Status, raw, err)
	}
	return string(raw)
}

func visit(t *testing.T, b *http.Client, to string) string {
	t.Helper()
	resp, err := b.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	return page(t, resp)
}

// byDevice logs a person in with a code; action is allowed or denied.
func (p *provider) byDevice(t *testing.T, u user, name, action string) (int, string) {
	t.Helper()
	l := u.login(t, "--device")
	where, code := l.line(t, "open "), l.line(t, "and type ")
	b := p.browser(t)
	visit(t, b, where)
	submit(t, b, p.url+"/device/login", url.Values{"user_code": {code}, "username": {name}, "password": {"verysecure"}})
	visit(t, b, p.url+"/device/confirm?action="+action)
	return l.ended()
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

// byBrowser logs a person in on this machine.
func (p *provider) byBrowser(t *testing.T, u user, name string) (int, string) {
	t.Helper()
	l := u.login(t, "--browser")
	b := p.browser(t)
	form := hidden.FindStringSubmatch(visit(t, b, l.line(t, "open ")))
	if form == nil {
		t.Fatal("the provider shows no form")
	}
	if got := submit(t, b, p.url+"/login/username", url.Values{"id": {form[1]}, "username": {name}, "password": {"verysecure"}}); !strings.Contains(got, "You are logged in") {
		t.Errorf("the browser shows %q", got)
	}
	return l.ended()
}

// TestLogin shows people who log in at an outside issuer.
func TestLogin(t *testing.T) {
	c := develop(t, "a,b")
	p := newProvider(t)
	person := func(t *testing.T) user {
		return user{environment(t.TempDir(), "LOGGIA_ADDRESS="+c.address("b"), "LOGGIA_CACERT="+c.vars["LOGGIA_CACERT"])}
	}
	person(t).fails(t, 3, []string{"no such issuer"}, "login")
	c.ok(t, "acl", "issuer", "add", "corp", "--url", p.url, "--client-id", "loggia-cli", "--issuer-ca", p.ca, "--group-claim", "groups", "--auto-create")
	c.ok(t, "acl", "principal", "create", "builders", "--kind", "group", "--issuer", "corp", "--subject", "builders")
	c.ok(t, "acl", "role", "assign", "Contributor", "builders")

	alice := person(t)
	t.Run("with a code", func(t *testing.T) {
		eventually(t, "the issuer to be known in b", func() error {
			if r := alice.run(t, "login", "--issuer", "nobody"); r.code != 3 {
				return fmt.Errorf("exit %d", r.code)
			}
			return nil
		})
		if code, said := p.byDevice(t, alice, "alice", "allowed"); code != 0 {
			t.Fatalf("exit %d: %s", code, said)
		}
		me := read[v1.Identity](t, alice, "whoami")
		if me.Kind != "User" || me.Name == "" || len(me.Groups) != 1 || me.Expires.IsZero() {
			t.Errorf("whoami: %+v, want a user in one group", me)
		}
		// Her group is Contributor, so she may, but may not give rights.
		alice.ok(t, "gallery", "create", "hers", "--location", "b")
		alice.fails(t, 4, nil, "acl", "role", "assign", "Owner", me.ID)
		alice.fails(t, 4, nil, "token", "create", "more")
		alice.fails(t, 4, nil, "acl", "principal", "secret", "add", c.vars["LOGGIA_CLIENT_ID"])
	})
	t.Run("in a browser", func(t *testing.T) {
		bob := person(t)
		if code, said := p.byBrowser(t, bob, "bob"); code != 0 {
			t.Fatalf("exit %d: %s", code, said)
		}
		if me := read[v1.Identity](t, bob, "whoami"); me.Kind != "User" || len(me.Groups) != 0 {
			t.Errorf("whoami: %+v, want a user in no group", me)
		}
		bob.fails(t, 4, nil, "gallery", "list")
		bob.ok(t, "logout")
		bob.fails(t, 4, []string{"no bearer token"}, "whoami")
	})
	t.Run("refused", func(t *testing.T) {
		if code, said := p.byDevice(t, person(t), "mallory", "denied"); code == 0 || !strings.Contains(said, "access_denied") {
			t.Errorf("exit %d: %s", code, said)
		}
	})
	t.Run("the file is private", func(t *testing.T) {
		for _, e := range alice.env {
			if dir, ok := strings.CutPrefix(e, "XDG_CONFIG_HOME="); ok {
				st, err := os.Stat(filepath.Join(dir, "loggia", "logins.json"))
				if err != nil || st.Mode().Perm() != 0o600 {
					t.Errorf("%v, %v", st, err)
				}
			}
		}
	})
	t.Run("one user, however often", func(t *testing.T) {
		if code, said := p.byDevice(t, alice, "alice", "allowed"); code != 0 {
			t.Fatalf("exit %d: %s", code, said)
		}
		if users := read[[]v1.Principal](t, c.user, "acl", "principal", "list", "--kind", "user"); len(users) != 2 {
			t.Errorf("users %+v, want alice and bob", users)
		}
	})
	t.Run("disabling ends it", func(t *testing.T) {
		me := read[v1.Identity](t, alice, "whoami")
		c.ok(t, "acl", "principal", "disable", me.ID)
		for _, region := range []string{"a", "b"} {
			eventually(t, "alice to be refused in "+region, func() error {
				if r := alice.with("LOGGIA_ADDRESS="+c.address(region), "LOGGIA_TOKEN="+savedToken(t, alice)).run(t, "whoami"); r.code != 4 {
					return fmt.Errorf("exit %d", r.code)
				}
				return nil
			})
		}
		if code, said := p.byDevice(t, alice, "alice", "allowed"); code != 4 {
			t.Errorf("a disabled user logs in: exit %d: %s", code, said)
		}
	})
	t.Run("an issuer that is trusted no more", func(t *testing.T) {
		c.ok(t, "acl", "issuer", "remove", "corp")
		eventually(t, "the issuer to be gone in b", func() error {
			if r := person(t).run(t, "login"); r.code != 3 {
				return errors.New(r.err)
			}
			return nil
		})
	})
}

var savedTokenText = regexp.MustCompile(`"token": "([^"]+)"`)

// savedToken reads the token out of a person's file of logins.
func savedToken(t *testing.T, u user) string {
	t.Helper()
	for _, e := range u.env {
		dir, ok := strings.CutPrefix(e, "XDG_CONFIG_HOME=")
		if !ok {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, "loggia", "logins.json"))
		if err != nil {
			t.Fatal(err)
		}
		if m := savedTokenText.FindSubmatch(b); m != nil {
			return string(m[1])
		}
	}
	t.Fatal("no login was kept")
	return ""
}
