#!/bin/sh
# In the guest: runs each line that comes over the second serial port, and says how it has ended.
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1 2>&1
cd /
echo @ready
while read -r line; do
	eval "$line"
	echo "@done $?"
done
