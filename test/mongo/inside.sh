#!/usr/bin/env bash
# Runs a command as postgres inside the system that rootfs.sh made:
#
#   inside.sh ROOT DATA COMMAND [ARG…]
#
# ROOT is read-only for it, DATA is its /data. Its namespaces are its own: mounts
# and shared memory vanish with it, and killing the process group (or the
# command, which is process 1 in there) ends everything that it started in the
# same moment, like a power cut. The network is the host's. Needs root.
set -euo pipefail
self=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/inside.sh

if [ "${1:-}" != --unshared ]; then
	exec unshare --mount --propagation private --ipc --pid --fork --kill-child -- bash "$self" --unshared "$@"
fi
root=$2 data=$3
shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount --bind "$data" "$root/data"
mount -o remount,bind,rw "$root/data" # DATA may lie below ROOT
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 chroot --userspec=postgres:postgres "$root" "$@"
