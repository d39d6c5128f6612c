"""Makes glm.csv, and what scikit-learn and statsmodels fit on it."""
import json, pathlib, numpy as np
import sklearn, statsmodels, statsmodels.api as sm, scipy
from sklearn.linear_model import LogisticRegression, PoissonRegressor, GammaRegressor, TweedieRegressor
folder = pathlib.Path(__file__).parent
N = 300
r = np.random.default_rng(20261122)
x = np.column_stack([r.normal(size=N), 10 + 2 * r.random(N), r.random(N) < 0.3]).round(6)
eta = -0.4 + 0.9 * x[:, 0] - 0.5 * (x[:, 1] - 11) + 0.8 * x[:, 2]
binary = (r.random(N) < 1 / (1 + np.exp(-eta))).astype(int)
scores = np.column_stack([0.3 + 0 * eta, 0.5 * x[:, 0] - 0.2 * x[:, 2], -0.7 * x[:, 0] + 0.4 * (x[:, 1] - 11)])
p = np.exp(scores); p /= p.sum(1, keepdims=True)
three = (r.random(N)[:, None] > np.cumsum(p, 1)).sum(1)
mu = np.exp(0.5 * eta)
count = r.poisson(mu)
amount = (mu * r.gamma(2.0, 0.5, N)).round(6)
zeros = np.where(r.random(N) < 0.3, 0.0, amount)
w = (0.5 + r.random(N)).round(6)
w[::37] = 0
exposure = (0.5 + 2 * r.random(N)).round(6)
with open(folder / "glm.csv", "w") as file:
    file.write("x,far,flag,binary,three,count,amount,zeros,weight,exposure\n")
    for i in range(N):
        file.write(",".join(str(v) for v in [x[i, 0], x[i, 1], int(x[i, 2]), int(binary[i]), int(three[i]), int(count[i]), amount[i], zeros[i], w[i], exposure[i]]) + "\n")
out = {"versions": {"scikit-learn": sklearn.__version__, "statsmodels": statsmodels.__version__, "scipy": scipy.__version__, "numpy": np.__version__}, "fits": []}
def add(name, label, options, coef, intercept, weights, **more):
    out["fits"].append(dict(name=name, label=label, options=options, weights=weights, coefficients=np.atleast_2d(coef).tolist(), intercepts=np.atleast_1d(intercept).tolist(), **more))
def logit(alpha, ratio, y, weights, name):
    solver = "newton-cholesky" if ratio == 0 and y is binary else ("lbfgs" if ratio == 0 else "saga")
    m = LogisticRegression(C=1/alpha, l1_ratio=ratio, solver=solver, tol=1e-13 if solver != "saga" else 1e-12, max_iter=1000000)
    z = x - x.mean(0) # saga is slow off centre
    m.fit(z, y, sample_weight=w if weights else None)
    add(name, "binary" if y is binary else "three", {"alpha": alpha, "l1_ratio": ratio}, m.coef_, m.intercept_ - m.coef_ @ x.mean(0), weights)
logit(1.0, 0, binary, False, "logistic ridge"); logit(0.3, 0, binary, True, "logistic ridge weighted")
logit(5.0, 1.0, binary, False, "logistic lasso"); logit(4.0, 0.5, binary, True, "logistic elastic net")
logit(1.0, 0, three, False, "softmax ridge"); logit(2.0, 0, three, True, "softmax ridge weighted")
logit(6.0, 0.5, three, False, "softmax elastic net")
for cls, name, y, kw in [(PoissonRegressor, "poisson", count, {}), (GammaRegressor, "gamma", amount, {}), (TweedieRegressor, "tweedie", zeros, {"power": 1.5}), (TweedieRegressor, "tweedie", amount, {"power": 2.5}), (TweedieRegressor, "tweedie", amount, {"power": 3})]:
    for weights in [False, True]:
        m = cls(alpha=0.1, solver="newton-cholesky", tol=1e-13, max_iter=10000, **kw)
        m.fit(x, y, sample_weight=w if weights else None)
        add(name, {"poisson": "count", "gamma": "amount"}.get(name, "zeros" if kw.get("power") == 1.5 else "amount"), dict(alpha=0.1, **kw), m.coef_, m.intercept_, weights)
X = sm.add_constant(x)
def glm(name, label, y, family, options, weights=False, **kw):
    keep = w > 0 if weights else np.ones(N, bool)
    if weights: kw["var_weights"] = w[keep]
    kw = {k: (v[keep] if k in ("exposure", "offset") else v) for k, v in kw.items()}
    start = None if name == "logistic" else np.r_[np.log(y[keep].mean()), 0, 0, 0]
    r = sm.GLM(y[keep], X[keep], family=family, **kw).fit(start_params=start, tol=1e-15, maxiter=500, tol_criterion="params")
    add(name, label, options, r.params[1:], r.params[0], weights, std_err=r.bse.tolist(), deviance=r.deviance, null_deviance=r.null_deviance, log_likelihood=None if np.isnan(r.llf) else r.llf, aic=None if np.isnan(r.llf) else r.aic, bic=None if np.isnan(r.llf) else r.bic_llf, pearson=r.pearson_chi2, scale=r.scale, z=r.tvalues.tolist(), p=r.pvalues.tolist())
f = sm.families; log = f.links.Log()
glm("logistic", "binary", binary, f.Binomial(), {"alpha": 0})
glm("logistic", "binary", binary, f.Binomial(), {"alpha": 0}, weights=True)
glm("logistic", "binary", binary, f.Binomial(), {"alpha": 0, "offset": "exposure"}, offset=exposure)
glm("poisson", "count", count, f.Poisson(), {"alpha": 0})
glm("poisson", "count", count, f.Poisson(), {"alpha": 0}, weights=True)
glm("poisson", "count", count, f.Poisson(), {"alpha": 0, "exposure": "exposure"}, exposure=exposure)
glm("gamma", "amount", amount, f.Gamma(log), {"alpha": 0})
glm("gamma", "amount", amount, f.Gamma(log), {"alpha": 0}, weights=True)
glm("tweedie", "zeros", zeros, f.Tweedie(log, 1.5), {"alpha": 0, "power": 1.5})
fit = sm.MNLogit(three, X).fit(method="newton", tol=1e-10, maxiter=50, disp=0)
add("mnlogit", "three", {"alpha": 0}, fit.params[1:].T, fit.params[0], False, std_err=fit.bse.T.tolist(), log_likelihood=fit.llf, aic=fit.aic, bic=fit.bic, null_log_likelihood=fit.llnull)
json.dump(out, open(folder / "expected/glm.json", "w"), indent=1)
