# What the jobs of each environment of GitHub may do (docs/branching.md has the table).
locals {
  account = var.account_id
  region  = var.region
  states  = "arn:aws:s3:::${var.state_bucket}"

  # `build`: ci/pipeline/publish.sh.
  pushes = [
    { Sid = "SignIn", Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
    {
      Sid    = "Push"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:DescribeImageScanFindings",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
      ]
      Resource = "arn:aws:ecr:${local.region}:${local.account}:repository/railgate/*"
    },
  ]

  # `dev`, `staging`, `prod`: ci/pipeline/app_token.py.
  signs = [{
    Sid       = "SignTheAppsWord"
    Effect    = "Allow"
    Action    = "kms:Sign"
    Resource  = var.release_key_arn
    Condition = { StringEquals = { "kms:SigningAlgorithm" = "RSASSA_PKCS1_V1_5_SHA_256" } }
  }]

  # `<environment>-read`: ci/pipeline/drift.sh, which asks the Argo CD of all three.
  finds = {
    for environment in var.environments : environment => [{
      Sid    = "FindTheCluster"
      Effect = "Allow"
      Action = "eks:DescribeCluster"
      Resource = [
        for name in distinct([environment, var.hub_environment]) :
        "arn:aws:eks:${local.region}:${local.account}:cluster/railgate-${name}"
      ]
    }]
  }

  # `<root>-plan`: sees how things are made and none of what is in them. A plan writes nothing, not even
  # a lock.
  sees = [
    "acm:DescribeCertificate",
    "acm:GetCertificate",
    "acm:List*",
    "autoscaling:Describe*",
    "backup:Describe*",
    "backup:Get*",
    "backup:List*",
    "budgets:ListTagsForResource",
    "budgets:ViewBudget",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:ListTagsForResource",
    "ec2:Describe*",
    "ec2:GetSecurityGroupsForVpc",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecr:GetRepositoryPolicy",
    "ecr:ListTagsForResource",
    "eks:Describe*",
    "eks:List*",
    "elasticache:Describe*",
    "elasticache:ListTagsForResource",
    "events:Describe*",
    "events:List*",
    "iam:Get*",
    "iam:List*",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:List*",
    "logs:Describe*",
    "logs:List*",
    "rds:Describe*",
    "rds:ListTagsForResource",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetResourcePolicy",
    "sns:Get*",
    "sns:List*",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
    "sts:GetCallerIdentity",
  ]
  opens_state = {
    Sid       = "OpenState"
    Effect    = "Allow"
    Action    = ["kms:Decrypt", "kms:DescribeKey"]
    Resource  = var.state_key_arn
    Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
  }
  plans = {
    for root in setunion(var.environments, ["account"]) : root => [
      { Sid = "See", Effect = "Allow", Action = local.sees, Resource = "*" },
      { Sid = "ListStates", Effect = "Allow", Action = "s3:ListBucket", Resource = local.states },
      { Sid = "ReadState", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.states}/${root}.tfstate" },
      local.opens_state,
    ]
  }

  # `<environment>-apply`. In the region only; roles of the environment's own name only, and each under
  # the boundary; nothing that bears another environment's tag; no secret's value; no role of the
  # pipeline, no state but its own; neither the App's key nor a word about who may use the states'.
  changes = [
    "acm:*",
    "autoscaling:*",
    "backup:*",
    "backup-storage:MountCapsule",
    "budgets:*",
    "cloudwatch:*",
    "ec2:*",
    "eks:*",
    "elasticache:*",
    "events:*",
    "kms:*",
    "logs:*",
    "rds:*",
    "secretsmanager:*",
    "sns:*",
    "sqs:*",
  ]
  applies = {
    for environment in var.environments : environment => [
      { Sid = "See", Effect = "Allow", Action = local.sees, Resource = "*" },
      {
        Sid       = "Change"
        Effect    = "Allow"
        Action    = local.changes
        Resource  = "*"
        Condition = { StringEquals = { "aws:RequestedRegion" = [local.region, "us-east-1"] } }
      },
      {
        Sid    = "MakeRoles"
        Effect = "Allow"
        Action = [
          "iam:AttachRolePolicy",
          "iam:CreateRole",
          "iam:DeleteRolePolicy",
          "iam:DetachRolePolicy",
          "iam:PutRolePermissionsBoundary",
          "iam:PutRolePolicy",
        ]
        Resource = "arn:aws:iam::${local.account}:role/railgate-${environment}-*"
        Condition = {
          StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary[environment].arn }
        }
      },
      {
        Sid    = "KeepRoles"
        Effect = "Allow"
        Action = [
          "iam:DeleteRole",
          "iam:TagRole",
          "iam:UntagRole",
          "iam:UpdateAssumeRolePolicy",
          "iam:UpdateRole",
        ]
        Resource = "arn:aws:iam::${local.account}:role/railgate-${environment}-*"
      },
      {
        Sid    = "KeepProfiles"
        Effect = "Allow"
        Action = [
          "iam:AddRoleToInstanceProfile",
          "iam:CreateInstanceProfile",
          "iam:DeleteInstanceProfile",
          "iam:RemoveRoleFromInstanceProfile",
          "iam:TagInstanceProfile",
        ]
        Resource = "arn:aws:iam::${local.account}:instance-profile/railgate-${environment}-*"
      },
      {
        Sid    = "PassRoles"
        Effect = "Allow"
        Action = "iam:PassRole"
        Resource = concat(
          ["arn:aws:iam::${local.account}:role/railgate-${environment}-*"],
          environment == var.hub_environment ? [aws_iam_role.argo_cd.arn] : [],
        )
        Condition = {
          StringEquals = {
            "iam:PassedToService" = [
              "backup.amazonaws.com",
              "ec2.amazonaws.com",
              "eks.amazonaws.com",
              "monitoring.rds.amazonaws.com",
              "pods.eks.amazonaws.com",
              "vpc-flow-logs.amazonaws.com",
            ]
          }
        }
      },
      {
        Sid      = "ServiceRoles"
        Effect   = "Allow"
        Action   = "iam:CreateServiceLinkedRole"
        Resource = "arn:aws:iam::${local.account}:role/aws-service-role/*"
      },
      { Sid = "ListStates", Effect = "Allow", Action = "s3:ListBucket", Resource = local.states },
      {
        Sid      = "WriteState"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = "${local.states}/${environment}.tfstate"
      },
      {
        Sid      = "LockState"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        Resource = "${local.states}/${environment}.tfstate.tflock"
      },
      {
        Sid       = "SealState"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        Resource  = var.state_key_arn
        Condition = { StringEquals = { "kms:ViaService" = "s3.${local.region}.amazonaws.com" } }
      },
      {
        Sid    = "NobodyElses"
        Effect = "Deny"
        # State and Argo CD's role are the account's, and have statements of their own; EKS looks at a
        # role before it hands it to a pod.
        NotAction = ["iam:GetRole", "iam:PassRole", "s3:*"]
        Resource  = "*"
        Condition = {
          StringNotEquals = { "aws:ResourceTag/railgate:environment" = environment }
          Null            = { "aws:ResourceTag/railgate:environment" = "false" }
        }
      },
      # These two bear no environment's tag, so the statement above does not hold them.
      { Sid = "NotTheAppsKey", Effect = "Deny", Action = "kms:*", Resource = var.release_key_arn },
      {
        Sid       = "NoMoreThanSeal"
        Effect    = "Deny"
        NotAction = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
        Resource  = var.state_key_arn
      },
      {
        Sid    = "NoValues"
        Effect = "Deny"
        Action = [
          "ec2:GetPasswordData",
          "secretsmanager:BatchGetSecretValue",
          "secretsmanager:GetSecretValue",
        ]
        Resource = "*"
      },
      {
        Sid    = "NoWayOutOfTheLimits"
        Effect = "Deny"
        Action = [
          "backup:DeleteBackupVaultLockConfiguration",
          "iam:CreatePolicyVersion",
          "iam:DeleteRolePermissionsBoundary",
          "kms:ScheduleKeyDeletion",
        ]
        Resource = "*"
      },
    ]
  }
}

# What a role of an environment can be given at most, by whoever gives it. It names what the nodes, the
# add-ons and AWS's own services do with them, and leaves out what would make a role more than that.
resource "aws_iam_policy" "boundary" {
  for_each = var.environments

  name        = "railgate-pipeline-boundary-${each.value}"
  description = "The limits of every role of ${each.value}"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Work"
        Effect = "Allow"
        Action = [
          "acm:DescribeCertificate",
          "acm:ListCertificates",
          "backup:*",
          "backup-storage:*",
          "cloudwatch:*",
          "ec2:*",
          "ecr:*",
          "eks-auth:AssumeRoleForPodIdentity",
          "eks:*",
          "elasticloadbalancing:*",
          "kms:*",
          "logs:*",
          "pricing:GetProducts",
          "rds:*",
          "sqs:*",
          "ssm:*",
          "ssmmessages:*",
          "tag:GetResources",
        ]
        Resource = "*"
      },
      {
        Sid      = "OwnSecrets"
        Effect   = "Allow"
        Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
        Resource = "arn:aws:secretsmanager:${local.region}:${local.account}:secret:railgate/${each.value}/*"
      },
      {
        Sid    = "OwnRoles"
        Effect = "Allow"
        Action = ["iam:GetInstanceProfile", "iam:GetRole", "iam:PassRole"]
        Resource = [
          "arn:aws:iam::${local.account}:instance-profile/railgate-${each.value}-*",
          "arn:aws:iam::${local.account}:role/railgate-${each.value}-*",
        ]
      },
      {
        Sid      = "ServiceRoles"
        Effect   = "Allow"
        Action   = ["iam:CreateServiceLinkedRole", "iam:ListInstanceProfiles"]
        Resource = "*"
      },
      {
        Sid       = "NobodyElses"
        Effect    = "Deny"
        NotAction = ["ecr:*"]
        Resource  = "*"
        Condition = {
          StringNotEquals = { "aws:ResourceTag/railgate:environment" = each.value }
          Null            = { "aws:ResourceTag/railgate:environment" = "false" }
        }
      },
    ]
  })
}
