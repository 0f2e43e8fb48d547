# Who may deploy to this door over ssh: group voicelatch-models, and exact lines in sudoers(5). Read by install.sh.
sudoers=/etc/sudoers.d/voicelatch
sudoers_mark="# Voicelatch: who may deploy to this door. Written by install.sh --deployer and --no-deployer."

deployer_add() {
  local user=$1 operations kept
  deployer_is_a_user "$user"
  command -v visudo >/dev/null || fail "sudo is not installed (apt install sudo), so nothing can be granted"
  owned_by_root_alone
  operations="$target/bin/deploy reload, $target/bin/deploy list-recordings, $target/bin/deploy send-recordings"
  [ -z "$may_downgrade" ] || operations+=", $target/bin/deploy allow-older"
  # An assignment of its own: what fails in it ends the script.
  kept=$(sudoers_lines_without "$user")
  sudoers_write "$kept
$user ALL=(root) NOPASSWD:NOSETENV: $operations"
  if ! id -nG "$user" | tr ' ' '\n' | grep -qx voicelatch-models; then
    usermod --append --groups voicelatch-models "$user"
    say "added      $user to group voicelatch-models (after the next login)"
  fi
  say "allowed    $user: $operations"
}

deployer_remove() {
  local user=$1 kept
  deployer_is_a_user "$user"
  kept=$(sudoers_lines_without "$user")
  sudoers_write "$kept"
  if id -nG "$user" | tr ' ' '\n' | grep -qx voicelatch-models; then
    gpasswd --delete "$user" voicelatch-models >/dev/null
    say "removed    $user from group voicelatch-models"
  fi
  say "removed    what sudo allowed $user"
}

# sudoers(5) has words of its own: a name that it could read otherwise is not written there.
deployer_is_a_user() {
  [[ $1 =~ ^[A-Za-z_][A-Za-z0-9_.-]{0,31}$ && $1 =~ [a-z] ]] || fail "not a user's name for sudoers: $1"
  getent passwd "$1" >/dev/null || fail "there is no user $1"
  [ "$(id -u "$1")" != 0 ] || fail "root may do everything already"
  case $1 in voicelatch*) fail "$1 is a user of the door's own programs, which deploy nothing" ;; esac
}

# A right to run a program as somebody else is given only where nobody but root can change the program.
owned_by_root_alone() {
  local foreign place
  [ -x "$target/bin/deploy" ] || fail "the program is not installed: sudo systemd/install.sh, then --deployer again"
  foreign=$(
    for place in / "$(dirname "$target")" "$target" "$(readlink -f "$python")"; do
      find "$place" -maxdepth 0 \( ! -user root -o -perm /022 \)
    done
    find "$target/bin" "$target/device/" "$target/.venv/" ! -type l \( ! -user root -o -perm /022 \)
  )
  [ -z "$foreign" ] || fail "others than root can change $(head -n 1 <<<"$foreign"): make it root's (chown root:root, chmod go-w), then again"
}

# The lines of the file that install.sh wrote, but those of one user.
sudoers_lines_without() {
  [ -e "$sudoers" ] || return 0
  [ "$(head -n 1 "$sudoers")" = "$sudoers_mark" ] || fail "$sudoers was written by somebody else: move it away, then again"
  awk -v user="$1" 'NR > 1 && $1 != user' "$sudoers"
}

# Checked before it is in its place: a file that sudo cannot read locks everybody out. A name with a dot is not read.
sudoers_write() {
  local lines new=$sudoers.new
  lines=$(grep -v '^$' <<<"$1" || true)
  if [ -z "$lines" ]; then
    rm -f "$sudoers"
    return
  fi
  rm -f "$new"
  (umask 337 && printf '%s\n' "$sudoers_mark" "$lines" >"$new")
  if ! visudo -cqf "$new"; then
    rm -f "$new"
    fail "visudo refuses what would be written to $sudoers; nothing was changed"
  fi
  mv -T "$new" "$sudoers"
  say "wrote      $sudoers"
}

# Lines of the old form let their user run any program as the daemon's user.
sudoers_old_form() {
  [ -e "$sudoers" ] && [ "$(head -n 1 "$sudoers")" != "$sudoers_mark" ] || return 0
  grep -qE -- '-m device|systemctl reload voicelatch' "$sudoers" || return 0
  say "removed    $sudoers, whose lines gave away the daemon's user; again: install.sh --deployer USER. It had:"
  sed 's/^/  /' "$sudoers"
  rm -f "$sudoers"
}

sudoers_remove() {
  sudoers_old_form
  [ -e "$sudoers" ] && [ "$(head -n 1 "$sudoers")" = "$sudoers_mark" ] || return 0
  rm -f "$sudoers"
  say "removed    $sudoers"
}
