mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
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

run "no_database_is_public_or_in_the_clear_however_small" {
  command = plan

  module {
    source = "../rds_postgres"
  }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted
    error_message = "There is no variable that could say otherwise."
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.password == null
    error_message = "RDS makes and keeps the master's password."
  }

  assert {
    condition = anytrue([
      for parameter in aws_db_parameter_group.this.parameter :
      parameter.name == "rds.force_ssl" && parameter.value == "1"
    ])
    error_message = "Nobody comes without TLS."
  }

  assert {
    condition     = output.databases["order"].migration == "order_migration" && length(output.databases["order"].logins) == 2
    error_message = "The migration is another role than the service, and the service has two logins."
  }
}

run "a_protected_one_leaves_a_snapshot_behind" {
  command = plan

  module {
    source = "../rds_postgres"
  }

  variables {
    is_protected = true
  }

  assert {
    condition = (
      aws_db_instance.this.deletion_protection &&
      !aws_db_instance.this.skip_final_snapshot &&
      !aws_db_instance.this.delete_automated_backups
    )
    error_message = "It is not deleted, and if it ever is, its data is not."
  }
}

run "a_database_that_cannot_be_set_back_is_refused" {
  command = plan

  module {
    source = "../rds_postgres"
  }

  variables {
    backup_retention_days = 0
  }

  expect_failures = [var.backup_retention_days]
}

run "a_service_sees_its_own_keys_in_the_cache" {
  command = plan

  module {
    source = "../elasticache"
  }

  variables {
    services  = ["order"]
    node_type = "cache.t4g.small"
    nodes     = 1
  }

  assert {
    condition     = startswith(aws_elasticache_user.service["order"].access_string, "on ~order:* ")
    error_message = "Its keys begin with its name."
  }

  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "Nobody comes without TLS."
  }
}

run "the_alarm_of_a_small_disk_waits_until_it_is_nearly_full" {
  command = plan

  module {
    source = "../observability"
  }

  variables {
    environment     = "test"
    account_id      = "111122223333"
    alarm_emails    = []
    budget_usd      = 1
    nat_gateway_ids = []
    database        = { identifier = "test", max_connections = 100, memory_gib = 4, storage_gib = 20 }
    cache           = { id = "test", nodes = 1 }
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.database["storage"].threshold == 1024 * 1024 * 1024
    error_message = "A twentieth of what it began with: RDS makes it larger at a tenth."
  }
}
