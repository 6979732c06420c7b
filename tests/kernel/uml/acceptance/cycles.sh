# Again and again, and many at once.

tiny=$images/tiny.qcow2
bytes=$(stat -c %s $images/tiny.raw)
wrong=""
for cycle in {1..20}; do
  device=/dev/nbd0 options="-r"
  ((cycle % 4 == 0)) && device=/dev/loop0
  ((cycle % 2 == 0)) && options="-r -P"
  run tslosetup $options -t QCOW $device $tiny
  parts=$(echo ${device}p*[0-9])
  state="$code $err $(blockdev --getro $device) $(size_of $device) $parts"
  [[ $options == *P* ]] && expected="0  1 $bytes ${device}p1" || expected="0  1 $bytes ${device}p*[0-9]"
  [[ $state == "$expected" ]] || wrong+="cycle $cycle: '$state' "
  cmp $device $images/tiny.raw || wrong+="cycle $cycle: content "
  if ((cycle % 3 == 0)) && [[ $device == /dev/loop0 ]]; then
    losetup -d $device || wrong+="cycle $cycle: losetup -d "
    eventually is_nothing_left
  else
    run tslosetup -d $device
    [[ $code$err == 0 ]] || wrong+="cycle $cycle: -d $code $err "
  fi
done
same "20 cycles, size, ro, partitions and content every time" "" "$wrong"
nothing_left "20 cycles"

for number in {0..9}; do
  cp $images/tiny.raw /run/many$number.img
  printf 'number %d' $number | dd of=/run/many$number.img bs=1 seek=65536 conv=notrunc status=none
done
started=$SECONDS
for number in {0..9}; do
  tslosetup --transport nbd --find --show /run/many$number.img >/run/many$number.out 2>/run/many$number.err &
  pids[number]=$!
done
codes=""
for number in {0..9}; do
  wait ${pids[number]}
  codes+=$?
done
echo "# 10 at once: $((SECONDS - started)) s"
same "10 at once, exit codes" 0000000000 $codes
same "10 at once, messages" "" "$(messages /run/many?.err)"
same "10 at once, 10 devices" 10 "$(sort -u /run/many?.out | grep -c '^/dev/nbd[0-9]*$')"
wrong=""
for number in {0..9}; do
  cmp "$(</run/many$number.out)" /run/many$number.img || wrong+="$number: $(</run/many$number.out) "
done
same "10 at once, every device has its own image" "" "$wrong"
run tslosetup -n -O NAME,BACK-FILE
same "10 at once, in the list" "$(for n in {0..9}; do echo "$(</run/many$n.out) /run/many$n.img"; done | sort)" \
  "$(awk '{ print $1, $2 }' <<<"$out" | sort)"
detached "10 at once, -D" -D
rm /run/many*
