import assert from "node:assert/strict";
import { test } from "node:test";
import { cohortNames, type ImportedImage, namesCsv } from "./cohort-names.ts";

const id = (digit: string): string => digit.repeat(32);
const image = (digit: string, stem: string, patient: string): ImportedImage => ({
  stem,
  patient,
  imagePath: `/data/${stem}.png`,
  maskPath: `/masks/${stem}.png`,
  imageId: id(digit),
  maskId: id("f"),
});

test("patients are sorted and each is there once", () => {
  const names = cohortNames([image("1", "b_2", "b"), image("2", "a_1", "a"), image("3", "b_1", "b")]);
  assert.deepEqual(names.patients, ["a", "b"]);
});

test("ids become stems and patients; an unknown id stays", () => {
  const names = cohortNames([image("1", "b_2", "b")]);
  assert.equal(names.stem(id("1")), "b_2");
  assert.equal(names.patient(id("1")), "b");
  assert.equal(names.stem(id("9")), id("9"));
  assert.equal(names.patient(id("9")), "");
});

test("ids of images and masks in a message become the user's files, other quoted words stay", () => {
  const names = cohortNames([image("1", "b_2", "b")]);
  const message = `Cannot use mask "${id("f")}" of image "${id("1")}" with "${id("9")}" as "labels"`;
  assert.equal(
    names.explain(message),
    `Cannot use mask "/masks/b_2.png" of image "/data/b_2.png" with "${id("9")}" as "labels"`,
  );
});

test("the CSV file quotes what needs it", () => {
  const odd = { ...image("1", "b_2", 'van "der" Berg, J.'), imagePath: "/data/a,b.png" };
  assert.equal(
    namesCsv([odd, image("2", "c_1", "c")]),
    `id,file,patient\n${id("1")},"/data/a,b.png","van ""der"" Berg, J."\n${id("2")},/data/c_1.png,c\n`,
  );
});

test("a line break of any kind stays within its field", () => {
  for (const lineBreak of ["\n", "\r", "\r\n"]) {
    const path = `/data/a${lineBreak}b.png`;
    const csv = namesCsv([{ ...image("1", "x_1", "x"), imagePath: path }]);
    assert.equal(csv, `id,file,patient\n${id("1")},"${path}",x\n`);
  }
});
