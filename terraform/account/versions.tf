terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.95, < 7.0"
    }
  }
  backend "s3" {
    bucket       = "railgate-terraform-111122223333"
    key          = "account.tfstate"
    region       = "ap-south-1"
    encrypt      = true
    kms_key_id   = "alias/railgate-terraform"
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      "railgate:environment" = "account"
      "railgate:kept-by"     = "terraform/account"
    }
  }
}
