"""Reference values of the inference of least squares from statsmodels. Writes expected/inference.json."""
import json
import pathlib

import numpy as np
import pandas as pd
import scipy
import statsmodels
import statsmodels.api as sm
from statsmodels.stats.diagnostic import het_breuschpagan
from statsmodels.stats.outliers_influence import OLSInfluence, variance_inflation_factor
from statsmodels.stats.stattools import jarque_bera

here = pathlib.Path(__file__).parent
table = pd.read_csv(here / "diabetes.csv")
table = table[table.iloc[:, 11] == "train"].iloc[:, :11].astype(float)
y = table["target"].to_numpy()
x = sm.add_constant(table.drop(columns="target").to_numpy())
# Weights that a test can make again: 1, 2, 3, 1, 2, 3, …
weights = np.arange(len(y)) % 3 + 1.0


def record(fit, kind):
    robust = fit if kind == "classical" else fit.get_robustcov_results(cov_type=kind.upper(), use_t=True)
    interval = robust.conf_int(alpha=0.1)
    return {
        "standard_errors": robust.bse.tolist(),
        "statistics": robust.tvalues.tolist(),
        "p_values": robust.pvalues.tolist(),
        "lower": interval[:, 0].tolist(),
        "upper": interval[:, 1].tolist(),
    }


def summary(fit):
    return {
        "r_squared": fit.rsquared, "adjusted_r_squared": fit.rsquared_adj, "residual_variance": fit.mse_resid,
        "f": fit.fvalue, "f_p": fit.f_pvalue, "log_likelihood": fit.llf, "aic": fit.aic, "bic": fit.bic,
        "kinds": {kind: record(fit, kind) for kind in ["classical", "hc0", "hc1", "hc2", "hc3"]},
    }


ols = sm.OLS(y, x).fit()
wls = sm.WLS(y, x, weights=weights).fit()
influence = OLSInfluence(ols)
jb, jb_p, skew, kurtosis = jarque_bera(ols.resid)
lm, lm_p, f, f_p = het_breuschpagan(ols.resid, x)


def largest(values):
    order = np.argsort(-np.abs(values), kind="stable")[:10]
    return [{"row": int(i), "leverage": influence.hat_matrix_diag[i],
             "studentized": influence.resid_studentized_internal[i],
             "cooks_distance": influence.cooks_distance[0][i]} for i in order]


out = {
    "origin": f"statsmodels {statsmodels.__version__}, NumPy {np.__version__}, SciPy {scipy.__version__}",
    "ols": summary(ols),
    "wls": summary(wls),
    "variance_inflation": [variance_inflation_factor(x, column) for column in range(1, 11)],
    "jarque_bera": [jb, jb_p, skew, kurtosis],
    "breusch_pagan": [lm, lm_p, f, f_p],
    "quartiles": np.quantile(ols.resid, [0, 0.25, 0.5, 0.75, 1]).tolist(),
    "largest_leverage": largest(influence.hat_matrix_diag),
    "largest_residual": largest(influence.resid_studentized_internal),
    "largest_influence": largest(influence.cooks_distance[0]),
}
(here / "expected" / "inference.json").write_text(json.dumps(out, indent=1) + "\n")
