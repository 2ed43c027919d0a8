#!/usr/bin/env bash
# Writes the HTML report and tells later steps where it is.
set -euo pipefail
page="${RUNNER_TEMP:-.}/evalkit-report.html"
arguments=(report --output-path "$OUTPUT_PATH" --html "$page")
[ -z "${POLICY:-}" ] || arguments+=(--policy "$POLICY")
evalkit "${arguments[@]}" -- "$BASELINE" "$CANDIDATE"
echo "report=$page" >>"$GITHUB_OUTPUT"
