# The system's packages and the program's Python environment. Read by install.sh.
# An environment that is right is left alone. Anything else (half made, its interpreter gone, of another Python, libraries
# that are too old) is replaced by a new one, made beside it; `environment_switch` puts that in its place.
interpreter=$(command -v "${PYTHON:-python3}") || interpreter=""
environment=$target/.venv

packages() {
  local wanted=(libportaudio2 python3-venv) missing=() absent=() installable=() package
  [ -n "$interpreter" ] || wanted+=(python3)
  ! lgpio_is_the_system_s || wanted+=(python3-lgpio)
  for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || missing+=("$package")
  done
  if [ ${#missing[@]} = 0 ]; then
    say "unchanged  packages: ${wanted[*]}"
    return
  elif [ -n "$offline" ]; then
    say "MISSING    packages: ${missing[*]} (apt update, then apt install them)"
    return
  fi
  # An index of last month names versions that no server has any more.
  apt-get update -qq || say "STALE      the package index could not be renewed; going on with the one that is here"
  for package in "${missing[@]}"; do
    if LC_ALL=C apt-cache policy "$package" | grep -q '^ *Candidate: [^(]'; then
      installable+=("$package")
    else
      absent+=("$package")
    fi
  done
  if [ ${#installable[@]} != 0 ]; then
    apt-get install -y "${installable[@]}" || fail "apt could not install ${installable[*]}; its reason stands above"
    say "installed  packages: ${installable[*]}"
  fi
  for package in "${absent[@]}"; do
    say "MISSING    package $package: this system's package index does not have it"
    [ "$package" != python3-lgpio ] || lgpio_advice
  done
  interpreter=$(command -v "${PYTHON:-python3}") || fail "there is no ${PYTHON:-python3}"
}

# lgpio has no wheels for Python 3.13 and later: the system's is used, seen through the system's packages.
lgpio_is_the_system_s() {
  [ -n "$interpreter" ] && "$interpreter" -I -c 'import sys; sys.exit(sys.version_info < (3, 13))'
}

lgpio_advice() {
  local ID="" VERSION_CODENAME="" PRETTY_NAME="this system" version
  # shellcheck disable=SC1091
  [ ! -r /etc/os-release ] || . /etc/os-release
  version=$("$interpreter" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  case $ID:$VERSION_CODENAME in
    debian:bookworm | raspbian:bookworm)
      say "  $PRETTY_NAME has Python 3.11, whose lgpio comes by pip; $interpreter is $version."
      say "  Run again with PYTHON=/usr/bin/python3"
      ;;
    ubuntu:*)
      say "  On Ubuntu it is in universe: add-apt-repository universe, then run this again"
      ;;
    debian:* | raspbian:*)
      say "  Raspberry Pi OS has it in its own index; on $PRETTY_NAME build it:"
      lgpio_build
      ;;
    *)
      say "  On $PRETTY_NAME build it (names of packages as Debian has them):"
      lgpio_build
      ;;
  esac
  say "  Until lgpio is there the guardian cannot hold the relay's pin, and the door stays shut."
}

lgpio_build() {
  say "    apt install swig gcc python3-dev liblgpio-dev, run this again, then"
  say "    sudo $target/.venv/bin/python -m pip install 'lgpio>=0.2.2'"
}

environment() {
  [ -n "$interpreter" ] || fail "there is no ${PYTHON:-python3} (apt install python3)"
  local file found="" making="" name pip=(-m pip --disable-pip-version-check --quiet install)
  [ -z "$offline" ] || pip+=(--no-index)
  requirements=("$here/requirements-device.txt")
  for name in "${optional[@]}"; do
    # What an earlier run was asked for stays and is updated.
    [[ -e $target/requirements-$name.txt || " ${parts[*]} " == *" $name "* ]] || continue
    requirements+=("$here/requirements-$name.txt")
    if [ "$name" = web ]; then page=1; else gateway=1; fi
  done
  leave_only_the_linked "$target/.venv" "$target/.venv-"
  if environment_is_sound "$environment"; then
    if environment_is_complete "$environment"; then
      say "unchanged  libraries as in ${requirements[*]##*/}"
      environment_knows_the_program "$environment"
      return
    fi
    found="lacks libraries"
  elif [ -e "$environment" ] || [ -L "$environment" ]; then
    found="is half made, or of another Python"
  fi
  [ -z "$found" ] || say "renewing   $environment, which $found"
  making=$(mktemp -d "$target/.venv-XXXXXX")
  chmod 755 "$making"
  local site=()
  ! lgpio_is_the_system_s || site=(--system-site-packages)
  "$interpreter" -m venv "${site[@]}" "$making" || environment_fails "$making" "an environment cannot be made with $interpreter"
  for file in "${requirements[@]}"; do
    "$making/bin/python" "${pip[@]}" -r "$file" || environment_fails "$making" "the libraries of ${file##*/} could not be installed"
  done
  chmod -R go-w "$making"
  environment_knows_the_program "$making"
  environment=$making
  say "made       an environment with ${requirements[*]##*/}"
}

environment_fails() {
  rm -rf "$1"
  fail "$2${offline:+ without downloads}; what was there before is as it was"
}

# It runs, has pip, is of the Python that was asked for, and sees the system's packages where lgpio is one of them.
environment_is_sound() {
  [ -d "$1" ] || return 1
  local same=""
  [ -z "${PYTHON:-}" ] || same=$("$interpreter" -I -c 'import sys; print(sys.version_info[:2])')
  "$1/bin/python" -I - "$same" <<'PY' 2>/dev/null
import pathlib, sys
import pip
settings = (pathlib.Path(sys.prefix) / "pyvenv.cfg").read_text().lower().replace(" ", "")
version = sys.version_info[:2]
fits = version >= (3, 11) and sys.argv[1] in ("", str(version))
sys.exit(not fits or version >= (3, 13) and "include-system-site-packages=true" not in settings)
PY
}

environment_is_complete() {
  local file
  for file in "${requirements[@]}"; do
    "$1/bin/python" -m pip --disable-pip-version-check --quiet install --dry-run --no-index -r "$file" >/dev/null 2>&1 || return 1
  done
}

# Where the program is, so that it is there without looking into the caller's folder (python -P, python -I).
environment_knows_the_program() {
  local site
  site=$("$1/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  [ "$(cat "$site/voicelatch.pth" 2>/dev/null)" = "$target" ] || printf '%s\n' "$target" >"$site/voicelatch.pth"
}

environment_switch() {
  local file
  if [ "$environment" != "$target/.venv" ]; then
    link_to "${environment##*/}" "$target/.venv"
    environment=$target/.venv
    leave_only_the_linked "$target/.venv" "$target/.venv-"
  fi
  for file in "${requirements[@]}"; do put "$file" "$target/${file##*/}"; done
}
