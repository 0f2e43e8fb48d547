#!/usr/bin/env bash
# Install, update or remove Voicelatch on a 64-bit Raspberry Pi OS. Run as root from the checkout.
#
#   install.sh [--offline] [--listen SECONDS] [--with PARTS]
#                                                install or update; running it again changes nothing that is right
#   install.sh --deployer USER [--may-downgrade] let USER deploy bundles and pull recordings over ssh, by exact lines in
#                                                /etc/sudoers.d/voicelatch; --no-deployer USER takes that back
#   install.sh --uninstall [--purge]             remove the program; --purge: configuration, bundles, state, users too
#
# --offline: no packages, no downloads; says what is missing. --listen 0: do not listen to the microphones.
# --with mqtt,metrics,web: gateway and page with these libraries (requirements-mqtt.txt, ...); later runs keep them.
# --may-downgrade: USER may also let an older bundle in, as `training deploy` asks for when it goes back to one.
# Program and environment go to /opt/voicelatch, the command `voicelatch` to /usr/local/bin, the configuration and this
# door's signing key to /etc/voicelatch (yours are never overwritten), the state to /var/lib/voicelatch. The new program
# examines configuration and bundle first; where it refuses them the old one serves on. Where the configuration asks for a
# button or a light the daemon's unit gets the right to the pins, in voicelatch.service.d/pins.conf; where it no longer
# does, that goes. PYTHON names the interpreter of the environment (default: python3).
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
target=/opt/voicelatch
config=/etc/voicelatch/voicelatch.toml
python=$target/.venv/bin/python
command=/usr/local/bin/voicelatch
units=(voicelatch-guardian.service voicelatch.service)
offline=""
listen=4
parts=()
remove=""
purge=""
gateway=""
page=""
deployer=""
no_deployer=""
may_downgrade=""

say() { printf '%s\n' "install: $*"; }
fail() { printf '%s\n' "install: $*" >&2; exit 1; }

while [ $# -gt 0 ]; do
  case $1 in
    --offline) offline=1 ;;
    --listen) listen=${2:?--listen needs a number of seconds}; shift ;;
    --with) IFS=, read -ra parts <<<"${2:?--with needs mqtt, metrics or web, with commas}"; shift ;;
    --deployer) deployer=${2:?--deployer needs the name of a user}; shift ;;
    --no-deployer) no_deployer=${2:?--no-deployer needs the name of a user}; shift ;;
    --may-downgrade) may_downgrade=1 ;;
    --uninstall) remove=1 ;;
    --purge) purge=1 ;;
    -h | --help) sed -n '2,19s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "install: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
[[ $listen =~ ^[0-9]+$ ]] || { echo "install: --listen takes whole seconds, not $listen" >&2; exit 2; }
optional=()
for each in "$here"/requirements-*.txt; do
  each=${each##*/requirements-}
  case ${each%.txt} in device | train | test) ;; *) optional+=("${each%.txt}") ;; esac
done
for each in "${parts[@]}"; do
  [[ " ${optional[*]} " == *" $each "* ]] || { echo "install: --with takes ${optional[*]}, not $each" >&2; exit 2; }
done
[ -z "$purge" ] || [ -n "$remove" ] || { echo "install: --purge goes with --uninstall" >&2; exit 2; }
[ -z "$may_downgrade" ] || [ -n "$deployer" ] || { echo "install: --may-downgrade goes with --deployer" >&2; exit 2; }
[ "$(id -u)" = 0 ] || fail "run this with sudo"

[ -z "${PYTHON:-}" ] || PYTHON=$(realpath --no-symlinks "$(command -v "$PYTHON")") || fail "there is no $PYTHON"
# Where the caller stands has no say in which modules Python finds, and what is made belongs to root alone.
cd /
umask 022
export PYTHONSAFEPATH=1 PYTHONDONTWRITEBYTECODE=1
for part in program environment bundles deployers; do
  # shellcheck source=/dev/null
  . "$here/systemd/install/$part.sh"
done

systemd_runs() { [ -d /run/systemd/system ]; }

# Put a file in its place, unless it is there already; a third word is its mode.
put() {
  if cmp -s "$1" "$2" && [ ! -L "$2" ] && [ "$(stat -c '%U %a' "$2")" = "root ${3:-644}" ]; then
    say "unchanged  $2"
  else
    install -D -m "${3:-644}" "$1" "$2.new"
    mv "$2.new" "$2"
    say "wrote      $2"
  fi
}

users() {
  put "$here/systemd/sysusers.d/voicelatch.conf" /etc/sysusers.d/voicelatch.conf
  systemd-sysusers /etc/sysusers.d/voicelatch.conf
  if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ] && ! id -nG "$SUDO_USER" | grep -qw voicelatch-models; then
    usermod --append --groups voicelatch-models "$SUDO_USER"
    say "added      $SUDO_USER to group voicelatch-models: may deploy bundles (after the next login)"
  fi
}

folders() {
  put "$here/systemd/tmpfiles.d/voicelatch.conf" /etc/tmpfiles.d/voicelatch.conf
  systemd-tmpfiles --create /etc/tmpfiles.d/voicelatch.conf
}

configuration() {
  local heard=""
  if [ -e "$config" ]; then
    say "kept       $config (yours; compare it with $here/systemd/voicelatch.toml)"
    return
  fi
  if [ "$listen" -gt 0 ]; then
    heard=$(PYTHONPATH="$staged${PYTHONPATH:+:$PYTHONPATH}" as_daemon "$environment/bin/python" -P -m device \
      microphones --listen "$listen" --pick) || heard=""
  fi
  install -D -m 644 "$here/systemd/voicelatch.toml" "$config.new"
  if [ -n "$heard" ]; then
    # JSON's strings are TOML's.
    "$environment/bin/python" -I - "$config.new" "$heard" <<'PY'
import json, pathlib, sys
path, name = pathlib.Path(sys.argv[1]), sys.argv[2]
text = path.read_text(encoding="utf-8")
before, line, after = text.partition('\ndevice = ""\n')
if not line:
    sys.exit("the shipped configuration has no line: device = \"\"")
path.write_text(f"{before}\ndevice = {json.dumps(name, ensure_ascii=False)}\n{after}", encoding="utf-8")
PY
    say "microphone $heard"
  else
    say "microphone none chosen: the system's default input; see \`voicelatch microphones --listen 5\`"
  fi
  mv "$config.new" "$config"
  say "wrote      $config"
}

# The right to the pins that a button or a light needs, exactly while the configuration asks for one.
pins() {
  local rights=/etc/systemd/system/voicelatch.service.d/pins.conf asked
  asked=$("$python" -I - "$config" <<'PY'
import sys, tomllib
with open(sys.argv[1], "rb") as file:
    told = tomllib.load(file)
print(True in (told.get("button", {}).get("enabled"), told.get("signals", {}).get("led")))
PY
  ) || { say "UNREADABLE $config; the daemon's right to the pins stays as it is"; return; }
  if [ "$asked" = True ]; then
    put "$here/systemd/voicelatch.service.d/pins.conf" "$rights"
  elif [ -e "$rights" ]; then
    rm "$rights"
    say "removed    $rights"
  fi
}

services() {
  local each
  [ -z "$gateway" ] || units+=(voicelatch-gateway.service)
  [ -z "$page" ] || units+=(voicelatch-web.service)
  for each in "${units[@]}"; do put "$here/systemd/$each" "/etc/systemd/system/$each"; done
  pins
  if systemd_runs; then
    systemctl daemon-reload
    # What runs already takes up the new program; the guardian's stop leaves the pin off.
    systemctl try-restart "${units[@]}"
  fi
}

next_steps() {
  cat <<END
install: done. Next:
  sudo nano $config    # the pin, active_high, the microphone
  voicelatch levels                                    # speak: the bar moves, nothing clips; Ctrl-C ends
  sudo systemctl enable --now voicelatch-guardian      # owns the pin
  voicelatch check --as-service                        # everything as the daemon will find it
  sudo systemctl enable --now voicelatch
  voicelatch relay test                                # with somebody who watches the latch
  voicelatch record NAME                               # somebody who lives here; README: Add a person
Connect the latch after the first bundle of your own: until then the door knows the demo's voices, which anybody can play.
${gateway:+After [mqtt] or [metrics] is switched on in it: sudo systemctl enable --now voicelatch-gateway
}${page:+For the page: voicelatch web password, enabled = true in [web], and
  sudo systemctl enable --now voicelatch-web
}To let a user deploy bundles and pull recordings over ssh: sudo $here/systemd/install.sh --deployer USER
END
}

uninstall() {
  local each
  if systemd_runs; then
    # The guardian last: it sees the daemon go, and its own end leaves the pin off.
    for each in voicelatch-web.service voicelatch-gateway.service voicelatch.service voicelatch-guardian.service; do
      [ ! -e "/etc/systemd/system/$each" ] || systemctl disable --now "$each" || say "could not stop $each"
    done
  fi
  for each in "${units[@]}" voicelatch-{gateway,web}.service; do rm -rf "/etc/systemd/system/$each" "/etc/systemd/system/$each.d"; done
  rm -f /etc/systemd/system/multi-user.target.wants/voicelatch{,-guardian,-gateway,-web}.service
  ! systemd_runs || systemctl daemon-reload
  rm -f /etc/tmpfiles.d/voicelatch.conf /etc/sysusers.d/voicelatch.conf
  rm -rf /run/voicelatch-live
  sudoers_remove
  rm -rf "$target"/{device,.venv,bin,systemd,README.md,requirements-*.txt,.program-*,.venv-*,.bundles-*} "$command"
  say "removed    program, environment and units"
  if [ -n "$purge" ]; then
    rm -rf "$target" /etc/voicelatch /var/lib/voicelatch /var/lib/voicelatch-web
    for each in voicelatch voicelatch-guardian voicelatch-gateway voicelatch-web; do userdel "$each" 2>/dev/null || true; done
    for each in voicelatch-relay voicelatch-models voicelatch-live; do groupdel "$each" 2>/dev/null || true; done
    say "removed    configuration, bundles, state and users"
  else
    say "kept       /etc/voicelatch, $target/models, /var/lib/voicelatch and the users (--purge removes them)"
  fi
}

if [ -n "$remove" ]; then
  uninstall
elif [ -n "$deployer$no_deployer" ]; then
  sudoers_old_form
  [ -z "$no_deployer" ] || deployer_remove "$no_deployer"
  [ -z "$deployer" ] || deployer_add "$deployer"
else
  packages
  users
  program_stage
  environment
  folders
  signing
  configuration
  bundles
  program_examine
  environment_switch
  program_switch
  services
  sudoers_old_form
  next_steps
fi
