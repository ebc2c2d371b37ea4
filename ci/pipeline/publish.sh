#!/bin/sh
# Pushes a service's image, which was built and scanned before, signs it and attests its parts list:
# publish.sh order. Needs REGISTRY and COMMIT, a registry that is logged in to, and cosign. Writes the
# digest to build/digests/<service>. The registry's tags are immutable: what an earlier run pushed of
# this commit, after its own scan, stays.
set -eu

service=$1
repository="$REGISTRY/railgate/$service"
mkdir -p build/digests

digest_of_tag() {
    aws ecr describe-images --repository-name "railgate/$service" --image-ids "imageTag=$COMMIT" \
        --query 'imageDetails[0].imageDigest' --output text 2>/dev/null || true
}

digest=$(digest_of_tag)
if [ -z "$digest" ] || [ "$digest" = None ]; then
    docker tag "railgate/$service:local" "$repository:$COMMIT"
    docker push --quiet "$repository:$COMMIT"
    digest=$(digest_of_tag)
fi
case "$digest" in
    sha256:????????????????????????????????????????????????????????????????) ;;
    *) echo "The registry knows no digest of $repository:$COMMIT" >&2; exit 1 ;;
esac

# Of what was pushed, whoever built it.
docker pull --quiet "$repository@$digest"
docker tag "$repository@$digest" "railgate/$service:local"
make image-parts SERVICE="$service" ENGINE=docker
cosign sign --yes "$repository@$digest"
cosign attest --yes --type cyclonedx --predicate "build/sbom-$service.cdx.json" \
    "$repository@$digest"
echo "$digest" >"build/digests/$service"
echo "$service $digest"
