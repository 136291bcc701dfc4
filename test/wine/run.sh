#!/usr/bin/env bash
# Runs the tests under Wine, as Windows would run them. It needs root on Debian, and installs
# Wine 10 of Debian 13 once, in a directory of its own (2.5 GB): older ones lack what Go needs.
# Nothing stays mounted or running.
#
# usage: run.sh [smoke | try PACKAGE…]    smoke runs a part, in about three minutes; try some packages
#
# README.md tells what is not run, and why.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${WINE_ROOT:-/var/tmp/docker-credential-acr-wine}
prefix=/wine/prefix
tests=$root$prefix/drive_c/tests

install_wine() {
	local mirror
	mirror=$(apt-get indextargets --format '$(SITE) $(REPO_URI)' 'Identifier: Packages' 'Label: Debian' | awk 'NR == 1 { print $2 }')
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
	rm -rf "$root"
	mkdir -p "$(dirname "$root")"
	debootstrap --variant=minbase --include=ca-certificates trixie "$root" "${mirror:-http://deb.debian.org/debian}" >/dev/null
	chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wine wine64 >/dev/null
	printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts" # a browser's answers arrive at localhost
	mkdir -p "$root/src" "$root/wine"
	in_wine sh -c "wineboot -i >/dev/null 2>&1; wineserver -w"
	touch "$root/wine/installed"
}

# in_wine runs a command where the file systems are mounted for it alone.
in_wine() {
	unshare --mount --pid --fork --kill-child bash -c '
		root=$1 src=$2 prefix=$3 && shift 3
		mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && mount --bind "$src" "$root/src"
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 XDG_RUNTIME_DIR=/tmp CI=${CI:-} \
			WINEPREFIX="$prefix" WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=" "$@"' \
		in_wine "$root" "$PWD" "$prefix" "$@"
}

[ -e "$root/wine/installed" ] || install_wine

packages=$(GOOS=windows go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' ./... | sed "s,^$PWD/,,")
# These check the repository, or run Linux' programs only.
packages=$(grep -vE '^test$|^test/(bench|demo|dist|terminal)|^internal/cli$' <<<"$packages")
if [ "${1:-}" = try ]; then
	shift
	packages=$*
	set -- all
fi
if [ "${1:-}" = smoke ]; then
	packages='internal/safefile internal/subprocess internal/delegate internal/entra/devtool internal/identity/config
		internal/keystore internal/vault/keyspace internal/dockerconfig/edit internal/text internal/fault test/script'
fi

rm -rf "$tests" && mkdir -p "$tests"
export GOOS=windows CGO_ENABLED=0
for package in $packages; do
	go test -c -vet=off -ldflags '-s -w' -o "$tests/${package//\//_}.test.exe" "./$package"
done
go build -ldflags '-s -w' -o "$tests/docker-credential-acr.exe" ./credential-helper/docker-credential-acr
unset GOOS CGO_ENABLED

cp test/wine/in-wine.sh "$root/wine/in-wine.sh"
in_wine bash /wine/in-wine.sh "${1:-all}" $packages
