mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

variables {
  name       = "railgate-pipeline"
  repository = "railgate/railgate"
  roles      = { prod = jsonencode([{ Effect = "Allow", Action = "kms:Sign", Resource = "arn:aws:kms:::key/x" }]) }
}

run "a_role_trusts_one_environment_of_one_repository" {
  command = plan

  module {
    source = "../iam_oidc"
  }

  assert {
    condition = jsondecode(aws_iam_role.this["prod"].assume_role_policy).Statement[0].Condition == {
      StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:railgate/railgate:environment:prod"
      }
    }
    error_message = "Audience and subject, letter by letter."
  }
}

run "a_wildcard_for_an_environment_is_refused" {
  command = plan

  module {
    source = "../iam_oidc"
  }

  variables {
    roles = { "*" = "[]" }
  }

  expect_failures = [var.roles]
}

run "a_whole_organisation_is_refused" {
  command = plan

  module {
    source = "../iam_oidc"
  }

  variables {
    repository = "railgate/*"
  }

  expect_failures = [var.repository]
}

run "a_pod_is_a_role_by_cluster_namespace_and_account" {
  command = plan

  module {
    source = "../pod_identity"
  }

  variables {
    name             = "railgate-dev-external-secrets"
    account_id       = "111122223333"
    cluster_name     = "railgate-dev"
    namespace        = "external-secrets"
    service_accounts = ["external-secrets"]
    statements       = "[]"
  }

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals == {
      "aws:SourceAccount"                         = "111122223333"
      "aws:RequestTag/eks-cluster-name"           = "railgate-dev"
      "aws:RequestTag/kubernetes-namespace"       = "external-secrets"
      "aws:RequestTag/kubernetes-service-account" = ["external-secrets"]
    }
    error_message = "Another cluster's pod of the same name is somebody else."
  }
}
