#!/usr/bin/env bash
# Makes a Debian system with PostgreSQL 18 and DocumentDB inside a folder, for
# peers.sh, which runs it as root with mounts of its own:
#
#   rootfs.sh ROOT MIRROR
#
# Afterwards ROOT holds the system, ROOT/versions what was installed, and
# ROOT/template a database cluster with the extension, ready to be copied:
# template/pg is the cluster, template/run an empty folder for its socket.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$1 mirror=$2

# What FerretDB 2.7.0 was tried with. forky is rolling: another version is used,
# and said.
known=1.0

die() { echo "rootfs.sh: $*" >&2; exit 1; }

# The last word is debootstrap's own script: older ones know sid, not forky.
debootstrap --variant=minbase --include=ca-certificates forky "$root" "$mirror" sid

# Release files of a mirror that lags may be past their date; signatures are
# checked all the same.
echo 'Acquire::Check-Valid-Until "false";' >"$root/etc/apt/apt.conf.d/90-mirror"
# No package may start a service here.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# Nobody reads these.
printf 'path-exclude=/usr/share/%s/*\n' doc man locale >"$root/etc/dpkg/dpkg.cfg.d/90-small"
cp /etc/resolv.conf "$root/etc/resolv.conf"

# These mounts end with this script: peers.sh gave it a mount namespace.
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"

inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "${proxies[@]}" chroot "$root" "$@"; }
proxies=()
for name in http_proxy https_proxy no_proxy; do
	[ -z "${!name:-}" ] || proxies+=("$name=${!name}")
done
# The package would make a cluster of its own, which nobody would use.
mkdir -p "$root/etc/postgresql-common"
echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
inside apt-get update -q
inside apt-get install -q -y --no-install-recommends postgresql-18-documentdb
inside apt-get clean
rm -rf "$root"/var/lib/apt/lists/*
umount "$root/dev/shm" "$root/proc"

mkdir -p "$root/data" "$root/template/pg" "$root/template/run"
chroot "$root" chown -R postgres:postgres /data /template
chmod 700 "$root/template/pg" "$root/template/run"
bin=/usr/lib/postgresql/18/bin
within() { "$here/inside.sh" "$root" "$root/template" "$@"; }
# Only the socket is open, in a folder that only postgres and root can enter.
within "$bin/initdb" --pgdata=/data/pg --encoding=UTF8 --locale=C.UTF-8 --auth=trust --no-sync >/dev/null
cat "$here/postgresql.conf" >>"$root/template/pg/postgresql.conf"
# One process from start to end: the cluster is complete when this returns.
within sh -eu -c '
	"$0/pg_ctl" --pgdata=/data/pg --wait --silent --log=/data/log start
	"$0/psql" -h /data/run -d postgres -v ON_ERROR_STOP=1 -qc "create extension documentdb cascade" || { tail -5 /data/log >&2; exit 1; }
	"$0/psql" -h /data/run -d postgres -Atc "select extname || chr(32) || extversion from pg_extension order by 1" >/data/versions
	"$0/pg_ctl" --pgdata=/data/pg --wait --silent stop
	rm /data/log' "$bin"
mv "$root/template/versions" "$root/versions"
got=$(sed -n 's/^documentdb //p' "$root/versions")
[ -n "$got" ] || die "the extension documentdb is not there"
case $got in
$known*) ;;
*) echo "rootfs.sh: Debian has documentdb $got; FerretDB 2.7.0 was tried with $known" >&2 ;;
esac
