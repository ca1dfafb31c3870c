// Command gosdk walks the life of a gallery with Azure's SDK for Go, unmodified, against the cluster that the environment names.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// world is what a story works with.
type world struct {
	base, sub, group, gallery string
	regions                   []string
	snapshot, packageURL      string
	http                      *http.Client
	options                   *arm.ClientOptions
	cred                      azcore.TokenCredential
}

// secret is a credential that asks Loggia's token endpoint, as azidentity asks Microsoft's.
type secret struct {
	endpoint, id, secret string
	http                 *http.Client
}

// GetToken implements azcore.TokenCredential.
func (s secret) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {s.id}, "client_secret": {s.secret}, "scope": o.Scopes}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return azcore.AccessToken{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.http.Do(req)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	defer resp.Body.Close()
	var out struct {
		Token   string      `json:"access_token"`
		Expires json.Number `json:"expires_in"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Token == "" {
		return azcore.AccessToken{}, fmt.Errorf("no token: %s, %w", resp.Status, err)
	}
	seconds, err := out.Expires.Int64()
	return azcore.AccessToken{Token: out.Token, ExpiresOn: time.Now().Add(time.Duration(seconds) * time.Second)}, err
}

func newWorld(story string) (*world, error) {
	pem, err := os.ReadFile(os.Getenv("LOGGIA_CACERT"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: time.Minute}
	base := os.Getenv("LOGGIA_ADDRESS")
	w := &world{base: base, sub: os.Getenv("LOGGIA_SUBSCRIPTION"), group: "rg-" + story, gallery: "gal_" + story, regions: strings.Split(os.Getenv("STORY_REGIONS"), ","),
		snapshot: os.Getenv("STORY_SNAPSHOT"), packageURL: os.Getenv("STORY_PACKAGE"), http: client}
	w.cred = secret{base + "/" + os.Getenv("LOGGIA_TENANT") + "/oauth2/v2.0/token", os.Getenv("LOGGIA_CLIENT_ID"), os.Getenv("LOGGIA_CLIENT_SECRET"), client}
	w.options = &arm.ClientOptions{DisableRPRegistration: true, ClientOptions: policy.ClientOptions{Transport: client,
		Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{cloud.ResourceManager: {Endpoint: base, Audience: base}}}}}
	return w, nil
}

// step runs one step and says how long it took.
func step(name string, f func() error) error {
	began := time.Now()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	fmt.Printf("  %-60s %5.2f s\n", name, time.Since(began).Seconds())
	return nil
}

// refused expects an error of the service with a status and a code.
func refused(err error, status int, code string) error {
	var r *azcore.ResponseError
	if !errors.As(err, &r) {
		return fmt.Errorf("got %v, want %d %s", err, status, code)
	}
	if r.StatusCode != status || r.ErrorCode != code {
		return fmt.Errorf("got %d %s, want %d %s: %v", r.StatusCode, r.ErrorCode, status, code, err)
	}
	return nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	stories := map[string]func(context.Context, *world) error{"v8": storyV8, "v5": storyV5, "poll": storyPoll,
		"errors": storyErrors, "full": storyFull, "alone": storyAlone, "write": storyWrite, "withdrawn": storyWithdrawn}
	for _, name := range os.Args[1:] {
		w, err := newWorld(name)
		if err == nil {
			err = stories[name](ctx, w)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "gosdk %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}
