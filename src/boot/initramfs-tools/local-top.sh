#!/bin/sh
# tslosetup: attaches the image that the kernel command line names, before root is mounted.
case ${1-} in prereqs) exit 0 ;; esac
. /scripts/functions
. /usr/lib/tslosetup/common.sh

tslosetup_read_words || exit 0
log_begin_msg "Attaching $image"
wait_for_udev 10
case $image in nfs:*) configure_networking ;; esac
tslosetup_boot || panic "tslosetup: no root"
# Any other root= is looked for as usual: it may be a UUID on the disk.
case ${ROOT-} in '' | tslosetup) echo "ROOT=$root_device" >>/conf/param.conf ;; esac
log_end_msg 0
