#!/usr/bin/env bash
# Builds the SCIM services that test/scim needs, once, into a cache, and prints
# where they are:
#
#   peer=…             a service made with elimity-com/scim, built from peer/
#   scimmy_modules=…   node_modules with the service of scimmy/package.json
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

build_peer() {
	need go "install Go 1.26 or newer"
	echo "peers.sh: building a SCIM service into $peer" >&2
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	# GOFLAGS=-mod=readonly: a build must never rewrite peer/go.mod.
	(cd "$here/peer" && CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly go build -o "$tmp/peer" .) >&2 ||
		die "the build of the SCIM service failed, see above"
	publish "$tmp" "$peer"
}

peer=$cache/scim-peer-$(hash "$here/peer/go.mod" "$here/peer/go.sum" "$here"/peer/*.go)
scimmy=$cache/scimmy-$(hash "$here/scimmy/package.json" "$here/scimmy/package-lock.json")

case ${1:-} in
--where)
	[ -x "$peer/peer" ] || { echo "peers.sh: the SCIM service is not built" >&2; exit 3; }
	[ -d "$scimmy/node_modules" ] || { echo "peers.sh: the SCIM service on Node.js is not installed" >&2; exit 3; }
	command -v node >/dev/null 2>&1 || { echo "peers.sh: node is missing" >&2; exit 3; }
	;;
"")
	mkdir -p "$cache"
	trap 'rm -rf "${tmp:-}"' EXIT
	[ -x "$peer/peer" ] || build_peer
	need_node
	[ -d "$scimmy/node_modules" ] || install_modules "a SCIM service" "$here/scimmy" "$scimmy"
	;;
*) die "usage: peers.sh [--where]" ;;
esac

echo "peer=$peer/peer"
echo "scimmy_modules=$scimmy/node_modules"
