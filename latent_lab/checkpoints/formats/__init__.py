"""The published formats, one file each: ``matches(tree)`` judges by content, ``convert(tree)`` gives
:class:`Weights`."""
