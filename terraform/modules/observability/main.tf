# What the cluster's own Prometheus cannot see: the managed servers, and what all of it costs. What the
# services do is watched from inside (gitops/envs/base/foundation/objectives.yaml).
locals {
  gib      = 1024 * 1024 * 1024
  database = { DBInstanceIdentifier = var.database.identifier }
  on_database = {
    cpu = {
      says       = "PostgreSQL is busy: the next rush will queue"
      metric     = "CPUUtilization"
      operator   = "GreaterThanThreshold"
      threshold  = 80
      statistic  = "Average"
      periods    = 5
      dimensions = local.database
    }
    storage = {
      says       = "PostgreSQL's disk is nearly full, and growing it was not enough"
      metric     = "FreeStorageSpace"
      operator   = "LessThanThreshold"
      threshold  = floor(var.database.storage_gib * local.gib * 0.05)
      statistic  = "Minimum"
      periods    = 3
      dimensions = local.database
    }
    memory = {
      says       = "PostgreSQL has little memory left"
      metric     = "FreeableMemory"
      operator   = "LessThanThreshold"
      threshold  = floor(var.database.memory_gib * local.gib * 0.05)
      statistic  = "Minimum"
      periods    = 5
      dimensions = local.database
    }
    connections = {
      says       = "PostgreSQL will soon refuse connections"
      metric     = "DatabaseConnections"
      operator   = "GreaterThanThreshold"
      threshold  = floor(var.database.max_connections * 0.8)
      statistic  = "Maximum"
      periods    = 3
      dimensions = local.database
    }
    wraparound = {
      says       = "Vacuum does not keep up; PostgreSQL would stop writing at two thousand million"
      metric     = "MaximumUsedTransactionIDs"
      operator   = "GreaterThanThreshold"
      threshold  = 1000000000
      statistic  = "Maximum"
      periods    = 1
      dimensions = local.database
    }
  }
  on_cache = merge([
    for number in range(1, var.cache.nodes + 1) : {
      "cache-${number}-cpu" = {
        says       = "Valkey works one thread, and it is nearly full"
        metric     = "EngineCPUUtilization"
        operator   = "GreaterThanThreshold"
        threshold  = 80
        statistic  = "Average"
        periods    = 3
        dimensions = { CacheClusterId = format("%s-%03d", var.cache.id, number) }
      }
      "cache-${number}-evictions" = {
        says       = "Valkey forgets what is still wanted: places in the queue and snapshots"
        metric     = "Evictions"
        operator   = "GreaterThanThreshold"
        threshold  = 0
        statistic  = "Sum"
        periods    = 5
        dimensions = { CacheClusterId = format("%s-%03d", var.cache.id, number) }
      }
    }
  ]...)
}

resource "aws_sns_topic" "alarms" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.key_arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OurAlarmsAndBudget"
      Effect    = "Allow"
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"] }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

# Each address has to agree once, by the mail that it gets.
resource "aws_sns_topic_subscription" "alarms" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each = local.on_database

  alarm_name          = "${var.name}-database-${each.key}"
  alarm_description   = each.value.says
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.periods
  # A database that says nothing is not well.
  treat_missing_data = "breaching"
  alarm_actions      = [aws_sns_topic.alarms.arn]
  ok_actions         = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "cache" {
  for_each = local.on_cache

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.operator
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.periods
  treat_missing_data  = "missing"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "nat" {
  count = length(var.nat_gateway_ids)

  alarm_name          = "${var.name}-nat-${count.index}-ports"
  alarm_description   = "The way out is full: calls to the payment provider fail"
  namespace           = "AWS/NATGateway"
  metric_name         = "ErrorPortAllocation"
  dimensions          = { NatGatewayId = var.nat_gateway_ids[count.index] }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:railgate:environment$%s", var.environment)]
  }

  dynamic "notification" {
    for_each = { FORECASTED = 100, ACTUAL = 80 }
    content {
      notification_type         = notification.key
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [aws_sns_topic.alarms.arn]
    }
  }
}
