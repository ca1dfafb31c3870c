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
	"os"
	"slices"
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
	return relay(ctx, to, func(ctx context.Context, next func(object) error) error {
		return lacking(ctx, from, to, func(i blobstore.Info) error {
			return next(object{key: i.Key, size: i.Size, read: func(b []byte) error {
				r, err := from.Get(ctx, i.Key, 0, -1)
				if err != nil {
					return err
				}
				_, err = io.ReadFull(r, b)
				return errors.Join(err, r.Close())
			}})
		})
	})
}

// piece is how many bytes of a file lie in one object: as many as in a pack of data.
const piece = 8 << 20

// put brings the image to the store of a, as it is, by way of a node that believes nobody: who reads hashes each piece, to say what it is,
// and who writes hashes it again, with TLS between them. It is the least that a publish does of what neither compresses nor is known.
func (t *task) put(ctx context.Context) error {
	to, err := t.dial(regionA, t.known.Checksums[regionA])
	if err != nil {
		return err
	}
	file, err := os.Open(t.image)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return relay(ctx, to, func(_ context.Context, next func(object) error) error {
		for at := int64(0); at < info.Size(); at += piece {
			o := object{key: fmt.Sprintf("%s/%012d", t.name, at), size: min(piece, info.Size()-at)}
			o.read = func(b []byte) error {
				_, err := file.ReadAt(b, at)
				_ = sha256.Sum256(b)
				return err
			}
			if err := next(o); err != nil {
				return err
			}
		}
		return nil
	})
}

// object is one that is to be written.
type object struct {
	key  string
	size int64
	read func([]byte) error // fills all of it
}

// relay has some readers send what list calls next with to some that write it, each pair over a connection with TLS.
func relay(ctx context.Context, to blobstore.Store, list func(ctx context.Context, next func(object) error) error) error {
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
	objects := make(chan object)
	g.Go(func() error {
		defer close(objects)
		return list(ctx, func(o object) error {
			select {
			case objects <- o:
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
		g.Go(func() error { return send(ctx, l.Addr(), objects) })
	}
	return g.Wait()
}

// send reads objects and sends each with its length and key, and waits until it is written.
func send(ctx context.Context, to net.Addr, objects <-chan object) error {
	c, err := tls.Dial(to.Network(), to.String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}) // both ends are this process
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	var content []byte
	for o := range objects {
		content = slices.Grow(content[:0], int(o.size))[:o.size]
		if err := o.read(content); err != nil {
			return fmt.Errorf("read %s: %w", o.key, err)
		}
		head := binary.LittleEndian.AppendUint64(nil, uint64(o.size))
		head = append(binary.LittleEndian.AppendUint64(head, uint64(len(o.key))), o.key...)
		if _, err := c.Write(head); err != nil {
			return err
		}
		if _, err := c.Write(content); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, head[:1]); err != nil {
			return fmt.Errorf("answer for %s: %w", o.key, err)
		}
	}
	return nil
}

// receive takes objects in until the other side ends.
func receive(ctx context.Context, c net.Conn, to blobstore.Store) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	var content []byte
	for {
		var head [16]byte
		if _, err := io.ReadFull(c, head[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		size := int(binary.LittleEndian.Uint64(head[:]))
		content = slices.Grow(content[:0], size)[:size]
		key := make([]byte, binary.LittleEndian.Uint64(head[8:]))
		if _, err := io.ReadFull(c, key); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, content); err != nil {
			return err
		}
		_ = sha256.Sum256(content)
		if err := to.Put(ctx, string(key), content); err != nil {
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
