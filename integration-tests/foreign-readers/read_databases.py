#!/usr/bin/env python3
"""Reads the databases of a run with libraries that know nothing of radhical, and compares them with its lists.

Usage: read_databases.py DIR      (needs the PyPI packages plyvel and protobuf)

DIR is a run's output folder: databases/DB_{train,test}_<fold>_<level>/, databases/DB_train_w32_<fold>_<level>.binaryproto,
lists/level-<level>/{train,test}_w32_<fold>.txt, lists/{train,test}_w32_parent_<fold>.txt and names.csv. Prints a line per list pair and
per database; exits 1 at the first difference.
"""

import csv
import re
import sys
from itertools import groupby
from pathlib import Path

import plyvel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SIDE = 32
PIXELS = 3 * SIDE * SIDE
LANE_BYTES = 4  # of a sum of bytes: good for 16 million patches
MEAN_TOLERANCE = 1e-3


class Difference(Exception):
    """What a database holds is not what its list says."""


def caffe_messages():
    """Returns the classes Datum and BlobProto, built from the field numbers of BVLC Caffe's caffe.proto."""
    field = descriptor_pb2.FieldDescriptorProto
    once, many = field.LABEL_OPTIONAL, field.LABEL_REPEATED
    shapes = {
        "Datum": [
            ("channels", 1, field.TYPE_INT32, once),
            ("height", 2, field.TYPE_INT32, once),
            ("width", 3, field.TYPE_INT32, once),
            ("data", 4, field.TYPE_BYTES, once),
            ("label", 5, field.TYPE_INT32, once),
            ("float_data", 6, field.TYPE_FLOAT, many),
            ("encoded", 7, field.TYPE_BOOL, once),
        ],
        "BlobProto": [
            ("num", 1, field.TYPE_INT32, once),
            ("channels", 2, field.TYPE_INT32, once),
            ("height", 3, field.TYPE_INT32, once),
            ("width", 4, field.TYPE_INT32, once),
            ("data", 5, field.TYPE_FLOAT, many),
        ],
    }
    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package="caffe", syntax="proto2")
    for name, fields in shapes.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind, label in fields:
            added = message.field.add(name=field_name, number=number, type=kind, label=label)
            if name == "BlobProto" and label == many:
                added.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}")) for name in shapes]


DATUM, BLOB = caffe_messages()


def read_list(path, level):
    """Returns (patch name, class) per line after checking their form."""
    line_form = re.compile(rf"([0-9a-f]{{32}}_\d+_(?:0|90))\t([{'01' if level == 1 else '012'}])")
    matches = [(line, line_form.fullmatch(line)) for line in path.read_text(encoding="ascii").splitlines()]
    strange = next((line for line, match in matches if not match), None)
    if strange is not None:
        raise Difference(f"{path.name} has the line {strange!r}")
    entries = [(match[1], int(match[2])) for _, match in matches]
    if len(dict(entries)) != len(entries):
        raise Difference(f"{path.name} names a patch twice")
    return entries


def read_names(run):
    """Returns (stem, patient) per image id."""
    with open(run / "names.csv", encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {row["id"]: (re.sub(r"_(original|mask)$", "", Path(row["file"]).stem), row["patient"]) for row in rows}


def read_lists(run, fold, levels):
    """Returns the entries of each part and level of a fold after checking images and patients."""
    names = read_names(run)
    entries, patients = {}, {}
    for part in ("train", "test"):
        stems = (run / "lists" / f"{part}_w32_parent_{fold}.txt").read_text(encoding="utf8").splitlines()
        patients[part] = {patient for stem, patient in names.values() if stem in stems}
        for level in levels:
            listed = read_list(run / "lists" / f"level-{level}" / f"{part}_w32_{fold}.txt", level)
            # Images once each, in the order of the parents; one may have had no patches at this level.
            images = [names[image][0] for image, _ in groupby(name.split("_")[0] for name, _ in listed)]
            if not listed or images != [stem for stem in stems if stem in set(images)]:
                raise Difference(f"the images of {part} fold {fold} level {level} are not its parents in their order")
            entries[part, level] = listed
    if not patients["train"] or not patients["test"] or patients["train"] & patients["test"]:
        raise Difference(f"fold {fold} shares patients {sorted(patients['train'] & patients['test'])}, or has none")
    print(f"fold {fold}: lists of {len(patients['train'])} train and {len(patients['test'])} test patients")
    return entries


def name_of(index, key):
    """Returns the patch name in a key after comparing the key's number with its place."""
    number, _, name = key.decode("ascii").partition("_")
    if number != f"{index:08d}":
        raise Difference(f"key {index} is {key!r}: it should begin with {index:08d}_")
    return name


def check_entry(index, value, name, label):
    """Returns the pixels of an entry after comparing it with its patch's line of the list."""
    datum = DATUM.FromString(value)
    shape = (datum.channels, datum.height, datum.width, len(datum.data), len(datum.float_data), datum.encoded)
    if shape != (3, SIDE, SIDE, PIXELS, 0, False):
        raise Difference(f"entry {index} has channels, height, width, bytes, floats, encoded {shape}")
    if datum.label != label:
        raise Difference(f"entry {index} has label {datum.label}, the list says {label}")
    return datum.data


def check_order(names, listed, shuffled):
    """Compares the order of a database with its list's: the same for test, another for train."""
    if sorted(names) != sorted(listed):
        raise Difference(f"its {len(names)} patches are not the {len(listed)} of the list")
    if not shuffled and names != listed:
        raise Difference("its order is not the list's")
    if shuffled and len(names) > 20 and names == listed:
        raise Difference("it is not shuffled")


def check_database(folder, entries, shuffled):
    """Returns the mean of every byte over the entries after comparing each with the list."""
    total = 0  # one big integer whose lanes are the sums of the bytes: no numpy needed
    names = []
    labels = dict(entries)
    database = plyvel.DB(str(folder), create_if_missing=False)
    try:
        for index, (key, value) in enumerate(database):
            name = name_of(index, key)
            if name not in labels:
                raise Difference(f"patch {name} is not in the list")
            lanes = bytearray(LANE_BYTES * PIXELS)
            lanes[::LANE_BYTES] = check_entry(index, value, name, labels[name])
            total += int.from_bytes(lanes, "little")
            names.append(name)
    finally:
        database.close()
    check_order(names, [name for name, _ in entries], shuffled)
    count = len(names)
    sums = total.to_bytes(LANE_BYTES * PIXELS, "little")
    lanes = (sums[i : i + LANE_BYTES] for i in range(0, len(sums), LANE_BYTES))
    return [int.from_bytes(lane, "little") / max(count, 1) for lane in lanes]


def check_mean(path, means):
    """Compares a mean image with the mean of the train database."""
    blob = BLOB.FromString(path.read_bytes())
    shape = (blob.num, blob.channels, blob.height, blob.width, len(blob.data))
    if shape != (1, 3, SIDE, SIDE, PIXELS):
        raise Difference(f"{path.name} has num, channels, height, width, floats {shape}")
    worst = max(abs(stored - mean) for stored, mean in zip(blob.data, means))
    if not worst <= MEAN_TOLERANCE:
        raise Difference(f"{path.name} is up to {worst} from the mean of the database")
    return worst


def check_fold(run, fold, levels):
    """Checks every database of a fold: there must be two and a mean image for each level."""
    databases = run / "databases"
    for (part, level), entries in read_lists(run, fold, levels).items():
        folder = databases / f"DB_{part}_{fold}_{level}"
        try:
            means = check_database(folder, entries, shuffled=part == "train")
            note = ""
            if part == "train":
                worst = check_mean(databases / f"DB_train_w32_{fold}_{level}.binaryproto", means)
                note = f", mean image within {worst:.1e}"
        except Exception as failure:
            raise Difference(f"{folder.name}: {failure}") from failure
        print(f"{folder.name}: {len(entries)} entries as listed{note}")


def main(run):
    found = [path.name for path in (run / "databases").iterdir()]
    form = re.compile(r"DB_(train|test)_\d+_\d+|DB_train_w32_\d+_\d+\.binaryproto")
    strange = [name for name in found if not form.fullmatch(name)]
    if not found or strange:
        raise Difference(f"the databases are {found}; {strange} are no names of Caffe's databases and mean images")
    levels = sorted(int(path.name.removeprefix("level-")) for path in (run / "lists").glob("level-*"))
    folds = sorted({int(re.search(r"_(\d+)_\d+", name)[1]) for name in found})
    if len(found) != 3 * len(levels) * len(folds):
        where = f"{len(levels)} levels and {len(folds)} folds"
        raise Difference(f"there are {len(found)} databases and mean images, not 3 for each of {where}")
    for fold in folds:
        check_fold(run, fold, levels)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]))
    except Difference as difference:
        sys.exit(f"read_databases: {difference}")
