//go:build !linux

package hook

import (
	"net"
	"time"
)

// sinceData is not known here.
func sinceData(*net.TCPConn) time.Duration { return 0 }
