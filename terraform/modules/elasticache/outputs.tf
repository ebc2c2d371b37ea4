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
