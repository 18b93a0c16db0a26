#!/usr/bin/env bash
# Runs make targets that print a table and puts each into docs/benchmarks.md, between
# the markers that name the target: from the line with the date to the last row.
# Everything else that they print goes to stderr.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
page=docs/benchmarks.md
die() { echo "bench-page.sh: $*" >&2; exit 1; }
table=$(mktemp)
new=$(mktemp)
trap 'rm -f "$table" "$new"' EXIT

for target; do
	begin="<!-- make $target writes from here -->"
	grep -qxF "$begin" "$page" || die "$page has no line $begin"
	"${MAKE:-make}" --no-print-directory "$target" | tee /dev/stderr | awk '
		/^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9], / { on = 1 }
		on { held = held $0 "\n" }
		on && /^\|/ { out = out held; held = "" }
		END { printf "%s", out }' >"$table"
	[ -s "$table" ] || die "make $target printed no table"
	awk -v begin="$begin" -v table="$table" '
		$0 == begin { print; print ""; while ((getline line < table) > 0) print line; skip = 1 }
		skip && $0 == "<!-- to here -->" { skip = 0 }
		!skip && $0 != begin' "$page" >"$new"
	cat "$new" >"$page"
done
