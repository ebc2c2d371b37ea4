# What Karpenter needs of AWS. It runs in kube-system under the service account `karpenter`, makes nodes
# in the subnets tagged for discovery with the role of our own nodes, and hears of interruptions by the
# queue that has the cluster's name.

resource "aws_ec2_tag" "cluster_security_group" {
  resource_id = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
  key         = "karpenter.sh/discovery"
  value       = var.name
}

# A node of the managed group enters by an entry that EKS makes; one of Karpenter's has the same role,
# so the same entry lets it in.
resource "aws_sqs_queue" "interruptions" {
  name                      = var.name
  message_retention_seconds = 300
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "interruptions" {
  queue_url = aws_sqs_queue.interruptions.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Events"
        Effect    = "Allow"
        Action    = "sqs:SendMessage"
        Resource  = aws_sqs_queue.interruptions.arn
        Principal = { Service = "events.amazonaws.com" }
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "OnlyTls"
        Effect    = "Deny"
        Action    = "sqs:*"
        Resource  = aws_sqs_queue.interruptions.arn
        Principal = "*"
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

locals {
  interruptions = {
    health    = { source = "aws.health", detail = "AWS Health Event" }
    rebalance = { source = "aws.ec2", detail = "EC2 Instance Rebalance Recommendation" }
    spot      = { source = "aws.ec2", detail = "EC2 Spot Instance Interruption Warning" }
    state     = { source = "aws.ec2", detail = "EC2 Instance State-change Notification" }
  }
}

resource "aws_cloudwatch_event_rule" "interruption" {
  for_each = local.interruptions

  name          = "${var.name}-${each.key}"
  event_pattern = jsonencode({ source = [each.value.source], "detail-type" = [each.value.detail] })
}

resource "aws_cloudwatch_event_target" "interruption" {
  for_each = local.interruptions

  rule = aws_cloudwatch_event_rule.interruption[each.key].name
  arn  = aws_sqs_queue.interruptions.arn
}

locals {
  ec2 = "arn:aws:ec2:${var.region}"
  own = {
    StringEquals = { "aws:ResourceTag/kubernetes.io/cluster/${var.name}" = "owned" }
    StringLike   = { "aws:ResourceTag/karpenter.sh/nodepool" = "*" }
  }
  becomes_own = {
    StringEquals = { "aws:RequestTag/kubernetes.io/cluster/${var.name}" = "owned" }
    StringLike   = { "aws:RequestTag/karpenter.sh/nodepool" = "*" }
  }
}

# It may start and stop what carries its own mark and nothing else.
module "karpenter" {
  source = "../pod_identity"

  name                     = "${var.name}-karpenter"
  account_id               = var.account_id
  cluster_name             = aws_eks_cluster.this.name
  namespace                = "kube-system"
  service_accounts         = ["karpenter"]
  permissions_boundary_arn = var.permissions_boundary_arn
  statements = jsonencode([
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "ec2:DescribeCapacityReservations",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplates",
        "ec2:DescribePlacementGroups",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSpotPriceHistory",
        "ec2:DescribeSubnets",
        "iam:ListInstanceProfiles",
        "pricing:GetProducts",
      ]
      Resource = "*"
    },
    {
      Sid      = "Images"
      Effect   = "Allow"
      Action   = "ssm:GetParameter"
      Resource = "arn:aws:ssm:${var.region}::parameter/aws/service/*"
    },
    {
      Sid    = "StartFrom"
      Effect = "Allow"
      Action = ["ec2:CreateFleet", "ec2:RunInstances"]
      Resource = [
        "${local.ec2}::image/*",
        "${local.ec2}::snapshot/*",
        "${local.ec2}:*:capacity-reservation/*",
        "${local.ec2}:*:placement-group/*",
        "${local.ec2}:*:security-group/*",
        "${local.ec2}:*:subnet/*",
      ]
    },
    {
      Sid       = "StartFromOwnTemplate"
      Effect    = "Allow"
      Action    = ["ec2:CreateFleet", "ec2:RunInstances"]
      Resource  = "${local.ec2}:*:launch-template/*"
      Condition = local.own
    },
    {
      Sid    = "Start"
      Effect = "Allow"
      Action = ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"]
      Resource = [
        for kind in ["fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume"] :
        "${local.ec2}:*:${kind}/*"
      ]
      Condition = local.becomes_own
    },
    {
      Sid    = "TagAtBirth"
      Effect = "Allow"
      Action = "ec2:CreateTags"
      Resource = [
        for kind in ["fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume"] :
        "${local.ec2}:*:${kind}/*"
      ]
      Condition = merge(local.becomes_own, {
        StringEquals = merge(local.becomes_own.StringEquals, {
          "ec2:CreateAction" = ["CreateFleet", "CreateLaunchTemplate", "RunInstances"]
        })
      })
    },
    {
      Sid       = "TagOwn"
      Effect    = "Allow"
      Action    = "ec2:CreateTags"
      Resource  = "${local.ec2}:*:instance/*"
      Condition = local.own
    },
    {
      Sid       = "StopOwn"
      Effect    = "Allow"
      Action    = ["ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"]
      Resource  = ["${local.ec2}:*:instance/*", "${local.ec2}:*:launch-template/*"]
      Condition = local.own
    },
    {
      Sid       = "GiveNodesTheirRole"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = aws_iam_role.node.arn
      Condition = { StringEquals = { "iam:PassedToService" = "ec2.amazonaws.com" } }
    },
    {
      Sid      = "SeeProfile"
      Effect   = "Allow"
      Action   = "iam:GetInstanceProfile"
      Resource = aws_iam_instance_profile.node.arn
    },
    {
      Sid      = "Hear"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
      Resource = aws_sqs_queue.interruptions.arn
    },
    {
      Sid      = "FindTheCluster"
      Effect   = "Allow"
      Action   = "eks:DescribeCluster"
      Resource = aws_eks_cluster.this.arn
    },
  ])
}
