mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name                = "railgate-test"
  environment         = "test"
  region              = "ap-south-1"
  account_id          = "111122223333"
  kubernetes_version  = "1.35"
  control_subnet_ids  = ["subnet-1", "subnet-2"]
  node_subnet_ids     = ["subnet-3", "subnet-4"]
  public_access_cidrs = []
  admin_role_arns     = []
  node_instance_types = ["m7i.large"]
  node_count          = { min = 1, max = 2 }
  key_arn             = "arn:aws:kms:ap-south-1:111122223333:key/cluster"
  log_key_arn         = "arn:aws:kms:ap-south-1:111122223333:key/logs"
  log_retention_days  = 7
}

run "without_addresses_the_api_server_is_private" {
  command = plan

  module {
    source = "../eks"
  }

  assert {
    condition = (
      aws_eks_cluster.this.vpc_config[0].endpoint_private_access &&
      !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    )
    error_message = "Nothing is open that nobody named."
  }

  assert {
    condition     = !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "Who made the cluster is not its master for ever."
  }
}

run "an_api_server_for_everybody_is_refused" {
  command = plan

  module {
    source = "../eks"
  }

  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.public_access_cidrs]
}

run "before_an_opening_the_nodes_stand_ready" {
  command = plan

  module {
    source = "../eks"
  }

  variables {
    rush = { nodes = 2, begins = ["07:20"], ends = ["09:45"] }
  }

  assert {
    condition = (
      aws_autoscaling_schedule.this["rush-0720"].recurrence == "20 7 * * *" &&
      aws_autoscaling_schedule.this["rush-0720"].desired_capacity == 2 &&
      aws_autoscaling_schedule.this["calm-0945"].desired_capacity == 1
    )
    error_message = "They come before the crowd and go after it."
  }
}

run "the_network_cards_of_the_pods_are_the_environments" {
  command = plan

  module {
    source = "../eks"
  }

  assert {
    condition = jsondecode(jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).env.ADDITIONAL_ENI_TAGS) == {
      "railgate:environment" = "test"
    }
    error_message = "The network plug-in makes them, so it is told."
  }
}

run "two_zones_are_refused" {
  command = plan

  module {
    source = "../vpc"
  }

  variables {
    cidr                    = "10.0.0.0/16"
    zones                   = ["ap-south-1a", "ap-south-1b", "ap-south-1b"]
    nat_per_zone            = false
    flow_log_retention_days = 7
  }

  expect_failures = [var.zones]
}

run "an_image_is_never_replaced" {
  command = plan

  module {
    source = "../ecr"
  }

  variables {
    repositories = ["railgate/order"]
  }

  assert {
    condition = (
      aws_ecr_repository.this["railgate/order"].image_tag_mutability == "IMMUTABLE" &&
      aws_ecr_repository.this["railgate/order"].image_scanning_configuration[0].scan_on_push
    )
    error_message = "A tag stands for one digest, and each was looked at."
  }

  assert {
    condition = alltrue([
      for rule in jsondecode(aws_ecr_lifecycle_policy.this["railgate/order"].policy).rules :
      rule.selection.countType == "imageCountMoreThan" && rule.selection.countNumber >= 300
    ])
    error_message = "Nothing is thrown away by age: what runs may be old."
  }
}
