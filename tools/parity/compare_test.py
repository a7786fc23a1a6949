"""The comparer refuses what is wrong, at every tolerance that is in use."""
import unittest

import numpy as np

from compare import TOLERANCES, Differs, distances

# Kinds that are no tensors but single numbers, or are compared for equality.
NUMBERS = {"loss", "losses", "greedy"}
TENSORS = [k for k in TOLERANCES if k not in NUMBERS]


def tensors():
    g = np.random.default_rng(7)
    return {"matrix": g.normal(size=(37, 24)), "vector": g.normal(size=24)}


def zeros(t):
    t["matrix"][:] = 0


def zero_vector(t):
    t["vector"][:] = 0


def zero_row(t):
    t["matrix"][36] = 0


def swapped_rows(t):
    t["matrix"][[3, 4]] = t["matrix"][[4, 3]]


def transposed_square(t):
    t["matrix"][:24] = t["matrix"][:24].T.copy()


def another_sign(t):
    t["vector"][:] *= -1


def nan(t):
    t["matrix"][2, 2] = np.nan


def infinite(t):
    t["vector"][5] = np.inf


def missing(t):
    del t["vector"]


def unknown(t):
    t["other"] = np.ones(3)


def short(t):
    t["matrix"] = t["matrix"][1:]


def transposed(t):
    t["matrix"] = t["matrix"].T


GROSS = [
    zeros, zero_vector, zero_row, swapped_rows, transposed_square, another_sign,
    nan, infinite, missing, unknown, short, transposed,
]


def swapped_elements(t):
    t["vector"][[0, 1]] = t["vector"][[1, 0]]


def scaled(t):
    t["matrix"] *= 1.001


def scaled_vector(t):
    t["vector"] *= 0.999


def scaled_row(t):
    t["matrix"][11] *= 1.001


FINE = [swapped_elements, scaled, scaled_vector, scaled_row]


class Comparer(unittest.TestCase):
    def refused(self, spoil, tolerance):
        got = tensors()
        spoil(got)
        try:
            return max(distances(got, tensors()).values()) > tolerance
        except Differs:
            return True

    def test_equal_tensors_pass(self):
        self.assertEqual(max(distances(tensors(), tensors()).values()), 0)

    def test_rounding_passes(self):
        got = {n: t.astype(np.float32) for n, t in tensors().items()}
        self.assertLess(max(distances(got, tensors()).values()), 1e-6)

    def test_gross_errors_are_refused(self):
        for kind in TENSORS:
            for tolerance, _ in TOLERANCES[kind]:
                for spoil in GROSS:
                    self.assertTrue(self.refused(spoil, tolerance), f"{spoil.__name__} passes as {kind} at {tolerance}")

    def test_fine_errors_are_refused_in_float32(self):
        for kind in TENSORS:
            tolerance, _ = TOLERANCES[kind][0]
            for spoil in FINE:
                self.assertTrue(self.refused(spoil, tolerance), f"{spoil.__name__} passes as {kind} at {tolerance}")

    def test_a_reference_that_shows_nothing_is_refused(self):
        nothing = {"matrix": np.zeros((3, 4))}
        with self.assertRaises(Differs):
            distances(nothing, nothing)

    def test_tolerances_are_of_the_size_of_what_was_seen(self):
        for kind, both in TOLERANCES.items():
            for tolerance, seen in both:
                self.assertTrue(seen <= tolerance <= max(10 * seen, 1e-6), f"{kind}: {seen} seen, {tolerance} allowed")


if __name__ == "__main__":
    unittest.main()
