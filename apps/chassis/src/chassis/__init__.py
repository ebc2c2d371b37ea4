"""What every service shares: mechanism only. Nothing here knows what the services sell."""

from chassis import bodies as bodies
