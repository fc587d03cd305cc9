# Sourced by ./test and ./quickstart: packages and the Python environment, on a Debian that has nothing of ours.
# shellcheck shell=bash disable=SC2034

STOCK_UNITS="smbd.service nmbd.service samba-ad-dc.service winbind.service ctdb.service wsdd2.service zfs-fuse.service"
GUARD=/usr/sbin/policy-rc.d
GUARD_IS_OURS=
BASE_PACKAGES="python3 python3-venv"
CEPH_PACKAGES="ceph-common ceph-mon ceph-mgr ceph-osd ceph-mds ceph-fuse rbd-fuse python3-cephfs python3-rados python3-rbd"
CONTAINER_PACKAGES="lxc mmdebstrap debian-archive-keyring"
MACHINE_PACKAGES="qemu-system-x86 qemu-utils mmdebstrap debian-archive-keyring fdisk dosfstools mtools grub-common grub-pc-bin grub-efi-amd64-bin ovmf"
CLUSTER_PACKAGES="ctdb python3-samba"
WEB_PACKAGES="openssl python3-pampy"
# npm comes with Node.js where that is not Debian's.
PAGES_PACKAGES="esbuild openssl$(command -v npm >/dev/null || echo " npm")"
SAMBA_PACKAGES="samba samba-vfs-modules smbclient libnss-extrausers xfsprogs acl attr tdb-tools iproute2 mount"

# install_packages NAME...: installs what is missing; starts none of their services.
install_packages() {
    local missing absent
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} == 0 ]] && return
    if [[ $EUID -ne 0 ]]; then
        echo "not installed: ${missing[*]}; as root: apt-get install --no-install-recommends ${missing[*]}" >&2
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q || return
    mapfile -t absent < <(no_candidate "${missing[@]}")
    if [[ ${#absent[@]} != 0 ]]; then
        # shellcheck source=/dev/null
        echo "$(. /etc/os-release && echo "$PRETTY_NAME") has no package ${absent[*]}, which is needed" >&2
        return 1
    fi
    keep_services_down
    apt-get install -q -y --no-install-recommends "${missing[@]}"
    local code=$?
    remove_guard
    return $code
}

missing_packages() {
    local package installed
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p')
    for package in "$@"; do
        [[ $'\n'$installed$'\n' == *$'\n'$package$'\n'* ]] || echo "$package"
    done
}

no_candidate() {
    local package
    for package in "$@"; do
        [[ $(apt-cache policy "$package") == *"Candidate: "[!\(]* ]] || echo "$package"
    done
}

# The stock services of what we install never start: neither now nor at the next boot.
keep_services_down() {
    if [[ -d /run/systemd/system ]]; then
        local unit
        for unit in $STOCK_UNITS; do
            [[ -n $(systemctl list-unit-files --no-legend "$unit") ]] || systemctl --quiet mask "$unit"
        done
    fi
    [[ -e $GUARD || -L $GUARD ]] && return
    printf '#!/bin/sh\nexit 101\n' >"$GUARD"
    chmod 755 "$GUARD"
    GUARD_IS_OURS=yes
}

remove_guard() {
    [[ -z $GUARD_IS_OURS ]] || rm -f "$GUARD"
    GUARD_IS_OURS=
}

# make_venv [dev]: made once; again when pyproject.toml or Python change.
make_venv() {
    local extra=${1:-} stamp
    stamp=$(sha256sum pyproject.toml && /usr/bin/python3 --version) || return
    if [[ $(cat ".venv/stamp-${extra:-plain}" .venv/stamp-dev 2>/dev/null) == *"$stamp"* && -x .venv/bin/python ]]; then
        return
    fi
    /usr/bin/python3 -m venv --system-site-packages .venv || return
    PIP_ROOT_USER_ACTION=ignore .venv/bin/python -m pip install -q --disable-pip-version-check \
        -e ".${extra:+[$extra]}" || return
    echo "$stamp" >".venv/stamp-${extra:-plain}"
}
