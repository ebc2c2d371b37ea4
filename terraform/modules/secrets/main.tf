# Only the places. What is in them is made by `make fill` or put there by people, so no state file and
# no plan ever shows it; losing some of it (signing and sealing keys) would lose data.
resource "aws_secretsmanager_secret" "this" {
  for_each = var.services

  name                    = "railgate/${var.environment}/${each.value}"
  description             = "Addresses with passwords and keys of ${each.value}"
  kms_key_id              = var.key_arn
  recovery_window_in_days = var.recovery_days

  lifecycle {
    prevent_destroy = true
  }
}
