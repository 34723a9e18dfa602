#!/usr/bin/env python3
"""Runs a run's models with Python's onnxruntime on its patches, and compares with what radhical says of them.

Usage: run_models.py DIR PROGRAM      (needs requirements.txt beside this file, and node)

DIR is a run's output folder; PROGRAM is the compiled probabilities.js beside this file, which runs a model as radhical does.
For every models/fold-<k>/level-<l>.onnx: the probabilities of all patches of the fold's test database, and of as many train patches
as make a thousand, to 1e-6; and the confusion matrix on the test database, which the manifest level-<l>.json holds, to the patch.
Prints a line per model; exits 1 at the first difference.
"""

import json
import re
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
import plyvel
from read_databases import DATUM, Difference

SIDE = 32
BATCH = 256
CLASSES = 3
LEAST_PATCHES = 1000
TOLERANCE = 1e-6


def read_patches(folder, count=None):
    """Returns the patches, uint8 [n, 3, 32, 32], and labels of a LevelDB's first `count` entries, or of all.

    Caffe's databases are BGR, as OpenCV reads images; the models take RGB.
    """
    database = plyvel.DB(str(folder), create_if_missing=False)
    try:
        entries = [DATUM.FromString(value) for _, value in islice(database, count)]
    finally:
        database.close()
    pixels = np.frombuffer(b"".join(entry.data for entry in entries), dtype=np.uint8)
    patches = np.ascontiguousarray(pixels.reshape(-1, 3, SIDE, SIDE)[:, ::-1])
    return patches, np.array([entry.label for entry in entries], dtype=np.int64)


def their_probabilities(model, patches):
    """Returns what Python's onnxruntime gives, float32 [n, 3]."""
    session = onnxruntime.InferenceSession(model.read_bytes(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()], [value.name for value in session.get_outputs()]
    if names != (["patches"], ["probabilities"]):
        raise Difference(f"its inputs and outputs are {names}")
    batches = (patches[first : first + BATCH] for first in range(0, len(patches), BATCH))
    return np.concatenate([session.run(None, {"patches": batch})[0] for batch in batches])


def our_probabilities(program, model, patches):
    """Returns what radhical's runtime gives, float32 [n, 3]."""
    with tempfile.TemporaryDirectory() as folder:
        given, taken = Path(folder, "patches"), Path(folder, "probabilities")
        given.write_bytes(patches.tobytes())
        subprocess.run(["node", program, model, given, taken], check=True)
        return np.frombuffer(taken.read_bytes(), dtype=np.float32).reshape(-1, CLASSES)


def confusion_matrix(probabilities, labels, class_of_label):
    """Returns the counts, row = true class, column = class given."""
    matrix = np.zeros((CLASSES, CLASSES), dtype=np.int64)
    np.add.at(matrix, (np.array(class_of_label)[labels], probabilities.argmax(axis=1)), 1)
    return matrix


def check_model(run, program, model, fold, level):
    """Returns what to say of a model after comparing all that can be compared."""
    databases = run / "databases"
    tests, labels = read_patches(databases / f"DB_test_{fold}_{level}")
    more, _ = read_patches(databases / f"DB_train_{fold}_{level}", max(0, LEAST_PATCHES - len(tests)))
    patches = np.concatenate([tests, more])
    if len(patches) < LEAST_PATCHES:
        raise Difference(f"its databases have {len(patches)} patches, {LEAST_PATCHES} are needed to tell")
    theirs, ours = their_probabilities(model, patches), our_probabilities(program, model, patches)
    worst = float(np.abs(theirs - ours).max())
    if theirs.shape != ours.shape or not worst <= TOLERANCE:
        raise Difference(f"its probabilities are up to {worst:.1e} from radhical's")
    manifest = json.loads(model.with_suffix(".json").read_text(encoding="utf8"))
    matrix = confusion_matrix(theirs[: len(tests)], labels, manifest["classOfLabel"])
    if matrix.tolist() != manifest["confusion"]:
        raise Difference(f"its confusion matrix is {matrix.tolist()}, the manifest says {manifest['confusion']}")
    spread = float(theirs.std(axis=0).max())
    return f"{len(patches)} patches within {worst:.1e} (they spread by {spread:.2f}), {len(tests)} judged as the manifest says"


def main(run, program):
    models = sorted((run / "models").glob("fold-*/level-*.onnx"))
    if not models:
        raise Difference(f"there is no model under {run / 'models'}")
    for model in models:
        name = model.relative_to(run)
        fold, level = re.fullmatch(r"models/fold-(\d+)/level-(\d+)\.onnx", name.as_posix()).groups()
        try:
            print(f"{name}: {check_model(run, program, model, fold, level)}")
        except Difference as failure:
            raise Difference(f"{name}: {failure}") from failure


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except Difference as difference:
        sys.exit(f"run_models: {difference}")
