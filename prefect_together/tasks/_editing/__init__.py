"""How clips and sounds are taken apart and put together on this machine. Below the tasks: sends nothing, pays nothing."""
