# A container's /dev, in which nobody makes or removes nodes: always the right disk. Two images with two
# partitions each, whose second one begins with the image's name.

for name in one two; do
  truncate -s 8M /run/$name.raw
  printf '%s\n' 'label: dos' 2048,2048 4096, | sfdisk -q /run/$name.raw
  printf %s $name | dd of=/run/$name.raw bs=512 seek=4096 conv=notrunc status=none
done

modprobe -a loop fuse
mkdir -p /run/bare
mount -t tmpfs none /run/bare
cp -a /dev/null /dev/zero /dev/urandom /dev/loop-control /dev/fuse /run/bare
# The checks go on in the guest's own /dev.
unshare --mount sh -c 'mount --bind /run/bare /dev && exec sleep 1000' &
container=$!
eventually grep -q '^none /dev tmpfs' /proc/$container/mounts
inside() { nsenter --mount=/proc/$container/ns/mnt "$@"; }

# second NODE: the name at the start of the second partition
second() { inside dd if=$1p2 bs=3 count=1 status=none iflag=fullblock; }

# shows NAME IMAGE OPTIONS...: attaches in the container; $out is the device, whose partitions are the image's
shows() {
  local name=$1 image=$2
  shift 2
  run inside $program "$@" -P -f --show /run/$image.raw
  same "$name, exit code and messages" "0|" "$code|$err"
  same "$name, the right disk" "$image" "$(second $out)"
}

nodes() { (cd /run/bare && ls) | grep -E '^(loop|nbd)[0-9]+p' | tr '\n' ' '; }

for transport in loop nbd fuse; do
  options="--transport $transport"
  shows "$transport, one" one $options && first=$out
  check "$transport, -d" inside $program -d $first
  same "$transport, -d removes its nodes" "" "$(nodes)"
  shows "$transport, two on the same device" two $options && other=$out
  same "$transport, two is where one was" $first $other
  shows "$transport, one beside it" one $options
  same "$transport, two is still itself" two "$(second $other)"
  check "$transport, both -d" inside $program -d $other $out
  same "$transport, no nodes are left" "" "$(nodes)"

  # Detached by others, lazily, in another order: the nodes that are left lead to another disk.
  shows "$transport, lazily, one" one $options && first=$out
  exec 9<$first
  if [[ $transport == nbd ]]; then
    run inside $program -d $first
  else
    losetup -d $first
  fi
  exec 9<&-
  nothing_left "$transport, lazily"
  (cd /run/bare && rm -f ${first#/dev/}p1)
  mknod /run/bare/${first#/dev/}p1 b 259 3
  shows "$transport, after a lazy detach, two" two $options
  same "$transport, after a lazy detach, the wrong node is replaced" \
    "$(cat /sys/class/block/${out#/dev/}p1/dev)" \
    "$(stat -c '%Hr:%Lr' /run/bare/${out#/dev/}p1)"

  rm /run/bare/${out#/dev/}
  check "$transport, -d of a device whose node is lost" inside $program -d $out
  nothing_left "$transport, -d of a device whose node is lost"
  same "$transport, -d of a device whose node is lost, nodes" "" "$(nodes)"
done

# A daemon that was killed: its device is detached with all its nodes.
shows "killed, one" one --transport nbd --no-revive
kill -9 $(daemon_of ${out#/dev/nbd})
eventually eval '! [[ -e /sys/block/${out#/dev/}/pid ]]'
run inside $program -l
same "killed, no nodes are left" "" "$(nodes)"
nothing_left "killed"

# Two at once, where every node of a partition leads to another disk.
for disk in nbd0 nbd1 nbd2; do
  for partition in 1 2; do
    mknod /run/bare/${disk}p$partition b 259 $((RANDOM % 6))
  done
done
for image in one two; do
  inside $program -P -f --show --transport nbd /run/$image.raw >/run/$image.device 2>/run/$image.err &
done
eventually test -s /run/one.device -a -s /run/two.device
for image in one two; do
  same "two at once, $image, messages" "" "$(messages /run/$image.err)"
  same "two at once, $image, the right disk" $image "$(second $(</run/$image.device))"
done
same "two at once, nodes" 4 "$(nodes | wc -w)"

# From another network namespace the nbd driver of older kernels (6.1, not 7.2) cannot be told anything: nothing is
# ended halfway.
first=$(</run/one.device) other=$(</run/two.device)
if ! unshare --net genl ctrl get name nbd >/dev/null 2>&1; then
  for options in -d "-d --force" -c; do
    fails "another network namespace, $options" "another network namespace" \
      unshare --net $program $options $first
  done
  fails "another network namespace, attach" "another network namespace" \
    unshare --net $program --transport nbd -f /run/one.raw
  same "another network namespace, it goes on" one "$(second $first)"
fi

# A container with a state folder of its own does not know that somebody reads the device. What it calls
# process 1, say, is not what the kernel calls so.
exec 9<$other
run unshare --mount --pid --fork --mount-proc \
  sh -c "mount -t tmpfs none $states && exec $program -d $other"
same "another state folder, exit code" 0 "$code"
same "another state folder, messages" \
  "tslosetup: $other: warning: still open; it is detached when its last user closes it" "$err"
check "another state folder, who has it open still reads" \
  dd if=/proc/self/fd/9 of=/dev/null bs=4096 count=1 skip=64 iflag=direct status=none
exec 9<&-
check "two at once, -d" inside $program -d $first
nothing_left "two at once"

kill $container
umount /run/bare
rm /run/one.* /run/two.*
