# What there is once for all environments: the registry, GitHub's roles, Argo CD's role, and the limits
# that no role of an environment can go beyond. Applied by a person; the pipeline only plans it, because
# who may write this may become anybody.
locals {
  services     = yamldecode(file("${path.module}/../services.yaml"))
  repositories = toset([for name, service in local.services : "railgate/${name}"])
}

module "registry_key" {
  source = "../modules/kms"

  name        = "railgate-registry"
  description = "Images"
  account_id  = var.account_id
  region      = var.region
}

module "ecr" {
  source = "../modules/ecr"

  repositories = local.repositories
  key_arn      = module.registry_key.arn
}

# It has no right at all in AWS. A cluster knows it by its access entry (modules/eks).
resource "aws_iam_role" "argo_cd" {
  name = "railgate-argo-cd"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Principal = { Service = "pods.eks.amazonaws.com" }
      Condition = {
        StringEquals = {
          "aws:SourceAccount"                   = var.account_id
          "aws:RequestTag/eks-cluster-name"     = "railgate-${var.hub_environment}"
          "aws:RequestTag/kubernetes-namespace" = "argocd"
        }
      }
    }]
  })
}

module "github" {
  source = "../modules/iam_oidc"

  name       = "railgate-pipeline"
  repository = var.repository
  roles = merge(
    { build = jsonencode(local.pushes) },
    { for environment in var.environments : environment => jsonencode(local.signs) },
    { for environment in var.environments : "${environment}-read" => jsonencode(local.finds[environment]) },
    { for root in setunion(var.environments, ["account"]) : "${root}-plan" => jsonencode(local.plans[root]) },
    { for environment in var.environments : "${environment}-apply" => jsonencode(local.applies[environment]) },
  )
}
