# Daemons of several devices are killed again and again, one after the other, while file systems on them are written
# to and read by fio, which verifies all. The environment has, beside what acceptance/common.sh takes,
#   kills     how many daemons to kill, all together
#   pause     seconds between them: five within a minute, on one device, are given up

# set_up NUMBER FILE_SYSTEM FORMAT [WORD]...: a device with that file system, mounted, and who writes to it
set_up() {
  local number=$1 kind=$2 format=$3
  shift 3
  local image=/run/kills/$number
  local folder=$mnt/$number
  qemu-img create -q -f ${format,,} $image 320M
  attach "$number, $kind on $format $*" -t ${format/QCOW2/QCOW} "$@" /dev/nbd$number $image
  check "$number, mkfs.$kind" mkfs.$kind -q /dev/nbd$number
  mkdir -p $folder
  check "$number, mount" mount /dev/nbd$number $folder
  writer $number $folder >/run/kills/$number.log 2>&1 &
  writers+=($!)
}

# writer NUMBER FOLDER: fails if what is read is not what was written
writer() {
  local round
  for ((round = 0; ; round++)); do
    [[ ! -e /run/kills/stop ]] || return 0
    fio --name=x --filename=$2/file --size=4M --rw=randrw --bs=4k --direct=1 --ioengine=libaio --iodepth=8 \
      --verify=crc32c --verify_fatal=1 --do_verify=1 --rate_iops=40 --randseed=$round$1 || return 1
  done
}

revivals_of() { sed -n 's/.*"revivals":\([0-9]*\).*/\1/p' "$states/nbd${1}.json" | tail -n 1; }
is_revived() { [[ $(revivals_of $1) -ge $2 ]]; }

# image_is_right NAME IMAGE
image_is_right() { same "$1, qemu-img check" "" "$(qemu-img check -q $2 2>&1 | tail -n 2)"; }

# take_down NUMBER FILE_SYSTEM FORMAT [LAYER]: ends what set_up has begun, and looks at what is left
take_down() {
  local number=$1 kind=$2 format=$3 layer=${4:-}
  wait ${writers[number]}
  same "$number, what was read was what was written" 0 $?
  [[ ! -s /run/kills/$number.log ]] || grep -i "error\|verify" /run/kills/$number.log | tail -n 5
  echo 3 >/proc/sys/vm/drop_caches
  check "$number, umount" patiently umount $mnt/$number
  case $kind in
    ext4) check "$number, e2fsck" e2fsck -fn /dev/nbd$number ;;
    xfs) check "$number, xfs_repair" xfs_repair -n /dev/nbd$number ;;
  esac
  run tslosetup -d /dev/nbd$number
  same "$number, -d" "0||" "$code|$out|$err"
  [[ $format == RAW ]] || image_is_right "$number" /run/kills/$number
  [[ -z $layer ]] || image_is_right "$number, the layer" $layer
}

modprobe nbd
mkdir /run/kills
dmesg --clear
writers=()
set_up 0 ext4 RAW
set_up 1 xfs RAW
set_up 2 ext4 QCOW2
set_up 3 xfs QCOW2
set_up 4 ext4 QCOW2 --overlay=/run/kills/layer
set_up 5 xfs RAW --overlay=ram
devices=6
longest=0
for ((n = 0; n < kills; n++)); do
  number=$((n % devices))
  sleep $pause
  start=${EPOCHREALTIME/./}
  kill -9 $(daemon_of $number)
  if ! eventually is_revived $number $((n / devices + 1)); then
    not_ok "$number, kill $n" "nobody has taken its place"
    break
  fi
  took=$(((${EPOCHREALTIME/./} - start) / 1000))
  ((took <= longest)) || longest=$took
  ((number < devices - 1)) || ok "$((n + 1)) daemons were killed within $SECONDS s, the longest time without one was $longest ms"
done
ok "$n daemons were killed, the longest time without one was $longest ms"
touch /run/kills/stop
take_down 0 ext4 RAW
take_down 1 xfs RAW
take_down 2 ext4 QCOW2
take_down 3 xfs QCOW2
take_down 4 ext4 QCOW2 /run/kills/layer
take_down 5 xfs RAW
nothing_left "after all that"
same "no errors in the kernel's log" "" "$(dmesg | grep -c 'I/O error' | grep -v '^0$')"
