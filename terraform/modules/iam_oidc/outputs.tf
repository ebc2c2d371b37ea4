output "role_arns" {
  description = "Environment of GitHub -> role of its jobs."
  value       = { for environment, role in aws_iam_role.this : environment => role.arn }
}
