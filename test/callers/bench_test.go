//go:build linux

package callers_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jithook/jithook/test/server"
)

// Rates and length of the measurement: good calls a second, how many bad ones
// there are for each, and how long one part of a round takes.
const (
	goodRate = 100
	badTimes = 5
	rounds   = 7
	part     = 4 * time.Second
)

// BenchmarkBadCallers measures what good callers notice of five times as many bad
// ones from the same address: parts without and with them by turns, the p99 of
// each, medians over the rounds. b.N does not matter: `make bench-trust` runs it
// with -benchtime 1x.
func BenchmarkBadCallers(b *testing.B) {
	s := start(b)
	client := &http.Client{Timeout: limit, Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	call := func(headers map[string]string) int {
		r, err := http.NewRequest(http.MethodPost, s.Hooks+"/hooks/login", strings.NewReader(login))
		if err != nil {
			b.Error(err)
			return 0
		}
		r.Header.Set("Content-Type", "application/json")
		for name, v := range headers {
			r.Header.Set(name, v)
		}
		reply, err := client.Do(r)
		if err != nil {
			b.Error(err)
			return 0
		}
		defer reply.Body.Close()
		_, _ = io.Copy(io.Discard, reply.Body)
		return reply.StatusCode
	}
	good := func() {
		if status := call(map[string]string{"X-API-Key": server.Secret}); status != 200 {
			b.Errorf("a good caller got %d", status)
		}
	}
	for name, bad := range map[string]func(n int) map[string]string{
		"keys": func(n int) map[string]string { return map[string]string{"X-API-Key": fmt.Sprint("guess-", n)} },
		"signatures": func(n int) map[string]string {
			return map[string]string{
				"webhook-id": fmt.Sprint("m-", n), "webhook-timestamp": fmt.Sprint(time.Now().Unix()),
				"webhook-signature": "v1," + string(bytes.Repeat([]byte("A"), 43)) + "=",
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				var alone, beside []time.Duration
				paced(goodRate, part, func(int) { good() }) // warm
				for range rounds {
					alone = append(alone, p99(paced(goodRate, part, func(int) { good() })))
					var bads sync.WaitGroup
					bads.Go(func() {
						paced(goodRate*badTimes, part, func(n int) {
							if status := call(bad(n)); status != 401 && status != 429 {
								b.Errorf("a bad caller got %d", status)
							}
						})
					})
					beside = append(beside, p99(paced(goodRate, part, func(int) { good() })))
					bads.Wait()
				}
				a, c := median(alone), median(beside)
				b.Logf("p99 alone %v median %v, beside %v median %v", alone, a, beside, c)
				b.ReportMetric(float64(a.Microseconds())/1000, "ms-without")
				b.ReportMetric(float64(c.Microseconds())/1000, "ms-with")
				b.ReportMetric(float64(c)/float64(a), "ratio")
			}
		})
	}
}

// paced calls so often a second, whether or not earlier calls were answered, and
// returns how long after its time each was.
func paced(rate int, length time.Duration, call func(n int)) []time.Duration {
	took := make([]time.Duration, int(length.Seconds()*float64(rate)))
	begin := time.Now()
	var all sync.WaitGroup
	for n := range took {
		at := begin.Add(time.Duration(n) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(at))
		all.Go(func() {
			call(n)
			took[n] = time.Since(at)
		})
	}
	all.Wait()
	return took
}

func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
