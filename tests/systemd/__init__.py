"""The units under a real systemd: installed, watched, stopped, upgraded, restored.

A Debian of its own is booted in namespaces, with systemd as process 1, its own ``/tmp``
and ``/run`` and no network but its own. Needs root, debootstrap, systemd-nspawn and
room for a gigabyte; see docs/reliability.md.
"""
