"""What stands under the clusters: Terraform, checked beside the code and gitops."""
