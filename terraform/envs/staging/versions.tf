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
    key          = "staging.tfstate"
    region       = "ap-south-1"
    encrypt      = true
    kms_key_id   = "alias/railgate-terraform"
    use_lockfile = true
  }
}

provider "aws" {
  region              = local.region
  allowed_account_ids = [local.account_id]

  default_tags {
    # The pipeline's role of this environment may touch nothing that bears another's name.
    tags = {
      "railgate:environment" = "staging"
      "railgate:kept-by"     = "terraform/envs/staging"
    }
  }
}
