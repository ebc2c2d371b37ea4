output "identifier" {
  value = aws_db_instance.this.identifier
}

output "arn" {
  value = aws_db_instance.this.arn
}

output "security_group_id" {
  value = aws_security_group.this.id
}

output "host" {
  value = aws_db_instance.this.address
}

output "port" {
  value = local.port
}

output "databases" {
  description = "Database -> its roles, as roles.sql makes them."
  value = {
    for database in var.databases : database => {
      logins    = ["${database}_a", "${database}_b"]
      migration = "${database}_migration"
    }
  }
}

output "master_secret_arn" {
  description = "Where RDS keeps the master's password."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "promises" {
  description = "What an environment's test asks for by name."
  value = {
    is_public             = aws_db_instance.this.publicly_accessible
    is_encrypted          = aws_db_instance.this.storage_encrypted
    is_multi_az           = aws_db_instance.this.multi_az
    is_protected          = aws_db_instance.this.deletion_protection
    leaves_last_snapshot  = !aws_db_instance.this.skip_final_snapshot
    backup_retention_days = aws_db_instance.this.backup_retention_period
  }
}
