"""The shell: what is asked, not how it is done."""
