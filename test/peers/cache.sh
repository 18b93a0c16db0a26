# What the scripts share that build peers for the tests: a cache of folders, each
# made whole or not at all. Sourced by test/*/peers.sh, which says in its head what
# becomes of the cache.

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

# install_modules WHAT FROM TO: what FROM's package-lock.json names, as TO/node_modules.
install_modules() {
	need_node
	need npm "install npm (Debian: apt-get install npm)"
	echo "peers.sh: installing $1 into $3" >&2
	tmp=$(mktemp -d "$cache/tmp.XXXXXX")
	cp "$2/package.json" "$2/package-lock.json" "$2/.npmrc" "$tmp/"
	# --ignore-scripts: what a package would run at installation is none of ours.
	(cd "$tmp" && npm ci --ignore-scripts --no-progress) >&2 ||
		die "npm could not install $1, see above"
	publish "$tmp" "$3"
}
