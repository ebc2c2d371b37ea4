# Production's shape in a smaller size: what fails over there fails over here first.
locals {
  region     = "ap-south-1"
  account_id = "111122223333"
}

module "platform" {
  source = "../../modules/platform"

  environment              = "staging"
  region                   = local.region
  account_id               = local.account_id
  domain                   = "staging.railgate.example"
  permissions_boundary_arn = "arn:aws:iam::${local.account_id}:policy/railgate-pipeline-boundary-staging"

  network = {
    cidr                    = "10.20.0.0/16"
    zones                   = ["ap-south-1a", "ap-south-1b", "ap-south-1c"]
    nat_per_zone            = false
    flow_log_retention_days = 30
  }

  cluster = {
    kubernetes_version = "1.35"
    # The office, and the NAT gateways of the cluster that Argo CD runs in.
    public_access_cidrs = ["198.51.100.0/24", "192.0.2.11/32", "192.0.2.12/32", "192.0.2.13/32"]
    admin_role_arns     = ["arn:aws:iam::${local.account_id}:role/railgate-people-platform"]
    groups              = {}
    instance_types      = ["m7i.xlarge", "m6i.xlarge"]
    nodes               = { min = 3, max = 9 }
    log_retention_days  = 60
  }

  hub = {
    role_arn = "arn:aws:iam::${local.account_id}:role/railgate-argo-cd"
    is_here  = false
  }

  database = {
    major_version         = "18"
    instance_class        = "db.m7g.large"
    memory_gib            = 8
    storage_gib           = { initial = 50, max = 200 }
    max_connections       = 600
    is_multi_az           = true
    is_protected          = true
    backup_retention_days = 7
  }

  cache = { node_type = "cache.m7g.large", nodes = 2 }

  backup = { retention_days = 14, is_locked = false, is_rehearsed = false }

  watching = { alarm_emails = ["platform@railgate.example"], budget_usd = 2000 }
}
