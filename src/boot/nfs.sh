# nfs.sh: mounts the share with the image by NFS, for common.sh.
#
# Nothing of what the kernel does for this share later may need a program or a daemon: that would be
# read from the very root that it serves, and both would wait for ever.
#
# - NFSv4 servers may send owners as names ("root@example.org"). The kernel has /sbin/request-key of
#   the root map each of them, whenever it asks for attributes anew, and it does while it reads the
#   image. So its keyring of names is revoked before anything is attached. Without one it can ask
#   nobody (request_key(2): EKEYREVOKED): every name is nobody's, at once, until this machine is
#   started anew. Servers that send numbers are not concerned.
# - NFSv3 has numbers. Its locks need rpc.statd: they are left out (nolock).
# - Kerberos and TLS need daemons that renew keys: refused.

# shellcheck shell=dash disable=SC3043,SC2154

# tslosetup_mount_nfs OPTIONS: mounts $place.
tslosetup_mount_nfs() {
	local options="hard,nolock,$1"
	tslosetup_is_nfs_sound "$options" || return
	modprobe -qa nfsv3 nfsv4
	case ",$options," in
	*,vers=3,* | *,nfsvers=3,* | *,v3,*) options=mountproto=tcp,$options ;;
	*,vers=4* | *,nfsvers=4* | *,v4*)
		tslosetup_forget_names "$options" ||
			tslosetup_fail "the kernel might ask the root for names of NFSv4; try vers=3" || return
		;;
	*) tslosetup_forget_names "$options" || options=vers=3,mountproto=tcp,$options ;;
	esac
	mount.nfs "$place" "$TSLOSETUP_SOURCE" -o "$options"
}

tslosetup_is_nfs_sound() {
	case ",$1," in
	*,sec=*krb5* | *,xprtsec=tls,* | *,xprtsec=mtls,*)
		tslosetup_fail "NFS with Kerberos or TLS would need a daemon of the root that it serves"
		;;
	*,lock,*) tslosetup_fail "locks of NFSv3 would need a daemon of the root that they are for" ;;
	esac
}

# tslosetup_forget_names OPTIONS: has the kernel never ask for a name again, by having it ask for one
# now: only the program that it calls then may revoke its keyring, and /etc/request-key.conf of the
# initramfs has it do so. If the server sends no names, it is sent one: the owner of the root of its
# exports is set to what it is.
tslosetup_forget_names() {
	local maps_none=/sys/module/nfs/parameters/nfs4_disable_idmapping was root
	tslosetup_names_are_forgotten && return
	was=$(cat "$maps_none") && echo N >"$maps_none" || return
	for root in "${place%%:/*}:/" "$place"; do
		mount.nfs "$root" "$TSLOSETUP_SOURCE" -o "$(tslosetup_asking_options "$1")" || continue
		chown "$(stat -c %u:%g "$TSLOSETUP_SOURCE")" "$TSLOSETUP_SOURCE"
		umount "$TSLOSETUP_SOURCE"
		tslosetup_names_are_forgotten && break
	done 2>/dev/null
	echo "$was" >"$maps_none"
	tslosetup_names_are_forgotten
}

# tslosetup_asking_options OPTIONS: mount.nfs takes a version only once.
tslosetup_asking_options() {
	local version=,vers=4
	case ",$1," in *,vers=* | *,nfsvers=* | *,v4*) version='' ;; esac
	echo "$1,rw,soft,timeo=100,nosharecache$version"
}

# IR: instantiated, revoked (proc_keys(5)).
tslosetup_names_are_forgotten() {
	grep -q '^[0-9a-f]* *IR.* keyring *\.id_resolver' /proc/keys
}
