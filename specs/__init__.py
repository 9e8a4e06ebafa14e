"""The operators, as mathematics: one ``op`` each, grouped by family in ``*.op`` files.

Data, not code: nothing here is executed. The package exists so that the files are
found through ``importlib.resources.files("opslib.specs")`` in a wheel, an editable
install and a checkout alike.
"""
