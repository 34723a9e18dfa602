import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { findFiles, pairImages, patientRule, readUserFile, stemOf } from "./pair-images.ts";

/** Returns a folder with these (empty) files; pairing looks at names alone. */
async function folderWith(t: TestContext, files: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-pair-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), "");
  }
  return folder;
}

const names = (paths: readonly string[]): string[] => paths.map((path) => basename(path));

test("a stem has neither extension nor one trailing _original or _mask", () => {
  assert.equal(stemOf("/a/p1_3_original.tif"), "p1_3");
  assert.equal(stemOf("/a/p1_3_mask.png"), "p1_3");
  assert.equal(stemOf("/a/p1.3.png"), "p1.3");
  assert.equal(stemOf("/a/mask.png"), "mask");
});

test("a pattern finds images only, in byte order", async (t) => {
  const folder = await folderWith(t, ["b_1.png", "a_1.PNG", "notes.txt", "deep/c_1.tif"]);
  assert.deepEqual(names(await findFiles(`${folder}/*`, "--images")), ["a_1.PNG", "b_1.png"]);
});

test("a folder stands for all images in it, however deep, also with brackets in its name", async (t) => {
  const folder = await folderWith(t, ["slides [1]/b_1.png", "slides [1]/deep/a_1.jpeg", "slides [1]/.hidden.png"]);
  assert.deepEqual(names(await findFiles(join(folder, "slides [1]"), "--images")).sort(), ["a_1.jpeg", "b_1.png"]);
});

test("a file whose name is also a pattern is that file", async (t) => {
  const folder = await folderWith(t, ["a[12].png", "a1.png", "a2.png"]);
  assert.deepEqual(names(await findFiles(join(folder, "a[12].png"), "--images")), ["a[12].png"]);
  assert.deepEqual(names(await findFiles(join(folder, "a[1].png"), "--images")), ["a1.png"]);
});

test("what finds nothing says why", async (t) => {
  const folder = await folderWith(t, ["notes.txt"]);
  const why = (pattern: string, message: RegExp): Promise<void> =>
    assert.rejects(findFiles(pattern, "--masks"), { reason: "FILES_NOT_FOUND", message });
  await why(`${folder}/*.png`, /--masks ".*\*\.png": it matches no file; quote the pattern/);
  await why(`${folder}/a.png`, /there is no such file/);
  await why(folder, /1 files, none of them PNG, TIFF or JPEG/);
});

test("pairs files of one folder by _original and _mask", async (t) => {
  const folder = await folderWith(t, ["p1_a_original.tif", "p1_a_mask.png", "p2_b_original.tif", "p2_b_mask.png"]);
  const { pairs, unusedMasks } = await pairImages(`${folder}/*_original.tif`, `${folder}/*_mask.png`, "prefix");
  assert.deepEqual(
    pairs.map(({ stem, imagePath, maskPath, patient }) => [stem, basename(imagePath), basename(maskPath), patient]),
    [
      ["p1_a", "p1_a_original.tif", "p1_a_mask.png", "p1"],
      ["p2_b", "p2_b_original.tif", "p2_b_mask.png", "p2"],
    ],
  );
  assert.equal(unusedMasks, 0);
});

test("pairs files of two folders by name and counts masks that are left over", async (t) => {
  const folder = await folderWith(t, ["Slide_01/01_1.png", "GT_01/01_1.png", "GT_01/01_2.png"]);
  const { pairs, unusedMasks } = await pairImages(`${folder}/Slide_*/*.png`, `${folder}/GT_*/*.png`, "prefix");
  assert.equal(pairs[0]?.maskPath, join(folder, "GT_01/01_1.png"));
  assert.equal(unusedMasks, 1);
});

test("a name is one name in both spellings of Unicode, and its patient one patient", async (t) => {
  const [composed, decomposed] = ["M\u00fcller", "Mu\u0308ller"];
  const files = [`i/${composed}_1.png`, `i/${decomposed}_2.png`, `m/${decomposed}_1.png`, `m/${composed}_2.png`];
  const folder = await folderWith(t, files);
  for (const rule of ["prefix", "([^/_]+)_\\d"]) {
    const { pairs } = await pairImages(join(folder, "i"), join(folder, "m"), rule);
    assert.deepEqual(
      pairs.map(({ stem, patient }) => [stem, patient]),
      [
        [`${composed}_1`, composed],
        [`${composed}_2`, composed],
      ],
    );
  }
});

test("two images of one name are both named", async (t) => {
  const folder = await folderWith(t, ["a/p_1.png", "b/p_1.tif", "m/p_1.png"]);
  await assert.rejects(pairImages(`${folder}/{a,b}/*`, join(folder, "m"), "prefix"), (error: Error) => {
    assert.match(error.message, /a\/p_1\.png" and ".*b\/p_1\.tif" apart: both of --images are called "p_1"/);
    return true;
  });
  await assert.rejects(pairImages(join(folder, "a"), `${folder}/*/*`, "prefix"), { reason: "NAME_COLLISION" });
});

test("images without a mask are counted and the first of them named", async (t) => {
  const folder = await folderWith(t, ["i/p_1.png", "i/p_2.png", "i/p_3.png", "i/p_4.png", "i/p_5.png", "m/p_1.png"]);
  await assert.rejects(pairImages(join(folder, "i"), join(folder, "m"), "prefix"), {
    reason: "MASK_MISSING",
    message: /mask for 4 of 5 images \(".*p_2\.png", ".*p_3\.png", ".*p_4\.png"\)/,
  });
});

test("prefix: the patient is what stands before the first underscore", () => {
  assert.equal(patientRule("prefix")("/data/12750_500_f3_original.tif"), "12750");
  assert.equal(patientRule("prefix")("/data/case1_original.png"), "case1");
});

test("prefix: a name without one is an error that says what to do", () => {
  for (const path of ["/data/image7.png", "/data/_1.png"])
    assert.throws(() => patientRule("prefix")(path), { reason: "PATIENT_UNKNOWN", message: /--patient file/ });
});

test("file: every image is its own patient", () => {
  assert.equal(patientRule("file")("/data/p1_3_original.png"), "p1_3");
});

test("regular expression: its first group, or all it matches", () => {
  assert.equal(patientRule("case-(\\d+)")("/data/case-17-b.png"), "17");
  assert.equal(patientRule("case-\\d+")("/data/case-17-b.png"), "case-17");
});

test("regular expression: the folder's name, as the message for a missing prefix suggests it", () => {
  const rule = patientRule("([^/]+)/[^/]+$");
  assert.equal(rule("/data/Slide_01/a.png"), "Slide_01");
  assert.equal(rule("C:\\data\\Slide_02\\a.png"), "Slide_02");
});

test("regular expression: one that is none, or matches nothing, is an error", () => {
  assert.throws(() => patientRule("("), { reason: "PATIENT_RULE_INVALID", message: /"\("/ });
  assert.throws(() => patientRule("zzz")("/data/a.png"), { reason: "PATIENT_UNKNOWN", message: /"\/data\/a\.png"/ });
  assert.throws(() => patientRule("x*")("/data/a.png"), { reason: "PATIENT_UNKNOWN" });
});

test("a file that cannot be read is named", async () => {
  await assert.rejects(readUserFile("/nowhere/a.png"), { reason: "FILE_UNREADABLE", message: /"\/nowhere\/a\.png"/ });
});
