package clusterlab

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"loggia/api/v1"
)

// Get asks a region's node, from inside the region, and decodes its JSON.
func (c *Cluster) Get(ctx context.Context, region, path string, into any) error {
	raw, err := c.get(ctx, region, path)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}

func (c *Cluster) get(ctx context.Context, region, path string) ([]byte, error) {
	client := c.HTTP(region)
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Address(region)+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", path, resp.Status, raw)
	}
	return raw, err
}

// Status is what a region's node says of a version, GALLERY/IMAGE/VERSION.
func (c *Cluster) Status(ctx context.Context, region, version string) (v1.VersionStatus, error) {
	var s v1.VersionStatus
	part := strings.SplitN(version, "/", 3)
	if len(part) != 3 {
		return s, fmt.Errorf("version %q: want GALLERY/IMAGE/VERSION", version)
	}
	err := c.Get(ctx, region, fmt.Sprintf("/v1/galleries/%s/images/%s/versions/%s/status", part[0], part[1], part[2]), &s)
	return s, err
}

// Completed waits until regions hold a version, as the node of another region sees it, and returns
// when each was seen to be done. It calls each, which may be nil, at every look.
func (c *Cluster) Completed(ctx context.Context, at, version string, regions []string, each func(v1.VersionStatus) error) (map[string]time.Time, error) {
	done := map[string]time.Time{}
	err := c.until(ctx, version+" in "+strings.Join(regions, ", "), func() (bool, error) {
		s, err := c.Status(ctx, at, version)
		if err != nil {
			return false, ctx.Err() // a node that is busy electing is asked again
		}
		for _, r := range s.Regions {
			if _, was := done[r.Region]; !was && r.State == "Completed" {
				done[r.Region] = time.Now()
			}
		}
		if each != nil {
			if err := each(s); err != nil {
				return false, err
			}
		}
		for _, r := range regions {
			if _, ok := done[r]; !ok {
				return false, nil
			}
		}
		return true, nil
	})
	return done, err
}
