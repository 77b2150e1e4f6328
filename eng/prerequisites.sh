# Sourced by ./run and ./test: finds what the system needs, installs it where that is allowed, says how otherwise.
# shellcheck shell=bash

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# Runs a command as root: directly, or by sudo if that needs no password or there is someone to type it.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    sudo "$@"
  else
    return 1
  fi
}

can_apt() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; }; }; }

# Debian's packages start their services at once; ours are private processes, so the system-wide ones are kept from starting.
without_services() {
  local policy=/usr/sbin/policy-rc.d made=0 status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod +x "$policy" && made=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive "$@" || status=$?
  [ "$made" = 1 ] && as_root rm -f "$policy"
  return "$status"
}

apt_updated=0
# install_package <what it is for> <apt package> <dnf package> <brew package>
install_package() {
  local purpose=$1 apt=$2 dnf=$3 brew=$4
  if [ "${INSTALL:-1}" = 1 ] && can_apt; then
    say "Installing $apt ($purpose) ..."
    if [ "$apt_updated" = 0 ]; then
      as_root apt-get update -qq >/dev/null 2>&1 || say "warning: apt-get update failed; trying with the lists there are"
      apt_updated=1
    fi
    if without_services apt-get install -y -qq --no-install-recommends "$apt" >/tmp/aspirestreaming-apt.log 2>&1; then
      return 0
    fi
    tail -n 5 /tmp/aspirestreaming-apt.log >&2
  fi
  say "$apt is missing ($purpose). Install it with one of:"
  say "  sudo apt-get install -y $apt      (Debian, Ubuntu)"
  say "  sudo dnf install -y $dnf      (Fedora)"
  say "  brew install $brew      (macOS)"
  return 1
}

need_dotnet() {
  if command -v dotnet >/dev/null && dotnet --list-sdks 2>/dev/null | grep -q '^1[0-9]\.'; then
    return 0
  fi
  install_package "the .NET 10 SDK" dotnet-sdk-10.0 dotnet-sdk-10.0 dotnet \
    || die "no .NET 10 SDK; see https://learn.microsoft.com/dotnet/core/install/"
}

postgres_binary() {
  command -v postgres || ls -d /usr/lib/postgresql/*/bin/postgres /usr/pgsql-*/bin/postgres /opt/homebrew/opt/postgresql*/bin/postgres 2>/dev/null | sort -V | tail -n 1
}

need_databases() {
  command -v redis-server >/dev/null || install_package "Redis, the hot log" redis-server redis redis || exit 1
  local version
  version=$(redis-server --version | sed -n 's/.*v=\([0-9]*\)\..*/\1/p')
  [ "${version:-0}" -ge 7 ] || die "redis-server is version ${version:-unknown}; version 7 or later is needed"
  [ -n "$(postgres_binary)" ] || install_package "PostgreSQL, the archive" postgresql postgresql-server postgresql || exit 1
}

# What only tests need; where one cannot be had, its tests are skipped and say so.
want_test_tools() {
  [ -z "${FAILURE_SUITE:-}" ] || command -v faketime >/dev/null \
    || install_package "faketime, for a Redis whose clock jumps" faketime libfaketime libfaketime || say "  (that scenario will be left out)"
  command -v node >/dev/null && command -v npm >/dev/null \
    || install_package "Node.js, for the interop tests" npm nodejs node || say "  (interop tests will be skipped)"
  command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
    || install_package "Chromium, for the browser tests" chromium chromium chromium || say "  (browser tests will be skipped)"
  command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] \
    || install_package "nginx, for the proxy tests" nginx-light nginx nginx || say "  (proxy tests will be skipped)"
}

# Whether a container engine answers; a client alone does not count.
container_runtime() {
  local runtime
  for runtime in docker podman; do
    if command -v "$runtime" >/dev/null && timeout 10 "$runtime" info >/dev/null 2>&1; then
      echo "$runtime"
      return 0
    fi
  done
  return 1
}
