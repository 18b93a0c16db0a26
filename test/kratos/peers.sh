#!/usr/bin/env bash
# Builds the peers that test/kratos needs, once, into a cache, and prints where
# they are:
#
#   kratos=…        Ory Kratos v1.3.1, built from the module in peer/
#   kratos_db=…     an empty SQLite file with that Kratos's tables
#   op_modules=…    node_modules with the OpenID provider of op/package.json
#
#   peers.sh            build what is missing, then print
#   peers.sh --where    only print; exit 3 when something is missing
#
# The cache is ${JITHOOK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jithook}. Its
# folders carry a hash of what they were built from, so a changed version is
# another folder and branches do not disturb each other. Each folder is made
# under another name and renamed when complete: two runs at once, or one that is
# interrupted, leave nothing half-made behind.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../peers/cache.sh
. "$here/../peers/cache.sh"

build_kratos() {
	need go "install Go 1.26 or newer"
	need gcc "Kratos's SQLite needs a C compiler (Debian: apt-get install gcc libc6-dev)"
	echo "peers.sh: building Kratos (a few minutes the first time) into $kratos" >&2
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	# GOFLAGS=-mod=readonly: a build must never rewrite peer/go.mod.
	(cd "$here/peer" && CGO_ENABLED=1 GOWORK=off GOFLAGS=-mod=readonly \
		go build -tags sqlite -o "$tmp/kratos" github.com/ory/kratos) >&2 ||
		die "the build of Kratos failed, see above"
	env -i PATH="$PATH" HOME="$tmp" DSN="sqlite://$tmp/empty.sqlite?_fk=true&mode=rwc" \
		"$tmp/kratos" migrate sql -e --yes >"$tmp/migrate.log" 2>&1 ||
		{ tail -5 "$tmp/migrate.log" >&2; die "Kratos could not make its tables, see above"; }
	rm -f "$tmp/migrate.log"
	publish "$tmp" "$kratos"
}

kratos=$cache/kratos-$(hash "$here/peer/go.mod" "$here/peer/go.sum")
op=$cache/op-$(hash "$here/op/package.json" "$here/op/package-lock.json")

case ${1:-} in
--where)
	[ -x "$kratos/kratos" ] || { echo "peers.sh: Kratos is not built" >&2; exit 3; }
	[ -d "$op/node_modules" ] || { echo "peers.sh: the OpenID provider is not installed" >&2; exit 3; }
	command -v node >/dev/null 2>&1 || { echo "peers.sh: node is missing" >&2; exit 3; }
	;;
"")
	mkdir -p "$cache"
	trap 'rm -rf "${tmp:-}"' EXIT
	[ -x "$kratos/kratos" ] || build_kratos
	need_node
	[ -d "$op/node_modules" ] || install_modules "the OpenID provider" "$here/op" "$op"
	;;
*) die "usage: peers.sh [--where]" ;;
esac

echo "kratos=$kratos/kratos"
echo "kratos_db=$kratos/empty.sqlite"
echo "op_modules=$op/node_modules"
