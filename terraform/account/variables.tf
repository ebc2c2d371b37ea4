variable "region" {
  type    = string
  default = "ap-south-1"
}

variable "account_id" {
  type    = string
  default = "111122223333"
}

variable "repository" {
  type    = string
  default = "railgate/railgate"
}

variable "environments" {
  type    = set(string)
  default = ["dev", "staging", "prod"]
}

variable "hub_environment" {
  description = "Where Argo CD runs."
  type        = string
  default     = "prod"
}

variable "state_bucket" {
  type    = string
  default = "railgate-terraform-111122223333"
}

variable "state_key_arn" {
  description = "The key that terraform/bootstrap has made."
  type        = string
  default     = "arn:aws:kms:ap-south-1:111122223333:key/00000000-0000-0000-0000-000000000001"
}

variable "release_key_arn" {
  description = "Where the App's private key was imported to, by hand: what is imported is in no state."
  type        = string
  default     = "arn:aws:kms:ap-south-1:111122223333:key/00000000-0000-0000-0000-000000000002"
}
