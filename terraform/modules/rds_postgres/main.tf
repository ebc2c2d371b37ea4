locals {
  port = 5432
  logs = ["postgresql", "upgrade"]
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "this" {
  name        = "${var.name}-postgres"
  description = "PostgreSQL from the pods"
  vpc_id      = var.vpc_id
  tags        = { Name = "${var.name}-postgres" }
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

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = "postgres${var.major_version}"
  description = "Railgate on PostgreSQL ${var.major_version}"

  dynamic "parameter" {
    for_each = {
      # A client that does not speak TLS is turned away.
      "rds.force_ssl"                       = { value = "1", method = "immediate" }
      "password_encryption"                 = { value = "scram-sha-256", method = "immediate" }
      "max_connections"                     = { value = tostring(var.max_connections), method = "pending-reboot" }
      "timezone"                            = { value = "UTC", method = "immediate" }
      "jit"                                 = { value = "0", method = "immediate" }
      "log_min_duration_statement"          = { value = "500", method = "immediate" }
      "log_lock_waits"                      = { value = "1", method = "immediate" }
      "idle_in_transaction_session_timeout" = { value = "60000", method = "immediate" }
      "shared_preload_libraries"            = { value = "pg_stat_statements", method = "pending-reboot" }
    }
    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = parameter.value.method
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(local.logs)

  name              = "/aws/rds/instance/${var.name}/${each.value}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_key_arn
}

resource "aws_iam_role" "monitoring" {
  name                 = "${var.name}-rds-monitoring"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

# One server for all services: each has a database that the others cannot enter. RDS keeps the master's
# password in Secrets Manager and changes it every week; no program of ours knows it.
resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.major_version
  instance_class = var.instance_class

  storage_type          = "gp3"
  allocated_storage     = var.storage_gib.initial
  max_allocated_storage = var.storage_gib.max
  storage_encrypted     = true
  kms_key_id            = var.key_arn

  username                      = "railgate_admin"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.key_arn
  port                          = local.port

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  publicly_accessible    = false
  multi_az               = var.is_multi_az
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  # UTC. In Dhaka it is past midnight, and the sales are hours away.
  backup_window             = "18:30-19:30"
  maintenance_window        = "thu:20:00-thu:21:00"
  backup_retention_period   = var.backup_retention_days
  copy_tags_to_snapshot     = true
  delete_automated_backups  = !var.is_protected
  deletion_protection       = var.is_protected
  skip_final_snapshot       = !var.is_protected
  final_snapshot_identifier = var.is_protected ? "${var.name}-last" : null

  # Where only the major version is named, a minor one that RDS has put on at night is no drift.
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = var.allow_major_version_upgrade
  apply_immediately           = false

  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.key_arn
  performance_insights_retention_period = 7
  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  enabled_cloudwatch_logs_exports       = local.logs

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.monitoring]
}
