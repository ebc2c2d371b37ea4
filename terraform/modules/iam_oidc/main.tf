locals {
  issuer = "token.actions.githubusercontent.com"
}

# GitHub's certificate is checked against the public roots, so no thumbprint is kept here.
resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

# One subject each, compared letter by letter: a job of this repository in this environment. Branches and
# reviewers are the environment's own rules (docs/branching.md).
resource "aws_iam_role" "this" {
  for_each = var.roles

  name                 = "${var.name}-${each.key}"
  description          = "Jobs of ${var.repository} in the environment ${each.key}"
  max_session_duration = var.session_seconds
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.github.arn }
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = "repo:${var.repository}:environment:${each.key}"
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  for_each = var.roles

  name   = "own"
  role   = aws_iam_role.this[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = jsondecode(each.value) })
}
