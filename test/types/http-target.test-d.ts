// Read by tsc as a part of `npm run check`: a wrong type, or an error that is expected and does not come, fails it.
import * as v from "valibot";
import { expectTypeOf } from "vitest";
import { type Airlift, defineJob } from "../../src/index.ts";
import { http } from "../../src/target/http.ts";

declare const airlift: Airlift;
const url = "https://example.com/jobs";
const secret = "whsec_";

// A target takes whatever its definition says.
const bracketed = defineJob<[to: string, count?: number]>({ class: "Bracketed", perform: http(url, { secret }) });
void airlift.enqueue(bracketed, ["ada", 2]);
// @ts-expect-error a wrong type
void airlift.enqueue(bracketed, ["ada", "2"]);

const withSchema = defineJob({
  class: "WithSchema",
  args: v.pipe(
    v.tuple([v.string(), v.number()]),
    v.transform(([to, count]) => ({ to, count })),
  ),
  perform: http(url, { secret }),
});
void airlift.enqueue(withSchema, ["ada", 2]);
// @ts-expect-error a wrong type
void airlift.enqueue(withSchema, [2, "ada"]);

const plain = defineJob({ class: "Plain", perform: http(url, { secret }) });
void airlift.enqueue(plain, [1, "anything"]);

// So does an endpoint of a job's own.
defineJob<[customer: string, event: unknown]>({
  class: "Notify",
  perform: http(
    ([customer]) => {
      expectTypeOf(customer).toEqualTypeOf<string>();
      return { url: `https://${customer}.example.com`, secret };
    },
    { secret, refusePrivateAddresses: true },
  ),
});
defineJob({ class: "Any", perform: http(async (args) => String((args as unknown[])[0]), { secret }) });

// @ts-expect-error no secret
http(url, {});
// @ts-expect-error an option that does not exist
http(url, { secret, retries: 3 });
