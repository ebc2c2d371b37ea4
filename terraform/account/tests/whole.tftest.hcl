mock_provider "aws" {
  source          = "../mocks"
  override_during = plan
}

run "whole" {
  command = plan

  assert {
    condition = alltrue([
      for service in keys(yamldecode(file("../services.yaml"))) : contains(keys(output.repositories), "railgate/${service}")
    ])
    error_message = "Every program with an image has a repository."
  }

  assert {
    condition = toset(keys(output.role_arns)) == toset(concat(["build", "account-plan"], flatten([
      for environment in ["dev", "staging", "prod"] :
      [environment, "${environment}-read", "${environment}-plan", "${environment}-apply"]
    ])))
    error_message = "These are GitHub's environments (docs/branching.md), and no role is for two of them."
  }

  assert {
    condition     = !contains(keys(output.role_arns), "account-apply")
    error_message = "Who may write the account may become anybody: a person does it."
  }
}
