output "identifier" {
  value = aws_db_instance.this.identifier
}

output "arn" {
  value = aws_db_instance.this.arn
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
