/** @file The version of this software, as package.json states it. */
import { readFileSync } from "node:fs";

function findVersion(): string {
  for (let folder = new URL(".", import.meta.url); ; folder = new URL("..", folder)) {
    try {
      const text = readFileSync(new URL("package.json", folder), "utf8");
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed === "object" && parsed !== null && "version" in parsed) return String(parsed.version);
    } catch (error) {
      if (folder.pathname === "/") throw error;
    }
  }
}

export const SOFTWARE_VERSION = findVersion();
