#!/usr/bin/env bash
# The Pi's program on an emulated 64-bit Arm processor: its libraries from wheels, the golden self-test, an evening.
#
#   tests/arm/check_arm64.sh [--suite trixie|bookworm] [--folder FOLDER]
#
# trixie (the default) has Python 3.13, bookworm 3.11, as Raspberry Pi OS of the same names. Everything is downloaded
# into FOLDER (default: ~/.cache/voicelatch-arm64), where a second run finds it; nothing is installed on this machine.
# Needs Debian's or a derivative's apt-get and dpkg-deb, an x86-64 processor, and about 700 MB. VOICELATCH_DEBIAN names
# a mirror of Debian where the machine's own package sources name none.
# Exit codes: 0 all is well, 1 a check failed, 2 wrong command line, 69 a piece is missing here.
set -euo pipefail

here=$(cd "$(dirname "$0")/../.." && pwd)
suite=trixie
folder=${XDG_CACHE_HOME:-$HOME/.cache}/voicelatch-arm64
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# Bookworm's qemu 7.2 crashes on the network's runtime; this one is static and runs on any Linux.
emulator_suite=trixie
# A Pi 4's. The one that the emulator takes by itself has vector extensions that no Pi has: OpenBLAS uses them there, and
# the golden vectors find its sums wrong.
processor=cortex-a72

say() { printf '%s\n' "arm64: $*"; }
missing() { printf '%s\n' "arm64: missing: $1" "arm64: next step: $2" >&2; exit 69; }

while [ $# -gt 0 ]; do
  case $1 in
    --suite) suite=${2:?--suite needs a name}; shift ;;
    --folder) folder=${2:?--folder needs a path}; shift ;;
    -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "arm64: unknown option $1; see --help" >&2; exit 2 ;;
  esac
  shift
done
case $suite in
  trixie) version=3.13 ;;
  bookworm) version=3.11 ;;
  *) echo "arm64: --suite is trixie or bookworm, not $suite" >&2; exit 2 ;;
esac

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
root=$folder/$suite/root
libraries=$folder/$suite/libraries
emulator=$folder/emulator/usr/bin/qemu-aarch64
[ -x "$emulator" ] || emulator=$emulator-static

# What apt is told: a state of its own, in which nothing is installed, and one suite of one mirror.
apt_at() {
  local state=$folder/apt-$1-$2
  shift 2
  apt-get -qq -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
    -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o APT::Architecture="$(cat "$state/architecture")" -o APT::Architectures="$(cat "$state/architecture")" \
    -o APT::Install-Recommends=false -o APT::Sandbox::User=root "$@"
}

# packages SUITE ARCHITECTURE TARGET NAME...: with all that they need, unpacked into TARGET.
packages() {
  local state=$folder/apt-$1-$2 of=$1 architecture=$2 target=$3 each
  shift 3
  if [ "$(cat "$target/.packages" 2>/dev/null)" = "$*" ]; then
    say "there already  $of $architecture: $*"
    return
  fi
  say "downloading    $of $architecture: $*"
  rm -rf "$state" "$target"
  mkdir -p "$state/cache/archives/partial" "$state/lists/partial" "$target"
  : >"$state/status"
  printf '%s' "$architecture" >"$state/architecture"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$mirror" "$of" >"$state/sources.list"
  apt_at "$of" "$architecture" update || missing "the package lists of Debian $of at $mirror" "is there a network?"
  apt_at "$of" "$architecture" --download-only --yes install "$@" >/dev/null ||
    missing "one of the packages $* in Debian $of" "the lines above say which"
  merged_usr "$target"
  for each in "$state"/cache/archives/*.deb; do dpkg-deb --fsys-tarfile "$each" | tar -C "$target" -x --keep-directory-symlink; done
  rm -rf "$state/cache"
  printf '%s' "$*" >"$target/.packages"
}

# Debian's /bin and /lib are links; a package of an older suite still brings files for them.
merged_usr() {
  local each
  for each in bin sbin lib; do
    mkdir -p "$1/usr/$each"
    ln -s "usr/$each" "$1/$each"
  done
}

# Python on the emulated processor, with what is in $libraries; no host's Python settings reach it.
on_arm() {
  env -u PYTHONHOME -u VIRTUAL_ENV PYTHONPATH="$here:$libraries:$root/usr/lib/python3/dist-packages" \
    PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1 OPENBLAS_NUM_THREADS=1 \
    LD_LIBRARY_PATH="$root/usr/lib/aarch64-linux-gnu" \
    "$emulator" -cpu "$processor" -L "$root" "$root/usr/bin/python$version" "$@"
}

libraries_from_wheels() {
  local wanted=$here/requirements-device.txt pip
  if cmp -s "$wanted" "$libraries/.requirements"; then
    say "there already  the libraries of requirements-device.txt"
    return
  fi
  pip=$(find "$root/usr/share/python-wheels" -name 'pip-*.whl' | head -n 1)
  [ -n "$pip" ] || missing "pip's wheel below $root" "delete $folder and run this again"
  say "installing     requirements-device.txt from wheels, by the emulated Python's own pip (some minutes)"
  rm -rf "$libraries"
  on_arm "$pip/pip" install --quiet --no-cache-dir --root-user-action ignore --only-binary :all: --target "$libraries" -r "$wanted" ||
    missing "a wheel for Python $version on 64-bit Arm, or the network" "the lines above say which"
  cp "$wanted" "$libraries/.requirements"
}

for each in apt-get dpkg-deb tar; do
  command -v "$each" >/dev/null || missing "$each" "run this on Debian or a derivative of it"
done
[ "$(uname -m)" = x86_64 ] || missing "an x86-64 processor (this one is $(uname -m))" "on a Pi, run the commands themselves"
[ -r "$keyring" ] || missing "$keyring" "apt-get install debian-archive-keyring"
mirror=${VOICELATCH_DEBIAN:-$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
  sed -n 's/^Debian //p' | grep -v security | head -n 1)}
[ -n "$mirror" ] || missing "a mirror of Debian among this machine's package sources" "set VOICELATCH_DEBIAN to one"

packages "$emulator_suite" amd64 "$folder/emulator" qemu-user
packages "$suite" arm64 "$root" "python$version" python3-pip-whl libstdc++6 libportaudio2 ca-certificates
emulator=$(find "$folder/emulator/usr/bin" -name 'qemu-aarch64' -o -name 'qemu-aarch64-static' | head -n 1)
[ -n "$emulator" ] || missing "the emulator below $folder/emulator" "delete $folder and run this again"
libraries_from_wheels

cd "$here"
say "emulator       $("$emulator" --version | head -n 1)"
failed=0
check() {
  local name=$1
  shift
  if "$@"; then say "ok             $name"; else say "FAILED         $name (exit $?)"; failed=1; fi
}
check "the processor is a 64-bit Arm" on_arm -c 'import platform, sys
print(platform.machine(), platform.python_version())
sys.exit(platform.machine() != "aarch64")'
check "every library of the device can be imported" on_arm -c 'import ctypes.util, importlib, importlib.metadata as known, sys
# It would ask this machine for its libraries, with the wrong result.
ctypes.util.find_library = lambda name: f"lib{name}.so.2"
for module, name in (("numpy", "numpy"), ("soxr", "soxr"), ("webrtcvad", "webrtcvad-wheels"), ("nacl", "pynacl"),
                     ("ai_edge_litert.interpreter", "ai-edge-litert"), ("sounddevice", "sounddevice"),
                     ("gpiozero", "gpiozero"), ("lgpio", "lgpio")):
    if module == "lgpio" and sys.version_info >= (3, 13):
        print("  lgpio: not checked, it has no wheel for Python 3.13; Raspberry Pi OS has the package python3-lgpio")
        continue
    importlib.import_module(module)
    print(f"  {name} {known.version(name)}")'
check "the shipped bundle, its golden vectors on this processor" on_arm -m device check --bundle models/demo
evening() { on_arm -m device demo | tail -n 1; }
check "the recorded evening" evening
exit "$failed"
