resource "aws_ecr_repository" "this" {
  for_each = var.repositories

  name                 = each.value
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.key_arn
  }

  lifecycle {
    prevent_destroy = true
  }
}

# No rule can know which digest an environment runs. Each repository has one service's images only, a
# tag is never moved, and each release leaves three at most (image, signature, parts list): what is
# deployed would have to be 300 releases old to be counted out. Nothing is thrown away by age, because
# a service that is seldom changed runs an old image. Untagged ones are signatures kept by reference.
resource "aws_ecr_lifecycle_policy" "this" {
  for_each = aws_ecr_repository.this

  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "The newest ${var.kept_images}, whatever their age"
      selection = {
        tagStatus      = "tagged"
        tagPatternList = ["*"]
        countType      = "imageCountMoreThan"
        countNumber    = var.kept_images
      }
      action = { type = "expire" }
    }]
  })
}
