#!/usr/bin/env bash
# Whether scripts/fuzz tells what it finds: in a reader that dies at one input and hangs at another, the command that it
# prints shows the same finding again.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${SOJOURN_FUZZ_BUILD:-build-fuzz}
# $1: where the fuzzer starts, $2: a pattern of what the command has to say.
check() {
  local said again command
  rm -rf "$build/corpus/planted" "$build/findings/planted"
  mkdir -p "$build/corpus/planted"
  printf %s "$1" >"$build/corpus/planted/start"
  if said=$(FUZZ_TIMEOUT=1 scripts/fuzz 60 planted 2>&1); then
    echo "a planted finding was not found, from '$1':"$'\n'"$said" >&2
    exit 1
  fi
  command=$(grep -A1 '^FINDING in planted' <<<"$said" | tail -n 1 || true)
  if again=$(timeout 60 bash -c "$command" 2>&1) || ! grep -qE "$2" <<<"$again" || ! grep -q fuzz::read <<<"$again"; then
    echo "'$command' does not show the finding from '$1' again:"$'\n'"$said"$'\n'"$again" >&2
    exit 1
  fi
}
check di 'finding: planted|libFuzzer: timeout'
check wait 'libFuzzer: timeout'
echo "planted findings are found and shown again"
