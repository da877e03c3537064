package auth

import "net/netip"

// Source returns what limits by source address count as one source: an IPv4 address, or
// the /64 network of an IPv6 address, because one host usually has a whole /64. The
// address is that of a connection, such as 10.0.0.7:4711. Addresses that are not IP
// addresses are one source together.
func Source(address string) netip.Prefix {
	ip := IP(address)
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	source, _ := ip.Prefix(bits) // the zero Prefix for the zero Addr
	return source
}

// IP returns the IP address of a connection's address, and the zero Addr if it has none.
func IP(address string) netip.Addr {
	parsed, _ := netip.ParseAddrPort(address)
	return parsed.Addr().Unmap().WithZone("")
}
