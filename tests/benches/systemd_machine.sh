#!/bin/bash
# Boot a real systemd as PID 1 of private namespaces, over an overlay of this machine: what it writes is gone afterwards.
# Called by systemd_machine.py, already inside the namespaces, as: systemd_machine.sh SHARED PREFIX SITE CHECKOUT
#   SHARED    a folder of the caller's, at /srv/shared inside       CHECKOUT  the project, at /srv/checkout inside
#   PREFIX    the Python that runs the tests, at /srv/python inside (ProtectHome hides the homes where it may live)
#   SITE      its libraries, at /srv/site inside
set -euo pipefail
shared=$1 prefix=$2 site=$3 checkout=$4
mount --make-rprivate /
work=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
root=$work/root
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$root"
mkdir -p "$root/srv/shared" "$root/srv/python" "$root/srv/site" "$root/srv/checkout"
mount --bind "$shared" "$root/srv/shared"
mount --bind "$prefix" "$root/srv/python"
mount --bind "$site" "$root/srv/site"
mount --bind "$checkout" "$root/srv/checkout"
for each in "$root"/srv/{python,site,checkout}; do mount -o remount,bind,ro "$each"; done

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for each in null zero full random urandom tty; do
  mknod -m 666 "$root/dev/$each" c $((0x$(stat -c %t "/dev/$each"))) $((0x$(stat -c %T "/dev/$each")))
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

# A bare system: nothing of this machine's own is started, and nothing of an earlier installation is there.
rm -rf "$root"/etc/systemd/system/*.wants "$root"/lib/systemd/system/{sysinit,sockets,timers,multi-user,local-fs}.target.wants
mkdir -p "$root/etc/systemd/system/sockets.target.wants" "$root/etc/systemd/journald.conf.d"
ln -s /lib/systemd/system/systemd-journald.socket "$root/etc/systemd/system/sockets.target.wants/"
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n' > "$root/etc/systemd/journald.conf.d/test.conf"
rm -rf "$root/var/log/journal"
rm -rf "$root/opt/voicelatch" "$root/etc/voicelatch" "$root/var/lib/voicelatch" "$root"/etc/systemd/system/voicelatch*
echo 0123456789abcdef0123456789abcdef > "$root/etc/machine-id"
exec chroot "$root" /usr/bin/env -i container=voicelatch-test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --unit=multi-user.target --show-status=no
