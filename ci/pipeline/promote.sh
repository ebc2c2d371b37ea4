#!/bin/sh
# Moves a digest on (FROM, TO, SERVICE) or back (VERB=rollback, TO, SERVICE), and asks for the merge.
# The commit, its branch and its description are those of `make promote`; a person merges it.
set -eu

git config user.name "railgate-release[bot]"
git config user.email "release@railgate.example"
APP_TOKEN=$(python3 -m ci.pipeline.app_token)
GIT_ASKPASS="$PWD/ci/pipeline/askpass.sh"
GH_TOKEN=$APP_TOKEN
export APP_TOKEN GIT_ASKPASS GH_TOKEN

if [ "$VERB" = rollback ]; then
    make rollback ENV="$TO" SERVICE="$SERVICE"
else
    make promote FROM="$FROM" TO="$TO" SERVICE="$SERVICE"
fi
branch=$(git for-each-ref --format='%(refname:short)' "refs/heads/$VERB/$SERVICE-$TO-*")
git push "https://github.com/$GITHUB_REPOSITORY.git" "$branch"
gh pr create --head "$branch" --base main --title "$(git log -1 --format=%s "$branch")" \
    --body-file "build/$(echo "$branch" | tr / -).md"
