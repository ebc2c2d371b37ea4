# Whatever is there once is there three times, or twice with a way over; and Argo CD lives here, because
# what rules all clusters must be guarded like the most precious of them.
locals {
  region     = "ap-south-1"
  account_id = "111122223333"
}

module "platform" {
  source = "../../modules/platform"

  environment              = "prod"
  region                   = local.region
  account_id               = local.account_id
  domain                   = "railgate.example"
  permissions_boundary_arn = "arn:aws:iam::${local.account_id}:policy/railgate-pipeline-boundary-prod"

  network = {
    cidr                    = "10.30.0.0/16"
    zones                   = ["ap-south-1a", "ap-south-1b", "ap-south-1c"]
    nat_per_zone            = true
    flow_log_retention_days = 365
  }

  cluster = {
    kubernetes_version  = "1.35"
    public_access_cidrs = ["198.51.100.0/24"]
    admin_role_arns     = ["arn:aws:iam::${local.account_id}:role/railgate-people-release-managers"]
    # They ask Argo CD at night whether each cluster is what Git says (gitops/argocd/settings).
    groups = {
      for environment in ["dev", "staging", "prod"] :
      "arn:aws:iam::${local.account_id}:role/railgate-pipeline-${environment}-read" => ["railgate:drift"]
    }
    instance_types = ["m7i.2xlarge", "m6i.2xlarge"]
    nodes          = { min = 4, max = 16 }
    # Sales open at 08:00 and 14:00; a node needs minutes to come, the crowd needs none.
    rush = {
      nodes  = 12
      begins = ["07:20", "13:20"]
      ends   = ["09:45", "15:45"]
    }
    log_retention_days = 365
  }

  hub = {
    role_arn = "arn:aws:iam::${local.account_id}:role/railgate-argo-cd"
    is_here  = true
  }

  database = {
    major_version         = "18"
    instance_class        = "db.r7g.2xlarge"
    memory_gib            = 64
    storage_gib           = { initial = 200, max = 1000 }
    max_connections       = 2000
    is_multi_az           = true
    is_protected          = true
    backup_retention_days = 35
  }

  cache = { node_type = "cache.r7g.large", nodes = 3 }

  backup = { retention_days = 35, is_locked = true, is_rehearsed = true }

  watching = { alarm_emails = ["platform@railgate.example", "on-call@railgate.example"], budget_usd = 7500 }
}
