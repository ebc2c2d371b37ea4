#!/bin/sh
# Moves a digest of SERVICE on (VERB=promote, FROM, TO) or back in TO (VERB=rollback), and asks for the
# merge. The commit, its branch and its description are those of `make promote`; a person merges it.
set -eu

# make expands what it is given, and a shell reads it after that.
for word in "$VERB" "$FROM" "$TO" "$SERVICE"; do
    case "$word" in
        '' | *[!a-z]*) echo "VERB, FROM, TO and SERVICE are one plain word each." >&2; exit 1 ;;
    esac
done

git config user.name "railgate-release[bot]"
git config user.email "release@railgate.example"
if [ "$VERB" = rollback ]; then
    make rollback ENV="$TO" SERVICE="$SERVICE"
else
    make promote FROM="$FROM" TO="$TO" SERVICE="$SERVICE"
fi
branch=$(git for-each-ref --format='%(refname:short)' "refs/heads/$VERB/$SERVICE-$TO-*")

# From here on git and gh alone run.
APP_TOKEN=$(python3 -m ci.pipeline.app_token contents pull_requests)
GIT_ASKPASS="$PWD/ci/pipeline/askpass.sh"
GH_TOKEN=$APP_TOKEN
export APP_TOKEN GIT_ASKPASS GH_TOKEN
git push "https://github.com/$GITHUB_REPOSITORY.git" "$branch"
gh pr create --head "$branch" --base main --title "$(git log -1 --format=%s "$branch")" \
    --body-file "build/$(echo "$branch" | tr / -).md"
