"""The registry in a bucket: what it does, and that processes that race lose nothing of one another.

`life` needs a store that keeps to conditions of writes; `race` one that does so for requests at the same time, which the
S3 server of this check does not (it looks, then writes).
"""

import json
import random
import subprocess

ALPHAS = ["0.3", "0.5", "0.6"]


def models(sluice, env):
    """Models that passed, as the folders of model and evaluation; from `dataset` and `transform` beside them."""
    made = []
    for number, alpha in enumerate(ALPHAS):
        model, evaluation = f"of-registry/model{number}", f"of-registry/evaluation{number}"
        train = ("--transform", "transform", "--label", "target", "--model", f"ridge: {{alpha: {alpha}}}")
        sluice("train", "dataset", *train, "--out", model, env=env)
        sluice("evaluate", "dataset", "--model", model, "--require", "{metric: rmse, at_most: 100}",
               "--out", evaluation, env=env)
        made.append((model, evaluation))
    return made


def push(model, evaluation, registry):
    return ["push", model, "--evaluation", evaluation, "--registry", registry, "--name", "m"]


def listed(sluice, registry, env):
    """What is listed, after every package was opened and verified."""
    told = sluice("registry", "list", registry, "m", "--verify", "--json", "--quiet", env=env)
    return json.loads(told)


def life(sluice, url, env):
    staging, production = f"{url}/staging", f"{url}/production"
    made = models(sluice, env)
    for number, (model, evaluation) in enumerate(made, 1):
        sluice(*push(model, evaluation, staging), env=env, says=[f"version {number} in {staging}/m/versions/000{number}"])
    sluice(*push(*made[2], staging), env=env, says=["already registered", "version 3"])
    assert [entry["version"] for entry in listed(sluice, staging, env)] == [1, 2, 3]
    sluice("registry", "list", staging, env=env, says=["m", "3"])
    moved = ("registry", "alias", staging, "m", "shadow", "2", "--expect")
    sluice(*moved, "none", env=env)
    sluice(*moved, "1", env=env, code=2, says=["points at version 2, not at version 1"])
    # Compared with the model in production, which is read from the bucket.
    baseline = ("--registry", staging, "--name", "m", "--accept-any", "--out", "of-registry/compared")
    sluice("evaluate", "dataset", "--model", made[0][0], *baseline, env=env, says=["against version 3"])
    promote = ("registry", "promote", staging, production, "m")
    sluice(*promote, "shadow", "--alias", "live", env=env, says=[f"is version 1 in {production}/m/versions/0001"])
    sluice(*promote, env=env, says=["is version 2"])
    record = listed(sluice, production, env)[1]["record"]
    assert record["promoted_from"]["registry"] == staging and record["verdict"]["outcome"] == "pass", record
    sluice("registry", "rollback", staging, "m", "--reason", "wrong at night", env=env)
    sluice(*push(*made[2], staging), env=env, code=2, says=["was rolled back", "wrong at night"])
    sluice("registry", "alias", staging, "m", "shadow", "--remove", env=env)
    sluice("registry", "rollback", staging, "m", env=env)
    collect = ("registry", "gc", staging, "m", "--keep", "1", "--rollbacks", "0")
    sluice(*collect, "--dry-run", env=env, says=["would remove versions 2,"])
    sluice(*collect, env=env, says=["removed versions 2,", "kept versions 1, 3"])
    assert [entry["version"] for entry in listed(sluice, staging, env)] == [1, 3]
    # What was collected comes back under a new number.
    sluice(*push(*made[1], staging), env=env, says=["version 4"])
    return made


def race(sluice, program, folder, url, env, made, rounds=4):
    """Pushes, promotions, moves and collections at once, some of them killed; `made` as `life` answers it."""
    staging, production = f"{url}/staging", f"{url}/race"
    dice = random.Random(7)
    seen = {}
    sluice(*push(*made[0], production), env=env)
    for number in range(rounds):
        commands = [push(*dice.choice(made), production) for _ in range(4)]
        commands.append(["registry", "promote", staging, production, "m", "--force", "again"])
        commands.append(["registry", "alias", production, "m", "live", str(dice.randint(1, 4))])
        commands.append(["registry", "gc", production, "m", "--keep", "1", "--rollbacks", "0", "--unfinished-after", "0s"])
        running = [
            subprocess.Popen([program, *words], env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
            for words in commands
        ]
        for process in running:
            if number % 2 == 0 and dice.random() < 0.4:
                process.kill()
        for words, process in zip(commands, running):
            told, _ = process.communicate(timeout=300)
            # The version of an alias may not be there (yet, or any more).
            allowed = {0, -9, 2} if words[1] == "alias" else {0, -9}
            assert process.returncode in allowed, (words, process.returncode, told)
        entries = listed(sluice, production, env)
        digests = [entry["digest"] for entry in entries]
        assert len(set(digests)) == len(digests), entries
        for entry in entries:
            assert seen.setdefault(entry["version"], entry["digest"]) == entry["digest"], "a number was given twice"
        shown = json.loads(sluice("registry", "show", production, "m", "--json", "--quiet", env=env))
        versions = {entry["version"] for entry in entries}
        assert set(shown["aliases"].values()) <= versions, (shown["aliases"], versions)
