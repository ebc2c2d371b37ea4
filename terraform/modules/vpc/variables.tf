variable "name" {
  description = "Name of the network and of the cluster in it."
  type        = string
}

variable "region" {
  type = string
}

variable "cidr" {
  description = "A /16; the plan of subnets below counts on it."
  type        = string

  validation {
    condition     = endswith(var.cidr, ".0.0/16")
    error_message = "The network is a /16."
  }
}

variable "zones" {
  description = "Three availability zones: of two, the loss of one halves everything."
  type        = list(string)

  validation {
    condition     = length(distinct(var.zones)) == 3
    error_message = "There are three zones."
  }
}

variable "nat_per_zone" {
  description = "A NAT gateway in each zone. With one, its zone takes the way out of all along."
  type        = bool
}

variable "interface_endpoints" {
  description = "AWS services that the nodes reach without the NAT gateway."
  type        = set(string)
  default     = ["ecr.api", "ecr.dkr", "eks-auth", "logs", "secretsmanager", "sts"]
}

variable "flow_log_retention_days" {
  type = number
}

variable "log_key_arn" {
  description = "Key that the flow logs are kept under."
  type        = string
}

variable "permissions_boundary_arn" {
  type    = string
  default = null
}
