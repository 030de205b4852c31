#!/usr/bin/env bash
# Installs the build into a scratch prefix and builds a user's project twice: find_package and pkg-config; with CUDA also
# one that opens a device.
# Usage: check.sh BUILD SOURCE HAS_DEVICE NVCC   (HAS_DEVICE 1 or 0)
set -euo pipefail
build=$1 source=$2 has_device=$3 nvcc=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cmake --install "$build" --prefix "$scratch/prefix" > "$scratch/install.log"
sed -i "s|^prefix=.*|prefix=$scratch/prefix|" "$scratch"/prefix/lib*/pkgconfig/sojourn.pc "$scratch"/prefix/lib/*/pkgconfig/sojourn.pc 2>/dev/null || true
cmake -S "$source/tests/install/project" -B "$scratch/build" -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_BUILD_TYPE=Release \
  ${nvcc:+-DCUDAToolkit_ROOT="$(dirname "$(dirname "$nvcc")")"}
cmake --build "$scratch/build"
"$scratch/build/outside"
if [ "$has_device" = 1 ]; then "$scratch/build/outside_device"; fi
pc=$(dirname "$(find "$scratch/prefix" -name sojourn.pc)")
read -ra flags <<< "$(PKG_CONFIG_PATH=$pc pkg-config --cflags sojourn)"
read -ra libs <<< "$(PKG_CONFIG_PATH=$pc pkg-config --libs sojourn)"
c++ "${flags[@]}" "$source/tests/install/project/main.cpp" -o "$scratch/outside-pc" "${libs[@]}"
"$scratch/outside-pc"
"$scratch/prefix/bin/sojourn" --version
