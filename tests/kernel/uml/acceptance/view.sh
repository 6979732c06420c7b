# Images that the kernel itself reads, on a kernel whose EROFS is a module.

plain=$images/plain.qcow2
rmmod loop 2>/dev/null
modprobe nbd
modprobe_path=$(</proc/sys/kernel/modprobe)
echo /nowhere >/proc/sys/kernel/modprobe
run env -u MODPROBE_OPTIONS "$program" -v -r -t QCOW --find --show $plain
same "without loop there is nbd" "0 /dev/nbd0" "$code $out"
check "without loop, -v says why" grep -q 'transport nbd: .*; no view: this kernel has no loop driver' <<<"$err"
fails "a view without loop" "no loop driver" \
  env -u MODPROBE_OPTIONS "$program" --transport view -r -t QCOW --find $plain
echo "$modprobe_path" >/proc/sys/kernel/modprobe
detached "without loop" -d /dev/nbd0

fails "a view without EROFS" "has no EROFS.*\\(--transport nbd or fuse\\)" \
  tslosetup --transport view -r -t QCOW /dev/loop0 $plain
run tslosetup -v -r -t QCOW /dev/loop0 $plain
check "without EROFS there is a daemon, and -v says why" grep -q 'transport nbd: .*; no view: .*EROFS' <<<"$err"
detached "without EROFS" -d /dev/loop0

touch /run/has-erofs
attach "a view" -r -t QCOW /dev/loop0 $plain
same "a view, no process" "" "$(processes)"
same "a view, BACK-FILE" "$plain" "$(</sys/block/loop0/loop/backing_file)"
same "a view, no mount to be seen" "" "$(grep erofs /proc/mounts)"
same "a view, listed" "/dev/loop0 QCOW view" "$(tslosetup -n --raw -O NAME,FILE-FORMAT,TRANSPORT)"
mounted_tree "a view" /dev/loop0
detached "a view, -d" -d /dev/loop0

attach "a view, losetup -d" -r -t QCOW /dev/loop0 $plain
check "a view, stock losetup" losetup -d /dev/loop0
nothing_left "a view, losetup -d"

# A kernel that does not want files that could be programs (6.3).
if [[ -e /proc/sys/vm/memfd_noexec ]]; then
  echo 2 >/proc/sys/vm/memfd_noexec
  attach "a view, vm.memfd_noexec=2" --transport view -r -t QCOW /dev/loop0 $plain
  detached "a view, vm.memfd_noexec=2" -d /dev/loop0
  echo 0 >/proc/sys/vm/memfd_noexec
fi

fails "a view without CAP_SYS_ADMIN" "Operation not permitted" \
  setpriv --bounding-set=-sys_admin "$program" --transport view -r -t QCOW /dev/loop0 $plain
nothing_left "a view without CAP_SYS_ADMIN"

# The image on a block device, which is the device below then.
losetup -r /dev/loop7 $plain
attach "an image on a block device" --transport view -r -t QCOW /dev/loop0 /dev/loop7
check "an image on a block device, content" cmp /dev/loop0 $images/ext4.raw
same "an image on a block device, listed" "/dev/loop0 /dev/loop7 view" \
  "$(tslosetup -n --raw -O NAME,BACK-FILE,TRANSPORT /dev/loop0)"
check "an image on a block device, -d" tslosetup -d /dev/loop0
losetup -d /dev/loop7
nothing_left "an image on a block device"

wrong="" views=0
for image in $images/matrix/*/0.qcow2; do
  run tslosetup --transport view -r -t QCOW --find --show $image
  if [[ $code == 0 ]]; then ((++views)); else run tslosetup -r -t QCOW --find --show $image; fi
  device=$out
  cmp "$device" $image.raw || wrong+="$image: $code $err "
  tslosetup -d "$device" || wrong+="$image: -d "
done
echo "# $views views"
same "images of the matrix, byte for byte" "" "$wrong"
check "images of the matrix, some of them as views" test $views -ge 8
nothing_left "images of the matrix"
rm /run/has-erofs
rmmod erofs
