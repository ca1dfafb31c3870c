#!/usr/bin/env bash
# Builds the disk images of the demo, the benchmarks and the fault runs. An image that is there
# already stays; delete it to have it built anew. Prints the folder as its last line.
#
#   images.sh [OUTDIR|-] [IMAGE...]     (default: - and v1 v2 v2b sparse rand)
#
#   v1      4 GiB, GPT and one ext4 partition: a Debian server, the release without its updates
#   v2      the same built from scratch a release later: updates, more packages, other settings
#   v2b     v1 with some packages upgraded in place, and trimmed
#   sparse  20 GiB with 1 GiB of data in 64 places
#   rand    2 GiB that no compressor shrinks
#   NAME.qcow2, NAMEc.qcow2 (compressed), NAME.vhd (fixed)    v1, v2 or v2b in these formats
#   qcow2, vhd    v1 in all forms of the format
#
# OUTDIR - is $LOGGIA_IMAGES, or else loggia/images in the user's cache. Each image but the last
# kind becomes OUTDIR/NAME.raw. UUIDs, hash seeds and file times are fixed, but host keys and the
# like are not: two builds of one image differ by some megabytes.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

say() { printf 'images: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

out=${1:--}
[[ $out != - ]] || out=${LOGGIA_IMAGES:-${XDG_CACHE_HOME:-$HOME/.cache}/loggia/images}
images=()
for image in "${@:2}"; do
  case $image in
    qcow2) images+=(v1.qcow2 v1c.qcow2) ;;
    vhd) images+=(v1.vhd) ;;
    *) images+=("$image") ;;
  esac
done
((${#images[@]})) || images=(v1 v2 v2b sparse rand)

export SOURCE_DATE_EPOCH=1735689600 # of every file: 2025-01-01
export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH LC_ALL=C DEBIAN_FRONTEND=noninteractive
uuid=6f1e7d0c-0000-4000-8000-0000000000
mib=4096
offset=1048576 # of the partition
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
base=linux-image-amd64,systemd-sysv,openssh-server,cloud-init,python3,git,nginx-light,curl,vim,build-essential,ca-certificates,rsync,jq,chrony,sudo
extra=postgresql-client,tmux,redis-server,strace
upgraded=(openssl 'libssl3*' libc6 libc-bin 'python3.[0-9]*' 'libpython3.*-stdlib' git openssh-server openssh-client)

file() { case $1 in *.qcow2 | *.vhd) echo "$out/$1" ;; *) echo "$out/$1.raw" ;; esac; }

# sources SUITE...: lines for sources.list, from wherever this machine gets its own packages.
sources() {
  local s uri
  for s; do
    uri=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | awk -v s="$s" '$1 == s && !n++ { print $2 }')
    [[ -n $uri ]] || die "this machine's apt has no source for $s"
    echo "deb $uri $s main"
  done
}
released() { sources "$suite"; }
updated() { sources "$suite" "$suite-updates" "$suite-security"; }

# tree SOURCES PACKAGES: a Debian system in $work/root.
tree() {
  "$1" >"$work/sources"
  mmdebstrap --mode=root --variant=important --include="$2" --quiet --dpkgopt='path-exclude=/usr/share/man/*' \
    "$suite" "$work/root" - <"$work/sources" >&2
  (
    cd "$work/root"
    rm -rf var/lib/apt/lists/*_* var/cache/apt/archives/*.deb var/cache/apt/*.bin
    rm -rf var/log/*.log var/log/apt/* var/cache/ldconfig/aux-cache
    printf 'UUID=%s01 / ext4 errors=remount-ro 0 1\n' "$uuid" >etc/fstab
  )
}

# settings COUNT ROOT: small files that change with a release.
settings() {
  local i
  for ((i = 1; i <= $1; i++)); do echo "setting.$i = $((i * 7919 % 1000))" >"$2/etc/app-$i.conf"; done
}

# disk: $work/disk from $work/root.
disk() {
  truncate -s "${mib}M" "$work/disk"
  sfdisk --quiet "$work/disk" <<TABLE
label: gpt
label-id: ${uuid}aa
start=2048, size=$(((mib - 2) * 2048)), type=linux, uuid=${uuid}bb
TABLE
  find "$work/root" -xdev -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  mke2fs -q -F -t ext4 -b 4096 -L root -U "${uuid}01" -d "$work/root" \
    -E "offset=$offset,hash_seed=${uuid}01,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0" \
    "$work/disk" "$(((mib - 2) * 1024))k"
}

build_v1() {
  tree released "$base"
  disk
}

build_v2() {
  tree updated "$base,$extra"
  settings 200 "$work/root"
  disk
}

build_v2b() {
  local root=$work/mnt f
  cp --sparse=always "$(file v1)" "$work/disk"
  mkdir "$root"
  mount -o "loop,offset=$offset,discard" "$work/disk" "$root" ||
    die "v2b needs a loop mount, and this machine refuses it (losetup -f says: $(losetup -f 2>&1 || true))"
  mount -t proc proc "$root/proc"
  updated >"$root/etc/apt/sources.list"
  rm -f "$root"/etc/apt/sources.list.d/*
  cp --remove-destination /etc/resolv.conf /etc/hosts "$root/etc/"
  for f in /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf; do [[ ! -f $f ]] || cp "$f" "$root/etc/apt/apt.conf.d/"; done
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # starts no daemon
  chmod +x "$root/usr/sbin/policy-rc.d"
  chroot "$root" apt-get -qq update >&2
  # shellcheck disable=SC2046 # one word per package
  chroot "$root" apt-get -qq -y -o Dpkg::Use-Pty=0 --only-upgrade install \
    $(chroot "$root" dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${upgraded[@]}" 2>/dev/null | awk '$1 == "ii" { print $2 }') >/dev/null
  rm -rf "$root"/var/lib/apt/lists/*_* "$root"/var/cache/apt/archives/*.deb "$root"/var/cache/apt/*.bin "$root/usr/sbin/policy-rc.d"
  settings 50 "$root"
  umount "$root/proc"
  sync --file-system "$root" # what was removed is free only then
  fstrim "$root" # freed blocks keep package lists and caches that nobody reads: 96 MB of 154 that changed
  umount "$root"
}

# stream BYTES NUMBER: bytes without structure, the same in every run.
stream() {
  { openssl enc -aes-128-ctr -nosalt -K 00112233445566778899aabbccddeeff -iv "$(printf '%016x%016x' "$2" 0)" \
    -in /dev/zero 2>/dev/null || true; } | head -c "$1" # head ends first, and openssl complains
}

build_rand() { stream $((2 << 30)) 0 >"$work/disk"; }

build_sparse() {
  local i
  truncate -s 20G "$work/disk"
  for ((i = 0; i < 64; i++)); do
    stream $((16 << 20)) $((i + 1000)) |
      dd of="$work/disk" bs=1M seek=$((i * 320 + i % 7)) conv=notrunc iflag=fullblock status=none
  done
}

# convert NAME QEMU-IMG-ARGUMENTS...
convert() {
  want "$1"
  qemu-img convert -f raw "${@:2}" "$(file "$1")" "$work/disk"
}

needs_root() { case $1 in v1* | v2*) return 0 ;; *) return 1 ;; esac; }

build() {
  say "building $1"
  case $1 in
    v1 | v2 | v2b | rand | sparse) "build_$1" ;;
    v[12]c.qcow2 | v2bc.qcow2) convert "${1%c.qcow2}" -c -O qcow2 ;;
    v[12].qcow2 | v2b.qcow2) convert "${1%.qcow2}" -O qcow2 ;;
    v[12].vhd | v2b.vhd) convert "${1%.vhd}" -O vpc -o subformat=fixed,force_size=on ;;
    *) die "unknown image $1" ;;
  esac
}

cleanup() {
  if [[ -d $work/mnt ]]; then
    umount "$work/mnt/proc" 2>/dev/null || true
    ! mountpoint -q "$work/mnt" || umount "$work/mnt" || return # rather leave it than delete what is mounted
  fi
  rm -rf --one-file-system "$work"
}

# want NAME: builds an image that is missing, and what it is made of.
want() {
  [[ ! -f $(file "$1") ]] || return 0
  [[ $1 != v2b ]] || want v1
  (
    work=$(mktemp -d "$out/.build-XXXXXX")
    trap cleanup EXIT
    build "$1"
    mv "$work/disk" "$(file "$1")"
  )
  say "built $1: $(stat -c %s "$(file "$1")") bytes, $(($(stat -c %b "$(file "$1")") * 512)) of them on disk"
}

mkdir -p "$out"
for image in "${images[@]}"; do
  if needs_root "$image" && [[ ! -f $(file "$image") ]] && ((EUID != 0)); then
    command -v sudo >/dev/null || die "building $image needs root"
    exec sudo --preserve-env=HOME,XDG_CACHE_HOME,LOGGIA_IMAGES "$0" "$out" "${images[@]}"
  fi
done
exec 9>"$out/.lock"
flock 9 # one builder per folder
for image in "${images[@]}"; do want "$image"; done
if [[ -n ${SUDO_UID:-} ]]; then chown "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$out" "$out"/* "$out/.lock"; fi
echo "$out"
