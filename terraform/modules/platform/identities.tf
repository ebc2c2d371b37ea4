# What the add-ons of gitops/argocd/platform are in AWS. Namespaces and service accounts are theirs;
# ci/infrastructure/tests compare both sides.

module "external_secrets" {
  source = "../pod_identity"

  name                     = "${local.name}-external-secrets"
  account_id               = var.account_id
  cluster_name             = module.eks.name
  namespace                = "external-secrets"
  service_accounts         = ["external-secrets"]
  permissions_boundary_arn = var.permissions_boundary_arn
  statements = jsonencode([
    {
      Sid      = "ReadThisEnvironments"
      Effect   = "Allow"
      Action   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
      Resource = "arn:aws:secretsmanager:${var.region}:${var.account_id}:secret:railgate/${var.environment}/*"
    },
    {
      Sid       = "OpenThem"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = module.key["secrets"].arn
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${var.region}.amazonaws.com" } }
    },
  ])
}

# It keeps one network load balancer with TLS for Envoy, and knows its own by the tag of the cluster.
# The rights for application load balancers, firewalls and user pools are left out: nothing asks them.
module "load_balancer_controller" {
  source = "../pod_identity"

  name                     = "${local.name}-load-balancer-controller"
  account_id               = var.account_id
  cluster_name             = module.eks.name
  namespace                = "kube-system"
  service_accounts         = ["aws-load-balancer-controller"]
  permissions_boundary_arn = var.permissions_boundary_arn
  statements = jsonencode([
    {
      Sid    = "Look"
      Effect = "Allow"
      Action = [
        "acm:DescribeCertificate",
        "acm:ListCertificates",
        "ec2:DescribeAccountAttributes",
        "ec2:DescribeAddresses",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeCoipPools",
        "ec2:DescribeInstances",
        "ec2:DescribeInternetGateways",
        "ec2:DescribeIpamPools",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeTags",
        "ec2:DescribeVpcPeeringConnections",
        "ec2:DescribeVpcs",
        "ec2:GetCoipPoolUsage",
        "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:DescribeCapacityReservation",
        "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListenerCertificates",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeSSLPolicies",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeTrustStores",
      ]
      Resource = "*"
    },
    {
      Sid       = "ServiceRoleOfLoadBalancing"
      Effect    = "Allow"
      Action    = "iam:CreateServiceLinkedRole"
      Resource  = "*"
      Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
    },
    {
      # Its rules stand in the cluster's security group, which is not made by it.
      Sid      = "LetTargetsBeReached"
      Effect   = "Allow"
      Action   = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
      Resource = "arn:aws:ec2:${var.region}:${var.account_id}:security-group/*"
      Condition = {
        ArnEquals = { "ec2:Vpc" = "arn:aws:ec2:${var.region}:${var.account_id}:vpc/${module.vpc.vpc_id}" }
      }
    },
    {
      Sid    = "MakeSecurityGroups"
      Effect = "Allow"
      Action = "ec2:CreateSecurityGroup"
      Resource = [
        "arn:aws:ec2:${var.region}:${var.account_id}:security-group/*",
        "arn:aws:ec2:${var.region}:${var.account_id}:vpc/${module.vpc.vpc_id}",
      ]
    },
    {
      Sid      = "MarkSecurityGroups"
      Effect   = "Allow"
      Action   = "ec2:CreateTags"
      Resource = "arn:aws:ec2:${var.region}:${var.account_id}:security-group/*"
      Condition = {
        StringEquals = {
          "ec2:CreateAction"                     = "CreateSecurityGroup"
          "aws:RequestTag/elbv2.k8s.aws/cluster" = local.name
        }
      }
    },
    {
      Sid       = "ChangeOwnSecurityGroups"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:DeleteSecurityGroup", "ec2:DeleteTags"]
      Resource  = "arn:aws:ec2:${var.region}:${var.account_id}:security-group/*"
      Condition = { StringEquals = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = local.name } }
    },
    {
      Sid    = "MakeLoadBalancers"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:CreateTargetGroup",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestTag/elbv2.k8s.aws/cluster" = local.name } }
    },
    {
      Sid    = "ChangeOwnLoadBalancers"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:AddListenerCertificates",
        "elasticloadbalancing:AddTags",
        "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer",
        "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:DeregisterTargets",
        "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyListenerAttributes",
        "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:RegisterTargets",
        "elasticloadbalancing:RemoveListenerCertificates",
        "elasticloadbalancing:RemoveTags",
        "elasticloadbalancing:SetIpAddressType",
        "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = local.name } }
    },
  ])
}

# Grafana shows what CloudWatch measures of database and cache; it reads numbers and no logs.
module "grafana" {
  source = "../pod_identity"

  name                     = "${local.name}-grafana"
  account_id               = var.account_id
  cluster_name             = module.eks.name
  namespace                = "monitoring"
  service_accounts         = ["grafana"]
  permissions_boundary_arn = var.permissions_boundary_arn
  statements = jsonencode([{
    Sid    = "ReadNumbers"
    Effect = "Allow"
    Action = [
      "cloudwatch:DescribeAlarmHistory",
      "cloudwatch:DescribeAlarms",
      "cloudwatch:DescribeAlarmsForMetric",
      "cloudwatch:GetMetricData",
      "cloudwatch:ListMetrics",
      "ec2:DescribeRegions",
      "tag:GetResources",
    ]
    Resource = "*"
  }])
}

# Kyverno reads the signatures that stand beside the images, before it lets a pod start.
module "kyverno" {
  source = "../pod_identity"

  name                     = "${local.name}-kyverno"
  account_id               = var.account_id
  cluster_name             = module.eks.name
  namespace                = "kyverno"
  service_accounts         = ["kyverno-admission-controller"]
  permissions_boundary_arn = var.permissions_boundary_arn
  statements = jsonencode([
    { Sid = "SignIn", Effect = "Allow", Action = "ecr:GetAuthorizationToken", Resource = "*" },
    {
      Sid    = "ReadSignatures"
      Effect = "Allow"
      Action = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
        "ecr:ListImageReferrers",
        "ecr:ListImages",
      ]
      Resource = "arn:aws:ecr:${var.region}:${var.account_id}:repository/railgate/*"
    },
  ])
}

# Argo CD's role is made once for all (terraform/account), because each cluster must know it.
resource "aws_eks_pod_identity_association" "argo_cd" {
  for_each = var.hub.is_here ? toset([
    "argocd-application-controller",
    "argocd-applicationset-controller",
    "argocd-server",
  ]) : []

  cluster_name    = module.eks.name
  namespace       = "argocd"
  service_account = each.value
  role_arn        = var.hub.role_arn
}
