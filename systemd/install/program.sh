# The program, in two steps: the new one beside the old, examined, then one rename. Read by install.sh.
staged=""

# The name $2 leads to $1 from now on, by one rename; a folder of that name from before links were used goes.
link_to() {
  rm -f "$2.link"
  ln -s "$1" "$2.link"
  if [ -e "$2" ] && [ ! -L "$2" ]; then
    rm -rf "$2.before"
    mv -T "$2" "$2.before"
  fi
  sync -f "$target"
  mv -T "$2.link" "$2"
  rm -rf "$2.before"
  say "wrote      $2"
}

# What earlier runs left: everything named $2... but what the link $1 leads to.
leave_only_the_linked() {
  local place linked
  linked=$(readlink -f "$1") || linked=""
  for place in "$2"*; do
    case $linked/ in "$(readlink -f "$place")"/*) ;; *) rm -rf "$place" ;; esac
  done
}

program_stage() {
  install -d -m 755 "$target" "$target/bin" "$target/systemd"
  leave_only_the_linked "$target/device" "$target/.program-"
  staged=$(mktemp -d "$target/.program-XXXXXX")
  # -L: the program's configuration template is a link into systemd/.
  cp -rL "$here/device" "$staged/device"
  find "$staged/device" -name __pycache__ -type d -prune -exec rm -rf {} +
  chmod -R u=rwX,go=rX "$staged"
  if diff -rq --exclude=__pycache__ "$staged/device" "$target/device" >/dev/null 2>&1; then
    rm -rf "$staged"
    staged=$(dirname "$(readlink -f "$target/device")")
    say "unchanged  $target/device"
  fi
}

# The new program in the new environment; a module of the caller's own folder is never it.
program() {
  PYTHONPATH="$staged${PYTHONPATH:+:$PYTHONPATH}" "$environment/bin/python" -P -m device "$@"
}

# A command as the daemon's user, with the groups of that user that follow, in the folder that the unit has.
as_daemon() {
  (cd "$target" && setpriv --reuid voicelatch --regid voicelatch --init-groups "$@")
}

# The new program reads the configuration and the bundle that are here, before anything is restarted. A door that serves
# is not given up for one that would refuse to start.
program_examine() {
  local found problems errors
  errors=$(mktemp)
  found=$(as_daemon env -i PATH="$PATH" LANG=C.UTF-8 OPENBLAS_NUM_THREADS=1 PYTHONPATH="$staged" \
    STATE_DIRECTORY=/var/lib/voicelatch \
    "$environment/bin/python" -P -m device check --config "$config" --simulate --json 2>"$errors") || true
  problems=$("$environment/bin/python" -I - "$found" "$(tail -c 2000 "$errors")" <<'PY'
import json, sys
# Gateway and page fail alone; the door needs these.
DOOR = ("configuration", "speech detector", "bundle", "golden vectors", "schedule")
try:
    findings = [(each["part"], each["ok"], each["text"]) for each in json.loads(sys.argv[1])]
except (KeyError, TypeError, ValueError):
    findings = [(DOOR[0], False, "the new program does not start:\n" + sys.argv[2])]
print("\n".join(f"{part}: {text}" for part, ok, text in findings if part in DOOR and not ok))
PY
  )
  rm -f "$errors"
  # Only where it was there before: a machine without pins may have the program all the same.
  if ! has_lgpio "$environment" && has_lgpio "$target/.venv" && grep -qE '^pin_factory *= *"lgpio"' "$config"; then
    problems+="${problems:+$'\n'}lgpio: the new environment lacks it, and [relay] pin_factory asks for it"
  fi
  [ -n "$problems" ] || { say "examined   $config and the bundle, by the new program"; return 0; }
  say "REFUSED    by the new program:"
  sed 's/^/  /' <<<"$problems"
  if [ -e "$target/device" ]; then
    program_forget
    fail "nothing was replaced: the old program serves on. Mend what stands above, then run this again"
  fi
  say "           there is no old program to keep; the door does not start until that is mended"
}

has_lgpio() { "$1/bin/python" -I -c 'import lgpio' 2>/dev/null; }

# What was made for a program that is not taken up.
program_forget() {
  local linked
  linked=$(readlink -f "$target/device") || linked=""
  case $linked/ in "$(readlink -f "$staged")"/*) ;; *) [ "$staged" = "$target" ] || rm -rf "$staged" ;; esac
  [ "$environment" = "$target/.venv" ] || rm -rf "$environment"
}

program_switch() {
  local file
  [ "$(readlink -f "$target/device")" = "$(readlink -f "$staged/device")" ] || link_to "${staged##*/}/device" "$target/device"
  leave_only_the_linked "$target/device" "$target/.program-"
  rm -rf "$target/device.new" "$target/device.old"
  put "$here/README.md" "$target/README.md"
  put "$here/systemd/README.md" "$target/systemd/README.md"
  put "$here/systemd/deploy.sh" "$target/bin/deploy" 755
  put "$here/systemd/voicelatch.sh" "$command" 755
}
