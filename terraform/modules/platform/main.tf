# One environment, whole. The three of terraform/envs are this with other numbers.
locals {
  name      = "railgate-${var.environment}"
  services  = yamldecode(file("${path.module}/../../services.yaml"))
  databases = toset([for name, service in local.services : name if service.database])
  caches    = toset([for name, service in local.services : name if service.cache])
  # Beside the services': where alarms are sent to (gitops/envs/base/foundation/alerting.yaml).
  secrets = toset(concat([for name, service in local.services : name if service.secret], ["alerting"]))
  keys = {
    cluster = { says = "Secrets of the cluster", services = [], is_for_logs = false }
    stores  = { says = "Database, cache and backups", services = [], is_for_logs = false }
    logs    = { says = "Logs", services = [], is_for_logs = true }
    secrets = { says = "What Secrets Manager keeps", services = [], is_for_logs = false }
    alarms = {
      says        = "Alarms on their way"
      services    = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
      is_for_logs = false
    }
  }
}

module "key" {
  source   = "../kms"
  for_each = local.keys

  name        = "${local.name}-${each.key}"
  description = "${each.value.says} of ${var.environment}"
  account_id  = var.account_id
  region      = var.region
  services    = each.value.services
  is_for_logs = each.value.is_for_logs
}

module "vpc" {
  source = "../vpc"

  name                     = local.name
  region                   = var.region
  cidr                     = var.network.cidr
  zones                    = var.network.zones
  nat_per_zone             = var.network.nat_per_zone
  flow_log_retention_days  = var.network.flow_log_retention_days
  log_key_arn              = module.key["logs"].arn
  permissions_boundary_arn = var.permissions_boundary_arn
}

module "eks" {
  source = "../eks"

  name                     = local.name
  environment              = var.environment
  region                   = var.region
  account_id               = var.account_id
  kubernetes_version       = var.cluster.kubernetes_version
  control_subnet_ids       = module.vpc.closed_subnet_ids.control
  node_subnet_ids          = module.vpc.private_subnet_ids
  public_access_cidrs      = var.cluster.public_access_cidrs
  admin_role_arns          = var.cluster.admin_role_arns
  groups                   = var.cluster.groups
  hub_role_arn             = var.hub.role_arn
  node_instance_types      = var.cluster.instance_types
  node_count               = var.cluster.nodes
  rush                     = var.cluster.rush
  key_arn                  = module.key["cluster"].arn
  log_key_arn              = module.key["logs"].arn
  log_retention_days       = var.cluster.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
}

module "database" {
  source = "../rds_postgres"

  name                     = local.name
  vpc_id                   = module.vpc.vpc_id
  subnet_ids               = module.vpc.closed_subnet_ids.database
  client_cidrs             = module.vpc.private_cidrs
  databases                = local.databases
  major_version            = var.database.major_version
  instance_class           = var.database.instance_class
  storage_gib              = var.database.storage_gib
  max_connections          = var.database.max_connections
  is_multi_az              = var.database.is_multi_az
  is_protected             = var.database.is_protected
  backup_retention_days    = var.database.backup_retention_days
  key_arn                  = module.key["stores"].arn
  log_key_arn              = module.key["logs"].arn
  log_retention_days       = var.cluster.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn

  allow_major_version_upgrade = var.database.allow_major_version_upgrade
}

module "cache" {
  source = "../elasticache"

  name               = local.name
  vpc_id             = module.vpc.vpc_id
  subnet_ids         = module.vpc.closed_subnet_ids.cache
  client_cidrs       = module.vpc.private_cidrs
  services           = local.caches
  node_type          = var.cache.node_type
  nodes              = var.cache.nodes
  key_arn            = module.key["stores"].arn
  log_key_arn        = module.key["logs"].arn
  log_retention_days = var.cluster.log_retention_days
}

module "secrets" {
  source = "../secrets"

  environment = var.environment
  services    = local.secrets
  key_arn     = module.key["secrets"].arn
}

module "backup" {
  source = "../backup"

  name                     = local.name
  resource_arns            = [module.database.arn]
  retention_days           = var.backup.retention_days
  is_locked                = var.backup.is_locked
  is_rehearsed             = var.backup.is_rehearsed
  copy_vault_arn           = var.backup.copy_vault_arn
  restore_subnet_group     = local.name
  restore_security_group   = module.database.security_group_id
  key_arn                  = module.key["stores"].arn
  permissions_boundary_arn = var.permissions_boundary_arn
}

module "observability" {
  source = "../observability"

  name            = local.name
  environment     = var.environment
  account_id      = var.account_id
  alarm_emails    = var.watching.alarm_emails
  budget_usd      = var.watching.budget_usd
  nat_gateway_ids = module.vpc.nat_gateway_ids
  key_arn         = module.key["alarms"].arn
  database = {
    identifier      = module.database.identifier
    max_connections = var.database.max_connections
    memory_gib      = var.database.memory_gib
    storage_gib     = var.database.storage_gib.initial
  }
  cache = { id = module.cache.id, nodes = var.cache.nodes }
}

# Asked for here, proved by the owner of the domain: `certificate_proof` says with which records.
resource "aws_acm_certificate" "this" {
  domain_name               = var.domain
  subject_alternative_names = ["*.${var.domain}"]
  validation_method         = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}
