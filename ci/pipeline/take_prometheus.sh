#!/bin/sh
# promtool and amtool, from the signed packages of the runner's own distribution. Both packages start
# a server as well, which nobody asked for.
set -eu

sudo apt-get update --quiet --quiet
sudo apt-get install --quiet --quiet --yes --no-install-recommends prometheus prometheus-alertmanager
sudo systemctl disable --now --quiet prometheus prometheus-alertmanager
