# Small and cheap: one NAT gateway, one database server, nothing that is there twice.
locals {
  region     = "ap-south-1"
  account_id = "111122223333"
}

module "platform" {
  source = "../../modules/platform"

  environment              = "dev"
  region                   = local.region
  account_id               = local.account_id
  domain                   = "dev.railgate.example"
  permissions_boundary_arn = "arn:aws:iam::${local.account_id}:policy/railgate-pipeline-boundary-dev"

  network = {
    cidr                    = "10.10.0.0/16"
    zones                   = ["ap-south-1a", "ap-south-1b", "ap-south-1c"]
    nat_per_zone            = false
    flow_log_retention_days = 14
  }

  cluster = {
    kubernetes_version = "1.35"
    # The office, and the NAT gateways of the cluster that Argo CD runs in.
    public_access_cidrs = ["198.51.100.0/24", "192.0.2.11/32", "192.0.2.12/32", "192.0.2.13/32"]
    admin_role_arns     = ["arn:aws:iam::${local.account_id}:role/railgate-people-platform"]
    groups              = {}
    instance_types      = ["m7i.xlarge", "m6i.xlarge"]
    nodes               = { min = 2, max = 5 }
    log_retention_days  = 30
  }

  hub = {
    role_arn = "arn:aws:iam::${local.account_id}:role/railgate-argo-cd"
    is_here  = false
  }

  database = {
    major_version         = "18"
    instance_class        = "db.t4g.medium"
    memory_gib            = 4
    storage_gib           = { initial = 20, max = 100 }
    max_connections       = 300
    is_multi_az           = false
    is_protected          = false
    backup_retention_days = 3
  }

  cache = { node_type = "cache.t4g.small", nodes = 1 }

  backup = { retention_days = 7, is_locked = false, is_rehearsed = false }

  watching = { alarm_emails = ["platform@railgate.example"], budget_usd = 900 }
}
