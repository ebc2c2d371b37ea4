output "id" {
  value = aws_elasticache_replication_group.this.replication_group_id
}

output "host" {
  value = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "port" {
  value = local.port
}

output "users" {
  description = "Service -> its user."
  value       = { for service, user in aws_elasticache_user.service : service => user.user_id }
}

output "promises" {
  description = "What an environment's test asks for by name."
  value = {
    is_encrypted = aws_elasticache_replication_group.this.at_rest_encryption_enabled
    speaks_tls   = aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    is_multi_az  = aws_elasticache_replication_group.this.multi_az_enabled
  }
}
