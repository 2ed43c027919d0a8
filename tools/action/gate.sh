#!/usr/bin/env bash
# Judges the candidate and maps the exit codes: 0 pass, 1 regression, 3 cannot tell, 2 and 4 asked wrongly or broken.
set -uo pipefail
case "${CANNOT_TELL:-fail}" in
  fail | warn | pass) ;;
  *) echo "::error::evalkit: cannot-tell is fail, warn or pass, not '${CANNOT_TELL//[^A-Za-z0-9_-]/?}'"; exit 2 ;;
esac
arguments=(gate --output-path "$OUTPUT_PATH" --github)
[ -z "${POLICY:-}" ] || arguments+=(--policy "$POLICY")
# A run's name, as of a branch, is never read as a flag.
evalkit "${arguments[@]}" -- "$BASELINE" "$CANDIDATE"
code=$?
if [ "$code" = 3 ]; then
  case "${CANNOT_TELL:-fail}" in
    warn) echo "::warning::evalkit cannot tell whether the candidate is worse; the summary says what would settle it"; code=0 ;;
    pass) code=0 ;;
  esac
fi
exit "$code"
