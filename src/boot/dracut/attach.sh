#!/bin/sh
# tslosetup: attaches the image that the kernel command line names. dracut calls this again and again
# until that is done: NFS waits for a network.

. /usr/lib/tslosetup/common.sh

# Some network has an address.
tslosetup_has_network() { ip -o address show scope global | grep -q inet; }

# Without another root=, what has been attached is mounted here: systemd, which would try to mount a
# device of the name "tslosetup", finds that done.
tslosetup_attach_once() {
	[ ! -e "$TSLOSETUP_DEVICES" ] && tslosetup_read_words || return 0
	case $image in nfs:*) tslosetup_lacks_nfs || tslosetup_has_network || return 0 ;; esac
	tslosetup_boot || die "tslosetup: no root"
	[ "${root-}" = tslosetup ] || return 0
	mount -t "${fstype:-auto}" -o "${rflags:-ro}" "$root_device" "$NEWROOT" ||
		die "tslosetup: cannot mount $root_device"
}

tslosetup_attach_once
