"""High-precision law of the M/M/1/K queue: transform and contour. See make_golden.py."""
import math

from flint import acb, arb, ctx

from golden_numbers import digits, exact, four_bits


class QueueTransform:
    """Passage of the M/M/1/K queue from `start` to 0: product of h_i, h_i = mu / (lam + mu + s - lam h_{i+1})."""

    def __init__(self, capacity, start, birth, death):
        self.capacity, self.start, self.birth, self.death = capacity, start, birth, death

    def log_and_slope(self, s):
        """(log D, D'/D) at real s in double precision, or None left of the first singularity."""
        h = dh = 0.0
        total = slope = 0.0
        for i in range(self.capacity, 0, -1):
            lam = self.birth if i < self.capacity else 0.0
            den = lam + self.death + s - lam * h
            if den <= 0:
                return None
            h, dh = self.death / den, -self.death / den**2 * (1 - lam * dh)
            if i <= self.start:
                total += math.log(h)
                slope += dh / h
        return total, slope

    def derivatives(self, s, lam, mu):
        """D and its derivatives by lam and mu. The recursion is a contraction: once it stands still it stays."""
        den = mu + s
        h = mu / den
        by_lam = acb(0)
        by_mu = 1 / den - h / den
        product, log_lam, log_mu = acb(1), acb(0), acb(0)
        i = self.capacity
        tiny = arb(2) ** (-ctx.prec + 20)
        while True:
            count = 1 if i <= self.start else 0
            if count:
                product *= h
                inverse = 1 / h
                log_lam += by_lam * inverse
                log_mu += by_mu * inverse
            i -= 1
            if i == 0:
                break
            den = lam + mu + s - lam * h
            inverse = 1 / den
            new_h = mu * inverse
            ratio = new_h * inverse
            new_lam = -ratio * (1 - h - lam * by_lam)
            new_mu = inverse - ratio * (1 - lam * by_mu)
            # The midpoints carry the recursion; its contraction forgets their rounding.
            new_h, new_lam, new_mu = new_h.mid(), new_lam.mid(), new_mu.mid()
            still = (
                abs(new_h - h) < tiny * abs(new_h)
                and abs(new_lam - by_lam) < tiny * abs(new_lam)
                and abs(new_mu - by_mu) < tiny * abs(new_mu)
            )
            h, by_lam, by_mu = new_h, new_lam, new_mu
            if still:
                counted = min(i, self.start)
                product *= h**counted
                log_lam += by_lam / h * counted
                log_mu += by_mu / h * counted
                break
        return product, product * log_lam, product * log_mu


def queue_case(capacity, start, birth, death, progress):
    ctx.prec = 260
    transform = QueueTransform(capacity, start, birth, death)
    lam, mu = exact(birth), exact(death)
    low = -((math.sqrt(death) - math.sqrt(birth)) ** 2) * (1 + 40 / capacity**2)
    edge_left, edge_right = low * 1.5 - 1e-9, 0.0
    for _ in range(60):  # first singularity -lambda_1
        middle = 0.5 * (edge_left + edge_right)
        if transform.log_and_slope(middle) is None:
            edge_left = middle
        else:
            edge_right = middle
    decay = -edge_right

    def saddle(t, kind):
        """Minimum of s t + log of the transform: pdf D, cdf D / s (s > 0), survival (1 - D) / s."""

        def rising(s):
            value = transform.log_and_slope(s)
            if kind == "pdf":
                return t + value[1] > 0
            if kind == "cdf":
                return t + value[1] - 1 / s > 0
            if abs(s) < 1e-9:
                return None
            d = math.exp(value[0]) if value[0] < 700 else math.inf
            ratio = value[1] * d / (1 - d) if math.isfinite(d) else -value[1]
            return t - ratio - 1 / s > 0

        left = -decay * (1 - 1e-13) if kind != "cdf" else 0.0
        right = max(1.0, 4 * (start + 2) / t)
        for _ in range(70):
            middle = left + (right - left) * (0.5 if right - left < 10 * (left + decay) else 0.02)
            state = rising(middle)
            if state is None or state:
                right = middle
            else:
                left = middle
        s = 0.5 * (left + right)
        return 1e-6 * (1 + decay) if abs(s) < 1e-7 else s

    def integrate(t, kind):
        apex = saddle(t, kind)
        distance = apex + (0 if kind == "cdf" else decay)
        # A parabola opening to the left around the singularities; any curvature is valid, this one balances decay.
        curvature = 1 / (4 * distance)
        s0, c, tt = exact(apex), exact(curvature), exact(t)
        offset = s0 * tt

        def value(y):
            s = acb(s0 - c * y * y, y)
            velocity = acb(1, 2 * c * y)  # ds / (i dy)
            d, d_lam, d_mu = transform.derivatives(s, lam, mu)
            weight = ((s - s0) * tt).exp() * velocity
            if kind == "cdf":
                weight /= s
            elif kind == "survival":
                weight /= s
                d, d_lam, d_mu = 1 - d, -d_lam, -d_mu
            return [(weight * x).real.mid() for x in (d, d_lam, d_mu)]

        step = exact(2.0 ** math.floor(math.log2(min(distance, math.sqrt(4 * distance / t)) / 2)))
        small = arb("1e-45")

        def sweep(first, stride):
            total = [arb(0)] * 3
            y = first
            quiet = 0
            while quiet < 3:
                terms = value(y)
                total = [a + b for a, b in zip(total, terms)]
                quiet = quiet + 1 if all(abs(b) <= small * scale[i] for i, b in enumerate(terms)) else 0
                y += stride
            return total

        centre = value(arb(0))
        scale = [abs(x) + abs(centre[0]) * arb("1e-10") for x in centre]
        total = [a / 2 + b for a, b in zip(centre, sweep(step, step))]
        for _ in range(8):
            finer = [a + b for a, b in zip(total, sweep(step / 2, step))]
            step = step / 2
            same = all(abs(finer[i] - 2 * total[i]) <= arb("1e-32") * (abs(finer[i]) + (0 if i == 0 else abs(finer[0]) * arb("1e-6"))) for i in range(3))
            total = finer
            if same:
                break
        else:
            raise RuntimeError(f"queue {capacity} from {start}: {kind} at {t} does not settle")
        assert total[0] > 0
        integral = total[0] * step / arb.pi()
        return offset + integral.log(), total[1] / total[0], total[2] / total[0]

    mean = start / (death - birth)
    order = start - 1
    times = [mean * f for f in (1e-6, 0.02, 0.3, 1, 1.5, 4, 20)]
    if order:
        constant = start * math.log(death) - math.lgamma(start)
        t = math.exp((-2800 - constant) / order)
        times = [mean * f for f in (0.5, 0.9, 1, 1.2, 2)] + [t, t * 1.6]
    times += [2800 / decay, 400 / decay] if capacity < 500 else [200 / decay]
    points = sorted({four_bits(t) for t in times}, key=lambda p: p[0] * 2.0 ** p[1])
    result = {"times": [m * 2.0**e for m, e in points]}
    for name in ("log_pdf", "log_cdf", "log_survival"):
        result[name], result[name + "_gradient"] = [], []
    for t in result["times"]:
        values = {}
        for kind in ("pdf", "cdf", "survival"):
            values[kind] = integrate(t, kind)
        # Of cdf and survival the larger is one minus the smaller, which is better conditioned.
        small, large = ("cdf", "survival") if values["cdf"][0] < values["survival"][0] else ("survival", "cdf")
        assert abs((values["cdf"][0].exp() + values["survival"][0].exp()) - 1) < arb("1e-25")
        p = values[small][0].exp()
        values[large] = ((-p).log1p(), -values[small][1] * p / (1 - p), -values[small][2] * p / (1 - p))
        for kind in ("pdf", "cdf", "survival"):
            log_value, by_lam, by_mu = values[kind]
            result["log_" + kind].append(digits(log_value.mid()))
            result["log_" + kind + "_gradient"].append([digits(by_lam.mid()), digits(by_mu.mid())])
        progress(f"queue {capacity} from {start}: t = {t:g}")
    return result
