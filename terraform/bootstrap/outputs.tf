output "bucket" {
  value = aws_s3_bucket.state.bucket
}

output "key_arn" {
  description = "For terraform/account, whose roles may open the states with it."
  value       = module.key.arn
}
