#!/usr/bin/env bash
# A second toolkit, which is the first one under another name, must be the one that is taken where it is asked for, by
# each of the three ways the README names. Usage: cuda_root.sh CMAKE NVCC
set -euo pipefail
cmake=$1
nvcc=$(readlink -f "$2")
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/other/bin"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$nvcc" > "$folder/other/bin/nvcc"
chmod +x "$folder/other/bin/nvcc"

expect_other() {
  local name=$1
  shift
  if ! env "$@" > "$folder/$name.log" 2>&1 || ! grep -qF "nvcc taken: $folder/other/bin/nvcc" "$folder/$name.log"; then
    echo "$name: another nvcc was taken:" >&2
    tail -n 20 "$folder/$name.log" >&2
    exit 1
  fi
  echo "$name: $(grep -F 'nvcc taken' "$folder/$name.log")"
}
expect_other CUDA_HOME -u CUDACXX CUDA_HOME="$folder/other" "$cmake" -S "$here/cuda_root" -B "$folder/by_home"
expect_other CUDACXX -u CUDA_HOME CUDACXX="$folder/other/bin/nvcc" "$cmake" -S "$here/cuda_root" -B "$folder/by_variable"
expect_other CUDAToolkit_ROOT -u CUDACXX -u CUDA_HOME "$cmake" -S "$here/cuda_root" -B "$folder/by_root" \
  -DCUDAToolkit_ROOT="$folder/other"
