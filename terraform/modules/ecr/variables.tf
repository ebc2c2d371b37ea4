variable "repositories" {
  description = "Names of the repositories."
  type        = set(string)
}

variable "key_arn" {
  type = string
}

variable "kept_images" {
  description = "How many tagged images a repository keeps."
  type        = number
  default     = 900
}
