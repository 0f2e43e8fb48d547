#!/usr/bin/env bash
# Install or update Voicelatch on a Raspberry Pi (64-bit). Run as root from the checkout; running it again is harmless.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "run this with sudo" >&2; exit 1; }
here=$(cd "$(dirname "$0")/.." && pwd)
target=/opt/voicelatch

apt-get install -y libportaudio2 python3-venv
site=""
# Python 3.13 has no wheel of lgpio: use Debian's, seen through the system's packages.
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
  apt-get install -y python3-lgpio
  site="--system-site-packages"
fi
id voicelatch >/dev/null 2>&1 || useradd --system --no-create-home --shell /usr/sbin/nologin voicelatch
# For `check` run by hand; the unit has these groups by itself.
for group in audio gpio; do
  getent group "$group" >/dev/null && usermod --append --groups "$group" voicelatch
done

install -d "$target" /etc/voicelatch
cp -r "$here/device" "$here/models" "$here/requirements-device.txt" "$here/README.md" "$target/"
python3 -m venv $site "$target/.venv"
"$target/.venv/bin/pip" install --quiet -r "$target/requirements-device.txt"

# Your configuration is never overwritten.
[ -e /etc/voicelatch/voicelatch.toml ] || install -m 644 "$here/systemd/voicelatch.toml" /etc/voicelatch/
install -m 644 "$here/systemd/voicelatch.service" /etc/systemd/system/
systemctl daemon-reload
echo "Next: edit /etc/voicelatch/voicelatch.toml, then"
echo "  cd $target && sudo -u voicelatch LG_WD=/tmp .venv/bin/python -m device check --config /etc/voicelatch/voicelatch.toml"
echo "  sudo systemctl enable --now voicelatch"
