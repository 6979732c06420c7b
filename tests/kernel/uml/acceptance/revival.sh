# kill -9 of daemons: what uses their devices sees a pause.

# lines NUMBER: a device's state, the last word on each point last
revivals_of() { sed -n 's/.*"revivals":\([0-9]*\).*/\1/p' "$states/nbd${1}.json" | tail -n 1; }
is_revived() { [[ $(revivals_of $1) -ge $2 ]]; }

# killed DEVICE TIMES: kills its daemon, and waits for the next one
killed() { kill -9 $(daemon_of $1) && eventually is_revived $1 $2; }
is_gone() { [[ ! -e /sys/block/nbd0/pid ]]; }

# log_has_no_errors NAME
log_has_no_errors() { same "$1, no errors in the kernel's log" "" "$(dmesg | grep 'I/O error' | tail -n 3)"; }

image=/run/disk.img
truncate -s 64M $image
mkfs.ext4 -q $image
dmesg --clear

attach "killed when written to" -t RAW /dev/nbd0 $image
mount /dev/nbd0 $mnt
patiently fio --name=x --filename=$mnt/file --size=8M --rw=randwrite --bs=4k --direct=1 --ioengine=psync \
  --verify=crc32c --verify_fatal=1 --do_verify=1 --rate_iops=250 >/run/fio 2>&1 &
writer=$!
sleep 1
check "killed when written to, another daemon" killed 0 1
check "killed again at once, another daemon" killed 0 2
sleep 1
mv $image $image.renamed
check "killed when its image has another name, another daemon" killed 0 3
mv $image.renamed $image
wait $writer
same "killed when written to, what was written" 0 $?
run tslosetup -n -O NAME,REVIVED
same "killed when written to, the list" "/dev/nbd0 3" "$(echo $out)"
check "killed when written to, the kernel's log tells" grep -q "another daemon .* serves /dev/nbd0" <(dmesg)

# One that was to go when its daemon was killed does go.
run tslosetup -d /dev/nbd0
same "killed when leaving, -d" "0|" "$code|$out"
kill -9 $(daemon_of 0)
echo after >$mnt/after
check "killed when leaving, umount" patiently umount $mnt
check "killed when leaving, it goes" eventually is_gone
nothing_left "killed when leaving"
check "killed when written to, e2fsck" e2fsck -fn $image
log_has_no_errors "killed when written to"

attach "killed below a loop device" -r -t QCOW /dev/loop0 $images/plain.qcow2
mount -o ro /dev/loop0 $mnt
kill -9 $(daemon_of 0)
tree_is_right "killed below a loop device" $mnt
check "killed below a loop device, umount" patiently umount $mnt
kill -9 $(daemon_of 0)
detached "killed just before, -d" -d /dev/loop0
log_has_no_errors "killed below a loop device"

# What the killed one had answered is written back before the device goes.
cp $images/plain.qcow2 /run/written.qcow2
head -c 1M /dev/urandom >/run/piece
for force in "" --force; do
  attach "killed just before -d $force" -t QCOW /dev/nbd0 /run/written.qcow2
  dd if=/run/piece of=/dev/nbd0 bs=64k oflag=direct status=none
  kill -9 $(daemon_of 0)
  detached "killed just before -d $force" -d $force /dev/nbd0
  attach "killed just before -d $force, once more" -r -t QCOW /dev/nbd0 /run/written.qcow2
  check "killed just before -d $force, what was written" cmp -n 1M /run/piece /dev/nbd0
  detached "killed just before -d $force, once more" -d /dev/nbd0
  head -c 1M /dev/urandom >/run/piece
done
rm /run/written.qcow2 /run/piece

# Each of its daemons is killed, most of them before they serve: on a slow machine, too, that is five within a minute.
kill_daemons() { processes | sed -n 's/ .*--[i]nternal-daemon.*//p' | xargs -r kill -9 2>/dev/null; }
attach "killed too often" -r -t QCOW /dev/nbd0 $images/plain.qcow2
read_block /dev/nbd0 5
kill_daemons
read_block /dev/nbd0 6 2>/dev/null &
reader=$!
until is_gone; do kill_daemons; sleep 0.2; done
check "killed too often, who waited does not any more" eventually has_ended $reader
check "killed too often, the kernel's log tells why" grep -q "given up: 5 daemons were killed" <(dmesg)
nothing_left "killed too often"

attach "its watcher killed" -r -t QCOW /dev/nbd0 $images/plain.qcow2
processes | sed -n 's/ .*--[i]nternal-revive.*//p' | xargs kill -9
kill -9 $(daemon_of 0)
read_block /dev/nbd0 5 2>/dev/null &
reader=$!
sleep 1
run tslosetup -d /dev/nbd0
same "its watcher killed, -d" "0" "$code"
check "its watcher killed, who waited for the daemon does not any more" eventually has_ended $reader
nothing_left "its watcher killed"
rm $image
