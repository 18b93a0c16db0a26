#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME each, one after the other:
# `go test -fuzz` takes one target of one package. Stops at the first finding;
# Go leaves the input under that package's testdata/fuzz, to be committed with
# the fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

targets=$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func /:/' | sort || true)
if [ -z "$targets" ]; then
	echo "fuzz.sh: no fuzz target found below $PWD" >&2
	exit 1
fi
while IFS=: read -r file target; do
	echo "== $(dirname "$file") $target"
	"${GO:-go}" test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-30s}" "$(dirname "$file")"
done <<<"$targets"
