package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"loggia/api/v1"
)

// granted is what the token endpoint says.
type granted struct {
	status      int
	Token       string `json:"access_token"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (c *cluster) post(t *testing.T, region, path string, form url.Values) granted {
	t.Helper()
	resp, err := c.web(t).PostForm(c.address(region)+path, form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := granted{status: resp.StatusCode}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// client logs a program in.
func (c *cluster) client(t *testing.T, region, id, secret string) granted {
	t.Helper()
	return c.post(t, region, "/adfs/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret},
		"scope": {"https://gallery.loggia/x/.default"}})
}

// TestIdentity shows programs that log in, what their roles let them do, and that taking these away works everywhere.
func TestIdentity(t *testing.T) {
	c := develop(t, "a,b")
	id, secret := c.vars["LOGGIA_CLIENT_ID"], c.vars["LOGGIA_CLIENT_SECRET"]
	if id == "" || len(secret) != 43 || c.vars["LOGGIA_TENANT"] == "" || c.vars["LOGGIA_SUBSCRIPTION"] == "" {
		t.Fatalf("the environment names no owner: %v", c.vars)
	}

	t.Run("documents", func(t *testing.T) { documents(t, c) })

	var owner user
	t.Run("the owner logs in at each node", func(t *testing.T) {
		for _, region := range []string{"a", "b"} {
			a := c.client(t, region, id, secret)
			if a.status != 200 || strings.Count(a.Token, ".") != 2 {
				t.Fatalf("%s: %+v", region, a)
			}
			owner = c.with("LOGGIA_TOKEN=" + a.Token)
			for _, other := range []string{"a", "b"} {
				owner.with("LOGGIA_ADDRESS="+c.address(other)).ok(t, "members")
			}
		}
		if me := read[v1.Identity](t, owner, "whoami"); me.Kind != "ServicePrincipal" || me.ClientID != id || me.Tenant != c.vars["LOGGIA_TENANT"] {
			t.Errorf("whoami: %+v", me)
		}
		if me := read[v1.Identity](t, c.user, "whoami"); me.Kind != "Operator" {
			t.Errorf("whoami of the operator: %+v", me)
		}
	})
	t.Run("refusals are alike", func(t *testing.T) {
		wrong, unknown := c.client(t, "a", id, "wrong"), c.client(t, "b", "00000000-0000-4000-8000-000000000000", secret)
		cut := func(a granted) string { text, _, _ := strings.Cut(a.Description, "Trace ID"); return text }
		if wrong.status != 401 || unknown.status != 401 || wrong.Error != unknown.Error || cut(wrong) != cut(unknown) {
			t.Errorf("a wrong secret: %+v, an unknown client: %+v", wrong, unknown)
		}
	})
	t.Run("bootstrap is once", func(t *testing.T) { c.fails(t, 5, nil, "acl", "bootstrap") })
	t.Run("a program's roles", func(t *testing.T) { roles(t, c, owner) })
	t.Run("tokens of principals", func(t *testing.T) { ownedTokens(t, c, owner) })
	t.Run("stolen keys", func(t *testing.T) {
		owner.ok(t, "whoami")
		c.ok(t, "acl", "keys", "replace")
		c.gone(t, owner, "whoami")
		if a := c.client(t, "b", id, secret); a.status != 200 {
			t.Errorf("after the keys were replaced: %+v", a)
		}
	})
}

// documents are what clients read before they have a token.
func documents(t *testing.T, c *cluster) {
	for path, want := range map[string]string{
		"//metadata/endpoints?api-version=2015-01-01":   `"loginEndpoint":"` + c.address("a") + `/adfs"`,
		"/metadata/endpoints?api-version=2022-09-01":    `"identityProvider":"AAD"`,
		"/adfs/.well-known/openid-configuration":        `"token_endpoint":"` + c.address("a") + `/adfs/oauth2/token"`,
		"/adfs/adfs/.well-known/openid-configuration":   `"token_endpoint"`,
		"/adfs/discovery/keys":                          `"alg":"RS256"`,
		"/common/v2.0/.well-known/openid-configuration": `"jwks_uri"`,
	} {
		resp, err := c.web(t).Get(c.address("a") + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(b), want) || resp.Request.URL.RequestURI() != path {
			t.Errorf("%s: %d %s, want %s", path, resp.StatusCode, b, want)
		}
		if strings.Contains(string(b), `"d":`) {
			t.Errorf("%s shows a private key", path)
		}
	}
}

// program is a service principal with its secret.
type program struct {
	v1.Principal
	ClientSecret string `json:"clientSecret"`
}

func roles(t *testing.T, c *cluster, owner user) {
	p := read[program](t, owner, "acl", "principal", "create", "reader")
	a := c.client(t, "b", p.ClientID, p.ClientSecret)
	if a.status != 200 {
		t.Fatalf("the new program cannot log in: %+v", a)
	}
	it := c.with("LOGGIA_TOKEN=" + a.Token)
	it.fails(t, 4, []string{p.ClientID, "Microsoft.Compute/galleries/read"}, "gallery", "list")
	it.fails(t, 4, []string{"Loggia.Cluster/members/read"}, "members")
	it.ok(t, "whoami")

	owner.ok(t, "gallery", "create", "shared", "--location", "a")
	subscription := "/subscriptions/" + c.vars["LOGGIA_SUBSCRIPTION"]
	scope := subscription + "/resourcegroups/DEFAULT/providers/microsoft.compute/galleries/shared" // case does not count
	made := read[v1.Assignment](t, owner, "acl", "role", "assign", "Reader", p.ClientID, "--scope", scope)
	if !strings.Contains(made.Scope, "/resourceGroups/") || !strings.Contains(made.Scope, "Microsoft.Compute") {
		t.Errorf("the scope is not canonical: %s", made.Scope)
	}
	for _, region := range []string{"a", "b"} {
		there := it.with("LOGGIA_ADDRESS=" + c.address(region))
		eventually(t, "the role to arrive in "+region, func() error {
			if r := there.run(t, "gallery", "show", "shared"); r.code != 0 {
				return errors.New(r.err)
			}
			return nil
		})
		there.fails(t, 4, nil, "gallery", "show", "other")
		there.fails(t, 4, []string{"Microsoft.Compute/galleries/delete"}, "gallery", "delete", "shared")
		there.fails(t, 4, nil, "acl", "role", "assign", "Owner", p.ClientID, "--scope", scope)
		there.fails(t, 4, nil, "acl", "principal", "list")
		there.fails(t, 4, nil, "token", "create", "more")
	}
	if l := read[[]v1.Assignment](t, owner, "acl", "role", "assignments", "--principal", p.ID); len(l) != 1 || l[0].Role != "Reader" {
		t.Errorf("assignments %+v", l)
	}
	owner.ok(t, "acl", "role", "unassign", made.ID)
	c.gone(t, it, "gallery", "show", "shared")
	owner.fails(t, 3, nil, "acl", "role", "unassign", made.ID)

	// Through a group, and disabled: within a moment it is over everywhere.
	g := read[v1.Principal](t, owner, "acl", "principal", "create", "readers", "--kind", "group")
	owner.ok(t, "acl", "group", "add", "readers", p.ClientID)
	owner.ok(t, "acl", "role", "assign", "Reader", "readers", "--scope", subscription)
	it.ok(t, "gallery", "list")
	owner.ok(t, "acl", "group", "remove", g.ID, p.ID)
	c.gone(t, it, "gallery", "list")
	owner.ok(t, "acl", "group", "add", "readers", p.ID)
	it.ok(t, "gallery", "list")
	owner.ok(t, "acl", "principal", "disable", p.ID)
	c.gone(t, it, "whoami")
	if a := c.client(t, "a", p.ClientID, p.ClientSecret); a.status != 401 {
		t.Errorf("a disabled program logs in: %+v", a)
	}
	owner.ok(t, "acl", "principal", "enable", p.ID)
	it.ok(t, "whoami")
	shown := read[v1.Principal](t, owner, "acl", "principal", "show", p.ID)
	second := read[v1.Secret](t, owner, "acl", "principal", "secret", "add", p.ID, "--name", "second", "--ttl", "1h")
	owner.ok(t, "acl", "principal", "secret", "remove", p.ID, shown.Secrets[0].ID)
	if old, fresh := c.client(t, "a", p.ClientID, p.ClientSecret), c.client(t, "a", p.ClientID, second.Secret); old.status != 401 || fresh.status != 200 {
		t.Errorf("the removed secret: %d, the new one: %d", old.status, fresh.status)
	}
	owner.ok(t, "acl", "principal", "delete", p.ID)
	c.gone(t, it, "whoami")
}

// gone waits until every node refuses.
func (c *cluster) gone(t *testing.T, u user, args ...string) {
	t.Helper()
	for _, region := range []string{"a", "b"} {
		eventually(t, fmt.Sprintf("%v to be refused in %s", args, region), func() error {
			if r := u.with("LOGGIA_ADDRESS="+c.address(region)).run(t, args...); r.code != 4 {
				return fmt.Errorf("exit %d", r.code)
			}
			return nil
		})
	}
}

func ownedTokens(t *testing.T, c *cluster, owner user) {
	p := read[v1.Principal](t, owner, "acl", "principal", "create", "robot", "--secret=false")
	tok := read[v1.Token](t, owner, "token", "create", "robot", "--principal", p.ID)
	robot := c.with("LOGGIA_TOKEN=" + tok.Secret)
	if me := read[v1.Identity](t, robot, "whoami"); me.ID != p.ID {
		t.Errorf("whoami: %+v", me)
	}
	robot.fails(t, 4, nil, "gallery", "list")
	// An owner is not the operator: its own token stands for itself.
	own := read[v1.Token](t, owner, "token", "create", "own")
	if own.Principal == "" {
		t.Error("an owner made a token of the operator")
	}
	if list := owner.ok(t, "token", "list", "-o", "json"); strings.Contains(list, `"admin"`) {
		t.Errorf("an owner sees the operator's tokens: %s", list)
	}
	owner.ok(t, "acl", "principal", "disable", p.ID)
	c.gone(t, robot, "whoami")
}

// TestLoginsAreKeptPrivate holds what the file of logins must be.
func TestLoginsAreKeptPrivate(t *testing.T) {
	dir := t.TempDir()
	u := user{environment(dir, "LOGGIA_ADDRESS=https://127.0.0.1:1")}
	if err := os.MkdirAll(filepath.Join(dir, "loggia"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "loggia", "logins.json")
	write := func(mode os.FileMode, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	write(0o644, `{}`)
	u.fails(t, 1, []string{"others may read it"}, "whoami")
	write(0o600, `{"logins":[{"addresses":["https://127.0.0.1:1"],"token":"x","expires":"2020-01-01T00:00:00Z"}]}`)
	u.fails(t, 4, []string{"your login expired", "loggia login"}, "whoami")
	write(0o600, `nonsense`)
	u.fails(t, 1, []string{"logins.json"}, "whoami")
}

// TestLoginsWithoutALeader leaves one region of three: programs log in there and read what their roles let them, and what
// was taken away before stays taken away.
func TestLoginsWithoutALeader(t *testing.T) {
	t.Parallel()
	s := federate(t, []string{"a", "b", "c"}, nil)
	disk := image(t, filepath.Join(t.TempDir(), "disk"), 4, seed(t))
	s.ok(t, "publish", disk, "g/i/1.0.0", "--regions", "a,c")
	boot := read[v1.Bootstrap](t, s.user, "acl", "bootstrap")
	if boot.ClientID == "" || boot.ClientSecret == "" || boot.Tenant == "" || boot.Subscription == "" {
		t.Fatalf("bootstrap: %+v", boot)
	}
	s.fails(t, 5, nil, "acl", "bootstrap")
	reader := read[program](t, s.user, "acl", "principal", "create", "reader")
	s.ok(t, "acl", "role", "assign", "Reader", reader.ID)
	gone := read[program](t, s.user, "acl", "principal", "create", "gone")
	s.ok(t, "acl", "principal", "disable", gone.ID)
	before := s.client(t, "c", reader.ClientID, reader.ClientSecret)
	eventually(t, "region c to hear of it", func() error {
		if a := s.client(t, "c", gone.ClientID, gone.ClientSecret); a.status != 401 {
			return errors.New("it logs in")
		}
		return nil
	})

	s.daemons["a"].kill(t)
	s.daemons["b"].kill(t)
	eventually(t, "region c to see that nobody leads", func() error {
		if st := read[v1.Status](t, s.at("c"), "status"); st.Leader != "" {
			return errors.New("a leader is known")
		}
		return nil
	})
	for name, a := range map[string]granted{"reader": s.client(t, "c", reader.ClientID, reader.ClientSecret), "reader's earlier token": before, "owner": s.client(t, "c", boot.ClientID, boot.ClientSecret)} {
		if a.status != 200 {
			t.Fatalf("%s: %+v", name, a)
		}
		u := s.at("c").with("LOGGIA_TOKEN=" + a.Token)
		out := filepath.Join(t.TempDir(), "out")
		u.ok(t, "pull", "g/i/1.0.0", "-o", out)
		same(t, out, disk)
	}
	if a := s.client(t, "c", gone.ClientID, gone.ClientSecret); a.status != 401 {
		t.Errorf("a disabled program: %d", a.status)
	}
	s.at("c").with("LOGGIA_TOKEN="+before.Token).fails(t, 7, nil, "gallery", "delete", "g") // what it may is for the leader to say
	for _, region := range []string{"a", "b"} {
		s.begin(region)
		s.ready(t, region)
	}
	s.at("b").with("LOGGIA_TOKEN="+before.Token).fails(t, 4, nil, "gallery", "delete", "g")
	s.at("b").with("LOGGIA_TOKEN="+before.Token).ok(t, "gallery", "show", "g")
}
