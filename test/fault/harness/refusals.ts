import type { RequestFault } from "./request-faults.ts";

/** An answer that is not Redis' own. */
export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether Redis may have done it all the same. */
  readonly mayBeDone: boolean;
}

const FULL = "ERR DB capacity quota exceeded. Maximum: 268435456 bytes";
const PAGE =
  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body>\r\n</html>\r\n";
const JSON_HEADERS = { "content-type": "application/json" };

/** The answer that a fault is; undefined for one that is none. */
export function refuse(fault: RequestFault, share: number, path: string, body: Buffer): Refusal | undefined {
  const error = (status: number, text: string, mayBeDone = false): Refusal => ({
    ...{ status, headers: JSON_HEADERS, mayBeDone },
    body: JSON.stringify({ error: text }),
  });
  switch (fault) {
    case "status-429": {
      const refusal = error(429, "ERR max requests limit exceeded. Limit: 1000, Usage: 1000");
      return { ...refusal, headers: { ...JSON_HEADERS, "retry-after": "1" } };
    }
    case "status-500":
      return share < 0.5
        ? error(500, "internal error", true)
        : { ...error(500, ""), body: "Internal Server Error", mayBeDone: true };
    case "status-502":
      return { status: 502, headers: { "content-type": "text/html" }, body: PAGE, mayBeDone: true };
    case "unauthorized":
      return error(401, "WRONGPASS invalid or missing auth token");
    case "full": {
      // A pipeline is answered with 200, and says for each command what became of it.
      if (!path.endsWith("/pipeline")) return error(400, FULL);
      const { length } = JSON.parse(body.toString()) as readonly unknown[];
      const items = Array.from({ length }, () => ({ error: FULL }));
      return { status: 200, headers: JSON_HEADERS, body: JSON.stringify(items), mayBeDone: false };
    }
    default:
      return undefined;
  }
}
