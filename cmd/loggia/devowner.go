package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"loggia/api/client"
	"loggia/api/v1"
	"loggia/gallery"
	"loggia/internal/atomicfile"
	"loggia/internal/clientsecret"
	"loggia/node"
)

// devOwner makes the owner that programs log in as, once in a directory's life. Its secret is written down before the
// cluster hears of it, so that no crash leaves one that nobody knows.
func devOwner(ctx context.Context, dir string, first *node.Node, token string) (v1.Bootstrap, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	file := filepath.Join(dir, "owner.json")
	var b v1.Bootstrap
	raw, err := readSmall(file, 64<<10)
	if err == nil {
		err = json.Unmarshal(raw, &b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return b, fmt.Errorf("%s: %w", file, err)
	}
	if b.ClientID != "" {
		return b, nil
	}
	if b.ClientSecret == "" {
		b.ClientSecret = clientsecret.New()
		if err := writeOwner(file, b); err != nil {
			return b, err
		}
	}
	cl, err := client.New(client.Options{Addresses: []string{"https://" + first.Addr()}, Token: token, CACert: first.Dir().CAFile()})
	if err != nil {
		return b, err
	}
	defer cl.Close()
	for {
		made, err := cl.Bootstrap(ctx, v1.BootstrapRequest{Secret: b.ClientSecret})
		switch {
		case err == nil:
			made.ClientSecret = b.ClientSecret
			return made, writeOwner(file, made)
		case errors.Is(err, gallery.ErrConflict):
			return v1.Bootstrap{}, nil // somebody bootstrapped this cluster by hand
		}
		if e := pause(ctx); e != nil {
			return b, fmt.Errorf("make the owner: %w", err)
		}
	}
}

func writeOwner(file string, b v1.Bootstrap) error {
	raw, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(file, append(raw, '\n'), 0o600)
}
