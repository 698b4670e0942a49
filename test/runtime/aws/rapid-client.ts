/**
 * The HTTP client of aws-lambda-ric, which is compiled from C++ there, with the same three functions. As the original it sends an answer before it
 * asks for the next invocation.
 */
import { request } from "node:http";

interface Answer {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

let posted: Promise<unknown> = Promise.resolve();

export async function next(): Promise<{ bodyJson: string; headers: Readonly<Record<string, unknown>> }> {
  await posted;
  const { headers, text } = await send("GET", "next");
  return { bodyJson: text, headers };
}

export function done(id: string, body: string): void {
  posted = send("POST", `${id}/response`, body);
}

export function error(id: string, body: string): void {
  posted = send("POST", `${id}/error`, body);
}

function send(method: string, path: string, body = ""): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = `http://${process.env["AWS_LAMBDA_RUNTIME_API"]}/2018-06-01/runtime/invocation/${path}`;
    const sent = request(url, { method, agent: false, headers: { "content-length": Buffer.byteLength(body) } });
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ headers: response.headers, text }));
    });
    sent.end(body);
  });
}
