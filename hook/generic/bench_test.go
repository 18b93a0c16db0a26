package generic_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkUnknownKeys measures what tokens with key ids that nobody has do to
// those of good callers: the 99th percentile of good logins alone, and beside
// five times as many bad ones, in turns, of which the metrics are medians.
// "ratio" is the one to look at. `make bench-trust` runs it, seven turns of each.
func BenchmarkUnknownKeys(b *testing.B) {
	const (
		rate = 40 // good logins a second
		turn = 8 * time.Second
		bad  = 5 // for every good one
	)
	idp := startSigner(b)
	s := serve(b, idp.file("id_token"))
	good := func(i int) string {
		return presented(m{"id_token": idp.token("Ann", time.Second), "flow_id": fmt.Sprint("good-", i)})
	}
	s.post(good(0))
	unknown := func(i int) string {
		header := part(fmt.Sprintf(`{"alg":"EdDSA","kid":"unknown-%d"}`, i))
		_, rest, _ := strings.Cut(idp.token("Ann", 0), ".")
		return presented(m{"id_token": header + "." + rest, "flow_id": fmt.Sprint("bad-", i)})
	}
	number := 1
	// p99 sends good logins at their rate, each followed by others at even
	// distances.
	p99 := func(others int) time.Duration {
		var wg sync.WaitGroup
		took := make([]time.Duration, int(rate*turn.Seconds()))
		tick := time.NewTicker(time.Second / time.Duration(rate*(1+others)))
		defer tick.Stop()
		send := func(body string, want int, into *time.Duration) {
			<-tick.C
			wg.Go(func() {
				start := time.Now()
				if w := s.post(body); w.Code != want {
					b.Errorf("%d %s", w.Code, w.Body)
				}
				if into != nil {
					*into = time.Since(start)
				}
			})
		}
		for i := range took {
			number++
			send(good(number), 200, &took[i])
			for j := range others {
				send(unknown(number*bad+j), 403, nil)
			}
		}
		wg.Wait()
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	var without, with, ratios []float64
	for b.Loop() {
		alone := p99(0)
		beside := p99(bad)
		without, with = append(without, alone.Seconds()*1000), append(with, beside.Seconds()*1000)
		ratios = append(ratios, float64(beside)/float64(alone))
		b.Logf("p99 alone %s, beside %d times as many unknown keys %s", alone, bad, beside)
	}
	for unit, of := range map[string][]float64{"ms-without": without, "ms-with": with, "ratio": ratios} {
		b.ReportMetric(slices.Sorted(slices.Values(of))[len(of)/2], unit)
	}
}

// BenchmarkReturning is what a login costs this process that changes nothing, from
// the request to its answer, with an embedded store and a log. What is recorded
// behind the answer is not in it.
func BenchmarkReturning(b *testing.B) {
	s := serve(b, `
version: 1
provider: acme
issuer: https://acme.example
trust: {email_verified: true}
jit: {enabled: true, deny: [{when: "has(claims.guest)", code: guest, message: No guests.}]}
traits:
  name: {value: claims.name, required: true}
  email: {value: claims.email, verified: claims.email_verified}
  department: {value: claims.department}
  locale: {value: claims.locale}
groups: {from: claims.groups, allow: [staff, eng, oncall]}
`)
	body := presented(m{"claims": m{
		"name": "Ann", "email": "ann@example.test", "email_verified": true, "department": "engineering", "locale": "en",
		"groups": []string{"staff", "eng", "oncall", "a-1", "a-2", "a-3", "a-4"},
	}})
	s.post(body)
	b.ReportAllocs()
	for b.Loop() {
		if w := s.post(body); w.Code != http.StatusOK {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}
