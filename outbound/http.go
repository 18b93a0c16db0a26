package outbound

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/jithook/jithook/internal/safedial"
)

const (
	dialTime  = 5 * time.Second
	maxHeader = 64 << 10 // bytes of an answer
	// pingAfter is how long a connection of HTTP/2 may be silent before the other
	// end is asked whether it is there, and pingTime how long it has to answer.
	// All requests share that connection: one that is dead, which TCP notices
	// after a quarter of an hour, would keep all of them waiting.
	pingAfter = 5 * time.Second
	pingTime  = 3 * time.Second
)

// NewHTTP returns a client for a connector. It follows no redirect, which would
// carry an account elsewhere, uses no proxy, and calls only addresses that the
// guard allows. What bounds a request is its context.
func NewHTTP(g safedial.Guard) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            g.Dialer(dialTime).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    dialTime,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTime},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
