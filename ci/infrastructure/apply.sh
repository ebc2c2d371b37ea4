#!/bin/sh
# Applies the very plan that was shown to who let it through: apply.sh dev. Terraform refuses it if
# anything was changed since.
set -eu

root=$1
if [ -z "${ROLE:-}" ]; then
    echo "::warning::NOTHING WAS APPLIED TO $root: its environment names no role."
    exit 0
fi
planned="$PWD/build/plans/$root/tfplan"
[ -f "$planned" ] || { echo "There is no plan of $root." >&2; exit 1; }
python3 -m ci.infrastructure.installing
PATH="$PWD/build/tools:$PATH"
export TF_IN_AUTOMATION=1 CHECKPOINT_DISABLE=1

cd "terraform/envs/$root"
terraform init -input=false -lockfile=readonly -no-color
terraform apply -input=false -no-color "$planned"
