#!/usr/bin/env bash
# What run.sh runs inside: in-wine.sh smoke|all PACKAGE…
set -uo pipefail
umask 077 # Wine shows a file's mode as its access list
# Whatever starts these would be waited for until they end.
wineserver -p600 </dev/null >/dev/null 2>&1
wine cmd /c exit </dev/null >/dev/null 2>&1
smoke=$1 && shift
failed=0

# Files of other users and with other modes, as only the host can make them: W1 of the tests.
program() { wine 'C:\tests\docker-credential-acr.exe' "$@"; }
check() { # check WHAT PATTERN TEXT
	if grep -qE "$2" <<<"$3"; then echo "ok   $1"; else
		printf 'FAIL %s: %s\n' "$1" "$3"
		failed=1
	fi
}
config=$WINEPREFIX/drive_c/ProgramData/docker-credential-acr
mkdir -p "$config" && chmod 755 "$config"
echo '{"clouds":{"registry.victim.example":{"authority":"https://login.evil.example","audience":"https://x"}}}' >"$config/config.json"
get() {
	printf registry.victim.example | env AZURE_CLIENT_ID=33333333-3333-3333-3333-333333333333 \
		AZURE_TENANT_ID=11111111-1111-1111-1111-111111111111 AZURE_CLIENT_SECRET=fake-secret \
		DOCKER_CREDENTIAL_ACR_TRACE=1 wine 'C:\tests\docker-credential-acr.exe' get 2>&1
}
refused() { # refused WHAT REASON
	check "$1" '^credentials not found in native keychain' "$(get)"
	check "$1: the reason" "$2" "$(program doctor 2>&1)"
}
chmod 644 "$config/config.json"
check "the machine's config file counts" 'host="?login.evil.example' "$(get)"
chmod 666 "$config/config.json"
refused 'not if others can write to it' 'config.json: other users can write to it'
chmod 644 "$config/config.json" && chown nobody "$config/config.json"
refused "not if it is another user's" 'config.json: it belongs to another user'
chown root "$config/config.json" && chmod 777 "$config"
refused 'not if others can exchange it' 'other users can write to the directory C:'
chmod 755 "$config" && chown nobody "$config"
refused "not in another user's directory" 'directory C:.* belongs to another user'
rm -r "$config"

# A vault that others can look into, and the key file in it.
mkdir -p "$WINEPREFIX/drive_c/acr" && chmod 777 "$WINEPREFIX/drive_c/acr"
export DOCKER_CREDENTIAL_ACR_HOME='C:\acr' DOCKER_CREDENTIAL_ACR_KEYRING=file
store() { echo '{"ServerURL":"ghcr.io","Username":"ada","Secret":"fake-secret"}' | program store 2>&1; }
check 'a login is stored below a directory of all users' '^$' "$(store)"
for path in vault vault/key; do
	check "others can't reach $path" '^[0-7]*00$' "$(stat -c %a "$WINEPREFIX/drive_c/acr/$path")"
done
chmod 644 "$WINEPREFIX/drive_c/acr/vault/key"
check 'a key file that others can read is not used' 'other users have access to it' "$(store)"
chmod 600 "$WINEPREFIX/drive_c/acr/vault/key" && chmod 755 "$WINEPREFIX/drive_c/acr/vault"
check 'a vault that others can look into is not used' 'other users have access to it' "$(store)"
rm -r "$WINEPREFIX/drive_c/acr"
unset DOCKER_CREDENTIAL_ACR_HOME DOCKER_CREDENTIAL_ACR_KEYRING

# A node's azure.json, whose access list on real nodes is not known.
echo '{}' >"$WINEPREFIX/drive_c/azure.json" && chmod 666 "$WINEPREFIX/drive_c/azure.json"
ask() {
	echo '{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"ghcr.io/app"}' |
		program kubelet 'C:\azure.json' 2>&1
}
check 'an azure.json that others can write to gives a warning' 'warning: C:.azure.json: other users can write to it' "$(ask)"
check 'and is used' '"auth":null' "$(ask)"
rm "$WINEPREFIX/drive_c/azure.json"

# What fails under Wine only.
known=$(sed -n 's/^| `\([^`]*\)` .*/\1/p' /src/test/wine/README.md)
for package in "$@"; do
	name=${package//\//_}
	flags=
	[ "$smoke $package" = 'smoke test/script' ] && flags='-test.short'
	cd "/src/$package" || exit 1
	begin=$SECONDS
	timeout 900 wine "C:\\tests\\$name.test.exe" -test.v -test.timeout=850s $flags >"/wine/$name.log" 2>&1
	status=$?
	failures=$(sed -n "s,^ *--- FAIL: \([^ ]*\).*,$package \1,p" "/wine/$name.log")
	unknown=$(grep -vxF "$known" <<<"$failures" | grep .)
	count() { grep -c "^ *--- $1" "/wine/$name.log"; }
	echo "$package: $(count PASS) passed, $(count SKIP) skipped, $(count FAIL) failed, $((SECONDS - begin)) s"
	if [ -n "$unknown" ] || { [ $status != 0 ] && [ -z "$failures" ]; }; then
		echo "$unknown"
		grep -vE '^=== |^ *--- (PASS|SKIP)' "/wine/$name.log" | tail -60
		failed=1
	fi
done
wineserver -k
exit $failed
