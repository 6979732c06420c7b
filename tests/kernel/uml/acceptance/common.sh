# Functions of the acceptance tests, beside those of guest_init.sh. The environment has
#   program   the binary under test, a path on the host
#   images    a folder on the host with the images of acceptance_images.ts

mkdir -p /run/program /run/images /run/sealed /run/mnt
mount -t hostfs -o "$(dirname "$program")" none /run/program
mount -t hostfs -o "$images" none /run/images
mount -t hostfs -o "ro,$images" none /run/sealed
ln -s "/run/program/$(basename "$program")" /run/tslosetup-link
program=$(realpath /run/tslosetup-link)
rm /run/tslosetup-link
images=/run/images
mnt=/run/mnt
states=/run/tslosetup

# On the guest's one CPU V8's own threads take more than half of each start; nothing under test needs
# them. The first attach of a guest goes without this.
export DENO_V8_FLAGS=--single-threaded

tslosetup() { "$program" "$@"; }

# messages FILE...: what was said on standard error, but not that something takes its time: in this
# guest everything does
messages() { cat "$@" | grep -v ': [a-z ]* takes its time \.\.\.$'; }

# run COMMAND...: leaves $code, $out, $err and $took (milliseconds) behind
run() {
  local start=${EPOCHREALTIME/./}
  "$@" >/run/stdout 2>/run/stderr </dev/null
  code=$?
  out=$(</run/stdout) err=$(messages /run/stderr)
  took=$(((${EPOCHREALTIME/./} - start) / 1000))
  echo "# $took ms: $* -> $code"
}

# attach NAME ARGUMENTS...: has to succeed in silence; $out is what it printed
attach() {
  local name=$1
  shift
  run tslosetup "$@"
  same "$name, exit code and messages" "0|" "$code|$err"
}

# detached NAME ARGUMENTS...: a detach that leaves no daemon; returns when all else has gone, too
detached() {
  local name=$1
  shift
  run tslosetup "$@"
  same "$name, exit code and messages" "0||" "$code|$out|$err"
  same "$name, no daemon on return" "" "$(processes | grep -e '--[i]nternal-daemon')"
  nothing_left "$name"
}

# fails NAME PATTERN COMMAND...: one line that has the pattern, exit code 1, nothing else
fails() {
  local name=$1 pattern=$2
  shift 2
  run "$@"
  local lines
  lines=$(messages /run/stderr | wc -l)
  if [[ $code == 1 && $out == "" && $lines == 1 && $err =~ $pattern ]]; then
    ok "$name, one line, exit code 1"
  else
    not_ok "$name, one line, exit code 1" "exit $code, stdout '$out', stderr '${err//$'\n'/ | }'"
  fi
}

# processes: all that comes from the program, helpers included, as PID COMMAND; zombies have none
processes() {
  local file
  for file in $(grep -la -e '--[i]nternal-' /proc/[0-9]*/cmdline 2>/dev/null); do
    echo "$(cut -d/ -f3 <<<"$file") $(tr '\0' ' ' 2>/dev/null <"$file")"
  done
}

left() {
  processes
  ls -d /sys/block/nbd*/pid 2>/dev/null
  losetup -a
  [[ ! -d $states ]] || ls "$states"
  grep -o '^/dev/[nl][^ ]*' /proc/mounts
}

is_nothing_left() { [[ -z $(left) ]]; }

# nothing_left NAME: no process, no connected device, no state file
nothing_left() {
  eventually is_nothing_left
  local rest
  rest=$(left)
  same "$1, nothing is left" "" "${rest//$'\n'/ | }"
}

# The last line of a state that was changed since is what holds.
daemon_of() { sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$states/nbd${1}.json" | tail -n 1; }

# has_ended PID: a zombie has, and has no command line (files in /proc have no size that would tell)
has_ended() { [[ -z $(tr -d '\0' 2>/dev/null </proc/$1/cmdline) ]]; }

# tree_is_right NAME FOLDER: every file of the source is there with the same content, and no other
tree_is_right() {
  (cd "$2" && exec sha256sum --quiet --strict -c /run/images/tree.sha256) >/run/sums 2>&1 &
  local reader=$!
  if ! eventually has_ended $reader; then
    not_ok "$1" "reading hangs: $(stuck)"
    # With its daemon gone, the rest of the guest's script has a chance.
    processes | sed -n 's/ .*--[i]nternal-daemon.*//p' | xargs -r kill -9
    return
  fi
  if ! wait $reader; then
    not_ok "$1" "$(tail -n 3 /run/sums | tr '\n' '|')"
  else
    same "$1" "$(wc -l </run/images/tree.sha256)" "$(find "$2" -type f | wc -l)"
  fi
}

# stuck: requests under way, and where the threads of the daemons wait
stuck() {
  local pid thread
  grep -H -v '^ *0 *0$' /sys/block/nbd*/inflight | tr '\n' ' '
  for pid in $(processes | cut -d' ' -f1); do
    for thread in /proc/$pid/task/*; do
      echo -n "$pid $(<$thread/comm) in $(<$thread/wchan), $(grep SigQ $thread/status); "
    done
  done
}

# mounted_tree NAME DEVICE: mounts, compares, unmounts
mounted_tree() {
  check "$1, mount" mount -o ro "$2" "$mnt"
  tree_is_right "$1, SHA-256 of every file" "$mnt"
  check "$1, umount" umount "$mnt"
}

size_of() { blockdev --getsize64 "$1"; }

# read_block DEVICE [NUMBER]: 4 KiB from the daemon, not from the page cache
read_block() { patiently dd "if=$1" of=/dev/null bs=4096 count=1 iflag=direct "skip=${2:-0}" status=none; }
