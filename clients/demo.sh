#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shows flashfarm on a bare Debian 12: builds it, starts simulated boards of several kinds and the daemon, programs all
# of them at once with a real firmware file, gives some of them serial numbers, proves one, and stays so that you can look
# around. Nothing is installed but Debian packages, and nothing is left running.
#
#     sh clients/demo.sh            paced: bytes take their time on the wire, flash takes datasheet times
#     sh clients/demo.sh --quick    as fast as this machine goes, and stops by itself
#
# FLASHFARM_BUILD names another build directory.
set -eu

# 16 STM32 (ROM bootloader), 8 ATmega328P (the real optiboot, run by simavr) and 8 units on one RS-485 line.
boards=stm32f103xb=16,atmega328p=8,p89lpc922-rs485=8
firmware=/usr/share/firmware-microbit-micropython/firmware.hex

case ${1-} in
'') quick=false ;;
--quick) quick=true ;;
*)
    echo "usage: sh clients/demo.sh [--quick]" >&2
    exit 2
    ;;
esac

source=$(cd "$(dirname "$0")/.." && pwd)
key=$(printf %s "$source" | cksum | cut -d ' ' -f 1)
build=${FLASHFARM_BUILD:-${XDG_CACHE_HOME:-$HOME/.cache}/flashfarm/demo-$key}
scratch=
sim_pid=
daemon_pid=

say() {
    printf '\n== %s\n' "$*"
}

# Ends what was started, by its own id. The logs stay when something went wrong.
clean_up() {
    status=$?
    trap - EXIT INT TERM
    for pid in $daemon_pid $sim_pid; do
        if kill -0 "$pid" 2>/dev/null; then
            kill "$pid"
            wait "$pid" || echo "demo: process $pid ended with $?" >&2
        fi
    done
    if [ -n "$scratch" ] && [ "$status" != 0 ]; then
        echo "demo: failed; logs are in $scratch" >&2
    elif [ -n "$scratch" ]; then
        rm -rf "$scratch"
    fi
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# wait_for FILE TEXT PID: until the file of a process that lives has the text.
wait_for() {
    tries=0
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt 300 ] || ! kill -0 "$3" 2>/dev/null; then
            cat "$1" >&2
            echo "demo: '$2' did not appear in $1" >&2
            exit 1
        fi
        sleep 0.1
    done
}

. "$source/tests/packages.sh"
# shellcheck disable=SC2086
need_packages $packages_build $packages_demo $packages_avr

say "building in $build"
mkdir -p "$build"
if ! { cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
    ninja -C "$build" flashfarmd flashfarm flashfarm-sim flashfarm-sim-avr; } >"$build/demo.log" 2>&1; then
    tail -n 40 "$build/demo.log" >&2
    exit 1
fi
PATH=$build/clients:$PATH

scratch=$(mktemp -d "${TMPDIR:-/tmp}/flashfarm-demo-XXXXXX")
say "starting simulated boards ($boards) and the daemon in $scratch"
pace=
$quick || pace=--pace
# In sessions of their own: Ctrl-C is for the command line, which tells the daemon.
setsid "$build/tests/boards/flashfarm-sim" --boards "$boards" --dir "$scratch/boards" --listen 127.0.0.1:0 \
    --with-parent $pace >"$scratch/sim.log" 2>&1 </dev/null &
sim_pid=$!
wait_for "$scratch/sim.log" '^ready' "$sim_pid"
setsid "$build/daemon/flashfarmd" --config "$scratch/boards/flashfarm.conf" >"$scratch/daemon.log" 2>&1 </dev/null &
daemon_pid=$!
wait_for "$scratch/daemon.log" ' serves ' "$daemon_pid"
FLASHFARM_SERVER=$(sed -n 's/.* serves .* at \(http:[^ ]*\).*/\1/p' "$scratch/daemon.log" | head -n 1)
FLASHFARM_KEY_FILE=$scratch/boards/state/key
export FLASHFARM_SERVER FLASHFARM_KEY_FILE
echo "$FLASHFARM_SERVER"

# Somebody who may look at everything and do most of it; the password is good for this demonstration only.
password=$(od -An -N9 -tx1 /dev/urandom | tr -d ' \n')
(umask 077 && echo "$password" >"$scratch/password")
flashfarm user demo add --role operator --role engineer --role auditor --password-file "$scratch/password" --quiet >/dev/null
say "the dashboard is at $FLASHFARM_SERVER: log in as demo with the password $password"

# Debian ships no firmware that is linked for these chips. This is the micro:bit's MicroPython, linked for address 0: its
# first 96, 24 and 6 KiB are put where each kind of chip has its flash. A board would not start it; programming it is
# real.
# part BYTES ADDRESS FILE
part() {
    srec_cat "$firmware" -intel -crop 0 "$1" -offset "$2" -o "$scratch/$3" -intel
}
say "firmware: the first 96, 24 and 6 KiB of $firmware, for three kinds of chip"
part 0x18000 0x08000000 stm32.hex
part 0x6000 0 avr.hex
part 0x1800 0 p89lpc.hex
# Each STM32 gets a serial number of its own: 16 bytes of text near the end of its flash, and their CRC behind them.
say "flashfarm pool demo create --prefix FF --date YYWW --digits 5 --check mod97 --last 99999"
flashfarm pool demo create --prefix FF --date YYWW --digits 5 --check mod97 --last 99999
cat >"$scratch/jobs.json" <<'JOBS'
[{"chip": "stm32f103xb", "image": "stm32.hex", "stations": "all", "work_order": "DEMO-1", "serial_pool": "demo",
  "fields": [{"name": "serial", "address": "0x0801fc00", "width": 16, "encoding": "ascii", "pad": 0,
              "source": {"pool": "demo"}}],
  "checks": [{"name": "crc", "address": "0x0801fc10", "algorithm": "crc-32",
              "range": {"address": "0x0801fc00", "size": 16}}]},
 {"chip": "atmega328p", "image": "avr.hex", "stations": "all", "work_order": "DEMO-2"},
 {"chip": "p89lpc922", "image": "p89lpc.hex", "stations": "all", "work_order": "DEMO-3"}]
JOBS

say "flashfarm submit jobs.json"
cat "$scratch/jobs.json"
flashfarm submit "$scratch/jobs.json"

say "flashfarm pools"
flashfarm pools
serial=$(flashfarm pool demo serials --limit 1 | awk 'NR == 2 { print $1 }')
say "flashfarm trace $serial"
flashfarm trace "$serial"

public=$scratch/boards/state/flashfarm.pub
say "flashfarm audit prove $serial, and check it without the daemon"
flashfarm audit prove "$serial" "$scratch/$serial.proof"
flashfarm audit check "$scratch/$serial.proof" --public-key "$public"
say "flashfarm backup, and audit verify of the copy without the daemon"
flashfarm backup --output "$scratch/copy.db"
flashfarm audit verify "$scratch/copy.db" --public-key "$public"

say "the dashboard is at $FLASHFARM_SERVER: demo, $password; and so is the API"
echo "  export FLASHFARM_SERVER=$FLASHFARM_SERVER FLASHFARM_KEY_FILE=$FLASHFARM_KEY_FILE"
echo "  $build/clients/flashfarm stations"
echo "  echo \"Authorization: Bearer \$(cat \$FLASHFARM_KEY_FILE)\" | curl -H @- $FLASHFARM_SERVER/v1/runs"
$quick && exit 0

echo
echo "Ctrl-C ends the demonstration."
trap 'exit 0' INT TERM
wait "$daemon_pid"
echo "demo: the daemon ended by itself" >&2
exit 1
