#!/usr/bin/env bash
# Measures what trust costs and prints it as a table for docs/benchmarks.md; what
# the benchmarks say themselves goes to stderr. In each, parts without and with
# what is measured alternate, at least seven of both; the table has medians.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go=${GO:-go}
[ "$(uname -s)" = Linux ] || { echo "bench-trust.sh: it reads memory and load from /proc, so it needs Linux" >&2; exit 1; }
raw=$(mktemp)
trap 'rm -f "$raw"' EXIT

processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)
load=$(cut -d' ' -f1 /proc/loadavg)
measure() { "$go" test -count=1 -timeout 15m "$@" | tee -a "$raw" >&2; }
measure -run '^$' -bench '^BenchmarkL3_' -benchtime 40x ./claims/idtoken
measure -run '^$' -bench '^BenchmarkUnknownKeys$' -benchtime 7x ./hook/generic
measure -run '^$' -bench '^BenchmarkBadCallers$' -benchtime 1x ./test/callers
measure -run '^TestS13_MemoryIsFlat$' -v ./test/callers

echo "$(date -u +%F), $(uname -sm), $(nproc) × ${processor:-processor unknown}, $("$go" env GOVERSION), load $load at the start"
echo
awk '
BEGIN {
	what["L3_AgainstSignature/RS256"] = "whole check of an ID token beside its bare signature, RS256, CPU"
	what["L3_AgainstSignature/ES256"] = "the same, ES256"
	what["L3_AgainstSignature/EdDSA"] = "the same, EdDSA"
	what["UnknownKeys"] = "p99 of good ID tokens beside 5 times as many with unknown key ids"
	what["BadCallers/keys"] = "p99 of good callers beside 5 times as many with bad keys"
	what["BadCallers/signatures"] = "the same, bad signatures"
	print "| measured | without | with | ratio | allowed |\n|---|---:|---:|---:|---:|"
}
/^Benchmark.* ratio/ {
	name = $1
	sub(/^Benchmark/, "", name)
	sub(/-[0-9]+$/, "", name)
	for (i = 3; i < NF; i += 2) {
		unit = $(i + 1)
		if (unit == "ratio") ratio = $i
		if (split(unit, part, "-") == 2) cell[part[2]] = sprintf("%.2f %s", $i, part[1] == "us" ? "µs" : part[1])
	}
	printf "| %s | %s | %s | %.2f | 1.5 |\n", (name in what) ? what[name] : name, cell["without"], cell["with"], ratio
}
/MiB before, .* MiB at most/ {
	printf "| memory of the server, under 320 bodies of 1 GiB, 160 gzip bombs and 80 huge headers, at most | %s MiB | %s MiB | %.2f | +96 MiB |\n", $2, $5, $5 / $2
}' "$raw"
