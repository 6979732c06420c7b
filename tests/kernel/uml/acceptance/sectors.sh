# -b auto: the sector size is that for which the partition table in the disk is made.

modprobe loop
modprobe erofs
truncate -s 16M /run/plain
setup=$(losetup -b 4096 -f --show /run/plain)
printf 'label: gpt\n,2MiB\n,2MiB\n' | sfdisk --quiet "$setup"
losetup -d "$setup"
qemu-img convert -f raw -O qcow2 /run/plain /run/sectors.qcow2
qemu-img convert -c -f raw -O qcow2 /run/plain /run/packed.qcow2

# sectors NAME DEVICE: what the device has
sectors() { same "$1" "$2" "$(cat "/sys/block/$(basename "$3")/queue/logical_block_size")"; }

# sized NAME BYTES ARGUMENTS...: attaches in silence, and detaches a device of such sectors
sized() {
  local name=$1 bytes=$2
  shift 2
  attach "$name" -f --show "$@"
  local device=$out
  sectors "$name" "$bytes" "$device"
  detached "$name, -d" -d "$device"
}

for transport in nbd fuse view; do
  sized "-b auto, $transport" 4096 -r -b auto --transport $transport -t QCOW /run/sectors.qcow2
done
sized "-b auto, whatever transport" 4096 -r -b auto -t QCOW /run/sectors.qcow2
sized "-b auto, compressed" 4096 -r -b auto -t QCOW /run/packed.qcow2
sized "-b auto, written to" 4096 -b auto -t QCOW /run/sectors.qcow2
sized "-b auto, RAW" 4096 -b auto /run/plain
sized "-b auto, RAW, fuse" 4096 -b auto --transport fuse /run/plain
sized "-b auto, no table" 512 -b auto -o 1M /run/plain
fails "-b auto, a view of what is compressed" "compressed" \
  tslosetup -r -f -b auto --transport view -t QCOW /run/packed.qcow2

attach "-b auto /dev/loop3 on nbd" -r -b auto -t QCOW /dev/loop3 /run/sectors.qcow2
sectors "-b auto /dev/loop3 on nbd" 4096 /dev/loop3
detached "-b auto /dev/loop3, -d" -d /dev/loop3

hint='warning: the partition table (GPT) is made for sectors of 4096 bytes, not 512 (-b 4096, or -b auto)'
for file in "-t QCOW --transport nbd /run/sectors.qcow2" "-t QCOW /run/packed.qcow2" /run/plain; do
  run tslosetup -r -f --show $file
  same "without -b, $file" "0|tslosetup: ${file##* }: $hint" "$code|$err"
  device=$out
  sectors "without -b, $file" 512 "$device"
  detached "without -b, $file, -d" -d "$device"
done

attach "-b auto with a device alone, the device" -f --show -b 512 /run/plain
device=$out
attach "-b auto with a device alone" -b auto "$device"
sectors "-b auto with a device alone" 4096 "$device"
detached "-b auto with a device alone, -d" -d "$device"

gzip -k /run/plain
TMPDIR=/tmp sized "-b auto, of what is decompressed as a whole" 4096 -r -b auto -t GZIP /run/plain.gz
