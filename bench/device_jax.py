"""The peer of device_bench on the same GPU: log likelihoods by jax.vmap of dense matrix exponentials, with gradients.

The model is the two-deme coalescent of 5 + 5 samples by block sizes (479 states), written out here as a dense
sub-intensity matrix linear in its rates. A particle's density at a time is alpha expm(S t) s; particles and times are
mapped over. A batch that fits the memory is measured and the whole is its time multiplied up, which the record says. Steps of
SVGD come from device_jax_step.py.

Usage: device_jax.py OUTPUT.json [--particles N] [--times N] [--demes A,B] [--repetitions N] [--svgd-particles N] [--check]
--check prints log densities of the centre at a few times and measures nothing. Needs jax; nothing else imports it.
"""

import argparse
import json
import time

import numpy as np

import device_jax_step


def blocks_of(state):
    return [(i, n) for i, n in enumerate(state) if n]


def two_demes(first, second):
    """States and edges of the structured coalescent by block sizes: (from, to or -1 for absorbed, rate index, factor)."""
    most = first + second
    start = (tuple([first] + [0] * (most - 1)), tuple([second] + [0] * (most - 1)))
    places, queue, edges = {start: 0}, [start], []

    def add(origin, state, rate, factor):
        if sum(map(sum, state)) == 1:
            edges.append((origin, -1, rate, factor))
            return
        if state not in places:
            places[state] = len(places)
            queue.append(state)
        edges.append((origin, places[state], rate, factor))

    for state in queue:
        origin = places[state]
        for deme in (0, 1):
            own = blocks_of(state[deme])
            for i, n in own:
                for j, m in own:
                    if j < i or (i == j and n < 2):
                        continue
                    joined = list(state[deme])
                    joined[i] -= 1
                    joined[j] -= 1
                    joined[i + j + 1] += 1
                    both = list(state)
                    both[deme] = tuple(joined)
                    add(origin, tuple(both), deme, n * (n - 1) / 2 if i == j else n * m)
                away, there = list(state[deme]), list(state[1 - deme])
                away[i] -= 1
                there[i] += 1
                both = [None, None]
                both[deme], both[1 - deme] = tuple(away), tuple(there)
                add(origin, tuple(both), 2 + deme, n)
    return len(places), edges


def dense_parts(num_states, edges):
    """Matrices S_k and exits s_k with S = sum theta_k S_k, exit rates = sum theta_k s_k."""
    parts, exits = np.zeros((4, num_states, num_states)), np.zeros((4, num_states))
    for origin, target, rate, factor in edges:
        parts[rate, origin, origin] -= factor
        if target < 0:
            exits[rate, origin] += factor
        else:
            parts[rate, origin, target] += factor
    return parts, exits


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--particles", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=1_000)
    parser.add_argument("--demes", default="5,5")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--svgd-particles", type=int, default=device_jax_step.PARTICLES)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    import jax
    import jax.numpy as jnp
    import jax.scipy.linalg

    jax.config.update("jax_enable_x64", True)
    num_states, edges = two_demes(*map(int, arguments.demes.split(",")))
    parts, exits = map(jnp.asarray, dense_parts(num_states, edges))

    def log_density(theta, t):
        kept = jax.scipy.linalg.expm(jnp.tensordot(theta, parts, 1) * t)[0]
        return jnp.log(kept @ (theta @ exits))

    def log_likelihood(theta, times):
        return jnp.sum(jax.vmap(log_density, (None, 0))(theta, times))

    if arguments.check:
        print(num_states, [float(log_density(jnp.ones(4), t)) for t in (0.5, 1.0, 3.0)])
        return
    times = jnp.asarray(np.random.default_rng(2).lognormal(np.log(3.0), 0.5, arguments.times))
    theta = jnp.asarray(np.random.default_rng(1).lognormal(0, 0.2, (arguments.particles, 4)))
    few_particles, few_times = min(4, arguments.particles), min(50, arguments.times)
    scale = arguments.particles * arguments.times / (few_particles * few_times)
    rows = []
    for gradient in (False, True):
        one = jax.value_and_grad(log_likelihood) if gradient else log_likelihood
        run = jax.jit(jax.vmap(one, (0, None)))
        batch = (theta[:few_particles], times[:few_times])
        jax.block_until_ready(run(*batch))
        seconds = []
        for _ in range(arguments.repetitions):
            start = time.perf_counter()
            jax.block_until_ready(run(*batch))
            seconds.append((time.perf_counter() - start) * scale)
        rows.append({"gradient": gradient, "particles": arguments.particles, "times": arguments.times,
                     "measured_particles": few_particles, "measured_times": few_times, "states": num_states,
                     "seconds": sorted(seconds)[len(seconds) // 2], "low": min(seconds), "high": max(seconds)})
    steps = device_jax_step.measure(arguments.repetitions, arguments.svgd_particles,
                                    min(arguments.svgd_particles, device_jax_step.BLACKJAX_PARTICLES))
    record = {"version": jax.__version__, "device": str(jax.devices()[0]), "rows": rows, "step_rows": steps}
    with open(arguments.output, "w") as file:
        json.dump(record, file, indent=1)


if __name__ == "__main__":
    main()
