# Detaching what is in use: it goes on working until its last user has gone.

# goes_on NAME DEVICE: what is read now comes from the daemon
goes_on() {
  echo 3 >/proc/sys/vm/drop_caches
  tree_is_right "$1, the mount goes on working" $mnt
  check "$1, the device is there" read_block $2
  sleep 1
  check "$1, the daemon is there" grep -q -e '--internal-daemon' <<<"$(processes)"
}

has_thread() { grep -q '^worker' /proc/$1/task/*/comm 2>/dev/null; }

# thread_ends PID: what a daemon has started at SIGTERM is done. It may have come and gone unseen.
thread_ends() {
  for _ in {1..30}; do
    has_thread $1 && break
    sleep 0.1
  done
  eventually eval "! has_thread $1"
}

# rights_of PID: of all its threads, capabilities and whether there are privileges to be had
rights_of() { echo $(sed -n 's/^\(Cap[IPE][nrf][hmf]\|NoNewPrivs\):\t0*\(.*\)/\2/p' /proc/$1/task/*/status | sort -u); }

for device in /dev/nbd0 /dev/loop0; do
  attach "SIGTERM, $device" -r -t QCOW $device $images/compressed.qcow2
  mount -o ro $device $mnt
  pid=$(daemon_of 0)
  same "SIGTERM, $device, its daemon has no rights" "1" "$(rights_of $pid)"
  kill -TERM $pid
  check "SIGTERM, $device, its thread ends" thread_ends $pid
  goes_on "SIGTERM, $device" $device
  umount $mnt
  nothing_left "SIGTERM, $device"

  attach "-d when mounted, $device" -r -t QCOW $device $images/compressed.qcow2
  mount -o ro $device $mnt
  run tslosetup -d $device
  same "-d when mounted, $device, exit code, messages" "0||" "$code|$out|$err"
  goes_on "-d when mounted, $device" $device
  umount $mnt
  nothing_left "-d when mounted, $device"
done

attach "losetup -d when mounted" -r -t QCOW /dev/loop0 $images/plain.qcow2
mount -o ro /dev/loop0 $mnt
check "losetup -d when mounted" losetup -d /dev/loop0
goes_on "losetup -d when mounted" /dev/loop0
umount $mnt
nothing_left "losetup -d when mounted"

attach "SIGTERM when idle" -r -t QCOW /dev/nbd2 $images/plain.qcow2
kill -TERM $(daemon_of 2)
nothing_left "SIGTERM when idle"

# Whether a device has gone is looked for in /sys; of a loop device, the kernel is asked.
for device in /dev/nbd0 /dev/loop0; do
  attach "without /sys, $device" -r -t QCOW $device $images/plain.qcow2
  run unshare --mount sh -c "mount -t tmpfs none /sys && exec $program -d $device"
  if [[ $device == /dev/nbd0 ]]; then
    same "without /sys, -d $device" "1|tslosetup: $device: detach failed: /sys is not mounted, and nbd devices need it" \
      "$code|$err"
    tslosetup -d $device
  else
    same "without /sys, -d $device" "0||" "$code|$out|$err"
  fi
  nothing_left "without /sys, $device"
done

# A writer loses nothing: what was written before and after the signal is in the image.
truncate -s 16M /run/lazy.img
mkfs.ext4 -q /run/lazy.img
attach "SIGTERM to a writer" /dev/nbd0 /run/lazy.img
mount /dev/nbd0 $mnt
echo before >$mnt/before
pid=$(daemon_of 0)
kill -TERM $pid
check "SIGTERM to a writer, its thread ends" thread_ends $pid
echo after >$mnt/after
umount $mnt
nothing_left "SIGTERM to a writer"
same "SIGTERM to a writer, both writes" "before after" \
  "$(echo $(for file in before after; do debugfs -R "cat $file" /run/lazy.img 2>/dev/null; done))"
check "SIGTERM to a writer, e2fsck" e2fsck -f -n /run/lazy.img
rm /run/lazy.img
