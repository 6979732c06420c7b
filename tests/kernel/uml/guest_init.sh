#!/bin/bash
# First process of the user-mode Linux guest: makes the host's root file system, mounted read-only,
# into a working machine, runs the script it is given, and switches the machine off. uml.ts fills
# the environment in by way of the kernel command line: share=FOLDER project=FOLDER modules=FOLDER.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/run/home
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=755 tmpfs /run
ln -sfn /proc/self/fd /dev/fd
for folder in "$project" "$modules"; do
  # Hidden by what was mounted above.
  case $folder in /tmp/* | /run/*) mkdir -p "$folder" && mount -t hostfs -o "$folder" none "$folder" ;; esac
done
mkdir -p "$HOME" /run/share /run/modroot/lib /dev/shm
mount -t hostfs -o "$share" none /run/share
ip link set lo up 2>/dev/null

# The guest's modules lie where neither modprobe nor the kernel looks for them.
ln -s "$modules" /run/modroot/lib/modules
# EROFS is there for those that ask for it: what else is attached here shall have a daemon.
cat >/run/modprobe <<'END'
#!/bin/sh
case "$*" in *fs-erofs*) [ -e /run/has-erofs ] || exit 1 ;; esac
exec /sbin/modprobe -d /run/modroot "$@"
END
chmod +x /run/modprobe
echo /run/modprobe >/proc/sys/kernel/modprobe
export MODPROBE_OPTIONS='-d /run/modroot'

# What the guest script reports goes to a file on the host: the console mixes it with the kernel's words.
report() { printf '%s\n' "$*" | tee -a /run/share/results; }
ok() { report "ok $1"; }
not_ok() { report "not ok $1: $2"; }

# check NAME COMMAND...: the command has to succeed
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "exit $?: ${output//$'\n'/ | }"; fi
}

# same NAME EXPECTED ACTUAL
same() {
  if [[ $2 == "$3" ]]; then ok "$1"; else not_ok "$1" "expected '$2', got '$3'"; fi
}

# Seconds after which something has certainly hung; a slow machine never takes so long.
patience=600

# eventually COMMAND...: tries until the command succeeds
eventually() {
  local deadline=$((SECONDS + patience))
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# patiently COMMAND...: kills a program that hangs
patiently() { timeout --kill-after=1 $patience "$@"; }

cd /tmp
while IFS= read -r -d '' variable; do export "${variable?}"; done </run/share/environment
source /run/share/guest.sh
report '# end'
halt -f -p
