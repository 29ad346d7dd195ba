# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
# Sourced by clients/demo.sh and tests/run.sh: what Debian 12 needs beyond its base, and how it comes.

packages_build="gcc libc6-dev binutils cmake ninja-build pkg-config python3 libuv1-dev libserialport-dev libgpiod-dev
libmicrohttpd-dev libgnutls28-dev libjansson-dev libsqlite3-dev libinih-dev libsodium-dev zlib1g-dev libcurl4-openssl-dev libyaml-dev"
# The dashboard is bundled with node. Some builds of nodejs bring npm with them and refuse Debian's.
command -v npm >/dev/null || packages_build="$packages_build nodejs npm"
# A real firmware file, and the tool that moves it to where an STM32 has its flash.
packages_demo="firmware-microbit-micropython srecord util-linux"
# Simulated AVR boards: chip, bootloaders, and what builds the one that Debian has no good binary of.
packages_avr="libsimavr-dev libelf-dev arduino-core-avr arduino-mighty-1284p gcc-avr avr-libc binutils-avr"
# Compilers, sanitizers and linters; independent clients and files to compare with.
packages_test="clang libclang-rt-dev clang-format clang-tidy cppcheck stm32flash valgrind dpkg-dev file mount systemd
arduino-core-avr ubertooth-firmware binutils-arm-none-eabi ser2net python3-serial lpc21isp avrdude openssl minisign
chromium fonts-dejavu-core $packages_avr"

# need_packages NAME...: installs those that are missing, as root or with sudo. Asks nothing.
need_packages() {
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) missing="$missing $package" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    echo "installing:$missing"
    as_root=
    [ "$(id -u)" = 0 ] || as_root=sudo
    # The lists may be older than the mirror: what is gone from it is found after one update.
    # shellcheck disable=SC2086
    install_packages $missing || { $as_root apt-get update && install_packages $missing; }
}

install_packages() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" </dev/null
}
