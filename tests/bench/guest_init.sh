#!/bin/bash
# The guest's work, in the host's root: puts the images into memory, attaches them in all ways, and
# measures what the plan says. The plan (guest_plan.ts) is bash: it sets
#   program qcow2 raw     files on the host
#   fio_limit             seconds that one run may take
# and calls `prepare` and then `measure`. What comes out goes to the file results.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/run TMPDIR=/run
share=/run/share
images=/run/images

report() { printf '%s\n' "$*" >>$share/results; }
say() { printf 'bench: %s\n' "$*"; }

# The images lie on a file system in memory. A tmpfs would not do: in this kernel it has no direct I/O.
load_images() {
  mke2fs -q -t ext4 -O ^has_journal -m 0 /dev/ram0
  mkdir $images
  mount /dev/ram0 $images
  cp "$qcow2" $images/disk.qcow2
  cp "$raw" $images/disk.raw
  cp "$program" /run/program
  sync
  cat $images/disk.* >/dev/null
}

# All queues as tslosetup sets its own up.
set_up_queue() {
  local queue=/sys/block/$1/queue
  echo none >$queue/scheduler
  echo 1024 >$queue/max_sectors_kb
  echo 1024 >$queue/read_ahead_kb
}

prepare() {
  say 'copying the images into the memory of the guest'
  load_images
  say 'attaching them'
  /run/program -r --transport nbd --file-fmt-type QCOW /dev/nbd0 $images/disk.qcow2
  qemu-nbd --fork --pid-file=/run/qemu-nbd.pid --read-only --format=qcow2 --connect=/dev/nbd1 \
    $images/disk.qcow2
  losetup --read-only --direct-io=on /dev/loop0 $images/disk.raw
  /run/program -r --transport view --file-fmt-type QCOW /dev/loop1 $images/disk.qcow2
  nbd0=$(/run/program -n --raw -O PID /dev/nbd0)
  nbd1=$(</run/qemu-nbd.pid)
  for name in nbd0 nbd1 loop0 loop1; do set_up_queue $name; done
  cmp --bytes=16MiB /dev/nbd0 /dev/loop0
  cmp --bytes=16MiB /dev/nbd1 /dev/loop0
  cmp --bytes=16MiB /dev/loop1 /dev/loop0
}

# stat_of NAME: proc(5)'s line about the server behind a device; a loop device has none
stat_of() { [[ ! -v $1 ]] || cat "/proc/${!1}/stat"; }
resident_of() { [[ ! -v $1 ]] || grep '^VmRSS:' "/proc/${!1}/status"; }

# given_up RUN EXIT_CODE: shows who waits for what
given_up() {
  printf 'fio, %s: exit code %s\n' "$@"
  cat /run/fio.json
  grep . /sys/block/{nbd0,nbd1,loop0,loop1}/inflight
  ps -eLo pid,lwp,stat,wchan:24,time,comm | grep -E 'COMMAND|fio|nbd|tslosetup|loop'
  exit 1
}

# measure ROUND JOB COMPETITOR DEVICE ARGUMENTS...: one run of fio, one section of the results
measure() {
  local head=$1\ $2\ $3 name=${4#/dev/} before after
  shift 4
  before=$(stat_of $name)
  timeout --kill-after=5 "$fio_limit" fio "$@" </dev/null >/run/fio.json || given_up "$head" $?
  after=$(stat_of $name)
  report "@run $head"
  report "@before $before"
  report "@after $after"
  report "$(resident_of $name)"
  report "$(</run/fio.json)"
}

finish() {
  [[ $1 == 0 ]] && report '@end'
  busybox poweroff -f
}

trap 'finish $?' EXIT
set -euo pipefail
cd /run
ln -sfn /proc/self/fd /dev/fd
mkdir -p /run/lock /dev/shm
source $share/plan.sh
