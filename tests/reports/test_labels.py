import math

from hypothesis import given, settings
from hypothesis import strategies as st

from simhw.reports.labels import Box, place_labels

FRAME = Box(left=0, bottom=0, right=900, top=300)


def overlapping(boxes):
    return [(i, j) for i, a in enumerate(boxes) for j, b in enumerate(boxes) if i < j and a.overlap(b) > 0]


def test_overlap_of_boxes():
    box = Box(left=0, bottom=0, right=4, top=2)
    assert box.overlap(Box(left=3, bottom=1, right=9, top=9)) == 1
    assert box.overlap(Box(left=4, bottom=0, right=5, top=2)) == 0
    assert box.outside(Box(left=1, bottom=0, right=3, top=1.5)) == 1 + 1 + 0.5
    assert box.nearest(9, 1) == (4, 1)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.floats(60, 840), st.floats(30, 270)), min_size=1, max_size=12))
def test_labels_cover_neither_each_other_nor_points_nor_the_edge(points):
    sizes = [(60.0 + 7 * (i % 5), 9.0) for i in range(len(points))]
    boxes = place_labels(points, sizes, FRAME)
    assert len(boxes) == len(points)
    assert overlapping(boxes) == []
    for box, (width, height) in zip(boxes, sizes, strict=True):
        assert box.outside(FRAME) == 0
        assert math.isclose(box.right - box.left, width, abs_tol=1e-9)
        assert math.isclose(box.top - box.bottom, height, abs_tol=1e-9)
        assert not any(box.left < x < box.right and box.bottom < y < box.top for x, y in points)


def test_a_crowd_is_spread():
    points = [(400.0 + 2 * i, 150.0) for i in range(12)]
    assert overlapping(place_labels(points, [(110.0, 9.0)] * 12, FRAME)) == []


def test_a_lone_label_stays_near_and_off_the_line():
    line = Box(left=0, bottom=149, right=900, top=151)
    (box,) = place_labels([(400.0, 150.0)], [(80.0, 9.0)], FRAME, [line])
    assert box.overlap(line) == 0
    assert math.dist(box.nearest(400.0, 150.0), (400.0, 150.0)) < 15


def test_no_points():
    assert place_labels([], [], FRAME) == []
