package user

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// isOwn reports whether a request on loopback comes from a process of this user; known is
// false where the system doesn't tell. A client that has already closed its socket
// may have been another user's.
func isOwn(r *http.Request) (own, known bool) {
	server, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false, false
	}
	client, err := netip.ParseAddrPort(r.RemoteAddr)
	to, errTo := netip.ParseAddrPort(server.String())
	if err != nil || errTo != nil {
		return false, false
	}
	uid := -1
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		id, found, err := socketOwner(table, client, to)
		if found {
			uid = id
		}
		known = known || err == nil
	}
	own = uid == os.Getuid()
	isRelayed := !own && uid <= 0 && isWSL()
	return own, known && !isRelayed
}

// isWSL reports whether this is the Windows Subsystem for Linux. There, the socket of a
// browser on Windows is root's, who relays what it sends, or is not visible.
func isWSL() bool {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return strings.Contains(strings.ToLower(string(release)), "microsoft")
}

// socketOwner returns the user of the socket at one end of a connection. (proc_net_tcp
// in the kernel's documentation: the second column is the local address, the third the
// remote one, the eighth the user.)
func socketOwner(table string, local, remote netip.AddrPort) (uid int, found bool, err error) {
	f, err := os.Open(table)
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) > 7 && parseAddress(fields[1]) == unmap(local) && parseAddress(fields[2]) == unmap(remote) {
			uid, err := strconv.Atoi(fields[7])
			return uid, err == nil, err
		}
	}
	return 0, false, lines.Err()
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// parseAddress parses an address in hexadecimal, 32 bits at a time in the machine's byte
// order, with its port; the zero value for none.
func parseAddress(s string) netip.AddrPort {
	host, port, _ := strings.Cut(s, ":")
	address, err := hex.DecodeString(host)
	number, errPort := strconv.ParseUint(port, 16, 16)
	if err != nil || errPort != nil || len(address)%4 != 0 {
		return netip.AddrPort{}
	}
	for word := range len(address) / 4 {
		part := address[4*word : 4*word+4]
		binary.NativeEndian.PutUint32(part, binary.BigEndian.Uint32(part))
	}
	ip, _ := netip.AddrFromSlice(address)
	return unmap(netip.AddrPortFrom(ip, uint16(number)))
}
