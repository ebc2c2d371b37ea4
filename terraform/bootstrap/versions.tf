# Applied once, by a person, from a laptop. Its own state is a file beside it, which may be lost: all of
# this can be imported in a minute.
terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = { "railgate:kept-by" = "terraform/bootstrap" }
  }
}
