# RDS keeps its own days for going back to any second. This is for the day when they went with it.
locals {
  policies = toset(["AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"])
}

resource "aws_backup_vault" "this" {
  name        = var.name
  kms_key_arn = var.key_arn

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_backup_vault_lock_configuration" "this" {
  count = var.is_locked ? 1 : 0

  backup_vault_name  = aws_backup_vault.this.name
  min_retention_days = var.retention_days
}

resource "aws_iam_role" "this" {
  name                 = "${var.name}-backup"
  permissions_boundary = var.permissions_boundary_arn
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "backup.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = local.policies

  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/${each.value}"
}

# After RDS's own backup and its maintenance (modules/rds_postgres): within these and an hour before the
# second, no backup is started. ci/infrastructure/backups.py compares the hours.
resource "aws_backup_plan" "this" {
  name = var.name

  rule {
    rule_name                    = "daily"
    target_vault_name            = aws_backup_vault.this.name
    schedule                     = "cron(30 3 * * ? *)"
    schedule_expression_timezone = "Asia/Dhaka"
    start_window                 = 60
    completion_window            = 240

    lifecycle {
      delete_after = var.retention_days
    }

    dynamic "copy_action" {
      for_each = var.copy_vault_arn[*]
      content {
        destination_vault_arn = copy_action.value
        lifecycle {
          delete_after = var.retention_days
        }
      }
    }
  }
}

resource "aws_backup_selection" "this" {
  name         = var.name
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this.arn
  resources    = var.resource_arns
}

# A backup that was never restored is a hope. The restored server stands for four hours of a working day,
# behind the database's own doors, so that a person can look into it; then AWS Backup deletes it.
resource "aws_backup_restore_testing_plan" "this" {
  count = var.is_rehearsed ? 1 : 0

  name                         = replace(var.name, "-", "_")
  schedule_expression          = "cron(0 10 ? * SUN *)"
  schedule_expression_timezone = "Asia/Dhaka"
  start_window_hours           = 1

  recovery_point_selection {
    algorithm             = "LATEST_WITHIN_WINDOW"
    include_vaults        = [aws_backup_vault.this.arn]
    recovery_point_types  = ["SNAPSHOT"]
    selection_window_days = 7
  }
}

resource "aws_backup_restore_testing_selection" "this" {
  count = var.is_rehearsed ? 1 : 0

  name                      = "postgres"
  restore_testing_plan_name = aws_backup_restore_testing_plan.this[0].name
  protected_resource_type   = "RDS"
  protected_resource_arns   = var.resource_arns
  iam_role_arn              = aws_iam_role.this.arn
  validation_window_hours   = 4
  restore_metadata_overrides = {
    dbSubnetGroupName  = var.restore_subnet_group
    multiAz            = "false"
    publiclyAccessible = "false"
    # Left out, it gets the network's default group, which lets nobody through.
    vpcSecurityGroupIds = jsonencode([var.restore_security_group])
  }
}
