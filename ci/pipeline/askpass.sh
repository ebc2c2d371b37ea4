#!/bin/sh
# Git asks this for a name and a password, so that neither stands in an address or a command line.
case "$1" in
    Username*) echo x-access-token ;;
    *) echo "$APP_TOKEN" ;;
esac
