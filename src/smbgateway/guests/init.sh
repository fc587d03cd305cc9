#!/bin/sh
# The first process of a container: collects what others leave, and ends when it is told to (lxc-stop: PWR).
trap 'exit 0' TERM PWR INT
while :; do
    sleep 2147483647 &
    wait $!
done
