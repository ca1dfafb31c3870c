package bare

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"loggia/blobstore"
)

// relayed is blind by way of two nodes: whoever reads from a is not who writes to b, a connection with TLS lies between them, and what
// arrives is hashed once. It is the least that a copy does that goes from node to node and believes nobody.
func (t *task) relayed(ctx context.Context) error {
	from, to, err := t.stores()
	if err != nil {
		return err
	}
	own, err := certificate()
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13})
	if err != nil {
		return err
	}
	defer l.Close()
	g, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, func() { l.Close() })() // ends the Accepts
	objects := make(chan blobstore.Info)
	g.Go(func() error {
		defer close(objects)
		return lacking(ctx, from, to, func(i blobstore.Info) error {
			select {
			case objects <- i:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range blindly {
		g.Go(func() error {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			return receive(ctx, c, to)
		})
		g.Go(func() error { return send(ctx, l.Addr(), from, objects) })
	}
	return g.Wait()
}

// send reads objects and sends each with its length and key, and waits until it is written.
func send(ctx context.Context, to net.Addr, from blobstore.Store, objects <-chan blobstore.Info) error {
	c, err := tls.Dial(to.Network(), to.String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) // both ends are this process
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	for i := range objects {
		r, err := from.Get(ctx, i.Key, 0, -1)
		if err != nil {
			return err
		}
		object := make([]byte, i.Size)
		_, err = io.ReadFull(r, object)
		if err = errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("read %s: %w", i.Key, err)
		}
		head := binary.LittleEndian.AppendUint64(nil, uint64(i.Size))
		head = append(binary.LittleEndian.AppendUint64(head, uint64(len(i.Key))), i.Key...)
		if _, err := c.Write(head); err != nil {
			return err
		}
		if _, err := c.Write(object); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, head[:1]); err != nil {
			return fmt.Errorf("answer for %s: %w", i.Key, err)
		}
	}
	return nil
}

// receive takes objects in until the other side ends.
func receive(ctx context.Context, c net.Conn, to blobstore.Store) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	for {
		var head [16]byte
		if _, err := io.ReadFull(c, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		object := make([]byte, binary.LittleEndian.Uint64(head[:]))
		key := make([]byte, binary.LittleEndian.Uint64(head[8:]))
		if _, err := io.ReadFull(c, key); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, object); err != nil {
			return err
		}
		_ = sha256.Sum256(object)
		if err := to.Put(ctx, string(key), object); err != nil {
			return err
		}
		if _, err := c.Write([]byte{1}); err != nil {
			return err
		}
	}
}

// certificate makes one for this process alone.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, x, x, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
