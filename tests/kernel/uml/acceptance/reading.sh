# A QCOW image under all the names a device can have.

ext4_bytes=$(stat -c %s $images/ext4.raw)

# The promise of the first page, on a machine that has loaded nothing and attached nothing yet.
same "no module is loaded at first" "" "$(grep -E '^(nbd|loop) ' /proc/modules)"
run env -u DENO_V8_FLAGS "$program" -r -f QCOW /dev/loop0 $images/plain.qcow2
same "-r -f QCOW /dev/loop0, exit code, output, messages" "0||" "$code|$out|$err"
same "-r -f QCOW /dev/loop0, read-only, size, sector" "1 $ext4_bytes 512" \
  "$(echo $(blockdev --getro --getsize64 --getss /dev/loop0))"
same "losetup -l, what it shows" "/dev/loop0 0 0 0 1 /dev/nbd0 1 512" \
  "$(echo $(losetup -nl -O NAME,OFFSET,SIZELIMIT,AUTOCLEAR,RO,BACK-FILE,DIO,LOG-SEC))"
run tslosetup -l
same "tslosetup -l, for people" "NAME RO BACK-FILE FILE-FORMAT SIZE" "$(echo $(head -n 1 <<<"$out"))"
run tslosetup -l --raw
same "tslosetup -l --raw, columns" \
  "NAME SIZELIMIT OFFSET AUTOCLEAR RO BACK-FILE FILE-FORMAT DIO LOG-SEC SIZE PID TRANSPORT REVIVED" \
  "$(echo $(head -n 1 <<<"$out"))"
same "tslosetup -l --raw, truth" \
  "/dev/loop0 0 0 0 1 $images/plain.qcow2 QCOW 0 512 $ext4_bytes $(daemon_of 0) nbd 0" \
  "$(echo $(tail -n +2 <<<"$out"))"
same "ps tells what the daemon of -l serves" "@tslosetup --internal-daemon /dev/loop0 $images/plain.qcow2" \
  "$(echo $(tr '\0' ' ' </proc/$(daemon_of 0)/cmdline))"
same "its watcher has a name that systemd spares, too" "@tslosetup/sh" \
  "$(processes | sed -n 's/^[0-9]* \(@[^ ]*\) -c .*/\1/p')"
same "state folder, its mode" "700 root" "$(stat -c '%a %U' $states)"
mounted_tree "-r -f QCOW /dev/loop0" /dev/loop0
fails "writing to it" "Operation not permitted|Read-only" dd if=/dev/zero of=/dev/loop0 bs=512 count=1 status=none
check "losetup -d /dev/loop0" losetup -d /dev/loop0
nothing_left "losetup -d /dev/loop0"

attach "compressed, /dev/loop0" -r -f QCOW /dev/loop0 $images/compressed.qcow2
mounted_tree "compressed, /dev/loop0" /dev/loop0
detached "tslosetup -d /dev/loop0" -d /dev/loop0

attach "/dev/nbd3" -r -t QCOW /dev/nbd3 $images/compressed.qcow2
same "/dev/nbd3, read-only, size, sector" "1 $ext4_bytes 512" \
  "$(echo $(blockdev --getro --getsize64 --getss /dev/nbd3))"
same "/dev/nbd3, its backend" "tslosetup:QCOW:$images/compressed.qcow2" "$(</sys/block/nbd3/backend)"
mounted_tree "/dev/nbd3" /dev/nbd3
attach "--find --show" -r --file-fmt-type qcow --find --show $images/plain.qcow2
same "--find --show, what it prints" /dev/nbd0 "$out"
mounted_tree "--find --show" /dev/nbd0
run tslosetup -j $images/plain.qcow2
same "-j, finds the image" "0|/dev/nbd0: [0020]:$(stat -c %i $images/plain.qcow2) ($images/plain.qcow2), file-format QCOW" \
  "$code|${out/\[00??\]/[0020]}"
ln -sf $images/plain.qcow2 /run/another-name
run tslosetup -j /run/another-name
check "-j, by another name" grep -q '^/dev/nbd0:' <<<"$out"
detached "-D of two" -D

attach "-b 4096 /dev/loop1" -r -b 4096 -t QCOW /dev/loop1 $images/plain.qcow2
same "-b 4096, sector of both devices" "4096 4096" \
  "$(echo $(blockdev --getss /dev/loop1) $(blockdev --getss /dev/nbd0))"
same "-b 4096, losetup's LOG-SEC" 4096 "$(losetup -nl -O LOG-SEC /dev/loop1 | xargs)"
check "-b 4096, content" cmp /dev/loop1 $images/ext4.raw
detached "-d loop1, without /dev" -d loop1

window="-o 1MiB --sizelimit 2M"
attach "$window, /dev/nbd0" -r -t QCOW $window /dev/nbd0 $images/plain.qcow2
attach "$window, /dev/loop0" -r -t QCOW $window /dev/loop0 $images/compressed.qcow2
tail -c +1048577 $images/ext4.raw | head -c 2097152 >/run/window
for device in /dev/nbd0 /dev/loop0; do
  same "$window, size of $device" 2097152 "$(size_of $device)"
  check "$window, content of $device" cmp $device /run/window
done
run tslosetup -n -O OFFSET,SIZELIMIT
same "$window, in the list" "1048576 2097152 1048576 2097152" "$(echo $out)"
detached "-D of a window" -D
rm /run/window
