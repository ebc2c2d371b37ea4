variable "region" {
  type    = string
  default = "ap-south-1"
}

variable "account_id" {
  type    = string
  default = "111122223333"
}
