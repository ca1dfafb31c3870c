package netlab

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// headerLen is the size of the offload header (struct virtio_net_hdr) before each packet.
const headerLen = 10

// maxPacket is the largest read from a device: a segment of 64 KiB with its headers.
const maxPacket = 64<<10 + 512

// tun is a TUN device. Each Read is one packet from the kernel, each Write one to it; closing it
// removes the device.
type tun struct{ *os.File }

// openTUN makes a TUN device in the namespace.
func (ns *namespace) openTUN(name string) (*tun, error) {
	var t *tun
	err := ns.do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return fmt.Errorf("%w (open /dev/net/tun: %w)", ErrForbidden, err)
		}
		if err := configure(fd, name); err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		t = &tun{os.NewFile(uintptr(fd), name)} // after configure: before, the poller sees an error
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("make device %s: %w", name, err)
	}
	return t, nil
}

func configure(fd int, name string) error {
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return fmt.Errorf("%w (TUNSETIFF: %w)", ErrForbidden, err)
	}
	size := int32(headerLen)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETVNETHDRSZ, uintptr(unsafe.Pointer(&size))); e != 0 {
		return fmt.Errorf("TUNSETVNETHDRSZ: %w", e)
	}
	offloads := unix.TUN_F_CSUM | unix.TUN_F_TSO4
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offloads); err != nil {
		return fmt.Errorf("TUNSETOFFLOAD: %w", err)
	}
	return nil
}
