"""What is read and written: files that appear whole, pictures as they come, networks' weights."""

from nst.files.writing import check_place, expand, refusing, write_atomically, write_json

__all__ = ["check_place", "expand", "refusing", "write_atomically", "write_json"]
