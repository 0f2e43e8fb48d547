#!/bin/bash
# A machine to install in, without a running systemd: this one's own files under an overlay, in a private mount namespace.
# Called by private_root.py as: private_root.sh WORK SHARED PREFIX SITE CHECKOUT, with `unshare --mount --pid --fork`.
# WORK is an empty folder on a file system that an overlay can write to; what is written in there goes with it.
set -euo pipefail
work=$1 shared=$2 prefix=$3 site=$4 checkout=$5
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
root=$work/root
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$root"
mkdir -p "$root"/srv/{shared,python,site,checkout}
mount --bind "$shared" "$root/srv/shared"
mount --bind "$prefix" "$root/srv/python"
mount --bind "$site" "$root/srv/site"
mount --bind "$checkout" "$root/srv/checkout"
for each in "$root"/srv/{python,site,checkout}; do mount -o remount,bind,ro "$each"; done
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for each in run tmp; do mount -t tmpfs -o mode=1777 tmpfs "$root/$each"; done
# Nothing of an earlier installation is there.
rm -rf "$root"/opt/voicelatch "$root"/etc/voicelatch "$root"/var/lib/voicelatch "$root"/etc/systemd/system/voicelatch* \
  "$root"/etc/sudoers.d/voicelatch
echo /srv/python/lib > "$root/etc/ld.so.conf.d/voicelatch-test.conf"
chroot "$root" ldconfig
echo ready
# Held open until the test is over.
exec chroot "$root" /bin/sleep infinity
