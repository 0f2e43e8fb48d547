# This door's signing key, and the shipped bundles, signed with it. Read by install.sh.
# The folder of bundles can be written by those who deploy: root makes everything beside it and renames it in.
signing_key=/etc/voicelatch/signing/door.key
trusted_keys=/etc/voicelatch/trusted_keys

# With a key that is trusted, a bundle that nobody signed is refused.
signing() {
  if [ -e "$signing_key" ] || [ -L "$signing_key" ]; then
    say "unchanged  $signing_key"
  else
    install -d -m 755 /etc/voicelatch
    install -d -m 700 "${signing_key%/*}"
    (umask 077 && program key make "$signing_key" --name "$(uname -n)") || fail "the door's signing key cannot be made"
    say "made       $signing_key (root alone can read it)"
  fi
  # A list that is there is its owner's: whoever took this key off it meant it.
  if [ ! -e "$trusted_keys" ]; then
    program key trust "$signing_key.pub" --trusted-keys "$trusted_keys" || fail "the door's key cannot be trusted"
    chmod 644 "$trusted_keys"
    say "wrote      $trusted_keys: bundles signed with this door's key are accepted, unsigned ones refused"
  fi
}

bundles() {
  local name names=(demo) named=""
  [ ! -f "$here/models/current" ] || named=$(head -n 1 "$here/models/current")
  if [[ $named =~ ^[A-Za-z0-9_][A-Za-z0-9_.-]*$ ]] && bundle_is_whole "$here/models/$named"; then
    [ "$named" = demo ] || names+=("$named")
  else
    say "MISSING    models/current of the checkout names '$named', which is no bundle there; the demo is taken"
    named=demo
  fi
  rm -rf "$target"/.bundles-*
  bundles_staging=$(mktemp -d "$target/.bundles-XXXXXX")
  for name in "${names[@]}"; do bundle_put "$name"; done
  if [ ! -e "$target/models/current" ] && [ ! -L "$target/models/current" ]; then
    printf '%s\n' "$named" >"$bundles_staging/current"
    bundle_rights "$bundles_staging"
    mv -T "$bundles_staging/current" "$target/models/current"
    say "wrote      models/current: $named"
  fi
  rm -rf "$bundles_staging"
  bundle_rights "$target/models"
}

bundle_is_whole() {
  [ -d "$1" ] && [ -f "$1/SHA256SUMS" ] && (cd "$1" && sha256sum --check --strict --quiet SHA256SUMS >/dev/null 2>&1)
}

# A shipped bundle, once; bundles of yours, and the one in use, stay as they are. The one that was put here before keys
# were is put here again, signed.
bundle_put() {
  local name=$1 source=$here/models/$1 there=$target/models/$1
  if [ -e "$there" ] || [ -L "$there" ]; then
    [ ! -e "$there/SIGNATURE" ] && [ -f "$there/SHA256SUMS" ] && cmp -s "$source/SHA256SUMS" "$there/SHA256SUMS" || return 0
  fi
  cp -rL "$source" "$bundles_staging/$name"
  [ -e "$bundles_staging/$name/SIGNATURE" ] || program key sign "$bundles_staging/$name" --key "$signing_key" ||
    fail "the bundle $name cannot be signed"
  bundle_rights "$bundles_staging/$name"
  [ ! -e "$there" ] || mv -T "$there" "$bundles_staging/$name.old"
  mv -T "$bundles_staging/$name" "$there"
  say "wrote      models/$name, signed"
}

# For those who deploy, and the daemon. Links in there are not followed, whoever put them there.
bundle_rights() {
  PYTHONPATH="$staged" "$environment/bin/python" -P - "$1" <<'PY'
import grp, pathlib, sys
from device.ownership import set_rights_of_tree
set_rights_of_tree(pathlib.Path(sys.argv[1]), gid=grp.getgrnam("voicelatch-models").gr_gid)
PY
}
