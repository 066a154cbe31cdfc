"""Import rules that import-linter cannot express."""

import graphlib

import grimp

PACKAGES = (
    "accounts",
    "config",
    "core",
    "demo",
    "enrollments",
    "installations",
    "operations",
    "poa_documents",
    "simulator",
)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    assert len(imports) > 300
    graphlib.TopologicalSorter(imports).prepare()  # raises a CycleError that names the circle
