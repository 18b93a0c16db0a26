#!/usr/bin/env bash
# Builds the MongoDB-compatible server that tests run, once, into a cache, and
# prints where it is:
#
#   root=…       a Debian system with PostgreSQL 18 and DocumentDB (rootfs.sh)
#   ferretdb=…   FerretDB, built from the module in peer/
#
#   peers.sh            build what is missing, then print
#   peers.sh --where    only print; exit 3 when something is missing
#
# It needs root on Debian. Anywhere else, name a server for tests in
# JITHOOK_TEST_MONGODB_URI: then nothing is built, and nothing printed.
#
# The cache is ${JITHOOK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/jithook}. Its
# folders carry a hash of what they were built from, so a changed version is
# another folder and branches do not disturb each other. Each folder is made
# under another name and renamed when complete: two runs at once, or one that is
# interrupted, leave nothing half-made behind. forky is rolling: remove the
# cache's mongo-* folder for its newest packages; the file versions in it says
# which ones it has.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() { echo "peers.sh: $*" >&2; exit "${code:-1}"; }

if [ -n "${JITHOOK_TEST_MONGODB_URI:-}" ]; then
	echo "peers.sh: the tests use the server in JITHOOK_TEST_MONGODB_URI, nothing to build" >&2
	exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || [ ! -e /etc/debian_version ]; then
	code=3 die "the Mongo peer needs root on Debian: set JITHOOK_TEST_MONGODB_URI to a MongoDB server for tests instead"
fi
cache=${JITHOOK_CACHE:-${XDG_CACHE_HOME:-${HOME:?peers.sh: set HOME or JITHOOK_CACHE}/.cache}/jithook}

# hash FILE...: names a build by the content of what it is made from.
hash() { { uname -sm; cat "$@"; } | sha256sum | cut -c1-16; }

# Debian's package mirror, from the machine's own sources.
mirror() { apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' | sed -n 1p; }

install_debootstrap() {
	echo "peers.sh: installing debootstrap" >&2
	# gpgv checks the mirror's signatures; debootstrap does not depend on it.
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends debootstrap gpgv; } >&2 ||
		die "apt-get could not install debootstrap, see above"
}

build_root() {
	{ command -v debootstrap && command -v gpgv; } >/dev/null || install_debootstrap
	[ -n "$(mirror)" ] || apt-get update -q >&2
	local from
	from=$(mirror)
	[ -n "$from" ] || die "apt's sources name no Debian mirror: add one to /etc/apt/sources.list"
	echo "peers.sh: installing PostgreSQL with DocumentDB (two minutes the first time, 700 MB) into $root" >&2
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	chmod 755 "$tmp" # it becomes a system's root, which not only root may enter
	# Mounts of its own, so that none is left when it ends, however it ends.
	unshare --mount --propagation private bash "$here/rootfs.sh" "$tmp" "$from" >"$cache/mongo.log" 2>&1 ||
		{ tail -20 "$cache/mongo.log" >&2; die "the system could not be made, see above and $cache/mongo.log"; }
	grep '^rootfs.sh: ' "$cache/mongo.log" >&2 || true
	rm -f "$cache/mongo.log"
	mv "$tmp" "$root"
}

build_ferretdb() {
	command -v go >/dev/null || die "go is missing: install Go 1.26 or newer"
	echo "peers.sh: building FerretDB (a few minutes the first time) into $ferretdb" >&2
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	# GOFLAGS=-mod=readonly: a build must never rewrite peer/go.mod.
	(cd "$here/peer" && CGO_ENABLED=0 GOWORK=off GOFLAGS="-mod=readonly -buildvcs=false" \
		go build -trimpath -ldflags '-s -w' -o "$tmp/ferretdb" .) >&2 || die "the build of FerretDB failed, see above"
	mv "$tmp" "$ferretdb"
}

root=$cache/mongo-$(hash "$here/rootfs.sh" "$here/inside.sh" "$here/postgresql.conf")
ferretdb=$cache/ferretdb-$(hash "$here/peer/go.mod" "$here/peer/go.sum" "$here/peer/main.go")

case ${1:-} in
--where)
	[ -e "$root/versions" ] || code=3 die "PostgreSQL with DocumentDB is not installed"
	[ -x "$ferretdb/ferretdb" ] || code=3 die "FerretDB is not built"
	;;
"")
	mkdir -p "$cache"
	trap 'rm -rf "${tmp:-}"' EXIT
	# One at a time: a second run waits, and then finds everything there.
	exec 9>"$cache/mongo.lock"
	flock 9
	[ -e "$root/versions" ] || build_root
	[ -x "$ferretdb/ferretdb" ] || build_ferretdb
	;;
*) die "usage: peers.sh [--where]" ;;
esac

echo "root=$root"
echo "ferretdb=$ferretdb/ferretdb"
