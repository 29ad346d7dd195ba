#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the Debian package of a build and looks into it: files, owners of configuration, scripts, and whether the
# unit is sound and tight. Nothing is installed.
# package_test.sh BUILD_DIRECTORY
set -eu

build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "package: $*" >&2
    exit 1
}

cpack --config "$build/CPackConfig.cmake" -B "$work" >"$work/log" 2>&1 || {
    cat "$work/log"
    fail "cpack failed"
}
deb=$(find "$work" -maxdepth 1 -name '*.deb')
dpkg-deb -x "$deb" "$work/root"
dpkg-deb -e "$deb" "$work/control"

for file in usr/sbin/flashfarmd usr/bin/flashfarm usr/bin/flashfarm-sim usr/lib/systemd/system/flashfarmd.service \
    usr/lib/sysusers.d/flashfarm.conf usr/lib/tmpfiles.d/flashfarm.conf usr/lib/udev/rules.d/70-flashfarm.rules \
    usr/share/flashfarm/flashfarm.py usr/share/doc/flashfarm/LICENSE etc/flashfarm/flashfarm.conf; do
    [ -s "$work/root/$file" ] || fail "/$file is not in it"
done
[ "$(find "$work/root" -name '*.a' -o -name '*.h')" = "" ] || fail "libraries or headers are in it"

[ "$(cat "$work/control/conffiles")" = /etc/flashfarm/flashfarm.conf ] || fail "conffiles"
for library in libc6 libuv1 libserialport0 libmicrohttpd12 libgnutls30 libsqlite3-0 libjansson4 libsodium23 libinih1 libcurl4; do
    grep -q "^Depends:.*$library" "$work/control/control" || fail "does not depend on $library"
done
for script in postinst prerm postrm; do
    [ -x "$work/control/$script" ] || fail "$script is not executable"
    sh -n "$work/control/$script"
done

"$work/root/usr/sbin/flashfarmd" --config "$work/root/etc/flashfarm/flashfarm.conf" --check
"$work/root/usr/bin/flashfarm" --version

unit=$work/root/usr/lib/systemd/system/flashfarmd.service
grep -qx 'ExecStart=/usr/sbin/flashfarmd --config /etc/flashfarm/flashfarm.conf' "$unit" || fail "ExecStart"
# verify wants the program where the unit says it will be.
sed "s|=/usr/sbin/|=$work/root/usr/sbin/|" "$unit" >"$work/flashfarmd.service"
[ "$(systemd-analyze verify "$work/flashfarmd.service" 2>&1)" = "" ] || {
    systemd-analyze verify "$work/flashfarmd.service"
    fail "systemd-analyze verify"
}
# At most 1.5 (of 10, more is worse), and the devices of a programming line are still there.
systemd-analyze security --offline=yes --threshold=15 "$work/flashfarmd.service" >"$work/security" || {
    cat "$work/security"
    fail "systemd-analyze security is above 1.5"
}
tail -n 1 "$work/security"
for line in DevicePolicy=closed 'DeviceAllow=char-ttyUSB rw' 'DeviceAllow=char-ttyACM rw' 'DeviceAllow=char-ttyS rw' \
    'DeviceAllow=char-gpiochip rw' 'SupplementaryGroups=dialout gpio' LimitCORE=0; do
    grep -qxF "$line" "$unit" || fail "the unit has no $line"
done
if grep -qE '^(PrivateDevices|PrivateNetwork|PrivateUsers)=(yes|true)' "$unit"; then
    fail "the unit shuts its devices or its interface out"
fi
systemd-sysusers --dry-run "$work/root/usr/lib/sysusers.d/flashfarm.conf"
dpkg-deb -f "$deb" Package Version Depends
