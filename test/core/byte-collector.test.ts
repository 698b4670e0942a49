import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createByteCollector } from "../../src/core/byte-collector.ts";

test("parts are put together in order, whatever becomes of them afterwards, and a second text begins anew", async () => {
  await fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), fc.integer({ min: 0, max: 500 }), (parts, maxBytes) => {
      const collector = createByteCollector(maxBytes);
      for (let round = 0; round < 2; round++) {
        for (const part of parts) {
          const chunk = part.slice();
          collector.add(chunk);
          chunk.fill(0xff);
        }
        expect(collector.size).toBe(parts.flatMap((part) => [...part]).length);
        expect([...collector.take()]).toEqual(parts.flatMap((part) => [...part]));
        expect(collector.size).toBe(0);
      }
    }),
  );
});
