#!/bin/sh
# What a workstation may ask of this door with rights of its own: `sudo /opt/voicelatch/bin/deploy OPERATION`.
# `install.sh --deployer USER` puts the operations into sudoers(5), each as one exact command. Nothing of the caller's is
# used: not the folder, not the environment, and no argument beyond the operation. What has to be named comes on standard
# input and is checked here.
#   reload            the daemon reads its configuration and bundle again
#   list-recordings   every recording as JSON, as the daemon's user
#   send-recordings   a tar archive of the recordings on standard input, each name ended by a NUL
#   allow-older       the bundle on standard input may be older than the last accepted one (only with --may-downgrade)
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 077
cd /

refuse() {
  echo "deploy: $*" >&2
  exit 2
}

# The program as the daemon's user. -I: neither the folder nor the environment says where its modules come from.
as_daemon() {
  exec setpriv --reuid=voicelatch --regid=voicelatch --init-groups \
    env -i PATH="$PATH" LANG=C.UTF-8 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 \
    /opt/voicelatch/.venv/bin/python -I -m device "$@"
}

[ $# = 1 ] || refuse "one operation is needed, not $#: reload, list-recordings, send-recordings or allow-older"
case $1 in
  reload)
    exec env -i PATH="$PATH" systemctl reload voicelatch.service
    ;;
  list-recordings)
    as_daemon recordings list --json --state-dir /var/lib/voicelatch
    ;;
  send-recordings)
    as_daemon recordings send --state-dir /var/lib/voicelatch
    ;;
  allow-older)
    name=$(head -c 128)
    case $name in
      '' | [!A-Za-z0-9_]* | *[!A-Za-z0-9_.-]*) refuse "this is not the name of a bundle's folder" ;;
    esac
    [ ${#name} -le 100 ] || refuse "a bundle's name has at most 100 letters"
    as_daemon use --models /opt/voicelatch/models --config /etc/voicelatch/voicelatch.toml \
      --state-dir /var/lib/voicelatch --allow-downgrade --json -- "$name"
    ;;
  *) refuse "there is no operation of this name: reload, list-recordings, send-recordings, allow-older" ;;
esac
