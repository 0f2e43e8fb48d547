#!/bin/sh
# The door's commands, as `voicelatch NAME ...`. They run as the daemon's user, so that they see what it sees, and who
# runs them need not own its files; `web ...` as the page's user, whose password it is. `check --as-service` starts a
# unit, `key` is about keys that root alone may add, `forget --older-bundles` removes bundles: those take root. Neither the
# caller's folder nor the environment says which code runs (python -I, env -i); what a terminal needs is passed on.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
cd /opt/voicelatch || exit 69
user=voicelatch
case ${1:-} in
  key) [ "${2:-}" = list ] || user=root ;;
  web) user=voicelatch-web ;;
  check | forget)
    for argument in "$@"; do
      case $argument in --as-service | --older-bundles) user=root ;; esac
    done
    ;;
esac
set -- /usr/bin/env -i PATH="$PATH" OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 \
  ${TERM+"TERM=$TERM"} ${LANG+"LANG=$LANG"} ${LC_ALL+"LC_ALL=$LC_ALL"} ${COLUMNS+"COLUMNS=$COLUMNS"} \
  ${NO_COLOR+"NO_COLOR=$NO_COLOR"} \
  /opt/voicelatch/.venv/bin/python -I -c 'from device.__main__ import leave, main; leave(main())' "$@"
if [ "$(id -u)" != 0 ]; then
  exec sudo -u "$user" -- "$@"
elif [ "$user" = root ]; then
  exec "$@"
fi
exec setpriv --reuid="$user" --regid="$user" --init-groups "$@"
