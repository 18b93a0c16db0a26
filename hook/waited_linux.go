package hook

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// sinceData is how long ago the kernel got data on the connection; 0 if it does not
// say.
func sinceData(c *net.TCPConn) (ago time.Duration) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // a closed connection's caller is gone
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			ago = time.Duration(info.Last_data_recv) * time.Millisecond
		}
	})
	return ago
}
