variable "repository" {
  description = "owner/name, as GitHub spells it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.repository))
    error_message = "One repository, without a wildcard."
  }
}

variable "name" {
  description = "What the roles' names begin with. No role of the pipeline may write a role of this name."
  type        = string
}

variable "roles" {
  description = "Environment of GitHub -> what its jobs may do: statements of a policy, in JSON."
  type        = map(string)

  validation {
    condition     = alltrue([for environment in keys(var.roles) : can(regex("^[a-z][a-z-]*$", environment))])
    error_message = "An environment is named in full; a wildcard would let others in."
  }
}

variable "session_seconds" {
  type    = number
  default = 3600
}
