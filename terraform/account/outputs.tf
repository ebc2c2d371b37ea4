output "repositories" {
  value = module.ecr.urls
}

output "role_arns" {
  description = "Environment of GitHub -> its role, for the environment's variables."
  value       = module.github.role_arns
}

output "argo_cd_role_arn" {
  value = aws_iam_role.argo_cd.arn
}

output "boundary_arns" {
  value = { for environment, policy in aws_iam_policy.boundary : environment => policy.arn }
}
