#!/bin/sh
# Plans one root against its state and AWS, with the rights of a reader: plan.sh dev. The plan stands in
# the run's summary and, for who applies it, in build/plans/<root>. With `drift` beside it, a plan that
# would change anything is a fault.
set -eu

root=$1
purpose=${2:-plan}
if [ -z "${ROLE:-}" ]; then
    echo "::warning::NO PLAN OF $root: its environment names no role, so nothing is known of it."
    exit 0
fi
case "$root" in
    account) folder=terraform/account ;;
    *) folder=terraform/envs/$root ;;
esac
kept="$PWD/build/plans/$root"
mkdir -p "$kept"
python3 -m ci.infrastructure.installing
PATH="$PWD/build/tools:$PATH"
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

cd "$folder"
terraform init -input=false -lockfile=readonly -no-color
ended=0
terraform plan -input=false -lock=false -no-color -detailed-exitcode -out="$kept/tfplan" || ended=$?
[ "$ended" -ne 1 ] || exit 1
{
    echo "### Terraform: $root"
    echo '```text'
    terraform show -no-color "$kept/tfplan"
    echo '```'
} >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}"
if [ "$purpose" = drift ] && [ "$ended" -eq 2 ]; then
    echo "::error::$root is not what Git says."
    exit 1
fi
