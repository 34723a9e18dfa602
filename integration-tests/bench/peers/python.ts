/** @file The Python environment of the peers: made once, beside the other downloads, and only where `--peers` asks for it. */
import { execFile } from "node:child_process";
import { access, mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const TORCH = "torch==2.13.0";

/** Returns the path of a Python that has PyTorch; the first call downloads 3 GB of it. */
export async function peerPython(): Promise<string> {
  const folder = join(homedir(), ".cache", "radhical", `venv-${TORCH.replaceAll("=", "-")}`);
  const python = join(folder, "bin", "python");
  const isThere = await access(python).then(
    () => true,
    () => false,
  );
  if (isThere) return python;
  process.stderr.write(`installing ${TORCH} in ${folder}: 3 GB\n`);
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  await run("python3", ["-m", "venv", partial]);
  await run(join(partial, "bin", "python"), ["-m", "pip", "install", "--quiet", TORCH, "numpy"]);
  await rename(partial, folder); // Python finds its packages relative to itself
  return python;
}
