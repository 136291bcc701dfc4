#!/usr/bin/env bash
# Installs docker-credential-acr in a CI job, and configures it for registries. Variables:
#   VERSION      a release, such as v1.2.3, or latest
#   REGISTRIES   what to configure, separated by spaces or line breaks; may be empty
#   RELEASES     the address of the releases
#   ATTESTATION  true: if gh is installed, it must find the archive's build provenance
# An archive that SHA256SUMS of the release doesn't name, or names with another checksum,
# is not unpacked.
set -euo pipefail -o noglob

fail() {
  echo "docker-credential-acr: $*" >&2
  exit 1
}

case "$(uname -s)" in
  Linux) system=linux ;;
  Darwin) system=darwin ;;
  MINGW* | MSYS* | CYGWIN*) system=windows ;;
  *) fail "there is no archive for $(uname -s)" ;;
esac
case "$(uname -m)" in
  x86_64) machine=amd64 ;;
  aarch64 | arm64) machine=arm64 ;;
  armv7l) machine=armv7 ;;
  i?86) machine=386 ;;
  riscv64 | s390x | ppc64le) machine=$(uname -m) ;;
  *) fail "there is no archive for $(uname -m)" ;;
esac
from=$RELEASES/latest/download
if [ "$VERSION" != latest ]; then
  [[ $VERSION =~ ^v[0-9][0-9A-Za-z.-]*$ ]] || fail "the version must be latest, or a tag such as v1.2.3, not \"$VERSION\""
  from=$RELEASES/download/$VERSION
fi

fetch() {
  curl --fail --silent --show-error --location --proto-redir =https --retry 3 --output "$1" "$from/$1" ||
    fail "can't download $from/$1"
}

dir=$(mktemp -d "${RUNNER_TEMP:-${AGENT_TEMPDIRECTORY:-${TMPDIR:-/tmp}}}/docker-credential-acr.XXXXXX")
cd "$dir"
fetch SHA256SUMS
line=$(grep -E "^[0-9a-f]{64}  docker-credential-acr_[0-9A-Za-z.-]+_${system}_$machine\.(tar\.gz|zip)\$" SHA256SUMS) ||
  fail "SHA256SUMS of $VERSION names no archive for $system/$machine"
[ "${line//$'\n'/}" = "$line" ] || fail "SHA256SUMS of $VERSION names several archives for $system/$machine"
archive=${line##* }
fetch "$archive"
if command -v sha256sum >/dev/null; then
  found=$(sha256sum <"$archive")
else
  found=$(shasum -a 256 <"$archive") # macOS
fi
[ "${found%% *}" = "${line%% *}" ] || fail "$archive is not the file that SHA256SUMS names; it was not unpacked"
if [ "${ATTESTATION:-}" = true ] && command -v gh >/dev/null; then
  gh attestation verify "$archive" --repo docker-credential-acr/docker-credential-acr >/dev/null ||
    fail "$archive has no build provenance of docker-credential-acr; it was not unpacked"
fi

mkdir bin
case "$archive" in
  *.zip) unzip -q "$archive" -d bin ;;
  *) tar -xzf "$archive" -C bin ;;
esac
bin=$dir/bin
if [ "$system" = windows ]; then
  bin=$(cygpath --windows "$bin")
fi
if [ -n "${GITHUB_PATH:-}" ]; then
  echo "$bin" >>"$GITHUB_PATH"
fi
if [ -n "${TF_BUILD:-}" ]; then
  echo "##vso[task.prependpath]$bin"
fi
export PATH="$dir/bin:$PATH"
docker-credential-acr version
read -r -d '' -a registries <<<"$REGISTRIES" || true
if [ "${#registries[@]}" -gt 0 ]; then
  docker-credential-acr configure "${registries[@]}"
fi
