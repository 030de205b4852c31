#!/usr/bin/env bash
# Runs a compiler command and keeps what ptxas says of registers and spills beside the object, as <object>.ptxas.
set -uo pipefail
object=''
previous=''
for argument in "$@"; do
  if [ "$previous" = -o ]; then object=$argument; fi
  previous=$argument
done
said=$(mktemp)
trap 'rm -f "$said"' EXIT
"$@" 2>"$said"
status=$?
of_ptxas='^ptxas info|^ +[0-9]+ bytes stack frame'
if [ -n "$object" ] && [ "$status" = 0 ]; then grep -E "$of_ptxas" "$said" >"$object.ptxas"; fi
grep -Ev "$of_ptxas" "$said" >&2
exit "$status"
