#!/bin/sh
# tslosetup: what dracut has to know of the kernel command line before the image is attached.

. /usr/lib/tslosetup/common.sh

if tslosetup_read_words; then
	echo '[ -e /run/initramfs/tslosetup-devices ]' >"$hookdir/initqueue/finished/tslosetup.sh"
	# Without another root=, root is what has been attached: attach.sh.
	case ${root-} in
	'' | tslosetup)
		root=tslosetup
		# shellcheck disable=SC2034
		rootok=1
		;;
	esac
	case $image in nfs:*) echo rd.neednet=1 >/etc/cmdline.d/tslosetup.conf ;; esac
fi
