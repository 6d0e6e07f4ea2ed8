#!/usr/bin/env bash
# Ansible's community.docker, which speaks to Docker by a library of its own; every task is a step.
set -o pipefail
export ANSIBLE_NOCOLOR=1 ANSIBLE_NOCOWS=1 ANSIBLE_DEPRECATION_WARNINGS=0 ANSIBLE_SYSTEM_WARNINGS=0
ansible-playbook -v -i localhost, -e "ansible_python_interpreter=$VENV/bin/python" "${BASH_SOURCE%.sh}.yml" 2>&1 |
  sed -E -e 's/^TASK \[(.*)\] \*+$/## \1/' -e 's/ \*\*\*+$//' |
  sed -E -e 's/^(ok|changed): \[localhost\] => .*/\1/'
