# What cannot be attached or detached: one line on standard error, exit code 1, nothing left.

tiny=$images/tiny.qcow2
modprobe_path=$(</proc/sys/kernel/modprobe)
rmmod nbd loop 2>/dev/null
echo /nowhere >/proc/sys/kernel/modprobe
fails "a kernel without nbd" "no nbd driver" \
  env -u MODPROBE_OPTIONS "$program" -r --transport nbd -f QCOW /dev/nbd0 $tiny
nothing_left "a kernel without nbd"
echo "$modprobe_path" >/proc/sys/kernel/modprobe
check "nbd is loaded when it is needed" tslosetup -r -t QCOW /dev/nbd2 $tiny
check "nbd is in the kernel" grep -q '^nbd ' /proc/modules
pid=$(daemon_of 2)

fails "/dev/nbd2 in use by ourselves" "busy" tslosetup -r -t QCOW /dev/nbd2 $tiny
modprobe loop
losetup -r /dev/loop5 $images/tiny.raw
fails "/dev/loop5 in use by losetup" "busy" tslosetup -r -t QCOW /dev/loop5 $tiny
losetup -d /dev/loop5
mkdir -p /run/lock
qemu-nbd -r -f raw -c /dev/nbd0 $images/tiny.raw
eventually eval '[[ -e /sys/block/nbd0/pid && $(size_of /dev/nbd0) != 0 ]]'
fails "/dev/nbd0 in use by qemu-nbd" "busy" tslosetup -r -t QCOW /dev/nbd0 $tiny
fails "-d of qemu-nbd's /dev/nbd0" "/dev/nbd0: detach failed: it was attached by qemu-nbd \\(pid [0-9]+\\), not by tslosetup; --force" \
  tslosetup -d /dev/nbd0
check "qemu-nbd's /dev/nbd0 is untouched" cmp /dev/nbd0 $images/tiny.raw
run tslosetup -r -t QCOW --find --show $tiny
same "--find goes around it" "0 /dev/nbd1" "$code $out"
check "--force detaches even that" tslosetup --force -d /dev/nbd0
eventually eval '[[ ! -e /sys/block/nbd0/pid ]]'

# Somebody merely looks at the device, as udev does.
sleep 100 3</dev/nbd4 &
opener=$!
fails "/dev/nbd4 that somebody has open" "busy" tslosetup -r -t QCOW /dev/nbd4 $tiny
kill $opener
wait $opener 2>/dev/null

mknod /dev/sda-like b 253 77
for device in /dev/nbdX /dev/nonexistent /dev/sda-like /dev/null /dev/nbd0p1 nowhere; do
  fails "no such device, $device" "No such device" tslosetup -r -t QCOW $device $tiny
done
same "no refused attach has left a process" "2" "$(processes | grep -c -e '--[i]nternal-daemon')"
check "the first device is as it was" cmp /dev/nbd2 $images/tiny.raw
same "its daemon, too" $pid "$(daemon_of 2)"

for device in /dev/nbd7 /dev/loop7 /dev/nonexistent /dev/sda-like; do
  fails "-d of what is not attached, $device" "$device" tslosetup -d $device
done
fails "a missing image" "No such file" tslosetup -t QCOW /dev/nbd0 /run/nonexistent
fails "a folder as image" "irectory" tslosetup -t QCOW /dev/nbd0 /run
fails "a truncated header" "header|too short|truncated|QCOW" tslosetup -t QCOW /dev/nbd0 $images/truncated.qcow2
: >/run/empty
fails "an empty file" "empty" tslosetup /dev/nbd0 /run/empty

# A name that is a device node in another place.
mknod /run/my-nbd3 b 43 96
run tslosetup -r -t QCOW /run/my-nbd3 $tiny
echo "# another node of nbd3: $code $err"

detached "-D" -D
run tslosetup -D
same "-D with nothing attached" "0||" "$code|$out|$err"
run tslosetup -l
same "-l with nothing attached" "0" "$code"
rm -f /dev/sda-like /run/my-nbd3 /run/empty
