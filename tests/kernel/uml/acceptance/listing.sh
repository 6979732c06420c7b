# Listings with nbd devices: below a loop device, by themselves, and of another program; for anybody.

modprobe loop
mkdir -p /run/lock # of qemu-nbd
truncate -s 1M /run/plain.img
check "losetup /dev/loop1" losetup /dev/loop1 /run/plain.img
run tslosetup -l
same "only plain loop devices, the table is losetup's" "$(losetup -l)" "$out"
run tslosetup -J
same "only plain loop devices, JSON is losetup's" "$(losetup -J)" "$out"

attach "to be listed, on a loop device" -r -f QCOW -o 1M --sizelimit 2M /dev/loop0 $images/plain.qcow2
attach "to be listed, on an nbd device" -r -P -t QCOW /dev/nbd3 $images/compressed.qcow2
foreign=""
if command -v qemu-nbd >/dev/null; then
  check "another program's device" qemu-nbd --connect=/dev/nbd5 --format=raw -r /run/plain.img
  eventually test -s /sys/block/nbd5/pid
  foreign="/dev/nbd5 - - - - $(</sys/block/nbd5/pid) nbd"
fi

# lines: those of a listing, with one blank between columns, in any order
lines() { sed 's/  */ /g' | grep . | sort; }
ino() { stat -c %i "$1"; }
columns=NAME,OFFSET,BACK-FILE,FILE-FORMAT,BACK-INO,PID,TRANSPORT
run tslosetup -n -O $columns
same "all devices, the plumbing left out" "$(lines <<<"\
/dev/loop0 1048576 $images/plain.qcow2 QCOW $(ino $images/plain.qcow2) $(daemon_of 0) nbd
/dev/loop1 0 /run/plain.img RAW $(ino /run/plain.img) - loop
/dev/nbd3 0 $images/compressed.qcow2 QCOW $(ino $images/compressed.qcow2) $(daemon_of 3) nbd
$foreign")" "$(lines <<<"$out")"
run tslosetup -n -O MAJ:MIN,SIZELIMIT,SIZE,PARTSCAN,AUTOCLEAR,LOG-SEC /dev/loop0
same "the disk is the loop device, the limit that of the image" "7:0 2097152 2097152 0 0 512" "$(echo $out)"
run tslosetup -n -O MAJ:MIN,RO,PARTSCAN,LOG-SEC /dev/nbd3
same "an nbd device's own values" "$(</sys/block/nbd3/dev) 1 1 512" "$(echo $out)"

ln -sf $images/plain.qcow2 /run/another-name
run tslosetup -n -O NAME -l -j /run/another-name -o 1M
same "-j, a loop device on top of nbd, by another name and offset" "/dev/loop0" "$out"
run tslosetup -j $images/plain.qcow2 -o 0
same "-j, another offset" "0|" "$code|$out"
run tslosetup -j /dev/nbd0
same "-j, the plumbing is no image" "0|" "$code|$out"
fails "the status of an nbd device that is free" "/dev/nbd7: No such device or address" tslosetup /dev/nbd7

# Others have no states; the kernel tells them what it knows.
run setpriv --reuid=65534 --regid=65534 --clear-groups "$program" -n -O NAME,BACK-FILE,FILE-FORMAT,PID
same "all devices, for anybody" "$(lines <<<"\
/dev/loop0 $images/plain.qcow2 QCOW -
/dev/loop1 /run/plain.img RAW -
/dev/nbd3 $images/compressed.qcow2 QCOW -
$(awk 'NF { print $1, "-", "-", $6 }' <<<"$foreign")")" "$(lines <<<"$out")"

[[ $foreign == "" ]] || check "the other program's own detach" qemu-nbd --disconnect /dev/nbd5
check "losetup -d /dev/loop1" losetup -d /dev/loop1
detached "-d of two" -d /dev/loop0 /dev/nbd3
rm /run/plain.img /run/another-name
