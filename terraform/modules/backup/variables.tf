variable "name" {
  type = string
}

variable "resource_arns" {
  description = "What is backed up."
  type        = list(string)
}

variable "retention_days" {
  type = number
}

variable "is_locked" {
  description = "Nobody deletes a recovery point early, unless he is let by `backup:DeleteBackupVaultLockConfiguration`."
  type        = bool
}

variable "copy_vault_arn" {
  description = "A vault elsewhere, best in another account and region, that gets a copy."
  type        = string
  default     = null
}

variable "is_rehearsed" {
  description = "A recovery point is restored each week and thrown away again."
  type        = bool
}

variable "restore_subnet_group" {
  description = "Where the rehearsal restores the database to."
  type        = string
}

variable "restore_security_group" {
  description = "Who reaches what the rehearsal restores."
  type        = string
}

variable "key_arn" {
  type = string
}

variable "permissions_boundary_arn" {
  type    = string
  default = null
}
