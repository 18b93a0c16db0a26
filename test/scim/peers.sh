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
cache=${JITHOOK_CACHE:-${XDG_CACHE_HOME:-${HOME:?peers.sh: set HOME or JITHOOK_CACHE}/.cache}/jithook}

die() { echo "peers.sh: $*" >&2; exit 1; }

need() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2"; }

need_node() {
	need node "install Node.js 20 or newer"
	local major
	major=$(node -p 'process.versions.node.split(".")[0]')
	[ "$major" -ge 20 ] || die "Node.js $major is too old: install Node.js 20 or newer"
}

# hash FILE...: names a build by the content of what it is made from.
hash() {
	{ uname -sm; cat "$@"; } | if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi | cut -c1-16
}

# publish TMP DEST: makes a complete folder visible in one step. Where another run
# was faster its result is as good; mv then puts ours inside it, so it is removed.
publish() {
	if [ ! -e "$2" ]; then mv "$1" "$2"; fi
	rm -rf "$1" "$2/${1##*/}"
}

build_peer() {
	need go "install Go 1.26 or newer"
	echo "peers.sh: building a SCIM service into $peer" >&2
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	# GOFLAGS=-mod=readonly: a build must never rewrite peer/go.mod.
	(cd "$here/peer" && CGO_ENABLED=0 GOWORK=off GOFLAGS=-mod=readonly go build -o "$tmp/peer" .) >&2 ||
		die "the build of the SCIM service failed, see above"
	publish "$tmp" "$peer"
}

install_scimmy() {
	need_node
	need npm "install npm (Debian: apt-get install npm)"
	echo "peers.sh: installing a SCIM service into $scimmy" >&2
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	cp "$here/scimmy/package.json" "$here/scimmy/package-lock.json" "$here/scimmy/.npmrc" "$tmp/"
	# --ignore-scripts: what a package would run at installation is none of ours.
	(cd "$tmp" && npm ci --ignore-scripts --no-progress) >&2 ||
		die "npm could not install the SCIM service, see above"
	publish "$tmp" "$scimmy"
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
	[ -d "$scimmy/node_modules" ] || install_scimmy
	;;
*) die "usage: peers.sh [--where]" ;;
esac

echo "peer=$peer/peer"
echo "scimmy_modules=$scimmy/node_modules"
