package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/internal/clientsecret"
)

func (c *cli) aclCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "acl", Short: "Who may do what: principals, groups, roles, issuers"}
	cmd.AddCommand(c.bootstrapCommand(), c.principalCommand(), c.groupCommand(), c.roleCommand(), c.issuerCommand(), c.keysCommand(), c.tenantCommand(), c.subscriptionCommand())
	return cmd
}

func (c *cli) keysCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "The keys that sign access tokens"}
	cmd.AddCommand(&cobra.Command{Use: "replace", Short: "Replace all signing keys at once, as after a theft", Args: cobra.NoArgs,
		Long: `Make a new signing key and drop all others at once: every token that was issued ends, and everybody
logs in again. Keys turn by themselves every 30 days without that.`,
		RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error { return cl.ReplaceKeys(cmd.Context()) })})
	return cmd
}

func (c *cli) bootstrapCommand() *cobra.Command {
	r := v1.BootstrapRequest{}
	cmd := &cobra.Command{Use: "bootstrap", Short: "Make the first service principal and give it everything, once", Args: cobra.NoArgs,
		Long: `Make the first service principal of the cluster and make it Owner of everything. This can be done
once. Its secret is shown now and never again: as shell assignments, or with -o json as one object.

    eval "$(loggia acl bootstrap)"
    az login --service-principal -u "$LOGGIA_CLIENT_ID" -p "$LOGGIA_CLIENT_SECRET" --tenant adfs`,
		RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			b, err := bootstrap(cmd, cl, r)
			if err != nil {
				return err
			}
			if c.format == "table" || c.format == "" {
				return writeEnvironment(c.out, b)
			}
			return c.print(b, table{})
		})}
	cmd.Flags().StringVar(&r.Name, "name", "owner", "display name")
	return cmd
}

func bootstrap(cmd *cobra.Command, cl *client.Client, r v1.BootstrapRequest) (v1.Bootstrap, error) {
	r.Secret = clientsecret.New()
	b, err := cl.Bootstrap(cmd.Context(), r)
	b.ClientSecret = r.Secret
	return b, err
}

// environment are the shell assignments of what programs log in with.
func environment(b v1.Bootstrap) [][2]string {
	return [][2]string{{"LOGGIA_TENANT", b.Tenant}, {"LOGGIA_SUBSCRIPTION", b.Subscription}, {"LOGGIA_CLIENT_ID", b.ClientID}, {"LOGGIA_CLIENT_SECRET", b.ClientSecret}}
}

func writeEnvironment(w io.Writer, b v1.Bootstrap) error {
	for _, e := range environment(b) {
		if _, err := fmt.Fprintf(w, "export %s=%s\n", e[0], quote(e[1])); err != nil {
			return err
		}
	}
	return nil
}

// quote writes a text for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func principalTable(list ...v1.Principal) table {
	t := table{head: []string{"ID", "KIND", "NAME", "CLIENT ID", "ISSUER", "STATE"}}
	for _, p := range list {
		state, name := "enabled", p.Name
		if p.Disabled {
			state = "disabled"
		}
		if p.UserName != "" {
			name += " (" + p.UserName + ")"
		}
		t.add(p.ID, p.Kind, name, dash(p.ClientID), dash(p.Issuer), state)
	}
	return t
}

// principalKinds are what people write for the kinds.
var principalKinds = map[string]string{"service": "ServicePrincipal", "serviceprincipal": "ServicePrincipal", "user": "User", "group": "Group"}

func principalKind(s string) (string, error) {
	if k, ok := principalKinds[strings.ToLower(s)]; ok || s == "" {
		return k, nil
	}
	return "", usageError{fmt.Errorf("--kind: %q: must be service, user or group", s)}
}

func (c *cli) principalCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "principal", Short: "Users, groups and service principals", Long: "Users, groups and service principals. PRINCIPAL is an object id, a client id or a user name."}
	var kind string
	list := &cobra.Command{Use: "list", Short: "List principals", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		k, err := principalKind(kind)
		if err != nil {
			return err
		}
		l, err := cl.Principals(cmd.Context(), k)
		if err != nil {
			return err
		}
		return c.print(l.Value, principalTable(l.Value...))
	})}
	list.Flags().StringVar(&kind, "kind", "", "service, user or group")
	cmd.AddCommand(c.createPrincipalCommand(), list, c.showPrincipalCommand(),
		c.switchCommand("disable", "Refuse a principal: its tokens end", true), c.switchCommand("enable", "Let a principal in again", false),
		&cobra.Command{Use: "delete PRINCIPAL", Short: "Delete a principal and its role assignments", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.DeletePrincipal(cmd.Context(), args[0])
		})}, c.secretCommand(), c.keyCommand())
	return cmd
}

func (c *cli) createPrincipalCommand() *cobra.Command {
	var r v1.PrincipalRequest
	var kind, ttl string
	var secret bool
	cmd := &cobra.Command{Use: "create NAME", Short: "Make a service principal, a user or a group", Args: cobra.ExactArgs(1),
		Long: `Make a principal. A service principal gets a client secret, which is shown now and never again. Users
and groups are vouched for by an outside issuer: --subject is the user's subject there, or the group's
value in its group claim.`,
		RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			k, err := principalKind(kind)
			if err != nil {
				return err
			}
			r.Name, r.Kind = args[0], k
			p, err := cl.CreatePrincipal(cmd.Context(), r)
			if err != nil {
				return err
			}
			if k != "ServicePrincipal" || !secret {
				return c.print(p, principalTable(p))
			}
			text := clientsecret.New()
			if _, err := cl.AddSecret(cmd.Context(), p.ID, v1.SecretRequest{Name: "first", TTL: ttl, Secret: text}); err != nil {
				return fmt.Errorf("the principal %s was made, but has no secret: %w", p.ID, err)
			}
			return c.printSecret(p, text)
		})}
	f := cmd.Flags()
	f.StringVar(&kind, "kind", "service", "service, user or group")
	f.StringVar(&r.UserName, "user-name", "", "of a user: such as a mail address")
	f.StringVar(&r.Issuer, "issuer", "", "outside issuer of a user or group")
	f.StringVar(&r.Subject, "subject", "", "who that is there")
	f.StringVar(&r.Tenant, "tenant", "", "tenant (default: your own)")
	f.StringVar(&ttl, "ttl", "", "how long the secret is good (default: a year)")
	f.BoolVar(&secret, "secret", true, "make a client secret")
	return cmd
}

// made is a principal with its new secret.
type made struct {
	v1.Principal
	ClientSecret string `json:"clientSecret"`
}

func (c *cli) printSecret(p v1.Principal, text string) error {
	t := table{head: []string{"ID", "CLIENT ID", "CLIENT SECRET", "TENANT"}}
	t.add(p.ID, p.ClientID, text, p.Tenant)
	return c.print(made{p, text}, t)
}

func (c *cli) showPrincipalCommand() *cobra.Command {
	return &cobra.Command{Use: "show PRINCIPAL", Short: "Show a principal, its groups and its secrets", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		p, err := cl.Principal(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		t := principalTable(p)
		for _, s := range p.Secrets {
			t.add("secret "+s.ID, dash(s.Name), s.Hint+"...", "", "expires "+when(s.Expires), "")
		}
		for _, k := range p.Keys {
			t.add("key "+k, "", "", "", "", "")
		}
		for _, g := range p.Groups {
			t.add("in group "+g, "", "", "", "", "")
		}
		return c.print(p, t)
	})}
}

func (c *cli) switchCommand(use, short string, off bool) *cobra.Command {
	return &cobra.Command{Use: use + " PRINCIPAL", Short: short, Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		p, err := cl.PatchPrincipal(cmd.Context(), args[0], v1.PrincipalPatch{Disabled: &off})
		if err != nil {
			return err
		}
		return c.print(p, principalTable(p))
	})}
}

func (c *cli) secretCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "secret", Short: "Client secrets of a service principal"}
	var r v1.SecretRequest
	add := &cobra.Command{Use: "add PRINCIPAL", Short: "Make a client secret and show it once", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		r.Secret = clientsecret.New()
		s, err := cl.AddSecret(cmd.Context(), args[0], r)
		if err != nil {
			return err
		}
		s.Secret = r.Secret
		return c.print(s, table{rows: [][]string{{s.Secret}}})
	})}
	add.Flags().StringVar(&r.Name, "name", "", "what it is for")
	add.Flags().StringVar(&r.TTL, "ttl", "", "how long it is good (default: a year)")
	cmd.AddCommand(add, &cobra.Command{Use: "remove PRINCIPAL SECRET-ID", Short: "Remove a client secret", Args: cobra.ExactArgs(2), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		return cl.RemoveSecret(cmd.Context(), args[0], args[1])
	})})
	return cmd
}

// maxKeyFile bounds a file with a JWK, in bytes.
const maxKeyFile = 16 << 10

func (c *cli) keyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Public keys with which a service principal signs assertions"}
	cmd.AddCommand(
		&cobra.Command{Use: "add PRINCIPAL KEY-ID FILE", Short: "Add a public key: a file with a JWK", Args: cobra.ExactArgs(3), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			b, err := readSmall(args[2], maxKeyFile)
			if err != nil {
				return err
			}
			if !json.Valid(b) {
				return usageError{fmt.Errorf("%s: must hold a JWK", args[2])}
			}
			p, err := cl.PutKey(cmd.Context(), args[0], args[1], v1.KeyRequest{JWK: b})
			if err != nil {
				return err
			}
			return c.print(p, principalTable(p))
		})},
		&cobra.Command{Use: "remove PRINCIPAL KEY-ID", Short: "Remove a public key", Args: cobra.ExactArgs(2), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.RemoveKey(cmd.Context(), args[0], args[1])
		})})
	return cmd
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = usageError{fmt.Errorf("%s: larger than %d bytes", path, limit)}
	}
	return b, err
}

func (c *cli) groupCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "group", Short: "Membership in groups"}
	cmd.AddCommand(
		&cobra.Command{Use: "add GROUP PRINCIPAL", Short: "Make a principal a member of a group", Args: cobra.ExactArgs(2), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			p, err := cl.Join(cmd.Context(), args[1], args[0])
			if err != nil {
				return err
			}
			return c.print(p, principalTable(p))
		})},
		&cobra.Command{Use: "remove GROUP PRINCIPAL", Short: "Take a principal out of a group", Args: cobra.ExactArgs(2), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.Leave(cmd.Context(), args[1], args[0])
		})})
	return cmd
}

func (c *cli) roleCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "role", Short: "Roles and who has them"}
	var principal string
	assignments := &cobra.Command{Use: "assignments", Short: "List role assignments", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		l, err := cl.Assignments(cmd.Context(), principal)
		if err != nil {
			return err
		}
		return c.print(l.Value, assignmentTable(l.Value...))
	})}
	assignments.Flags().StringVar(&principal, "principal", "", "only those of this principal")
	var scope string
	assign := &cobra.Command{Use: "assign ROLE PRINCIPAL", Short: "Give a principal a role at a scope and below", Args: cobra.ExactArgs(2), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		a, err := cl.Assign(cmd.Context(), v1.AssignmentRequest{Role: args[0], Principal: args[1], Scope: scope})
		if err != nil {
			return err
		}
		return c.print(a, assignmentTable(a))
	})}
	assign.Flags().StringVar(&scope, "scope", "", "a resource's id, or / for everything (default: the default subscription)")
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the roles that can be assigned", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.Roles(cmd.Context())
			if err != nil {
				return err
			}
			t := table{head: []string{"ID", "NAME", "BUILT IN", "DESCRIPTION"}}
			for _, r := range l.Value {
				t.add(r.ID, r.Name, yes(r.BuiltIn), r.Description)
			}
			return c.print(l.Value, t)
		})}, assignments, assign,
		&cobra.Command{Use: "unassign ASSIGNMENT-ID", Short: "Take a role away", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.Unassign(cmd.Context(), args[0])
		})})
	return cmd
}

func assignmentTable(list ...v1.Assignment) table {
	t := table{head: []string{"ID", "ROLE", "PRINCIPAL", "NAME", "SCOPE"}}
	for _, a := range list {
		t.add(a.ID, a.Role, a.Principal, a.Name, a.Scope)
	}
	return t
}

func issuerTable(list ...v1.Issuer) table {
	t := table{head: []string{"ID", "NAME", "URL", "CLIENT ID", "GROUP CLAIM", "MAKES USERS"}}
	for _, i := range list {
		t.add(i.ID, i.Name, i.URL, i.ClientID, dash(i.GroupClaim), yes(i.AutoCreate))
	}
	return t
}

func (c *cli) issuerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "issuer", Short: "Outside OpenID Connect issuers that people log in at"}
	var i v1.Issuer
	var ca string
	add := &cobra.Command{Use: "add NAME", Short: "Trust an issuer", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
		i.Name = args[0]
		if ca != "" {
			b, err := readSmall(ca, maxKeyFile)
			if err != nil {
				return err
			}
			i.CACert = string(b)
		}
		made, err := cl.CreateIssuer(cmd.Context(), i)
		if err != nil {
			return err
		}
		return c.print(made, issuerTable(made))
	})}
	f := add.Flags()
	f.StringVar(&i.URL, "url", "", "its address, exactly as its tokens name it")
	f.StringVar(&i.ClientID, "client-id", "", "the client that was registered there for this cluster")
	f.StringVar(&ca, "issuer-ca", "", "file with its CA (default: the system's)")
	f.StringVar(&i.UserClaim, "user-claim", "", "claim that names the user for ever (default: sub)")
	f.StringVar(&i.NameClaim, "name-claim", "", "claim with the name for people (default: name)")
	f.StringVar(&i.GroupClaim, "group-claim", "", "claim with the user's groups")
	f.StringVar(&i.GroupPrefix, "group-prefix", "", "only groups that begin so count; it is cut off")
	f.BoolVar(&i.AutoCreate, "auto-create", false, "make a user at the first login")
	f.StringVar(&i.Tenant, "tenant", "", "tenant (default: your own)")
	cmd.AddCommand(add,
		&cobra.Command{Use: "list", Short: "List the issuers", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
			l, err := cl.Issuers(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(l.Value, issuerTable(l.Value...))
		})},
		&cobra.Command{Use: "remove NAME", Short: "Trust an issuer no more", Args: cobra.ExactArgs(1), RunE: c.call(func(cmd *cobra.Command, cl *client.Client, args []string) error {
			return cl.DeleteIssuer(cmd.Context(), args[0])
		})})
	return cmd
}
