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

variable "services" {
  description = "Each gets a user that sees its own keys."
  type        = set(string)
}

variable "engine_version" {
  type    = string
  default = "8.1"
}

variable "node_type" {
  type = string
}

variable "nodes" {
  description = "One, or a primary with replicas in other zones."
  type        = number
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
