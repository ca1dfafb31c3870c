// Package netlab makes regions out of network namespaces, with distance between them, for tests of real processes.
//
// Every pair of regions has a link of its own, so the kernel's counters of an interface are the
// bytes between two regions. Without delay and rate a link is a veth pair. Otherwise it is two TUN
// devices, and this process carries the packets from one to the other when they are due. (The
// kernels that we test on have no netem.) Packets cross with their offload header, so 64 KiB
// segments stay whole and checksums are nobody's business.
//
// With a hub each region has one line to a router instead, which the kernel shapes; then there is no
// distance.
//
// The namespaces have no names: when this process ends, however it ends, they go with the last
// process in them. Commands die with this process; children of theirs that outlive a crash are
// killed when the next lab is made. It takes root and /dev/net/tun.
package netlab
