# kill -9 of a daemon that has no other one to take its place: nothing hangs, nothing lies, everything can be used
# again.

image=/run/disk.img
cp $images/ext4.raw $image

# unanswered DEVICE PID: a reader whose request the daemon never answers, for it is stopped; its pid is
# $reader
unanswered() {
  kill -STOP $2
  dd if=$1 of=/dev/null bs=4096 count=1 skip=999 iflag=direct status=none 2>/dev/null &
  reader=$!
  sleep 0.5
}

# fails_in_time NAME: the reader has to fail, not to hang
fails_in_time() {
  if ! eventually has_ended $reader; then
    not_ok "$1, a request under way fails" "it hangs"
    return
  fi
  wait $reader
  same "$1, a request under way fails" 1 $?
}

list_is() {
  run tslosetup -n -O NAME,PID
  same "$1" "$2" "$(echo $out)"
}

attach "killed when idle" --no-revive -r /dev/nbd0 $image
read_block /dev/nbd0
kill -9 $(daemon_of 0)
check "killed when idle, reads fail at once" eval '! read_block /dev/nbd0 5 2>/dev/null'
nothing_left "killed when idle"
list_is "killed when idle, the list" ""
fails "killed when idle, -d" "/dev/nbd0: .*No such device or address" tslosetup -d /dev/nbd0

attach "killed under load" --no-revive -r /dev/nbd0 $image
(while dd if=/dev/nbd0 of=/dev/null bs=64k iflag=direct status=none 2>/dev/null; do :; done) &
load=$!
unanswered /dev/nbd0 $(daemon_of 0)
kill -9 $(daemon_of 0)
fails_in_time "killed under load"
check "killed under load, the load ends" eventually has_ended $load
nothing_left "killed under load"

attach "killed when mounted" --no-revive /dev/nbd0 $image
mount /dev/nbd0 $mnt
echo new >$mnt/new
pid=$(daemon_of 0)
unanswered /dev/nbd0 $pid
kill -9 $pid
fails_in_time "killed when mounted"
echo 3 >/proc/sys/vm/drop_caches
check "killed when mounted, its files fail" eval '! patiently cat $mnt/*.bin >/dev/null 2>&1'
list_is "killed when mounted, the list has it, without a daemon" "/dev/nbd0 -"
check "killed when mounted, a warning says so" grep -q "/dev/nbd0: warning: .*$pid.*gone" <<<"$err"
fails "killed when mounted, the device cannot be taken" "busy" tslosetup -r /dev/nbd0 $images/tiny.raw
check "killed when mounted, umount" patiently umount $mnt
detached "killed when mounted, -d" -d /dev/nbd0
run tslosetup -l
same "killed when mounted, the list afterwards" 0 "$code"

# What reads the table of partitions keeps every other open waiting, that of whoever asks for users, too.
requests_wait() { [[ $(</sys/block/nbd0/inflight) =~ [1-9] ]]; }
attach "killed while partitions are looked for" --no-revive /dev/nbd0 $image
kill -STOP $(daemon_of 0)
echo 3 >/proc/sys/vm/drop_caches
blockdev --rereadpt /dev/nbd0 2>/dev/null &
reader=$!
check "killed while partitions are looked for, a request waits" eventually requests_wait
kill -9 $(daemon_of 0)
check "killed while partitions are looked for, the search ends" eventually has_ended $reader
nothing_left "killed while partitions are looked for"

attach "killed, then -d when mounted" --no-revive /dev/nbd0 $image
mount /dev/nbd0 $mnt
kill -9 $(daemon_of 0)
run tslosetup -d /dev/nbd0
same "killed, then -d when mounted, exit code" "0|" "$code|$out"
check "killed, then -d when mounted, a warning says so" grep -q "/dev/nbd0: warning: still open" <<<"$err"
check "killed, then -d when mounted, umount" patiently umount $mnt
list_is "killed, then -d when mounted, the list" ""
nothing_left "killed, then -d when mounted"

attach "the next attach" -r /dev/nbd0 $images/ext4.raw
mounted_tree "the next attach" /dev/nbd0
detached "the next attach, -d" -d /dev/nbd0

attach "killed below a loop device" --no-revive -r -f QCOW /dev/loop0 $images/plain.qcow2
mount -o ro /dev/loop0 $mnt
unanswered /dev/loop0 $(daemon_of 0)
kill -9 $(daemon_of 0)
fails_in_time "killed below a loop device"
list_is "killed below a loop device, the list" "/dev/loop0 -"
check "killed below a loop device, umount" patiently umount $mnt
detached "killed below a loop device, tslosetup -d" -d /dev/loop0

attach "again below a loop device" --no-revive -r -f QCOW /dev/loop0 $images/plain.qcow2
kill -9 $(daemon_of 0)
check "again below a loop device, reads fail" eval '! read_block /dev/loop0 5 2>/dev/null'
eventually eval '! processes | grep -q -e '--[i]nternal''
losetup -d /dev/loop0
list_is "again below a loop device, losetup -d, then the list" ""
nothing_left "again below a loop device"

attach "after all that" -r -f QCOW /dev/loop0 $images/compressed.qcow2
mounted_tree "after all that" /dev/loop0
check "after all that, losetup -d" losetup -d /dev/loop0
nothing_left "after all that"
rm $image
