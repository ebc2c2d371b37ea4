mock_provider "aws" {
  source          = "../../mocks"
  override_during = plan
}

run "whole" {
  command = plan

  assert {
    condition     = output.platform.environment == "dev" && output.platform.cluster.name == "railgate-dev"
    error_message = "An environment bears its own name."
  }

  assert {
    condition = (
      output.platform.networks.database == "10.10.64.0/20" &&
      output.platform.networks.cache == "10.10.80.0/20" &&
      output.platform.networks.mail == "10.10.96.0/24"
    )
    error_message = "These networks are named in gitops/envs/dev/foundation as well."
  }

  assert {
    condition = (
      !output.platform.database.promises.is_public &&
      output.platform.database.promises.is_encrypted &&
      output.platform.cache.promises.is_encrypted &&
      output.platform.cache.promises.speaks_tls
    )
    error_message = "Nobody outside reaches the data, and it is never in the clear."
  }

  assert {
    condition = (
      length(setsubtract(keys(output.platform.database.databases), keys(output.platform.secret_names))) == 0 &&
      toset(values(output.platform.secret_names)) == toset([
        for service in keys(output.platform.secret_names) : "railgate/dev/${service}"
      ])
    )
    error_message = "A service with a database has a secret to reach it by, under its own name."
  }
}
