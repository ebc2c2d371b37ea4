variable "environment" {
  type = string

  validation {
    condition     = can(regex("^[a-z]+$", var.environment))
    error_message = "One word: it is part of names everywhere."
  }
}

variable "region" {
  type = string
}

variable "account_id" {
  type = string
}

variable "domain" {
  description = "The environment's own address; the certificate is for it and for what is below it."
  type        = string
}

variable "network" {
  type = object({
    cidr                    = string
    zones                   = list(string)
    nat_per_zone            = bool
    flow_log_retention_days = number
  })
}

variable "cluster" {
  type = object({
    kubernetes_version  = string
    public_access_cidrs = list(string)
    admin_role_arns     = list(string)
    groups              = map(list(string))
    instance_types      = list(string)
    nodes               = object({ min = number, max = number })
    rush                = optional(object({ nodes = number, begins = list(string), ends = list(string) }))
    log_retention_days  = number
  })
}

variable "hub" {
  description = "Argo CD: its role, and whether it runs in this cluster."
  type        = object({ role_arn = string, is_here = bool })
}

variable "database" {
  type = object({
    major_version         = string
    instance_class        = string
    memory_gib            = number
    storage_gib           = object({ initial = number, max = number })
    max_connections       = number
    is_multi_az           = bool
    is_protected          = bool
    backup_retention_days = number

    allow_major_version_upgrade = optional(bool, false)
  })
}

variable "cache" {
  type = object({ node_type = string, nodes = number })
}

variable "backup" {
  type = object({
    retention_days = number
    is_locked      = bool
    is_rehearsed   = bool
    copy_vault_arn = optional(string)
  })
}

variable "watching" {
  type = object({ alarm_emails = list(string), budget_usd = number })
}

variable "permissions_boundary_arn" {
  description = "What no role of this environment can go beyond; terraform/account makes it."
  type        = string
}
