"""Manyminds in the order of its data: benchmarks, sampling, voting, routers, policies, evaluation, report."""
