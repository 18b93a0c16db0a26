#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each, one after the other:
# `go test -fuzz` takes one target of one package. A finding does not stop the
# others; the summary at the end names it, and the exit status is 1. Go leaves its
# input under that package's testdata/fuzz, to be committed with the fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func /:/' | sort || true)
if [ -z "$targets" ]; then
	echo "fuzz.sh: no fuzz target found below $PWD" >&2
	exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
summary=() failed=0
while IFS=: read -r file target; do
	package=$(dirname "$file")
	echo "== $package $target"
	outcome=ok
	"${GO:-go}" test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "$package" 2>&1 | tee "$log" || { outcome=FAILED failed=1; }
	runs=$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$log" | tail -1)
	summary+=("$(printf '%-6s %9s inputs  %s %s' "$outcome" "${runs:-0}" "$package" "$target")")
done <<<"$targets"
printf '\n'
printf '%s\n' "${summary[@]}"
exit "$failed"
