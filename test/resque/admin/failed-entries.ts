/** Entries of the failed list, in the bytes of those who write them. `n` makes each unlike the others. */
export const WRITERS: Readonly<Record<"ruby" | "goworker" | "node" | "airlift", (n: number) => string>> = {
  // Ruby Resque 3.0: samples of reference/wire-formats.
  ruby: (n) =>
    `{"failed_at":"2026/11/20 19:47:48 UTC","payload":{"class":"Boom","args":[${n},"hi",{"k":[]},1.0,12345678901234567890]},"exception":"ArgumentError","error":"boom: bad \\"thing\\"","backtrace":["jobs.rb:3:in \`perform'"],"worker":"vm:7017:bench","queue":"mail"}`,
  goworker: (n) =>
    `{"failed_at":"2026-11-20T20:04:33.625369019Z","payload":{"class":"Sleep","args":[${n},"\\u003c\\u0026\\u003e"]},"exception":"Error","error":"went wrong","backtrace":null,"worker":"vm:24838-0:bench","queue":"bench"}`,
  node: (n) =>
    `{"worker":"vm:23163","queue":"mail","payload":{"class":"Add","queue":"mail","args":[${n},{"payload":{"queue":"no"}}]},"exception":"TypeError","error":"x,\\"payload\\":{}","backtrace":["    at a (b.js:1:1)"],"failed_at":"Fri Nov 20 2026 19:49:18 GMT+0000 (Coordinated Universal Time)"}`,
  airlift: (n) =>
    `{"failed_at":"2026/11/20 18:50:57 UTC","payload":{"class":"Mail::Send","args":[${n}],"airlift":{"id":"j${n}"}},"exception":"TimeoutError","error":"too slow","backtrace":[],"worker":"airlift-node-1:7-0:mail","queue":"mail"}`,
};

/** The payload in an entry of {@link WRITERS}, as it was written. */
export function payloadIn(entry: string): string {
  const from = entry.indexOf('"payload":{"class"') + '"payload":'.length;
  let depth = 0;
  let isText = false;
  for (let at = from; at < entry.length; at++) {
    const char = entry[at];
    if (isText && char === "\\") at++;
    else if (char === '"') isText = !isText;
    else if (!isText && (char === "{" || char === "[")) depth++;
    else if (!isText && (char === "}" || char === "]") && --depth === 0) return entry.slice(from, at + 1);
  }
  throw new Error("no payload");
}

/** Whatever may be in the list and is no failure that could be retried. */
export const BAD_ENTRIES: readonly string[] = [
  "",
  "not json",
  "null",
  "[]",
  '"text"',
  "{",
  '{"failed_at":',
  "{}",
  '{"payload":null,"queue":"mail"}',
  '{"payload":{"args":[]},"queue":"mail"}',
  '{"payload":{"class":"A","args":{}},"queue":"mail"}',
  '{"payload":{"class":"A","args":[]}}',
  '{"payload":{"class":"A","args":[]},"queue":7}',
  `{"payload":{"class":"Deep","args":${"[".repeat(2_000)}${"]".repeat(2_000)}},"queue":"mail"}`,
];
