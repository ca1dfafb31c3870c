package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"loggia/api/client"
	"loggia/api/login"
	"loggia/api/v1"
	"loggia/gallery"
	"loggia/internal/atomicfile"
)

// loginOptions is how a person logs in.
type loginOptions struct {
	issuer          string
	device, browser bool
	scopes          []string
}

func (c *cli) loginCommand() *cobra.Command {
	var o loginOptions
	cmd := &cobra.Command{Use: "login", Short: "Log in at the organisation's issuer", Args: cobra.NoArgs,
		Long: `Log in at an OpenID Connect issuer that the cluster trusts, with a code to type on any device, or
with --browser on this machine. The token is kept in a file of yours (mode 0600) and used by every command
while neither LOGGIA_TOKEN nor --token is given, until it expires or you log out.`}
	f := cmd.Flags()
	f.StringVar(&o.issuer, "issuer", "", "name of the issuer, where there are several")
	f.BoolVar(&o.device, "device", false, "with a code to type on any device (default)")
	f.BoolVar(&o.browser, "browser", false, "with a browser on this machine")
	f.StringSliceVar(&o.scopes, "scope", nil, "further scopes to ask for, such as one for groups")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.device && o.browser {
			return usageError{errors.New("--device and --browser exclude each other")}
		}
		cl, err := c.clientWith("")
		if err != nil {
			return err
		}
		defer cl.Close()
		return c.login(cmd, cl, o)
	}
	return cmd
}

func (c *cli) login(cmd *cobra.Command, cl *client.Client, o loginOptions) error {
	ctx := cmd.Context()
	where, err := chooseIssuer(cmd, cl, o.issuer)
	if err != nil {
		return err
	}
	s, err := login.Begin(ctx, login.Issuer{URL: where.URL, ClientID: where.ClientID, CACert: []byte(where.CACert)})
	if err != nil {
		return err
	}
	s.Scopes(o.scopes...)
	way := s.Device
	if o.browser {
		way = s.Browser
	}
	id, err := way(ctx, func(p login.Prompt) {
		fmt.Fprintf(c.err, "open %s\n", p.URL)
		if p.Code != "" {
			fmt.Fprintf(c.err, "and type %s\n", p.Code)
		}
	})
	if err != nil {
		return err
	}
	token, expires, err := cl.Exchange(ctx, id)
	if err != nil {
		return err
	}
	if err := saveLogin(c.address, token, expires); err != nil {
		return err
	}
	fmt.Fprintf(c.err, "logged in at %s until %s\n", where.Name, expires.Format(time.RFC3339))
	return nil
}

// chooseIssuer finds the one issuer that is meant.
func chooseIssuer(cmd *cobra.Command, cl *client.Client, name string) (v1.LoginIssuer, error) {
	l, err := cl.LoginIssuers(cmd.Context(), name)
	if err != nil {
		return v1.LoginIssuer{}, err
	}
	switch len(l.Value) {
	case 1:
		return l.Value[0], nil
	case 0:
		return v1.LoginIssuer{}, &gallery.Error{Kind: gallery.ErrNotFound, Op: "log in", Resource: name, Message: "the cluster trusts no such issuer"}
	}
	var names []string
	for _, i := range l.Value {
		names = append(names, i.Name)
	}
	return v1.LoginIssuer{}, usageError{fmt.Errorf("--issuer: must be one of %s", strings.Join(names, ", "))}
}

func (c *cli) logoutCommand() *cobra.Command {
	return &cobra.Command{Use: "logout", Short: "Forget the login", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		return saveLogin(c.address, "", time.Time{})
	}}
}

func (c *cli) whoamiCommand() *cobra.Command {
	return &cobra.Command{Use: "whoami", Short: "Show who the token stands for", Args: cobra.NoArgs, RunE: c.call(func(cmd *cobra.Command, cl *client.Client, _ []string) error {
		me, err := cl.Me(cmd.Context())
		if err != nil {
			return err
		}
		t := table{head: []string{"KIND", "NAME", "ID", "CLIENT ID", "TENANT", "GROUPS", "EXPIRES"}}
		t.add(me.Kind, me.Name, dash(me.ID), dash(me.ClientID), dash(me.Tenant), fmt.Sprint(len(me.Groups)), when(me.Expires))
		return c.print(me, t)
	})}
}

// logins is the file of a person's logins.
type logins struct {
	Logins []savedLogin `json:"logins"`
}

// savedLogin is a token for a cluster, found by the addresses under which it was reached.
type savedLogin struct {
	Addresses []string  `json:"addresses"`
	Token     string    `json:"token"`
	Expires   time.Time `json:"expires"`
}

// maxLogins bounds the file: the oldest go.
const maxLogins = 32

func loginsFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("where logins are kept: %w", err)
	}
	return filepath.Join(dir, "loggia", "logins.json"), nil
}

func readLogins() (logins, string, error) {
	var all logins
	path, err := loginsFile()
	if err != nil {
		return all, "", err
	}
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, path, nil
	}
	if err != nil {
		return all, path, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return all, path, fmt.Errorf("%s: others may read it (mode %v); log out and in again after you have set mode 0600", path, st.Mode().Perm())
	}
	b, err := readSmall(path, 1<<20)
	if err != nil {
		return all, path, err
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return all, path, fmt.Errorf("%s: %w", path, err)
	}
	return all, path, nil
}

// saveLogin keeps a token for the addresses; an empty one forgets.
func saveLogin(addresses []string, token string, expires time.Time) error {
	all, path, err := readLogins()
	if err != nil {
		return err
	}
	all.Logins = slices.DeleteFunc(all.Logins, func(l savedLogin) bool { return meet(l.Addresses, addresses) })
	if token != "" {
		all.Logins = append(all.Logins, savedLogin{addresses, token, expires})
	}
	all.Logins = all.Logins[max(0, len(all.Logins)-maxLogins):]
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, append(b, '\n'), 0o600)
}

// savedToken returns the token of an earlier login; "": there is none.
func savedToken(addresses []string, now time.Time) (string, error) {
	all, _, err := readLogins()
	if err != nil {
		return "", err
	}
	for _, l := range all.Logins {
		if !meet(l.Addresses, addresses) {
			continue
		}
		if !now.Before(l.Expires) {
			return "", &gallery.Error{Kind: gallery.ErrUnauthenticated, Op: "authenticate", Message: "your login expired at " + l.Expires.Format(time.RFC3339) + "; run loggia login"}
		}
		return l.Token, nil
	}
	return "", nil
}

func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
