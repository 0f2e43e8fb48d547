#!/bin/sh
# The door's commands, as `voicelatch NAME ...`. They run as the daemon's user, so that they see what it sees, and who
# runs them need not own its files; `web ...` as the page's user, whose password it is; `check --as-service` starts a
# unit, `key` adds keys, `--older-bundles` removes bundles: those take root.
cd /opt/voicelatch || exit 69
user=voicelatch
[ "${1:-}" != web ] || user=voicelatch-web
for each in "$@"; do
  case $each in --as-service | --older-bundles) user=root ;; esac
done
[ "${1:-}" != key ] || user=root
set -- .venv/bin/python -c 'from device.__main__ import leave, main; leave(main())' "$@"
if [ "$(id -u)" != 0 ]; then
  exec sudo -u "$user" "$@"
elif [ "$user" = root ]; then
  exec "$@"
fi
exec setpriv --reuid="$user" --regid="$user" --init-groups "$@"
