"""Who follows whom: the pairs of greatest total gain, and the chains that they make."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_utile.engine.arrays import Int64Array


def best_pairs(before: Int64Array, after: Int64Array, gain: NDArray[np.float64]) -> Int64Array:
    """Choose the pairs of greatest total gain, such that nobody is chosen twice on one side.

    Parameters
    ----------
    before, after : (E,) int64 arrays
        Possible pairs; the numbers of the two sides have nothing to do with one another.
    gain : (E,) float64 array
        Above 0.

    Returns
    -------
    (M,) int64 array
        Indices of the chosen pairs, in order.

    Notes
    -----
    Pairs that share nobody, directly or by others, do not compete: each group of the rest is solved exactly [1]_.

    References
    ----------
    .. [1] Crouse, On implementing 2D rectangular assignment algorithms, IEEE Transactions on Aerospace and
       Electronic Systems 52:1679 (2016), as `scipy.optimize.linear_sum_assignment`.

    Examples
    --------
    >>> best_pairs(np.array([0, 0, 1]), np.array([0, 1, 0]), np.array([3.0, 2.0, 2.0]))
    array([1, 2])
    """
    if not before.size:
        return np.zeros(0, np.int64)
    left, rows = np.unique(before, return_inverse=True)
    right, columns = np.unique(after, return_inverse=True)
    size = left.size + right.size
    graph = coo_array((np.ones(rows.size), (rows, left.size + columns)), shape=(size, size))
    _, group = connected_components(graph, directed=False)
    order = np.argsort(group[rows], kind="stable")
    ends = np.flatnonzero(np.diff(group[rows][order])) + 1
    chosen = []
    for edges in np.split(order, ends):
        if edges.size == 1:
            chosen.append(edges)
            continue
        ours, i = np.unique(rows[edges], return_inverse=True)
        theirs, j = np.unique(columns[edges], return_inverse=True)
        table, which = np.zeros((ours.size, theirs.size)), np.full((ours.size, theirs.size), -1)
        table[i, j], which[i, j] = gain[edges], edges
        picked = which[linear_sum_assignment(table, maximize=True)]
        chosen.append(picked[picked >= 0])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def chains_of(following: Int64Array) -> list[Int64Array]:
    """Follow each chain to its end.

    Parameters
    ----------
    following : (N,) int64 array
        Which section follows each, a later one; -1 where a chain ends.

    Returns
    -------
    list of int64 arrays
        In the order of the first section; each section is in one chain.

    Examples
    --------
    >>> chains_of(np.array([2, -1, 3, -1]))
    [array([0, 2, 3]), array([1])]
    """
    first = np.ones(following.size, bool)
    first[following[following >= 0]] = False
    chains = []
    for place in np.flatnonzero(first):
        chain = [int(place)]
        while following[chain[-1]] >= 0:
            chain.append(int(following[chain[-1]]))
        chains.append(np.array(chain, np.int64))
    return chains
