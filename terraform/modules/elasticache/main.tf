locals {
  port             = 6379
  has_replicas     = var.nodes > 1
  major_version    = split(".", var.engine_version)[0]
  key_of_throttles = "~throttle:*"
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-valkey"
  description = "Valkey from the pods"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-valkey" }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = toset(var.client_cidrs)

  security_group_id = aws_security_group.this.id
  description       = "Pods"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.port
  to_port           = local.port
}

# It is a cache in the strict sense: the services sell on when it is emptied or gone, so what does not
# fit is forgotten and nothing is written to disk.
resource "aws_elasticache_parameter_group" "this" {
  name        = var.name
  family      = "valkey${local.major_version}"
  description = "Railgate on Valkey ${local.major_version}"

  parameter {
    name  = "maxmemory-policy"
    value = "allkeys-lru"
  }
}

# A service sees the keys that begin with its name, and the counters of throttles. There is no user
# `default`, so who does not say who he is gets nothing. A user is made without a password; `make fill`
# gives it one that only Secrets Manager keeps.
resource "aws_elasticache_user" "service" {
  for_each = var.services

  user_id       = "${var.name}-${each.value}"
  user_name     = "${var.name}-${each.value}"
  engine        = "valkey"
  access_string = "on ~${each.value}:* ${local.key_of_throttles} +@all -@admin -@dangerous"

  authentication_mode {
    type = "iam"
  }

  lifecycle {
    ignore_changes = [authentication_mode, passwords, no_password_required]
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = var.name
  engine        = "valkey"
  user_ids      = [for user in aws_elasticache_user.service : user.user_id]
}

resource "aws_cloudwatch_log_group" "slow" {
  name              = "/aws/elasticache/${var.name}/slow"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id = var.name
  description          = "Refusals, snapshots and places in the queue"

  engine               = "valkey"
  engine_version       = var.engine_version
  parameter_group_name = aws_elasticache_parameter_group.this.name
  node_type            = var.node_type
  port                 = local.port

  # One shard: the clients know one address and no slots.
  num_cache_clusters         = var.nodes
  automatic_failover_enabled = local.has_replicas
  multi_az_enabled           = local.has_replicas
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this.id]

  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  kms_key_id                 = var.key_arn
  user_group_ids             = [aws_elasticache_user_group.this.user_group_id]

  # UTC. In Dhaka it is past midnight.
  maintenance_window         = "thu:21:00-thu:22:00"
  snapshot_retention_limit   = 0
  auto_minor_version_upgrade = true
  apply_immediately          = false

  log_delivery_configuration {
    destination      = aws_cloudwatch_log_group.slow.name
    destination_type = "cloudwatch-logs"
    log_format       = "json"
    log_type         = "slow-log"
  }
}
