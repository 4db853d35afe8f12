"""One list of commands, from which menus, shortcuts and the keys page are made."""
