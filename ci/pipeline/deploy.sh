#!/bin/sh
# Commits the digests in build/digests to gitops/envs/dev and pushes them to main, as the pipeline's
# App. Argo CD does the rest. A push that came first is built upon: digests of services that do not
# overlap cannot conflict, and the same service is never released by two runs at once.
set -eu

services=$(ls build/digests)
address="https://github.com/$GITHUB_REPOSITORY.git"

for service in $services; do
    .venv/bin/python -m ci.manifests.releases dev "$service" "$(cat "build/digests/$service")"
done
git config user.name "railgate-release[bot]"
git config user.email "release@railgate.example"
git add gitops/envs/dev
if git diff --cached --quiet; then
    echo "Dev runs all of these already."
    exit 0
fi
git commit --message "dev: Release $(echo "$services" | xargs | sed 's/ /, /g')" \
    --message "Source: $COMMIT"

# From here on git alone runs.
APP_TOKEN=$(python3 -m ci.pipeline.app_token contents)
GIT_ASKPASS="$PWD/ci/pipeline/askpass.sh"
export APP_TOKEN GIT_ASKPASS
tries=0
until git push "$address" HEAD:refs/heads/main; do
    tries=$((tries + 1))
    [ "$tries" -lt 5 ] || exit 1
    git pull --rebase "$address" main
done
