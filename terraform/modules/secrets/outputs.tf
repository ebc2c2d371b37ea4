output "names" {
  description = "Service -> key in Secrets Manager."
  value       = { for service, secret in aws_secretsmanager_secret.this : service => secret.name }
}
