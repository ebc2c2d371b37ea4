variable "name" {
  description = "Alias without `alias/`."
  type        = string
}

variable "description" {
  type = string
}

variable "account_id" {
  type = string
}

variable "region" {
  type = string
}

variable "services" {
  description = "AWS services that may use the key of their own accord, for this account only."
  type        = set(string)
  default     = []
}

variable "is_for_logs" {
  description = "CloudWatch Logs asks under its own name and says which log group it is for."
  type        = bool
  default     = false
}

variable "deletion_window_days" {
  description = "How long a key can still be had back. What it sealed is gone with it."
  type        = number
  default     = 30
}
