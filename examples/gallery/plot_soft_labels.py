"""
Several annotators who disagree
===============================

Ten annotators name the emotion of each clip, and they do not agree. ``fit(soft_labels=...)`` learns
the shares of their votes instead of the majority alone. Probabilities of new people's clips are
then closer to the shares for most of them. This example measures by how much.
"""

# %%
# Clips between two emotions
# --------------------------
#
# The generated clips are mixtures of two emotions, and the generator says in which shares. Ten
# annotators are drawn from these shares. The classifier gets their votes, and is judged by the true
# shares.

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from stf2m_sk import STF2MClassifier
from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.inspection import UnlikeClipsWarning, blend

# Twelve people show little of how people differ: some clips of new ones are unlike theirs.
warnings.simplefilter("ignore", UnlikeClipsWarning)

data = make_emotion_views(n_people=16, n_emotions=3, ambiguity=0.8, random_state=0)
truth = pd.DataFrame(data.ambiguity, columns=data.target_names)

random = np.random.default_rng(0)
votes = pd.DataFrame(
    [random.multinomial(10, share / share.sum()) for share in data.ambiguity],
    columns=data.target_names,
)
shares = votes / 10
majority = shares.idxmax(axis=1).to_numpy()
print(votes.head(5).to_string())
print(f"all ten agree in {(shares.max(axis=1) == 1).mean():.0%} of the clips")

# %%
# Learn the majority, or the shares
# ---------------------------------
#
# Four folds leave out four people each.

classes = list(data.target_names)
learned = {"majority": np.empty(truth.shape), "shares": np.empty(truth.shape)}
for train, test in GroupKFold(4).split(majority, majority, data.groups):
    for name in learned:
        model = STF2MClassifier(n_networks=0, n_kernels=150, n_patterns=48, random_state=0)
        model.fit(
            data.views[train],
            majority[train],
            groups=data.groups[train],
            soft_labels=shares.iloc[train] if name == "shares" else None,
        )
        learned[name][test] = model.predict_proba(data.views[test])

# %%
# How close the probabilities are
# -------------------------------
#
# Cross-entropy with the true shares, for each person: lower is better. The last row is what a
# classifier would reach that knew the shares.

rows = {}
for name, probabilities in {**learned, "the true shares": truth.to_numpy()}.items():
    cross_entropy = -(truth.to_numpy() * np.log(probabilities.clip(1e-9))).sum(axis=1)
    right = np.array(classes)[probabilities.argmax(axis=1)] == truth.idxmax(axis=1)
    rows[name] = {
        "cross-entropy": pd.Series(cross_entropy).groupby(data.groups).mean(),
        "right": right.groupby(data.groups).mean(),
    }
table = pd.DataFrame({name: {k: v.mean() for k, v in row.items()} for name, row in rows.items()}).T
print(table.round(3).to_string())
gain = rows["majority"]["cross-entropy"] - rows["shares"]["cross-entropy"]
print(f"shares are closer for {(gain > 0).sum()} of {len(gain)} people, by {gain.mean():.3f}")

# %%
# Each person is one row of the figure. The blue point is left of the red one where the shares
# helped.

before, after = (rows[name]["cross-entropy"] for name in learned)
order = np.argsort(-before)
figure, ax = plt.subplots(figsize=(8, 5.5), layout="constrained")
places = np.arange(len(order))
ax.hlines(places, before.iloc[order], after.iloc[order], color="0.75")
ax.plot(before.iloc[order], places, "s", color="#D55E00", label="learned from the majority")
ax.plot(after.iloc[order], places, "o", color="#0072B2", label="learned from the shares")
ax.axvline(np.log(3), color="0.4", linestyle=":", label="all emotions alike")
ax.set_yticks(places, before.index[order].str.replace("_", " "))
ax.set_xlabel("cross-entropy with the true shares (nats; lower is better)")
ax.set_ylabel("new person")
ax.set_title("What ten annotators say, on people nobody trained on", loc="left")
ax.legend(frameon=False)
plt.show()

# %%
# What a clip lies between
# ------------------------
#
# ``blend`` gives the memberships of a clip in its strongest emotions. They sum to 1. Without a
# label of the person they are far from sure.

print(blend(model, data.views[test][:5]).round(2).to_string())
print("true:")
print(truth.iloc[test[:5]].round(2).to_string(index=False))

# %%
# Limits
# ------
#
# A blend of two emotions may mean that the clip lies between them, or that the classifier cannot
# tell. Real annotators are not independent draws: some always rate higher than others. The gain is
# small beside the uncertainty that is left on a person without any label.
