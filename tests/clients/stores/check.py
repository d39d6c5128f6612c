"""Everything in a bucket: an S3 server that verifies signatures, and Azurite; behind a proxy, servers at their worst.

Artifacts that went through the bucket must be the bytes of those that did not; objects of the S3 server are files, so
they are compared as such. No message may hold the secret, and nothing may be left in the folder of temporary files.
"""

import argparse
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import registry
import servers

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PIPELINE = REPOSITORY / "datasets" / "diabetes" / "pipeline.yaml"
DATA = REPOSITORY / "datasets" / "diabetes" / "diabetes.csv"

parser = argparse.ArgumentParser()
parser.add_argument("--sluice", required=True)
parser.add_argument("--work", type=pathlib.Path, required=True)
arguments = parser.parse_args()
work = arguments.work.resolve()
root = work / "objects"
temporary = work / "tmp"
checks = []


def environment(port=None, **changes):
    """Ours alone: what this machine's user has set must not matter."""
    known = {"PATH": os.environ["PATH"], "HOME": str(work / "home"), "TMPDIR": str(temporary)}
    known |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1", "SLUICE_STORAGE_TIMEOUT": "60"}
    if port:
        known |= {"AWS_ACCESS_KEY_ID": servers.KEY, "AWS_SECRET_ACCESS_KEY": servers.SECRET}
        known["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    return {name: value for name, value in (known | changes).items() if value is not None}


def sluice(*words, env, code=0, says=(), folder=work / "local"):
    finished = subprocess.run(
        [arguments.sluice, *map(str, words)], env=env, cwd=folder, capture_output=True, text=True, timeout=300
    )
    told = finished.stdout + finished.stderr
    assert finished.returncode == code, (words, finished.returncode, told)
    assert servers.SECRET not in told and servers.ACCOUNT_KEY not in told, (words, told)
    assert str(temporary) not in told, (words, told)
    assert not list(temporary.iterdir()), (words, list(temporary.iterdir()))
    for part in says:
        assert part in told, (words, part, told)
    return told


def files(folder):
    # The server keeps what it knows of objects in hidden files beside them.
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if not path.name.startswith(".")}


def same(bucket_folder, local_folder):
    one, other = files(root / bucket_folder), files(work / "local" / local_folder)
    assert one.keys() == other.keys(), (bucket_folder, one.keys() ^ other.keys())
    different = [name for name in one if one[name] != other[name]]
    assert not different, (bucket_folder, different)
    assert "manifest.json" in one, bucket_folder


def check(function):
    checks.append(function)
    return function


STEPS = [
    ("statistics", ["statistics", "dataset", "--out", "statistics"]),
    ("schema", ["schema", "infer", "statistics", "--out", "schema"]),
    ("validation", ["validate", "statistics", "--schema", "schema", "--data", "dataset", "--out", "validation"]),
    ("transform", ["transform", "fit", "dataset", "--pipeline", "pipeline.yaml", "--out", "transform"]),
    ("model", ["train", "dataset", "--transform", "transform", "--pipeline", "pipeline.yaml", "--out", "model"]),
    ("evaluation", ["evaluate", "dataset", "--model", "model", "--pipeline", "pipeline.yaml", "--out", "evaluation"]),
    ("predictions", ["predict", "model", "dataset", "--out", "predictions"]),
    ("explanation", ["explain", "model", "dataset", "--out", "explanation"]),
]
PLACES = {"dataset", "statistics", "schema", "validation", "transform", "model", "evaluation", "predictions"}
PLACES |= {"explanation", "pipeline.yaml"}


def whole_path(url, env):
    """Every step with each of its places in the bucket."""
    sluice("ingest", DATA, "--subset-column", "subset", "--out", f"{url}/dataset", env=env, says=[f"{url}/dataset"])
    for name, words in STEPS:
        sluice(*[f"{url}/{word}" if word in PLACES and at else word for at, word in enumerate(words)], env=env)
        yield name


@check
def every_step_in_the_bucket(port):
    env = environment(port)
    shutil.copy(PIPELINE, root / "lake" / "path" / "pipeline.yaml")
    for name in whole_path("s3://lake/path", env):
        same(f"lake/path/{name}", name)
    same("lake/path/dataset", "dataset")
    reports = [f"--{name}=s3://lake/path/reports/{name}" for name in ("junit", "markdown", "report")]
    sluice(
        *("evaluate", "s3://lake/path/dataset", "--model", "s3://lake/path/model", "--accept-any"),
        *("--out", "s3://lake/path/again", *reports), env=env,
    )
    assert set(files(root / "lake" / "path" / "reports")) == {"junit", "markdown", "report"}


@check
def states_are_kept_in_the_bucket(port):
    env = environment(port)
    words = ["statistics", "s3://lake/path/dataset", "--keep-state", "s3://lake/states", "--out", "s3://lake/kept"]
    sluice(*words, env=env)
    assert "0 rows read" in sluice(*words, env=env)
    same("lake/kept", "statistics")


@check
def credentials_from_a_profile(port):
    folder = work / "home" / ".aws"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "credentials").write_text(
        f"[dev]\naws_access_key_id = {servers.KEY}\naws_secret_access_key = {servers.SECRET}\n"
    )
    (folder / "config").write_text(
        f"[profile dev]\nregion = us-east-1\nservices = mine\n[services mine]\ns3 =\n"
        f"  endpoint_url = http://127.0.0.1:{port}\n"
    )
    env = environment(AWS_PROFILE="dev", AWS_REGION=None)
    sluice("schema", "check", "s3://lake/path/schema", env=env)
    says = ["there is no profile `nobody`", "hint:"]
    sluice("schema", "check", "s3://lake/path/schema", env=environment(AWS_PROFILE="nobody"), code=2, says=says)
    says = ["the credentials are missing", "AWS_ACCESS_KEY_ID"]
    sluice("schema", "check", "s3://lake/path/schema", env=environment(), code=3, says=says)


@check
def what_is_refused_is_told(port):
    ask = ("schema", "check", "s3://lake/path/schema")
    wrong = environment(port, AWS_SECRET_ACCESS_KEY="another-one")
    sluice(*ask, env=wrong, code=3, says=["the signature is wrong", "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"])
    unknown = environment(port, AWS_ACCESS_KEY_ID="AKIANOBODY")
    sluice(*ask, env=unknown, code=3, says=["hint:"])
    sluice("schema", "check", "s3://nobucket/schema", env=environment(port), code=3, says=["`s3://nobucket/schema`"])
    missing = ("schema", "check", "s3://lake/path/nothing")
    sluice(*missing, env=environment(port), code=3, says=["`s3://lake/path/nothing`", "it is not there"])
    nobody = environment(servers.free_port(), SLUICE_STORAGE_TIMEOUT="1")
    sluice(*ask, env=nobody, code=3, says=["cannot be reached", "AWS_ENDPOINT_URL"])


@check
def a_server_that_denies_throttles_or_fails(port):
    proxy = servers.Proxy(port)
    env = environment(proxy.port)
    read, write = ("schema", "check", "s3://lake/path/schema"), ("schema", "infer", "statistics", "--out", "s3://lake/schema")
    denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    proxy.behave(lambda request: ("status", 403, denied))
    sluice(*read, env=env, code=3, says=["permission denied", "AccessDenied", "hint:"])
    # Read only: the answer to the first write comes when the work is done.
    proxy.behave(lambda request: ("status", 403, denied) if request.method == "PUT" else None)
    told = sluice(*write, env=env, code=3, says=["cannot write `s3://lake/schema/", "permission denied"])
    assert "feature" not in told, "it told of a schema that is not there"
    assert not (root / "lake" / "schema" / "manifest.json").exists()
    for status in (409, 429, 500, 503):
        proxy.behave(lambda request: ("status", status, "") if request.number % 3 != 2 else None)
        sluice(*read, env=env, code=0 if status != 409 else 3)
        # Every other one of the writes.
        writes = lambda: [request for request in proxy.requests if request.method == "PUT"]
        proxy.behave(lambda request: ("status", status, "") if request.method == "PUT" and len(writes()) % 2 else None)
        shutil.rmtree(root / "lake" / "schema", ignore_errors=True)
        sluice(*write, env=env)
        same("lake/schema", "schema")
        short = environment(proxy.port, SLUICE_STORAGE_TIMEOUT="1")
        proxy.behave(lambda request: ("status", status, "") if request.method != "HEAD" else None)
        sluice(*read, env=short, code=3, says=["`s3://lake/path/schema", "hint:"])


@check
def connections_that_are_slow_or_break(port):
    proxy = servers.Proxy(port)
    env = environment(proxy.port)
    read = ("schema", "check", "s3://lake/path/schema")
    proxy.behave(lambda request: ("delay", 0.3))
    sluice(*read, env=env)
    proxy.behave(lambda request: ("delay", 5))
    began = time.monotonic()
    sluice(*read, env=environment(proxy.port, SLUICE_STORAGE_TIMEOUT="1"), code=3, says=["no answer in time"])
    assert time.monotonic() - began < 15
    proxy.behave(lambda request: ("half",) if request.method == "GET" and request.number % 2 else None)
    sluice("schema", "infer", "s3://lake/path/statistics", "--out", "broken", env=env)
    assert files(work / "local" / "broken") == files(work / "local" / "schema")
    # In the midst of parts of an upload.
    proxy.behave(lambda request: ("die",) if request.method == "PUT" and request.number % 4 == 3 else None)
    sluice("datasets", "taxi", "--rows", "250000", "--out", "s3://lake/taxi", env=env)
    assert any("partNumber" in request.target for request in proxy.requests), "it was too small for parts"
    sluice("datasets", "taxi", "--rows", "250000", "--out", "taxi", env=env)
    same("lake/taxi", "taxi")


@check
def an_object_that_changes_while_it_is_read(port):
    proxy = servers.Proxy(port)
    manifest = root / "lake" / "path" / "statistics" / "manifest.json"
    content = manifest.read_bytes()

    def change(request):
        if "statistics.json" in request.target and request.method == "GET":
            manifest.write_bytes(content + b"\n")

    proxy.behave(change)
    words = ("schema", "infer", "s3://lake/path/statistics", "--out", "changed")
    sluice(*words, env=environment(proxy.port), code=3, says=["has changed since it was first looked at", "hint:"])
    assert not (work / "local" / "changed").exists()
    manifest.write_bytes(content)


@check
def what_is_killed_leaves_nothing_half(port):
    proxy = servers.Proxy(port)
    proxy.behave(lambda request: ("delay", 2) if "partNumber" in request.target else None)
    for number in (signal.SIGKILL, signal.SIGTERM):
        proxy.requests.clear()
        words = ["datasets", "taxi", "--rows", "250000", "--out", "s3://lake/killed"]
        quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen([arguments.sluice, *words], env=environment(proxy.port), **quiet)
        while not any("partNumber" in request.target for request in proxy.requests):
            assert process.poll() is None, "it was over before it was killed"
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(number)
        code = process.wait()
        assert code == (-9 if number == signal.SIGKILL else 143), code
        assert process.stdout.read() == b"", "it told of a table that is not there"
        assert number == signal.SIGKILL or time.monotonic() - began < 2
        assert not (root / "lake" / "killed" / "manifest.json").exists()
        if number == signal.SIGTERM:
            assert any(request.method == "DELETE" for request in proxy.requests), "the upload was not given up"
        # Of a process that is killed nothing can clean up behind itself.
        for left in temporary.iterdir():
            assert number == signal.SIGKILL, left
            shutil.rmtree(left)
    proxy.behave()
    sluice("datasets", "taxi", "--rows", "250000", "--out", "s3://lake/killed", env=environment(proxy.port))
    same("lake/killed", "taxi")


@check
def an_artifact_is_replaced_and_what_is_there_is_not_sent_again(port):
    proxy = servers.Proxy(port)
    env = environment(proxy.port)
    sluice("statistics", "dataset", "--out", "s3://lake/replaced", env=env)
    proxy.behave()
    sluice("statistics", "dataset", "--out", "s3://lake/replaced", env=env)
    assert not [request.target for request in proxy.requests if request.method == "PUT"]
    sluice("statistics", "dataset", "--subset", "train", "--out", "train", env=env)
    sluice("statistics", "dataset", "--subset", "train", "--out", "s3://lake/replaced", env=env)
    same("lake/replaced", "train")


@check
def rows_are_read_where_they_are(port):
    words = ("--json", "statistics")
    told = sluice(*words, "s3://lake/path/dataset/train/*.parquet", env=environment(port))
    assert told == sluice(*words, "dataset/train/*.parquet", env=environment())
    sluice("statistics", "s3://lake/path/dataset/train/*.csv", env=environment(port), code=3, says=["s3://lake/path"])


@check
def a_run_with_its_data_and_its_registry_in_the_bucket(port):
    shutil.copy(DATA, root / "lake" / "path" / DATA.name)
    (root / "lake" / "path" / "run.yaml").write_text(PIPELINE.read_text() + "push: { registry: registry }\n")
    words = ("run", "s3://lake/path/run.yaml", "--out", "runs")
    sluice(*words, env=environment(port), says=["registered as `diabetes` version 1 in s3://lake/path/registry"])
    sluice(*words, env=environment(port), says=["already registered as `diabetes` version 1"])


@check
def subsets_in_folders_of_tfx(port):
    env = environment(port)
    sluice("ingest", DATA, "--subset-column", "subset", "--to", "tfrecord", "--out", "examples", env=env)
    shutil.copytree(work / "local" / "examples", root / "lake" / "tfx", ignore=lambda *_: ["manifest.json", "dataset.json"])
    shutil.copytree(root / "lake" / "tfx", work / "local" / "tfx")
    for words in (["statistics", "tfx"], ["evaluate", "tfx", "--model", "model", "--accept-any"]):
        remote = [f"s3://lake/{word}" if word == "tfx" else word for word in words]
        told = sluice("--json", *remote, "--out", "of-bucket", env=env)
        assert told.replace("of-bucket", "of-disk") == sluice("--json", *words, "--out", "of-disk", env=env), words
    one = sluice("statistics", "s3://lake/tfx", "--subset", "eval", "--json", env=env)
    assert '"num_rows": 89' in one, one
    sluice("ingest", "s3://lake/tfx", "--out", "of-tfx", env=env, says=["eval: 89", "train: 353"])
    # Folders that have no ending are asked for as such, and a file without one is still a file.
    shutil.copy(DATA, root / "lake" / "path" / "bare")
    told = sluice("--json", "statistics", "s3://lake/path/bare", env=env)
    assert told == sluice("--json", "statistics", DATA, env=env)


@check
def the_registry_in_the_bucket(port):
    registry.life(sluice, "s3://lake/registries", environment(port))


def of_azure(program):
    with servers.blobs(program, work / "azurite", work / "azurite.log") as port:
        servers.make_container(port, "lake")
        endpoint = f"http://127.0.0.1:{port}/{servers.ACCOUNT}"
        names = {"AZURE_STORAGE_ACCOUNT_NAME": servers.ACCOUNT, "AZURE_STORAGE_ENDPOINT": endpoint}
        env = environment(**names, AZURE_STORAGE_ACCOUNT_KEY=servers.ACCOUNT_KEY)
        (work / "local" / "pipeline.yaml").write_bytes(PIPELINE.read_bytes())
        url = "az://lake/path"
        for name, words in [("dataset", None), *STEPS]:
            if words is None:
                sluice("ingest", DATA, "--subset-column", "subset", "--out", f"{url}/dataset", env=env)
            else:
                places = PLACES - {"pipeline.yaml"}
                sluice(*[f"{url}/{w}" if w in places and at else w for at, w in enumerate(words)], env=env)
        text = f"AccountName={servers.ACCOUNT};AccountKey={servers.ACCOUNT_KEY};BlobEndpoint={endpoint}"
        by_text = environment(AZURE_STORAGE_CONNECTION_STRING=text)
        sluice("schema", "infer", f"{url}/statistics", "--out", "of-azure", env=by_text)
        assert files(work / "local" / "of-azure") == files(work / "local" / "schema")
        sluice("datasets", "taxi", "--rows", "250000", "--out", "az://lake/taxi", env=env)
        ask = ("schema", "check", f"{url}/schema")
        wrong = env | {"AZURE_STORAGE_ACCOUNT_KEY": "bm90IHRoZSBrZXk="}
        sluice(*ask, env=wrong, code=3, says=["hint:"])
        missing = ("schema", "check", "az://nothere/schema")
        sluice(*missing, env=env, code=3, says=["az://nothere"])
        made = registry.life(sluice, "az://lake/registries", env)
        registry.race(sluice, arguments.sluice, work / "local", "az://lake/registries", env, made)


def main():
    program = servers.s3_server()
    if program is None:
        print("skipped: there is no s3s-fs, and cargo cannot install it")
        return
    for folder in (root / "lake" / "path", temporary, work / "local", work / "home", work / "azurite"):
        folder.mkdir(parents=True)
    shutil.copy(PIPELINE, work / "local" / "pipeline.yaml")
    sluice("ingest", DATA, "--subset-column", "subset", "--out", "dataset", env=environment())
    for _, words in STEPS:
        sluice(*words, env=environment())
    with servers.s3(program, root, work / "s3.log") as port:
        for function in checks:
            print(function.__name__, flush=True)
            function(port)
    program = servers.azurite()
    if program:
        print("azure", flush=True)
        of_azure(program)
    stores = "S3 and Azure" if program else "S3 (skipped: Azurite, which npm cannot install)"
    print(f"{len(checks)} checks of {stores}: the same bytes through the bucket, every failure told, nothing half")


if __name__ == "__main__":
    sys.exit(main())
