output "urls" {
  description = "Name -> address of the repository."
  value       = { for name, repository in aws_ecr_repository.this : name => repository.repository_url }
}
