variable "name" {
  description = "Name of the role."
  type        = string
}

variable "cluster_name" {
  type = string
}

variable "account_id" {
  type = string
}

variable "namespace" {
  type = string
}

variable "service_accounts" {
  description = "The service accounts that gitops names; each pod of theirs is this role."
  type        = set(string)
}

variable "statements" {
  description = "What the role may do, as statements of a policy, in JSON."
  type        = string
}

variable "permissions_boundary_arn" {
  type    = string
  default = null
}
