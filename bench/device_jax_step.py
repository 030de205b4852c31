"""The peer of the SVGD row of device_bench on the same GPU: directions of one step by JAX, and whole steps of blackjax.

JAX: the same sums as ours, IMQ kernel, doubles, rows in blocks so that no n x n array is needed, distances and sums as matrix
products. blackjax, where it is installed: `blackjax.svgd` with its RBF kernel, scores of a normal law and plain gradient steps,
with as many particles as fit its n x n arrays; its time is multiplied up by n^2, which the record says.

device_jax.py writes what this measures beside its own. Usage: device_jax_step.py --check compares both with sums in numpy.
"""

import argparse
import time

import numpy as np

PARTICLES, DIMENSION, INVERSE_H2 = 100_000, 4, 0.5
ROWS = 500  # of a block: 500 x 100,000 doubles are 400 MB
BLACKJAX_PARTICLES = 10_000


def jax_direction(u, s, rows=ROWS):
    """phi_i = mean_j k s_j + grad_j k with k = (1 + |u_i - u_j|^2 / h^2)^(-1/2); len(u) is divisible by `rows`."""
    import jax
    import jax.numpy as jnp

    squares = jnp.sum(u * u, axis=1)

    def block(own):
        base = 1 + INVERSE_H2 * jnp.maximum(jnp.sum(own * own, axis=1)[:, None] + squares - 2 * own @ u.T, 0)
        kernel = base**-0.5
        slope = INVERSE_H2 * kernel / base
        return kernel @ s + own * jnp.sum(slope, axis=1)[:, None] - slope @ u

    return jax.lax.map(block, u.reshape(-1, rows, u.shape[1])).reshape(u.shape) / len(u)


def blackjax_step():
    """One step on (particles, kernel parameter), and the library's version."""
    import blackjax
    import jax
    import jax.numpy as jnp
    import optax

    svgd = blackjax.svgd(jax.grad(lambda x: -0.5 * jnp.sum(x * x)), optax.sgd(0.1),
                         update_kernel_parameters=lambda state: state)
    start = jax.jit(lambda particles: svgd.init(particles, {"length_scale": 1 / (2 * INVERSE_H2)}))
    return start, jax.jit(svgd.step), blackjax.__version__


def seconds_of(run, repetitions):
    import jax

    jax.block_until_ready(run())
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        jax.block_until_ready(run())
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)


def row(peer, seconds, measured, scale):
    return {"peer": peer, "particles": PARTICLES, "parameters": DIMENSION, "measured_particles": measured,
            "seconds": scale * seconds[len(seconds) // 2], "low": scale * seconds[0], "high": scale * seconds[-1]}


def measure(repetitions, particles=PARTICLES, blackjax_particles=BLACKJAX_PARTICLES):
    """Rows of JAX and, where it is installed, of blackjax; in doubles if the caller has turned them on."""
    import jax
    import jax.numpy as jnp

    random = np.random.default_rng(1)
    u, s = (jnp.asarray(random.standard_normal((particles, DIMENSION))) for _ in range(2))
    run = jax.jit(jax_direction)
    rows = [row(f"jax {jax.__version__}", seconds_of(lambda: run(u, s), repetitions), particles,
                (PARTICLES / particles) ** 2)]
    try:
        start, step, version = blackjax_step()
    except ImportError:
        return rows
    state = start(u[:blackjax_particles])
    rows.append(row(f"blackjax {version}", seconds_of(lambda: step(state), repetitions), blackjax_particles,
                    (PARTICLES / blackjax_particles) ** 2))
    return rows


def plain_direction(u, s, kernel):
    """The sums, pair by pair; `kernel` of squared distances gives k and minus twice its derivative."""
    phi = np.zeros_like(u)
    for i, own in enumerate(u):
        k, slope = kernel(np.sum((own - u) ** 2, axis=1))
        phi[i] = np.mean(k[:, None] * s + slope[:, None] * (own - u), axis=0)
    return phi


def check():
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    random = np.random.default_rng(2)
    u, s = (random.standard_normal((60, DIMENSION)) for _ in range(2))
    imq = plain_direction(u, s, lambda r: ((1 + INVERSE_H2 * r) ** -0.5, INVERSE_H2 * (1 + INVERSE_H2 * r) ** -1.5))
    difference = np.max(np.abs(np.asarray(jax_direction(jnp.asarray(u), jnp.asarray(s), 20)) - imq))
    print(f"jax {jax.__version__}: {difference:.1e} from the sums")
    assert difference < 1e-13
    try:
        start, step, version = blackjax_step()
    except ImportError:
        print("no blackjax")
        return
    moved = np.asarray(step(start(jnp.asarray(u))).particles)
    # Its kernel is exp(-r^2 / length scale).
    wide = 2 * INVERSE_H2
    rbf = plain_direction(u, -u, lambda r: (np.exp(-wide * r), 2 * wide * np.exp(-wide * r)))
    difference = np.max(np.abs(moved - (u + 0.1 * rbf)))
    print(f"blackjax {version}: {difference:.1e} from the sums")
    assert difference < 1e-13


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", required=True)
    parser.parse_args()
    check()
