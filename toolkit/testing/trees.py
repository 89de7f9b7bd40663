"""Parameter trees to try strategies on."""

from __future__ import annotations

from toolkit.space import Choice, Float, Group, Int

NESTED = Group(
    architecture=Group(
        body=Choice(
            {
                "conv": Group(
                    width=Int(4, 64, log=True),
                    norm=Choice(
                        {
                            "batch": Group(
                                momentum=Choice({"fixed": Float(0.01, 0.5, log=True), "none": None})
                            ),
                            "off": None,
                        }
                    ),
                ),
                "plain": None,
            }
        ),
        flag=Choice([None, False, 0, "0", True, 1]),
        only=Choice(["one"]),
    ),
    train=Group(lr=Float(1e-4, 1e-1, log=True), epochs=Int(2, 11, step=3), fixed=Int(3, 3)),
)
"""Every kind of node, conditions three deep, options that Python holds equal, and decisions with
one option."""
FINITE = Group(
    cell=Choice(
        {
            "conv": Group(
                width=Choice([8, 16]),
                norm=Choice({"batch": Group(affine=Choice([True, False])), "off": None}),
            ),
            "plain": None,
        }
    ),
    depth=Int(1, 3),
)
"""A tree of 21 points, for strategies that may come to the end of one."""
