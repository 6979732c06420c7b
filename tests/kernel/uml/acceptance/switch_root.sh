# The system moves to a root file system on a device of ours, as at the end of an initramfs. What was
# there before is left with an empty /dev, /proc and /run. This part ends its guest.

# In front of the move: the root, one to be detached, one to be sent SIGTERM, two to be killed, and a socket.
attach "before the move, the root" -r --threads 3 -t QCOW /dev/nbd0 $images/compressed.qcow2
for number in 1 2 3 10; do
  attach "before the move, nbd$number" -r /dev/nbd$number $images/ext4.raw
done
attach "before the move, a socket" -r --threads 3 --socket /run/socket -t QCOW $images/compressed.qcow2

{
  declare -f
  declare -p PATH HOME program images states patience
  cat <<'AFTER'
daemon_of_socket() { sed -n 's/.*"pid":\([0-9]*\).*/\1/p' "$states"/socket-*.json; }
is_disconnected() { [[ ! -e /sys/block/nbd$1/pid ]]; }

# fails_when_killed NUMBER: a request that the daemon never answers
fails_when_killed() {
  local pid
  pid=$(daemon_of $1)
  kill -STOP $pid
  dd if=/dev/nbd$1 of=/dev/null bs=4096 count=1 skip=999 iflag=direct status=none 2>/dev/null &
  sleep 0.5
  kill -9 $pid
  check "killed after the move, nbd$1, a request under way ends" eventually has_ended $!
  wait $!
  same "killed after the move, nbd$1, it fails" 1 $?
  check "killed after the move, nbd$1, the kernel's log tells" grep -q "nbd$1 (pid $pid) was killed" <(dmesg)
}

echo 3 >/proc/sys/vm/drop_caches
check "after the move, the files of the root" eval 'cd / && sha256sum --quiet --strict -c $images/tree.sha256'
check "after the move, four connections to the socket" \
  nbdcopy --connections=4 'nbd+unix:///?socket=/run/socket' /run/copy.raw
check "after the move, what they have read" cmp /run/copy.raw $images/ext4.raw
rm /run/copy.raw

run tslosetup -n -O NAME -l
same "after the move, the list" "/dev/nbd0 /dev/nbd1 /dev/nbd2 /dev/nbd3 /dev/nbd10 /run/socket" "$(echo $out)"
run tslosetup -d /dev/nbd1
same "after the move, -d" "0||" "$code|$out|$err"
same "after the move, the device is gone" "" "$(ls /sys/block/nbd1/pid 2>/dev/null)"
pid=$(daemon_of 2)
kill -TERM $pid
check "after the move, the daemon ends after SIGTERM" eventually has_ended $pid
check "after the move, its device is gone" is_disconnected 2
check "after the move, its state is gone" eval '[[ ! -e $states/nbd2.json ]]'
pid=$(daemon_of_socket)
run tslosetup -d /run/socket
same "after the move, -d of the socket" "0||" "$code|$out|$err"
check "after the move, its daemon has ended, and the socket is gone" \
  eval 'has_ended $pid && [[ ! -e /run/socket ]]'
fails_when_killed 3
fails_when_killed 10
run tslosetup -n -O NAME -l
same "killed after the move, the list" "/dev/nbd0" "$(echo $out)"
check "after all that, the files of the root" eval 'cd / && sha256sum --quiet --strict -c $images/tree.sha256'
report '# end'
halt -f -p
AFTER
} >/run/after.sh

mount -o ro /dev/nbd0 /mnt
mount --bind /usr /mnt/usr
mount --bind /etc /mnt/etc
for folder in dev proc sys run tmp; do mount --move /$folder /mnt/$folder; done
cd /mnt
mount --move . /
exec chroot . /bin/bash /run/after.sh
