variable "name" {
  type = string
}

variable "environment" {
  type = string
}

variable "account_id" {
  type = string
}

variable "alarm_emails" {
  type = set(string)
}

variable "budget_usd" {
  description = "A month of this environment."
  type        = number
}

variable "database" {
  type = object({
    identifier      = string
    max_connections = number
    memory_gib      = number
    storage_gib     = number
  })
}

variable "cache" {
  type = object({ id = string, nodes = number })
}

variable "nat_gateway_ids" {
  type = list(string)
}

variable "key_arn" {
  type = string
}
