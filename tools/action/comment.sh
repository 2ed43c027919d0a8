#!/usr/bin/env bash
# Writes the verdict into one comment under the pull request: over the one of an earlier run, where there is one.
set -euo pipefail
marker=$(head -n 1 "$COMMENT")
there=$(gh api --paginate "repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments" \
  --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$marker\"))) | .id" | head -n 1)
if [ -n "$there" ]; then
  gh api --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$there" --field body=@"$COMMENT" >/dev/null
else
  gh api --method POST "repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments" --field body=@"$COMMENT" >/dev/null
fi
