variable "environment" {
  type = string
}

variable "services" {
  description = "Each gets the key railgate/<environment>/<service>."
  type        = set(string)
}

variable "key_arn" {
  type = string
}

variable "recovery_days" {
  type    = number
  default = 30
}
