package main

import (
	"fmt"
	"strconv"
	"strings"

	"loggia/api/v1"
)

// names splits gallery/image/version into exactly n parts.
func names(arg string, n int) ([]string, error) {
	form := strings.Join([]string{"GALLERY", "IMAGE", "VERSION"}[:n], "/")
	p := strings.Split(arg, "/")
	if len(p) != n {
		return nil, usageError{fmt.Errorf("%q: must be %s", arg, form)}
	}
	for _, s := range p {
		if s == "" {
			return nil, usageError{fmt.Errorf("%q: must be %s, no part empty", arg, form)}
		}
	}
	return p, nil
}

// targets reads --regions a,b=2,c=1=Premium_LRS.
func targets(list []string) ([]v1.TargetRegion, error) {
	var out []v1.TargetRegion
	for _, item := range list {
		p := strings.Split(item, "=")
		t := v1.TargetRegion{Name: p[0]}
		if len(p) > 3 || p[0] == "" {
			return nil, usageError{fmt.Errorf("--regions: %q: must be REGION[=COUNT[=CLASS]]", item)}
		}
		if len(p) > 1 {
			n, err := strconv.Atoi(p[1])
			if err != nil || n < 1 || n > 100 {
				return nil, usageError{fmt.Errorf("--regions: %q: the replica count must be 1 to 100", item)}
			}
			t.ReplicaCount = n
		}
		if len(p) > 2 {
			t.StorageClass = p[2]
		}
		out = append(out, t)
	}
	return out, nil
}

func tags(list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	m := map[string]string{}
	for _, item := range list {
		k, v, ok := strings.Cut(item, "=")
		if !ok || k == "" {
			return nil, usageError{fmt.Errorf("--tag: %q: must be KEY=VALUE", item)}
		}
		m[k] = v
	}
	return m, nil
}
