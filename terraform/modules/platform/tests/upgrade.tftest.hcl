# By itself, because what is planned against a server that is there needs one that was made.
mock_provider "aws" {
  source = "../../mocks"
}

variables {
  name                  = "railgate-test"
  vpc_id                = "vpc-1"
  subnet_ids            = ["subnet-1", "subnet-2"]
  client_cidrs          = ["10.0.0.0/20"]
  databases             = ["order", "ticket"]
  major_version         = "18"
  instance_class        = "db.t4g.medium"
  storage_gib           = { initial = 20, max = 40 }
  max_connections       = 100
  is_multi_az           = false
  is_protected          = false
  backup_retention_days = 1
  key_arn               = "arn:aws:kms:ap-south-1:111122223333:key/stores"
  log_key_arn           = "arn:aws:kms:ap-south-1:111122223333:key/logs"
  log_retention_days    = 7
}

run "a_server_is_made" {
  module {
    source = "../rds_postgres"
  }
}

run "a_greater_major_version_reaches_the_server_and_not_its_parameters_alone" {
  command = plan

  module {
    source = "../rds_postgres"
  }

  variables {
    major_version = "19"
  }

  assert {
    condition = (
      aws_db_instance.this.engine_version == "19" &&
      aws_db_parameter_group.this.family == "postgres19"
    )
    error_message = "Parameters of one version and a server of another do not go together."
  }

  assert {
    condition     = !aws_db_instance.this.allow_major_version_upgrade
    error_message = "It is refused until somebody says that it is meant."
  }
}
