import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeTileState, encodeTileState } from "./tile-state.ts";

test("a tile's state keeps what levels decided, and the seconds that it took", () => {
  const tile = {
    tile: { x: 500, y: 0, width: 2, height: 1 },
    image: { width: 502, height: 1 },
    reductions: [2, 1],
    levels: [
      {
        counts: { level: 2, computed: 1, accepted: 0, rejected: 0 },
        p2: Uint8Array.of(130),
        decisions: Uint8Array.of(2),
      },
      {
        counts: { level: 1, computed: 2, accepted: 1, rejected: 1 },
        p2: Uint8Array.of(200, 7),
        decisions: Uint8Array.of(1, 0),
      },
    ],
  };
  assert.deepEqual(decodeTileState(Uint8Array.from(encodeTileState(tile, 1.25))), { ...tile, seconds: 1.25 });
});
