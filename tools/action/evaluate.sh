#!/usr/bin/env bash
# Evaluates the candidate. Inputs come as variables, never pasted into a command: a branch name may hold anything.
set -euo pipefail
[ -n "${TASKS:-}" ] || { echo "::error::evalkit: with the input model, tasks is wanted too"; exit 2; }
read -r -a more <<<"${RUN_ARGS:-}"
exec evalkit run --model "$MODEL" --tasks "$TASKS" --output-path "$OUTPUT_PATH" --name "$NAME" "${more[@]}"
