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
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
