"""Prints the references of tests/host/result/chain_diagnostics_test.cpp by ArviZ. Needs: pip install arviz."""

import warnings

import numpy as np

warnings.simplefilter("ignore")
import arviz as az  # noqa: E402


def chains(num_chains, num_draws, correlation, shift, digits=None):
    """Autoregressive chains driven by a linear congruential generator; chain c is moved by c * shift."""
    state, draws = 12345, np.zeros((num_chains, num_draws))
    for c in range(num_chains):
        x = 0.0
        for i in range(num_draws):
            state = (state * 1103515245 + 12345) % 2**31
            x = correlation * x + (state / 2**31 - 0.5)
            draws[c, i] = x + c * shift
    return draws if digits is None else np.round(draws * 10**digits) / 10**digits


for arguments in [(4, 500, 0.6, 0.0), (3, 401, -0.5, 0.0), (4, 250, 0.3, 0.2), (2, 1000, 0.95, 0.0), (4, 300, 0.5, 0.0, 1),
                  (1, 600, 0.8, 0.0)]:
    draws = chains(*arguments)
    # ArviZ wants two chains for R-hat; a single one is split first.
    r_hat = az.rhat(draws if len(draws) > 1 else draws.reshape(2, -1), method="rank") if len(draws) > 1 else None
    if r_hat is None:
        from arviz.stats.diagnostics import _rhat, _split_chains, _z_scale
        halves = _split_chains(draws)
        r_hat = max(_rhat(_z_scale(halves)), _rhat(_z_scale(abs(halves - np.median(halves)))))
    numbers = [r_hat, az.ess(draws, method="bulk"), az.ess(draws, method="tail"), az.ess(draws, method="mean"),
               az.mcse(draws, method="mean")]
    print("{" + ", ".join(str(a) for a in arguments) + "}, {" + ", ".join("%.17g" % number for number in numbers) + "}")
