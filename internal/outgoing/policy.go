// Package outgoing fetches what users name by URL, and only from where the operator allows it: the address is checked when it is
// dialled, and each redirect again.
package outgoing

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// The reasons for not fetching. Errors wrap one of these, or a network error that may pass.
var (
	ErrForbidden = errors.New("the address is not allowed")   // by the operator's rules
	ErrInvalid   = errors.New("the URL is malformed")         //
	ErrMissing   = errors.New("the source does not exist")    // 404, 410
	ErrRefused   = errors.New("the source refuses access")    // 401, 403
	ErrChanged   = errors.New("the source changed meanwhile") //
	ErrTooLarge  = errors.New("the source is too large")      //
	ErrNoRoom    = errors.New("no room for a copy")           // may pass
	ErrContent   = errors.New("the source cannot be used")    // empty, or packed on its way
)

// Permanent says whether trying again cannot help before somebody changes something.
func Permanent(err error) bool {
	for _, e := range []error{ErrForbidden, ErrInvalid, ErrMissing, ErrRefused, ErrTooLarge, ErrContent} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Policy says what may be fetched. The zero value allows nothing.
type Policy struct {
	// Allow lists origins: "https://host[:port]", with "*." before a domain for all below it. Only what is listed as http may be http.
	Allow []string
	// Networks are private or otherwise special addresses that may be dialled all the same.
	Networks []string
}

// Validate says what of the policy cannot be read.
func (p Policy) Validate() error {
	_, err := p.rules()
	return err
}

// rules is a policy that was read.
type rules struct {
	origins  []origin
	networks []netip.Prefix
}

type origin struct {
	scheme, host, port string
	below              bool // any host below
}

// maxURL bounds a URL, in bytes.
const maxURL = 2 << 10

func (p Policy) rules() (*rules, error) {
	out := &rules{}
	for i, text := range p.Allow {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
			return nil, fmt.Errorf("allow[%d]: %q: must be an origin such as https://images.example.org or https://*.example.org", i, text)
		}
		host, below := strings.CutPrefix(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), "*.")
		if host == "" || strings.Contains(host, "*") {
			return nil, fmt.Errorf("allow[%d]: %q: a * stands only before a domain, as in https://*.example.org", i, text)
		}
		out.origins = append(out.origins, origin{u.Scheme, host, portOf(u), below})
	}
	for i, text := range p.Networks {
		n, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("networks[%d]: %q: must be a network such as 10.0.0.0/8", i, text)
		}
		out.networks = append(out.networks, n.Masked())
	}
	return out, nil
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// parse reads a URL that a user gave.
func parse(text string) (*url.URL, error) {
	if len(text) > maxURL {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrInvalid, maxURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("%w: it must be http or https with a host", ErrInvalid)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%w: the scheme must be http or https", ErrInvalid)
	case u.User != nil:
		return nil, fmt.Errorf("%w: it must hold no user information", ErrInvalid)
	case u.Fragment != "":
		return nil, fmt.Errorf("%w: it must have no fragment", ErrInvalid)
	case strings.ContainsAny(u.Host, " \t\r\n\\"):
		return nil, fmt.Errorf("%w: the host holds characters that no host has", ErrInvalid)
	}
	return u, nil
}

// allows says whether the operator allows the origin of u.
func (r *rules) allows(u *url.URL) error {
	host, port := strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), portOf(u)
	for _, o := range r.origins {
		if o.scheme != u.Scheme || o.port != port {
			continue
		}
		if host == o.host && !o.below || o.below && strings.HasSuffix(host, "."+o.host) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s://%s is not among the origins that imports.allow lists", ErrForbidden, u.Scheme, u.Host)
}

// special are networks that are not the open internet, beside those that netip knows of.
var special = func() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}()

// dials says whether an address may be dialled: the open internet, or a network that the operator lists.
func (r *rules) dials(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrForbidden, address)
	}
	ip := ap.Addr().Unmap().WithZone("")
	for _, n := range r.networks {
		if n.Contains(ip) {
			return nil
		}
	}
	open := ip.IsGlobalUnicast() && !ip.IsPrivate()
	for _, n := range special {
		open = open && !n.Contains(ip)
	}
	if !open {
		return fmt.Errorf("%w: %s is no address of the open internet, and imports.networks does not list it", ErrForbidden, ip)
	}
	return nil
}

// refusal takes the URL out of an error: it was given by a user, and what signs it is a secret.
func refusal(err error) error {
	var u *url.Error
	for errors.As(err, &u) {
		err = u.Err
	}
	return err
}
