variable "name" {
  type = string
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  description = "Subnets without a way out."
  type        = list(string)
}

variable "client_cidrs" {
  description = "Networks of the pods; nobody else reaches the port."
  type        = list(string)
}

variable "databases" {
  description = "A database and its roles each; roles.sql makes them."
  type        = set(string)
}

variable "major_version" {
  description = "PostgreSQL's major version, the one that the tests run against."
  type        = string
}

variable "allow_major_version_upgrade" {
  description = "Set for the one apply that raises `major_version`: there is no way back from it."
  type        = bool
  default     = false
}

variable "instance_class" {
  type = string
}

variable "storage_gib" {
  type = object({ initial = number, max = number })
}

variable "max_connections" {
  description = "Pools of blue and green at their largest; RDS's own formula knows nothing of them."
  type        = number
}

variable "is_multi_az" {
  type = bool
}

variable "is_protected" {
  description = "Deletion is refused, and a last snapshot is taken if it is ever allowed."
  type        = bool
}

variable "backup_retention_days" {
  description = "How far back the database can be set to any second."
  type        = number

  validation {
    condition     = var.backup_retention_days >= 1
    error_message = "Without a day of backups there is no recovery to a point in time."
  }
}

variable "key_arn" {
  type = string
}

variable "log_key_arn" {
  type = string
}

variable "log_retention_days" {
  type = number
}

variable "permissions_boundary_arn" {
  type    = string
  default = null
}
