import math

from hypothesis import given
from hypothesis import strategies as st

from simhw.reports.pareto import pareto_front

# Few different values, so that ties and equal points are common.
coordinate = st.integers(0, 6).map(float) | st.just(math.nan) | st.sampled_from([math.inf, -math.inf])
points = st.lists(st.tuples(coordinate, coordinate), max_size=12)


def dominates(a, b):
    return a[0] <= b[0] and a[1] <= b[1] and (a[0] < b[0] or a[1] < b[1])


@given(points)
def test_equals_the_definition(points):
    wanted = [
        i
        for i, point in enumerate(points)
        if not any(map(math.isnan, point)) and not any(dominates(other, point) for other in points)
    ]
    front = pareto_front(points)
    assert sorted(front) == wanted
    assert [points[i][0] for i in front] == sorted(points[i][0] for i in front)


def test_nothing_and_one():
    assert pareto_front([]) == []
    assert pareto_front([(3.0, 3.0)]) == [0]
    assert pareto_front([(math.nan, 1.0)]) == []


def test_equal_points_stay_together_and_a_tie_in_one_coordinate_does_not():
    assert pareto_front([(1.0, 2.0), (1.0, 2.0), (1.0, 3.0), (2.0, 2.0)]) == [0, 1]
